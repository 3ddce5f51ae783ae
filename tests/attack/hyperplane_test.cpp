/// Projection on a hyperplane inside the box, the step of FAB.
#include "attack/hyperplane.hpp"

#include <algorithm>
#include <cmath>

#include "attack/rows.hpp"
#include "kit/check.hpp"
#include "kit/small_models.hpp"

using namespace ntkrob;

namespace {

constexpr index kD = 37;
const Norm kNorms[] = {Norm::linf, Norm::l2, Norm::l1};

struct Problem {
  Matrix<float> t, w;
  double reach = 0;  // how far w . t can fall inside the box

  explicit Problem(std::uint64_t seed)
      : t(kit::uniform_matrix(1, kD, seed)), w(kit::uniform_matrix(1, kD, seed + 1000, -1, 1)) {
    for (index j = 0; j < kD; j += 4) t(0, j) = j % 8 == 0 ? 0.0f : 1.0f;
    w(0, 5) = 0;
    for (index j = 0; j < kD; ++j) reach += std::abs(w(0, j)) * (w(0, j) > 0 ? t(0, j) : 1 - t(0, j));
  }
};

double along(const Problem& p, const Matrix<float>& shift) { return dot(p.w.data(), shift.data(), kD); }

}  // namespace

TEST_CASE("a shift to a hyperplane reaches it and stays in the box", "[attack]") {
  for (const Norm norm : kNorms)
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
      const Problem p(seed);
      for (const double part : {0.0, 0.01, 0.3, 0.7, 0.999}) {
        INFO(to_string(norm) << " seed " << seed << " part " << part);
        const double excess = part * p.reach;
        Matrix<float> shift(1, kD);
        shift_to_hyperplane(norm, p.t.data(), p.w.data(), excess, kD, 0, 1, shift.data());
        CHECK(along(p, shift) == Approx(-excess).margin(2e-6));
        for (index j = 0; j < kD; ++j) {
          CHECK(p.t(0, j) + shift(0, j) >= -1e-7);
          CHECK(p.t(0, j) + shift(0, j) <= 1 + 1e-7);
        }
        CHECK(shift(0, 5) == 0);
      }
    }
}

TEST_CASE("no feasible shift to the hyperplane is smaller", "[attack]") {
  // The norm of the shift against the smallest radius whose ball can lower w . t by the excess, found by bisection.
  for (const Norm norm : kNorms)
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
      const Problem p(seed);
      for (const double part : {0.05, 0.5, 0.95}) {
        INFO(to_string(norm) << " seed " << seed << " part " << part);
        const double excess = part * p.reach;
        Matrix<float> shift(1, kD);
        shift_to_hyperplane(norm, p.t.data(), p.w.data(), excess, kD, 0, 1, shift.data());

        // Largest fall of w . t over shifts of norm r inside the box; it grows with r.
        const auto fall = [&](double r) {
          std::vector<std::pair<double, double>> parts;  // weight, room
          for (index j = 0; j < kD; ++j)
            parts.emplace_back(std::abs(p.w(0, j)), p.w(0, j) > 0 ? p.t(0, j) : 1 - p.t(0, j));
          double sum = 0;
          if (norm == Norm::linf) {
            for (const auto& [a, room] : parts) sum += a * std::min(r, room);
          } else if (norm == Norm::l1) {
            std::sort(parts.rbegin(), parts.rend());
            for (const auto& [a, room] : parts) {
              const double used = std::min(r, room);
              sum += a * used;
              r -= used;
            }
          } else {  // the multiplier whose shift has norm r, again by bisection
            double low = 0, high = 1e6;
            for (int k = 0; k < 100; ++k) {
              const double middle = (low + high) / 2;
              double square = 0;
              for (const auto& [a, room] : parts) square += std::pow(std::min(middle * a, room), 2);
              (std::sqrt(square) < r ? low : high) = middle;
            }
            for (const auto& [a, room] : parts) sum += a * std::min(low * a, room);
          }
          return sum;
        };
        double low = 0, high = kD;
        for (int k = 0; k < 100; ++k) {
          const double middle = (low + high) / 2;
          (fall(middle) < excess ? low : high) = middle;
        }
        CHECK(norm_of(norm, shift.data(), kD) == Approx(high).epsilon(1e-5));
      }
    }
}

TEST_CASE("a hyperplane out of reach is approached to the corner of the box", "[attack]") {
  const Problem p(3);
  for (const Norm norm : kNorms)
    for (const double sign : {1.0, -1.0}) {
      Matrix<float> shift(1, kD);
      shift_to_hyperplane(norm, p.t.data(), p.w.data(), sign * 1e6, kD, 0, 1, shift.data());
      for (index j = 0; j < kD; ++j) {
        const bool down = sign * p.w(0, j) > 0;
        CHECK(shift(0, j) == (p.w(0, j) == 0 ? 0.0f : down ? -p.t(0, j) : 1 - p.t(0, j)));
      }
      const std::vector<float> flat(kD, 0.0f);
      shift_to_hyperplane(norm, p.t.data(), flat.data(), sign, kD, 0, 1, shift.data());
      CHECK(std::all_of(shift.data(), shift.data() + kD, [](float v) { return v == 0; }));
    }
}
