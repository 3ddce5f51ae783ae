#include "ntkrob/data/model_features.hpp"

#include <cmath>

namespace ntkrob {
namespace {

/// Channels of the input that the names and ranges are of.
index channels_of(const StateDict& model, const std::string& file) {
  const auto& shape = model.get<NdArray<std::int64_t>>("input_shape").values;
  NTKROB_CHECK(shape.size() == 3 && shape[2] >= 1, IoError, file,
               ": model entry \"input_shape\" must be three numbers: height, width, channels");
  return static_cast<index>(shape[2]);
}

}  // namespace

void check_feature_ranges(const std::vector<float>& low, const std::vector<float>& high, const std::string& where) {
  for (std::size_t c = 0; c < low.size(); ++c)
    NTKROB_CHECK(std::isfinite(low[c]) && std::isfinite(high[c]) && low[c] <= high[c], IoError, where,
                 ": the range of feature ", c, " is ", low[c], " to ", high[c],
                 ", must be two finite numbers, the lower one first; the file is damaged or was made by hand");
}

ModelFeatures model_features(const StateDict& model, const std::string& file) {
  ModelFeatures result;
  if (model.contains("feature_names")) {
    const auto& names = model.get<std::string>("feature_names");  // a line each
    for (std::size_t at = 0; at < names.size();) {
      const std::size_t end = std::min(names.find('\n', at), names.size());
      result.names.push_back(names.substr(at, end - at));
      at = end + 1;
    }
    const index channels = channels_of(model, file);
    NTKROB_CHECK(static_cast<index>(result.names.size()) == channels, IoError, file,
                 ": model entry \"feature_names\" holds ", result.names.size(), " names, the net has ", channels,
                 " features");
  }
  if (model.contains("feature_range")) {
    const auto& ranges = model.get<NdArray<float>>("feature_range");
    const index channels = channels_of(model, file);
    NTKROB_CHECK(ranges.shape == (std::vector<index>{2, channels}) &&
                     ranges.values.size() == 2 * static_cast<std::size_t>(channels),
                 IoError, file, ": model entry \"feature_range\" holds ", ranges.values.size(),
                 " numbers in another shape than [2,", channels, "], the lower and upper ends of ", channels,
                 " features");
    const auto middle = ranges.values.begin() + channels;
    result.low.assign(ranges.values.begin(), middle);
    result.high.assign(middle, ranges.values.end());
    check_feature_ranges(result.low, result.high, file + ": model entry \"feature_range\"");
  }
  return result;
}

}  // namespace ntkrob
