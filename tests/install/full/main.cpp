// One outer step of the robustifier on the built-in data, from the installed library: every component has to link.
#include <cmath>
#include <cstdio>

#include "ntkrob/attack/evaluate.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/data/strokes.hpp"
#include "ntkrob/nn/net.hpp"
#include "ntkrob/robust/robustifier.hpp"
#include "ntkrob/runtime/runtime.hpp"
#include "ntkrob/version.hpp"

int main() {
  const ntkrob::Dataset data = ntkrob::make_strokes(60, 10, 0);
  const ntkrob::Matrix<float> x = data.images("train");
  const std::unique_ptr<ntkrob::Backend> backend = ntkrob::make_backend("auto", 2);
  ntkrob::RobustifyOptions options;
  options.n = 20;
  options.steps = 1;
  options.batch = 20;
  options.attack_steps = 1;
  options.validation = 0;

  ntkrob::Robustifier robustifier(options, {x, &data.train.labels, data.classes, data.shape}, *backend);
  const ntkrob::StepRecord record = robustifier.step();

  std::printf("ntkrob %s, %s, %zu formats, loss %.4f\n", ntkrob::kVersion, backend->info().description.c_str(),
              ntkrob::formats().size(), record.loss);
  return std::isfinite(record.loss) && record.loss > 0 && robustifier.done() ? 0 : 1;
}
