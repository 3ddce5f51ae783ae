// FGSM against a linear classifier, whose worst case has a closed form: the margin shrinks by eps * ||w_0 - w_1||_1.
#include <cmath>
#include <cstdio>

#include "ntkrob/attack/attack.hpp"

namespace {

constexpr ntkrob::index kPixels = 3, kClasses = 2;
constexpr float kWeights[kClasses][kPixels] = {{1.0f, -2.0f, 0.5f}, {-1.0f, 1.0f, 0.0f}};

class LinearModel : public ntkrob::Model {
 public:
  ntkrob::ImageShape input_shape() const override { return {1, 1, kPixels}; }
  ntkrob::index classes() const override { return kClasses; }
  void logits(ntkrob::ConstView2D<float> x, ntkrob::View2D<float> out) const override {
    for (ntkrob::index i = 0; i < x.rows; ++i)
      for (ntkrob::index c = 0; c < kClasses; ++c) {
        out(i, c) = 0;
        for (ntkrob::index j = 0; j < kPixels; ++j) out(i, c) += kWeights[c][j] * x(i, j);
      }
  }
  void input_grad(ntkrob::ConstView2D<float> x, ntkrob::ConstView2D<float> cotangent,
                  ntkrob::View2D<float> dx) const override {
    for (ntkrob::index i = 0; i < x.rows; ++i)
      for (ntkrob::index j = 0; j < kPixels; ++j) {
        dx(i, j) = 0;
        for (ntkrob::index c = 0; c < kClasses; ++c) dx(i, j) += cotangent(i, c) * kWeights[c][j];
      }
  }
};

}  // namespace

int main() {
  const LinearModel model;
  ntkrob::Matrix<float> x(1, kPixels), adversarial(1, kPixels);
  for (ntkrob::index j = 0; j < kPixels; ++j) x(0, j) = 0.5f;
  const int label = 1;
  ntkrob::AttackBatch batch;
  batch.x = x;
  batch.labels = &label;
  ntkrob::ThreatModel threat;
  threat.eps = 0.125f;

  const ntkrob::AttackResult result = ntkrob::make_attack("fgsm")->perturb(model, batch, threat, 0, adversarial);

  const double expected = 0.25 - 0.125 * (2 + 3 + 0.5);  // clean margin minus eps times the l1 distance of the weights
  std::printf("margin %.6f, expected %.6f, robust %d\n", result.margin.at(0), expected, result.robust.at(0));
  return std::abs(result.margin.at(0) - expected) < 1e-5 && result.robust.at(0) == 0 ? 0 : 1;
}
