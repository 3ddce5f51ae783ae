// Steps and starts of attacks, as the blocks of a device compute them, against ThreatModel: the same bits.
#include "backend_cuda/ball.hpp"

#include <cmath>
#include <limits>

#include "backend_cuda/host_block.hpp"
#include "kit/check.hpp"
#include "kit/small_models.hpp"
#include "ntkrob/attack/threat.hpp"

using namespace ntkrob;
using kit::on_device;
using kit::Order;

namespace {

template <class T>
cuda::DeviceView<const T> read(const Matrix<T>& m) {
  return {m.data(), m.rows(), m.cols(), m.cols()};
}

/// Inputs in the box, of which many lie on its faces.
Matrix<float> images(index n, index d) {
  Matrix<float> x = kit::uniform_matrix(n, d, 11, -0.3, 1.3);
  for (index k = 0; k < x.size(); ++k) x.data()[k] = std::min(std::max(x.data()[k], 0.0f), 1.0f);
  return x;
}

/// Gradients of very different sizes, with zeros, ties, and rows of zeros.
Matrix<float> slopes(index n, index d) {
  const Rng rng(4, "slopes");
  Matrix<float> g(n, d);
  for (index i = 0; i < n; ++i)
    for (index j = 0; j < d; ++j) {
      const double v = rng.fork(static_cast<std::uint64_t>(i)).normal(static_cast<std::uint64_t>(j / 2));
      g(i, j) =
          i % 5 == 3 || j % 7 == 2 ? 0 : static_cast<float>(v * std::pow(10.0, 6.0 * static_cast<double>(i % 5 - 2)));
    }
  return g;
}

/// Some radii, of which the first is 0 and the last is large.
std::vector<float> radii(Norm norm, index d) {
  const double most = norm == Norm::linf ? 1.0 : norm == Norm::l2 ? std::sqrt(static_cast<double>(d)) : 1.0 * d;
  return {0, 1e-6f, 0.03f, 0.3f, static_cast<float>(0.3 * most), static_cast<float>(0.99 * most)};
}

const index kLengths[] = {1, 3, 16, 40, 63, 64, 65, 300};
constexpr index kRows = 19;  // two blocks and a part of one

}  // namespace

TEST_CASE("device steps have the bits of ThreatModel, stay in ball and box, and count gradients of zeros",
          "[backend_cuda]") {
  const Norm norm = GENERATE(Norm::linf, Norm::l2, Norm::l1);
  const Order order = GENERATE(Order::forward, Order::backward);
  for (const index d : kLengths)
    for (const float eps : radii(norm, d)) {
      CAPTURE(to_string(norm), d, eps);
      const ThreatModel threat{norm, eps};
      const Matrix<float> x = images(kRows, d), g = slopes(kRows, d);
      Matrix<float> z = x, expected = x;
      Matrix<double> zeros(kRows, 1);
      index flat = 0;
      for (int step = 0; step < 4; ++step) {
        const float size = step == 3 ? 2 : 0.6f * eps;  // the last step leaves every ball
        kit::run_on_host(
            cuda::BallStep{threat.ball(), size, read(x), read(g), on_device(z.view()), on_device(zeros.view())}, order);
        for (index i = 0; i < kRows; ++i) {
          threat.ascend(g.row(i), expected.row(i), d, size);
          threat.project(x.row(i), expected.row(i), d);
          INFO("step " << step << " row " << i);
          REQUIRE(threat.contains(x.row(i), z.row(i), d));
        }
        NTKROB_CHECK_SAME(kit::compare(z.view(), expected.view(), 0));
      }
      for (index i = 0; i < kRows; ++i) {
        bool zero = true;
        for (index j = 0; j < d; ++j) zero = zero && g(i, j) == 0;
        flat += zero;
        CHECK(zeros(i, 0) == (zero ? 4 : 0));
      }
      CHECK(flat > 0);
    }
}

TEST_CASE("device projections have the bits of ThreatModel for points anywhere", "[backend_cuda]") {
  const Norm norm = GENERATE(Norm::linf, Norm::l2, Norm::l1);
  for (const index d : kLengths)
    for (const float eps : radii(norm, d)) {
      CAPTURE(to_string(norm), d, eps);
      const ThreatModel threat{norm, eps};
      const Matrix<float> x = images(kRows, d);
      Matrix<float> z = kit::uniform_matrix(kRows, d, 12, -2, 3), expected = z;
      for (index j = 0; j < d; ++j) z(2, j) = expected(2, j) = x(2, j);
      kit::run_on_host(cuda::BallStep{threat.ball(), 0, read(x), {}, on_device(z.view()), {}});
      for (index i = 0; i < kRows; ++i) threat.project(x.row(i), expected.row(i), d);
      NTKROB_CHECK_SAME(kit::compare(z.view(), expected.view(), 0));
    }
}

TEST_CASE("a row whose gradient is not finite stays in ball and box, and is told", "[backend_cuda]") {
  const Norm norm = GENERATE(Norm::linf, Norm::l2, Norm::l1);
  const index d = 50;
  const ThreatModel threat{norm, 0.1f};
  const Matrix<float> x = images(kRows, d);
  Matrix<float> g = slopes(kRows, d), z = x;
  g(1, 49) = std::numeric_limits<float>::quiet_NaN();
  g(3, 0) = std::numeric_limits<float>::infinity();  // of a row of zeros
  Matrix<double> zeros(kRows, 1);
  for (int step = 0; step < 2; ++step) {
    kit::run_on_host(
        cuda::BallStep{threat.ball(), 0.1f, read(x), read(g), on_device(z.view()), on_device(zeros.view())});
    g(3, 0) = 0;  // once is enough
  }
  for (index i = 0; i < kRows; ++i) {
    CAPTURE(to_string(norm), i);
    CHECK(zeros(i, 0) == (i == 1 || i == 3 ? -1 : i % 5 == 3 ? 2 : 0));
    CHECK(threat.contains(x.row(i), z.row(i), d));
  }
}

TEST_CASE("random starts on a device have the bits of ThreatModel", "[backend_cuda]") {
  const Norm norm = GENERATE(Norm::linf, Norm::l2, Norm::l1);
  const Order order = GENERATE(Order::forward, Order::backward);
  const Rng rng(8, "start");
  Matrix<float> first;
  for (const index d : kLengths)
    for (const float eps : radii(norm, d)) {
      CAPTURE(to_string(norm), d, eps);
      const ThreatModel threat{norm, eps};
      const Matrix<float> x = images(kRows, d);
      Matrix<float> z(kRows, d), expected(kRows, d);
      std::vector<RandomStream> streams;
      for (index i = 0; i < kRows; ++i) {
        streams.push_back(rng.fork(static_cast<std::uint64_t>(i)).stream());
        threat.random_start(x.row(i), expected.row(i), d, rng.fork(static_cast<std::uint64_t>(i)));
      }
      kit::run_on_host(cuda::BallStart{threat.ball(), {streams.data(), 1, kRows, kRows}, read(x), on_device(z.view())},
                       order);
      kit::run_on_host(cuda::BallStep{threat.ball(), 0, read(x), {}, on_device(z.view()), {}}, order);
      NTKROB_CHECK_SAME(kit::compare(z.view(), expected.view(), 0));
    }
}

TEST_CASE("chosen rows are copied and no others", "[backend_cuda]") {
  const Matrix<float> from = kit::uniform_matrix(7, 300, 1), before = kit::uniform_matrix(7, 300, 2);
  Matrix<float> to = before;
  const index rows[] = {5, 0, 6};
  kit::run_on_host(cuda::RowCopy{{rows, 1, 3, 3}, read(from), on_device(to.view())});
  for (index i = 0; i < 7; ++i) {
    const Matrix<float>& source = i == 5 || i == 0 || i == 6 ? from : before;
    NTKROB_CHECK_SAME(kit::compare(to.view().middle_rows(i, 1), source.view().middle_rows(i, 1), 0));
  }
}
