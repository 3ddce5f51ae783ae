/// FGSM and PGD-40 against verdicts computed by others' code on the same nets, inputs and constants.
///
/// The net is written out in plain loops here, so that the comparison stands on the attacks alone.
#include <algorithm>
#include <cmath>

#include "attack/reference_file.hpp"
#include "kit/check.hpp"
#include "kit/check_model.hpp"
#include "ntkrob/attack/attack.hpp"
#include "ntkrob/attack/evaluate.hpp"
#include "ntkrob/model/metrics.hpp"

using namespace ntkrob;

namespace {

/// Dense layers with ReLU between them. Loops run over outputs (forward) or inputs (backward) innermost, without sums
/// across lanes, so that they vectorise; each row is computed alone.
class PlainMlp : public Model {
 public:
  PlainMlp(const reference::Hdf5File& file, const std::string& group) {
    for (const char* layer : {"1", "3", "5"}) {
      weights_.push_back(file.matrix(group + "/weights/" + layer + ".weight"));
      biases_.push_back(file.matrix(group + "/weights/" + layer + ".bias"));
      const Matrix<float>& w = weights_.back();
      Matrix<float> transposed(w.cols(), w.rows());
      for (index o = 0; o < w.rows(); ++o)
        for (index i = 0; i < w.cols(); ++i) transposed(i, o) = w(o, i);
      transposed_.push_back(std::move(transposed));
    }
  }
  ImageShape input_shape() const override { return {28, 28, 1}; }
  index classes() const override { return weights_.back().rows(); }
  void logits(ConstView2D<float> x, View2D<float> out) const override {
    NTKROB_CHECK_SHAPE(x, x.rows, 784);
    std::vector<std::vector<float>> a;
    for (index i = 0; i < x.rows; ++i) {
      forward(x.row(i), a);
      std::copy(a.back().begin(), a.back().end(), out.row(i));
    }
  }
  void input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const override {
    std::vector<std::vector<float>> a;
    for (index i = 0; i < x.rows; ++i) {
      forward(x.row(i), a);
      backward(a, cotangent.row(i), dx.row(i));
    }
  }
  void logits_and_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                       View2D<float> dx) const override {
    std::vector<std::vector<float>> a;
    Matrix<float> c(1, classes());
    for (index i = 0; i < x.rows; ++i) {
      forward(x.row(i), a);
      std::copy(a.back().begin(), a.back().end(), out.row(i));
      cotangent(i, out.middle_rows(i, 1), c);
      backward(a, c.data(), dx.row(i));
    }
  }

 private:
  /// a[l] = the input of layer l; a[3] = the logits.
  void forward(const float* x, std::vector<std::vector<float>>& a) const {
    a.assign(1, std::vector<float>(x, x + 784));
    for (std::size_t l = 0; l < weights_.size(); ++l) {
      const index n_out = weights_[l].rows();
      std::vector<float> next(biases_[l].data(), biases_[l].data() + n_out);
      for (index i = 0; i < weights_[l].cols(); ++i) {
        const float value = a[l][static_cast<std::size_t>(i)];
        const float* w = transposed_[l].row(i);
        for (index o = 0; o < n_out; ++o) next[static_cast<std::size_t>(o)] += value * w[o];
      }
      if (l + 1 < weights_.size())
        for (float& value : next) value = std::max(value, 0.0f);
      a.push_back(std::move(next));
    }
  }
  void backward(const std::vector<std::vector<float>>& a, const float* cotangent, float* dx) const {
    std::vector<float> g(cotangent, cotangent + classes());
    for (std::size_t l = weights_.size(); l-- > 0;) {
      const index n_in = weights_[l].cols();
      std::vector<float> down(static_cast<std::size_t>(n_in), 0.0f);
      for (index o = 0; o < weights_[l].rows(); ++o) {
        const float* w = weights_[l].row(o);
        for (index i = 0; i < n_in; ++i) down[static_cast<std::size_t>(i)] += g[static_cast<std::size_t>(o)] * w[i];
      }
      if (l > 0)
        for (std::size_t i = 0; i < down.size(); ++i)
          if (!(a[l][i] > 0)) down[i] = 0;
      g = std::move(down);
    }
    std::copy(g.begin(), g.end(), dx);
  }

  std::vector<Matrix<float>> weights_, transposed_, biases_;
};

index count(const std::vector<int>& v) { return std::count(v.begin(), v.end(), 1); }

}  // namespace

TEST_CASE("fgsm and pgd-40 give the verdicts of the reference code sample by sample", "[attack][reference]") {
  if (!reference::present()) return;
  const reference::Hdf5File file(reference::kFile);
  for (const std::string group : {"mlp_adv_linf", "mlp_std_linf"}) {
    INFO(group);
    const PlainMlp model(file, group);
    const Matrix<float> x = file.matrix(group + "/x");
    const index n = x.rows();
    const std::vector<int> labels = file.integers(group + "/y", n);
    const double eps = file.number(group, "eps");
    const std::vector<int> clean = file.integers(group + "/clean_correct", n);

    NTKROB_CHECK_SAME(kit::compare(all_logits(model, x.view()).view(), file.matrix(group + "/logits").view(), 2e-4));

    EvaluateOptions options;
    options.threat = {Norm::linf, static_cast<float>(eps)};
    options.attacks = {"clean", "fgsm", text("pgd-40(step=", eps / 10, ",start=x)")};
    const EvaluateReport report = evaluate(model, x.view(), labels, {}, options);

    const char* names[] = {"clean_correct", "fgsm_correct", "pgd40_correct"};
    const index allowed[] = {0, 2, 2};  // logits that tie to rounding may fall either way
    for (std::size_t k = 0; k < 3; ++k) {
      const std::vector<int> expected = file.integers(group + "/" + names[k], n);
      std::vector<int> right(expected.size());
      index differ = 0;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        right[i] = expected[i] && clean[i];  // here a sample wrong on clean inputs stays wrong
        differ += right[i] != report.attacks[k].robust[i];
      }
      INFO(names[k] << ": reference " << count(right) << " right, here " << report.attacks[k].accuracy * n
                    << ", different verdicts " << differ);
      CHECK(differ <= allowed[k]);
      CHECK(count(right) > 0);
    }
    CHECK(report.attacks[2].zero_gradients == 0);

    // The best of 40 iterates is no weaker than the reference's last one; rounding may steer a few samples elsewhere.
    const Matrix<float> last = file.matrix(group + "/pgd40_x_adv");
    const std::vector<float> theirs = margins(all_logits(model, last.view()).view(), labels);
    index weaker = 0, attacked = 0;
    for (std::size_t i = 0; i < theirs.size(); ++i) {
      attacked += clean[i];
      weaker += clean[i] && report.attacks[2].margin[i] > theirs[i] + 1e-3f;
    }
    INFO("weaker on " << weaker << " of " << attacked);
    CHECK(attacked > n / 2);
    CHECK(weaker <= attacked / 50);
  }
}

TEST_CASE("the plain reference net conforms to the Model contract", "[attack][reference]") {
  if (!reference::present()) return;
  const reference::Hdf5File file(reference::kFile);
  const PlainMlp model(file, "mlp_adv_linf");
  const Matrix<float> x = file.matrix("mlp_adv_linf/x");
  kit::CheckModelOptions options;
  options.step = 1.0 / 512;  // a ReLU net: short steps meet few kinks
  options.gradient_bound = 0.05;
  NTKROB_CHECK_MODEL(model, x.view().middle_rows(0, 4), options);
}
