#include "ntkrob/model/forwarding.hpp"

#include "kit/check_forwarding.hpp"
#include "kit/check_model.hpp"
#include "kit/small_models.hpp"

using namespace ntkrob;

namespace {

/// A wrapper by hand that has forgotten what has a default: evaluations ran through one like it.
class Forgetful : public Model {
 public:
  explicit Forgetful(const Model& inner) : inner_(inner) {}
  ImageShape input_shape() const override { return inner_.input_shape(); }
  index classes() const override { return inner_.classes(); }
  void logits(ConstView2D<float> x, View2D<float> out) const override { inner_.logits(x, out); }
  void input_grad(ConstView2D<float> x, ConstView2D<float> c, View2D<float> dx) const override {
    inner_.input_grad(x, c, dx);
  }
  void logits_and_grad(ConstView2D<float> x, const CotangentFn& c, View2D<float> out, View2D<float> dx) const override {
    inner_.logits_and_grad(x, c, out, dx);
  }
  void for_each(index n, const std::function<void(index)>& task) const override { inner_.for_each(n, task); }

 private:
  const Model& inner_;
};

/// Points of a model in host memory, as far as the conformance test of models asks for them.
class PointsModel : public kit::SineModel {
 public:
  enum class Defect { none, logits, gradient_logits, ascend, kept, centres };
  explicit PointsModel(Defect defect) : SineModel(12, 6, 3, 2), defect_(defect) {}
  std::unique_ptr<Iterates> iterates(ConstView2D<float> x) const override { return std::make_unique<Points>(*this, x); }

 private:
  class Points final : public Iterates {
   public:
    Points(const PointsModel& model, ConstView2D<float> x) : model_(model), x_(x), z_(x), kept_(x), dx_(x) {}
    void start_at_centres() override { z_ = x_; }
    void start_at_random(const Ball& ball, const std::vector<RandomStream>&) override {
      for (index k = 0; k < z_.size(); ++k) z_.data()[k] = x_.data()[k] + ball.eps / 2;
      if (model_.defect_ == Defect::centres) x_ = z_;
    }
    void logits(View2D<float> out) override {
      model_.logits(z_.view(), out);
      if (model_.defect_ == Defect::logits) out(1, 1) += 1e-5f;
    }
    void gradient(const CotangentFn& cotangent, View2D<float> out) override {
      model_.logits_and_grad(z_.view(), cotangent, out, dx_);
      if (model_.defect_ == Defect::gradient_logits) out(1, 1) += 1e-5f;
    }
    void ascend(const Ball&, float step) override {
      if (model_.defect_ == Defect::ascend) step = -step;
      for (index k = 0; k < z_.size(); ++k) z_.data()[k] += dx_.data()[k] > 0 ? step : -step;
    }
    std::vector<index> zero_gradients() const override {
      return std::vector<index>(static_cast<std::size_t>(z_.rows()));
    }
    void keep(const std::vector<index>&) override { kept_ = z_; }
    void read(View2D<float> z) const override { convert(z_.view(), z); }
    void read_kept(View2D<float> z) const override {
      convert(model_.defect_ == Defect::kept ? z_.view() : kept_.view(), z);
    }

   private:
    const PointsModel& model_;
    Matrix<float> x_, z_, kept_, dx_;
  };
  Defect defect_;
};

/// Changes logits and forwards iterates all the same.
class Shifted final : public ForwardingModel {
 public:
  using ForwardingModel::ForwardingModel;
  void logits(ConstView2D<float> x, View2D<float> out) const override {
    ForwardingModel::logits(x, out);
    for (index i = 0; i < out.rows; ++i) out(i, 0) += 1;
  }
};

}  // namespace

TEST_CASE("forwarding models hand on every function of a model and of its points", "[model]") {
  NTKROB_CHECK_FORWARDING([](const Model& inner) { return std::make_unique<ForwardingModel>(inner); });
  NTKROB_CHECK_FORWARDING([](const Model& inner) { return std::make_unique<WatchedModel>(inner, [] {}); });
}

TEST_CASE("the conformance test of wrappers finds one that forgets the points of a model", "[model][kit]") {
  const auto problems = kit::forwarding_problems([](const Model& inner) { return std::make_unique<Forgetful>(inner); });
  REQUIRE(problems.size() == 1);
  CHECK(problems.front() == "iterates of the wrapper called nothing of the inner model, and answered something else");
}

TEST_CASE("a forwarded model conforms to the Model contract, points and all", "[model]") {
  const Matrix<float> x = kit::uniform_matrix(7, 12, 1);
  const PointsModel model(PointsModel::Defect::none);
  NTKROB_CHECK_MODEL(model, x.view());
  NTKROB_CHECK_MODEL(ForwardingModel(model), x.view());
  CHECK_FALSE(kit::model_problems(Shifted(model), x.view()).empty());
}

TEST_CASE("the conformance test of models finds every planted defect of points", "[model][kit]") {
  const Matrix<float> x = kit::uniform_matrix(7, 12, 1);
  using D = PointsModel::Defect;
  for (const D defect : {D::logits, D::gradient_logits, D::ascend, D::kept, D::centres}) {
    INFO("defect " << static_cast<int>(defect));
    CHECK_FALSE(kit::model_problems(PointsModel(defect), x.view()).empty());
  }
}

TEST_CASE("a watched model looks before every pass, those at kept points included, and one look may end it",
          "[model]") {
  const kit::NotingModel inner;
  int looks = 0;
  bool ends = false;
  const WatchedModel model(inner, [&] {
    ++looks;
    NTKROB_CHECK(!ends, Interrupted, "interrupted");
  });
  Matrix<float> x(2, 6), f(2, 5);
  const CotangentFn none = [](index, ConstView2D<float>, View2D<float>) {};
  const auto points = model.iterates(x.view());
  CHECK(looks == 0);
  const std::vector<std::function<void()>> passes{
      [&] { model.logits(x.view(), f); },
      [&] { model.input_grad(x.view(), f.view(), x); },
      [&] { model.logits_and_grad(x.view(), none, f, x); },
      [&] { points->logits(f); },
      [&] { points->gradient(none, f); },
  };
  for (const auto& pass : passes) {
    const int before = looks;
    pass();
    CHECK(looks == before + 1);
  }
  inner.taken();
  ends = true;
  for (const auto& pass : passes) CHECK_THROWS_AS(pass(), Interrupted);
  CHECK(inner.taken().empty());
}
