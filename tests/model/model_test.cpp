#include "ntkrob/model/model.hpp"

#include <cmath>

#include "kit/check.hpp"
#include "kit/check_model.hpp"
#include "kit/small_models.hpp"
#include "ntkrob/model/metrics.hpp"

using namespace ntkrob;

TEST_CASE("the small test models conform to the Model contract", "[model]") {
  const Matrix<float> x = kit::uniform_matrix(7, 12, 1);
  NTKROB_CHECK_MODEL(kit::LinearModel(12, 4, 2), x.view());
  NTKROB_CHECK_MODEL(kit::SineModel(12, 6, 3, 2), x.view());
}

namespace {

/// A correct model with one planted defect.
class Defective : public kit::SineModel {
 public:
  enum class Defect { gradient, fused_logits, batch, stride, accepts_any_width, skips_tasks, last_error };
  explicit Defective(Defect defect) : SineModel(12, 6, 3, 2), defect_(defect) {}
  void logits(ConstView2D<float> x, View2D<float> out) const override {
    if (defect_ == Defect::accepts_any_width) return SineModel::logits(x.middle_cols(0, 12), out);
    SineModel::logits(x, out);
    if (defect_ == Defect::batch && x.rows == 2) out(1, 0) += 1e-6f;
    if (defect_ == Defect::stride) out.data[out.cols] = 0;
  }
  void input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const override {
    SineModel::input_grad(x, cotangent, dx);
    if (defect_ == Defect::gradient)
      for (index i = 0; i < dx.rows; ++i) dx(i, 0) *= 1.1f;
  }
  void logits_and_grad(ConstView2D<float> x, const CotangentFn& c, View2D<float> out, View2D<float> dx) const override {
    Model::logits_and_grad(x, c, out, dx);
    if (defect_ == Defect::fused_logits) out(0, 1) = std::nextafter(out(0, 1), 100.0f);
  }
  void for_each(index n, const std::function<void(index)>& task) const override {
    if (defect_ == Defect::skips_tasks) return SineModel::for_each(n - 1, task);
    if (defect_ != Defect::last_error) return SineModel::for_each(n, task);
    for (index i = n - 1; i >= 0; --i) task(i);
  }

 private:
  Defect defect_;
};

}  // namespace

TEST_CASE("the conformance test finds every planted defect", "[model][kit]") {
  const Matrix<float> x = kit::uniform_matrix(7, 12, 1);
  using D = Defective::Defect;
  for (const D defect :
       {D::gradient, D::fused_logits, D::batch, D::stride, D::accepts_any_width, D::skips_tasks, D::last_error}) {
    INFO("defect " << static_cast<int>(defect));
    CHECK_FALSE(kit::model_problems(Defective(defect), x.view()).empty());
  }
}

TEST_CASE("the default logits_and_grad calls logits, cotangent and input_grad once, in this order", "[model]") {
  const kit::SineModel model(12, 6, 3, 2);
  const Matrix<float> x = kit::uniform_matrix(5, 12, 1);
  Matrix<float> out(5, 3), dx(5, 12), expected_out(5, 3), expected_dx(5, 12), c(5, 3);
  int calls = 0;
  model.logits_and_grad(
      x,
      [&](index first, ConstView2D<float> f, View2D<float> cotangent) {
        ++calls;
        CHECK(first == 0);
        for (index i = 0; i < 5; ++i)
          for (index k = 0; k < 3; ++k) c(i, k) = cotangent(i, k) = 2 * f(i, k);
      },
      out, dx);
  model.logits(x, expected_out);
  model.input_grad(x, c, expected_dx);

  CHECK(calls == 1);
  NTKROB_CHECK_SAME(kit::compare(out.view(), expected_out.view(), 0));
  NTKROB_CHECK_SAME(kit::compare(dx.view(), expected_dx.view(), 0));
}

TEST_CASE("predictions break ties to the lowest index and margins take the strongest rival", "[model]") {
  Matrix<float> f(3, 3);
  const float values[] = {1, 1, 0, 0, 2, 5, -1, -3, -2};
  std::copy(std::begin(values), std::end(values), f.data());

  CHECK(predictions(f.view()) == std::vector<int>{0, 2, 0});
  CHECK(margins(f.view(), {1, 2, 1}) == std::vector<float>{0, 3, -2});
  CHECK_THROWS_AS(margins(f.view(), {0, 1}), ShapeError);
  CHECK_THROWS_AS(margins(f.view(), {0, 1, 3}), ConfigError);
  f(1, 0) = INFINITY;
  CHECK_THROWS_AS(predictions(f.view()), NonFinite);
}

TEST_CASE("accuracy counts right predictions for every batch size", "[model]") {
  const kit::SineModel model(12, 6, 3, 2);
  const Matrix<float> x = kit::uniform_matrix(23, 12, 1);
  std::vector<int> labels = predictions(all_logits(model, x.view()).view());
  for (std::size_t i = 0; i < 5; ++i) labels[i * 4] = (labels[i * 4] + 1) % 3;

  for (const index batch : {1, 4, 23, 1000}) CHECK(accuracy(model, x.view(), labels, batch) == 18.0 / 23.0);
  CHECK_THROWS_AS(accuracy(model, x.view(), std::vector<int>(22, 0)), ShapeError);
  CHECK_THROWS_AS(accuracy(model, Matrix<float>(0, 12).view(), {}), ConfigError);
}

TEST_CASE("accuracy names the sample whose logits are not finite, counted over all batches", "[model]") {
  const kit::LinearModel model(12, 4, 2);
  Matrix<float> x = kit::uniform_matrix(20, 12, 1);
  x(17, 3) = NAN;
  try {
    accuracy(model, x.view(), std::vector<int>(20, 0), 6);
    FAIL("no error");
  } catch (const NonFinite& error) {
    CHECK(std::string(error.what()).find("sample 17") != std::string::npos);
  }
}
