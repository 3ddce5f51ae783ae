#include "ntkrob/model/loss.hpp"

#include <cmath>

#include "kit/check.hpp"
#include "kit/small_models.hpp"
#include "ntkrob/model/metrics.hpp"

using namespace ntkrob;

namespace {

Matrix<float> row(std::vector<float> values) {
  Matrix<float> m(1, static_cast<index>(values.size()));
  std::copy(values.begin(), values.end(), m.data());
  return m;
}

double value(const std::string& name, const Matrix<float>& logits, int label, double temperature = 1,
             const Matrix<float>& targets = {}) {
  double result = -1;
  make_loss(name, temperature)->evaluate(logits, &label, targets, &result, {});
  return result;
}

Matrix<float> cotangent(const std::string& name, const Matrix<float>& logits, int label, double temperature = 1,
                        const Matrix<float>& targets = {}) {
  double unused;
  Matrix<float> result(1, logits.cols());
  make_loss(name, temperature)->evaluate(logits, &label, targets, &unused, result);
  return result;
}

}  // namespace

TEST_CASE("losses have their values worked out by hand", "[model]") {
  const Matrix<float> f = row({1, 2, 4});

  // 1/2 (0.5^2 + 0 + 3^2)
  CHECK(value("mse", f, 0, 1, row({0.5f, 2, 1})) == Approx(4.625).epsilon(1e-15));
  // log(e^1 + e^2 + e^4) - 2
  CHECK(value("ce", f, 1) == Approx(std::log(std::exp(1.0) + std::exp(2.0) + std::exp(4.0)) - 2).epsilon(1e-14));
  CHECK(value("ce", f, 1, 0.5) == Approx(std::log(std::exp(0.5) + std::exp(1.0) + std::exp(2.0)) - 1).epsilon(1e-14));
  CHECK(value("margin", f, 0) == 3);
  CHECK(value("margin", f, 2) == -2);
}

TEST_CASE("every loss of losses.def has the derivative of its value as cotangent", "[model]") {
  const index classes = 5;
  const Matrix<float> logits = kit::uniform_matrix(1, classes, 3, -2, 2);
  const Matrix<float> targets = kit::uniform_matrix(1, classes, 4, -1, 1);
  for (const std::string& name : loss_names())
    for (const double temperature : {1.0, 0.25, 3.0})
      for (int label = 0; label < classes; ++label) {
        INFO(name << " temperature " << temperature << " label " << label);
        const Matrix<float> g = cotangent(name, logits, label, temperature, targets);
        for (index j = 0; j < classes; ++j) {
          Matrix<float> up = logits, down = logits;
          up(0, j) += 0x1p-8f;
          down(0, j) -= 0x1p-8f;
          const double h = (static_cast<double>(up(0, j)) - down(0, j));
          const double numeric =
              (value(name, up, label, temperature, targets) - value(name, down, label, temperature, targets)) / h;
          INFO("component " << j);
          CHECK(g(0, j) == Approx(numeric).margin(2e-4));
        }
      }
}

TEST_CASE("cross-entropy is stable for huge logits and keeps a gradient for confident ones", "[model]") {
  CHECK(value("ce", row({1e30f, -1e30f}), 0) == 0);
  CHECK(value("ce", row({3e4f, 0}), 1) == Approx(3e4).epsilon(1e-12));

  // p_y - 1 = -e^-50 / (1 + e^-50): far below the rounding of p_y, still a direction.
  const Matrix<float> g = cotangent("ce", row({50, 0}), 0);
  CHECK(g(0, 0) == Approx(-std::exp(-50.0)).epsilon(1e-6));
  CHECK(g(0, 1) == Approx(std::exp(-50.0)).epsilon(1e-6));
  CHECK(value("ce", row({50, 0}), 0) == Approx(std::exp(-50.0)).epsilon(1e-12));
}

TEST_CASE("losses refuse what they cannot judge and name it", "[model]") {
  const auto message = [](auto&& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  Matrix<float> logits(3, 2);
  logits(2, 1) = NAN;
  const std::vector<int> labels = {0, 1, 0};
  std::vector<double> values(3);
  for (const std::string& name : loss_names()) {
    INFO(name);
    const Matrix<float> targets(3, 2);
    CHECK_THROWS_AS(make_loss(name)->evaluate(logits, labels.data(), targets, values.data(), {}), NonFinite);
    CHECK(message([&] {
            make_loss(name)->evaluate(logits, labels.data(), targets, values.data(), {});
          }).find("sample 2, class 1") != std::string::npos);
  }
  logits(2, 1) = 0;
  const std::vector<int> wrong = {0, 1, 2};
  CHECK(message([&] { make_loss("ce")->evaluate(logits, wrong.data(), {}, values.data(), {}); }).find("label 2 is 2") !=
        std::string::npos);
  CHECK_THROWS_AS(make_loss("margin")->evaluate(logits, wrong.data(), {}, values.data(), {}), ConfigError);
  CHECK_THROWS_AS(make_loss("mse")->evaluate(logits, labels.data(), {}, values.data(), {}), ShapeError);
  Matrix<float> narrow(3, 1);
  CHECK_THROWS_AS(make_loss("ce")->evaluate(logits, labels.data(), {}, values.data(), narrow), ShapeError);
  CHECK_THROWS_AS(make_loss("ce", 0), ConfigError);
  CHECK_THROWS_AS(make_loss("ce", NAN), ConfigError);
  CHECK(message([] { make_loss("hinge"); }).find("ce, margin, mse") != std::string::npos);
}

TEST_CASE("centred one-hot rows are one-hot minus 1/C", "[model]") {
  const Matrix<float> t = centred_one_hot({2, 0}, 4);
  const float expected[2][4] = {{-0.25f, -0.25f, 0.75f, -0.25f}, {0.75f, -0.25f, -0.25f, -0.25f}};
  REQUIRE(t.rows() == 2);
  for (index i = 0; i < 2; ++i)
    for (index j = 0; j < 4; ++j) CHECK(t(i, j) == expected[i][j]);
  CHECK_THROWS_AS(centred_one_hot({0, 4}, 4), ConfigError);
  CHECK_THROWS_AS(centred_one_hot({-1}, 4), ConfigError);
}
