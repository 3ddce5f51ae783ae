#include <cstdio>
#include <ntkrob/data/strokes.hpp>
#include <ntkrob/robust/robustifier.hpp>
#include <ntkrob/runtime/runtime.hpp>

int main() {
  const ntkrob::Dataset data = ntkrob::make_strokes(2000, 0, 1);  // open_dataset({"mnist.h5"}) reads a file
  const ntkrob::Matrix<float> x = data.images("train");
  const std::unique_ptr<ntkrob::Backend> backend = ntkrob::make_backend("auto");
  ntkrob::RobustifyOptions options;
  options.n = 100;
  options.steps = 30;
  ntkrob::Robustifier robustifier(options, {x, &data.train.labels, data.classes, data.shape}, *backend);
  while (!robustifier.done()) robustifier.step();
  const double before = robustifier.initial().validation_robust, after = robustifier.history().back().validation_robust;
  std::printf("%td images; robust accuracy %.3f, was %.3f\n", robustifier.result().images.rows(), after, before);
  return after > before ? 0 : 1;
}
