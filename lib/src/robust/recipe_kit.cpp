#include "robust/recipe_kit.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <sstream>

#include "ntkrob/base/memory.hpp"
#include "ntkrob/model/metrics.hpp"
#include "robust/given.hpp"

namespace ntkrob::robust {
namespace {

std::string shape_text(ImageShape shape) { return text(shape.height, " x ", shape.width, " x ", shape.channels); }

void check_model(const RecipeInput& input, const std::string& recipe) {
  NTKROB_CHECK(input.model != nullptr, ConfigError, field("model"), " is missing: ", field("recipe", recipe),
               " works with the outputs of one; ", advice("give a trained model"));
  NTKROB_CHECK(input.data.classes >= 2, ConfigError, "the training data have ", input.data.classes,
               " classes, at least 2 are needed");
  const ImageShape there = input.model->input_shape();
  NTKROB_CHECK(there == input.data.shape, ConfigError, field("model"), " takes images of ", given(shape_text(there)),
               ", the given ones are ", limit(shape_text(input.data.shape)), "; ",
               advice("give a model that was trained on such images"));
  NTKROB_CHECK(input.model->classes() >= input.data.classes, ConfigError, field("model"), " has ",
               given(input.model->classes()), " classes, must have ", limit("at least ", input.data.classes),
               ", as the given images do; ", advice("give a model that was trained on these classes"));
}

}  // namespace

void check_input(const RecipeInput& input, const std::string& recipe, bool needs_model) {
  NTKROB_CHECK(input.backend != nullptr, ConfigError, "a recipe needs a backend");
  NTKROB_CHECK(input.data.classes >= 1, ConfigError, "the training data have ", input.data.classes,
               " classes, at least 1 is needed");
  NTKROB_CHECK(input.data.x.rows >= 1, ConfigError, "there are no training images");
  if (!input.targets.empty()) {
    NTKROB_CHECK(input.targets.rows == input.data.x.rows && input.targets.cols == input.data.classes, ShapeError,
                 "the targets are ", input.targets.rows, " x ", input.targets.cols, ", expected ", input.data.x.rows,
                 " x ", input.data.classes, ", images and classes");
    for (index i = 0; i < input.targets.rows; ++i)
      for (index k = 0; k < input.targets.cols; ++k)
        NTKROB_CHECK(std::isfinite(input.targets(i, k)), NonFinite, "the target of training image ", i, " for class ",
                     k, " is ", input.targets(i, k));
  }
  if (needs_model)
    check_model(input, recipe);
  else
    NTKROB_CHECK(input.model == nullptr, ConfigError, field("model"), " is given, but ", field("recipe", recipe),
                 " takes none; ", advice("leave it out"));
}

ThreatModel threat_of(const RecipeInput& input, const std::string& norm, double eps) {
  const index d = input.data.shape.size();
  const double most = norm == "linf" ? 1 : norm == "l2" ? std::sqrt(static_cast<double>(d)) : static_cast<double>(d);
  NTKROB_CHECK(eps >= 0 && eps <= most, ConfigError, field("eps"), " is ", given(eps), ", must be ",
               limit("in [0, ", most, "]"), ", the size of the box in ", field("norm", norm), "; ",
               advice("it is in units of pixels scaled to [0,1]"));
  return ThreatModel::of(norm, eps, d);
}

std::size_t set_bytes(const RecipeInput& input, index images, index numbers) {
  const auto each = static_cast<std::size_t>(input.data.shape.size() + numbers) * sizeof(float) + sizeof(int);
  return checked_mul(static_cast<std::size_t>(images), each, "the result");
}

void check_room(const RecipeInput& input, std::size_t bytes, const MessagePart& remedy) {
  constexpr std::uint64_t kAlwaysThere = std::uint64_t{4} << 30;
  if (input.memory_budget > 0) {
    NTKROB_CHECK(bytes <= input.memory_budget, ResourceError, "the result takes ",
                 given(bytes_text(static_cast<double>(bytes))), ", more than ",
                 limit(bytes_text(static_cast<double>(input.memory_budget))), " of ", field("memory"), "; ", remedy);
    return;
  }
  const std::size_t machine = physical_memory_bytes() / 4 * 3;
  NTKROB_CHECK(bytes <= kAlwaysThere || machine == 0 || bytes <= machine, ResourceError, "the result takes ",
               given(bytes_text(static_cast<double>(bytes))), ", more than ",
               limit(bytes_text(static_cast<double>(machine))), ", three quarters of this machine's memory; ", remedy);
}

std::string model_text(const Model& model, ConstView2D<float> x) {
  constexpr index kProbes = 4;
  const ConstView2D<float> probes = x.middle_rows(0, std::min(kProbes, x.rows));
  Matrix<float> outputs(probes.rows, model.classes());
  model.logits(probes, outputs);
  check_finite_logits(outputs.view(), 0);
  Checksum sum;
  sum.add(outputs.view());
  return text(model.classes(), " classes, outputs fnv1a:", std::hex, sum.value());
}

}  // namespace ntkrob::robust
