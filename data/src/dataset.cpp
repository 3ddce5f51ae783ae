#include "ntkrob/data/dataset.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "ntkrob/data/model_features.hpp"
#include "packing.hpp"
#include "scan.hpp"

namespace ntkrob {

DataKind Dataset::kind() const {
  if (shape.width != 1) return DataKind::picture;
  return shape.height == 1 ? DataKind::table : DataKind::signal;
}

std::string Dataset::kind_text() const {
  if (kind() == DataKind::table)
    return text("rows of ", shape.channels, shape.channels == 1 ? " feature" : " features");
  if (kind() == DataKind::signal)
    return text("signals of ", shape.height, " steps, ", shape.channels,
                shape.channels == 1 ? " channel" : " channels");
  return text("images of ", shape.height, " x ", shape.width, " x ", shape.channels);
}

void Split::each_block(const PixelsInFile::Use& use) const {
  if (in_file)
    in_file->read(use);
  else if (n > 0)
    use(*this, 0);
}

Split Split::loaded(index size) const {
  if (!in_file) return *this;
  Split result;
  result.n = n;
  result.labels = labels;
  result.targets = targets;
  if (in_file->bytes)
    result.bytes.reserve(static_cast<std::size_t>(n * size));
  else
    result.pixels = Matrix<float>(n, size);
  each_block([&](const Split& block, index first) {
    result.bytes.insert(result.bytes.end(), block.bytes.begin(), block.bytes.end());
    if (!in_file->bytes) std::copy_n(block.pixels.data(), block.pixels.size(), result.pixels.row(first));
  });
  return result;
}

std::pair<double, double> Split::extremes() const {
  std::optional<io::Extremes> all;
  each_block([&](const Split& block, index) {
    const io::Extremes e = block.is_bytes()
                               ? io::extremes_of(block.bytes.data(), block.bytes.size())
                               : io::extremes_of(block.pixels.data(), static_cast<std::size_t>(block.pixels.size()));
    all ? all->add(e) : void(all = e);
  });
  return all ? std::make_pair(all->low, all->high) : std::make_pair(0.0, 0.0);
}

const Split& Dataset::split(const std::string& which) const {
  NTKROB_CHECK(which == "train" || which == "test", ConfigError, "split \"", which, "\"; there are train and test");
  const Split& result = which == "train" ? train : test;
  NTKROB_CHECK(!result.empty(), ConfigError, "the data set has no ", which, " split; it has ", train.n,
               " training and ", test.n, " test images");
  return result;
}

Matrix<float> Dataset::images(const std::string& which) const { return images(which, split(which).n); }

Matrix<float> Dataset::images(const std::string& which, index n) const {
  const Split& chosen = split(which);
  NTKROB_CHECK(n >= 0 && n <= chosen.n, ConfigError, "the first ", n, " images of split ", which, ", which has ",
               chosen.n);
  const Split loaded = chosen.in_file ? chosen.loaded(shape.size()) : Split();
  const Split& source = chosen.in_file ? loaded : chosen;
  Matrix<float> result(n, shape.size());
  float* out = result.data();
  const index total = result.size();
  if (source.is_bytes()) {
    for (index i = 0; i < total; ++i) out[i] = static_cast<float>(source.bytes[static_cast<std::size_t>(i)]) / 255.0f;
    return result;
  }
  NTKROB_CHECK_SHAPE(source.pixels.view(), source.n, shape.size());
  const float* in = source.pixels.data();
  if (value_low == 0 && value_high == 1) {
    for (index i = 0; i < total; ++i) out[i] = in[i];
    return result;
  }
  // In double, so that both ends of the range land on 0 and 1 exactly.
  const double low = value_low, width = static_cast<double>(value_high) - low;
  for (index i = 0; i < total; ++i) out[i] = static_cast<float>((in[i] - low) / width);
  return result;
}

namespace {

/// The mistake that float pixels outside [0,1] usually come from, for the end of an error line.
std::string likely_mistake(const Dataset& data, double low, double high) {
  const std::string remedy = "; clip the pixels, or store the range that they have as value_range";
  if (data.value_low != 0 || data.value_high != 1) return remedy;
  if (low < 0)
    return text("; the images look normalised (smallest pixel ", low,
                "): store them as they were before, normalisation belongs inside the model");
  if (high > 1.5f && high <= 255)
    return text("; the images look like bytes (largest pixel ", high, "): store uint8, or divide by 255");
  return remedy;
}

void validate_split(const Dataset& data, const Split& split, const std::string& where, const char* name) {
  const index size = data.shape.size();
  if (split.n == 0) return;
  if (split.in_file) {
    NTKROB_CHECK(split.bytes.empty() && split.pixels.empty(), IoError, where, ": ", name,
                 " split: pixels in memory and in a file");
  } else if (split.is_bytes()) {
    NTKROB_CHECK(static_cast<index>(split.bytes.size()) == split.n * size, IoError, where, ": ", name,
                 " split: ", split.bytes.size(), " pixel bytes for ", split.n, " images of ", size, " pixels");
  } else {
    NTKROB_CHECK(split.pixels.rows() == split.n && split.pixels.cols() == size, IoError, where, ": ", name,
                 " split: pixels are ", split.pixels.rows(), " x ", split.pixels.cols(), ", expected ", split.n, " x ",
                 size);
  }
  NTKROB_CHECK(static_cast<index>(split.labels.size()) == split.n, IoError, where, ": ", name,
               " split: ", split.labels.size(), " labels for ", split.n, " images");
  for (index i = 0; i < split.n; ++i) {
    const int label = split.labels[static_cast<std::size_t>(i)];
    NTKROB_CHECK(label >= 0 && label < data.classes, IoError, where, ": ", name, " split: label ", i, " is ", label,
                 ", but there are ", data.classes, " classes (0 .. ", data.classes - 1, ")");
  }
  if (!split.targets.empty())
    NTKROB_CHECK(split.targets.rows() == split.n && split.targets.cols() == data.classes, IoError, where, ": ", name,
                 " split: targets are ", split.targets.rows(), " x ", split.targets.cols(), ", expected ", split.n,
                 " images x ", data.classes, " classes");
  if (split.is_bytes()) return;
  const auto inside = [&](const io::Extremes& e) {
    return e.finite && (data.beyond_range || (e.low >= data.value_low && e.high <= data.value_high));
  };
  if (split.in_file && inside({split.in_file->low, split.in_file->high})) return;
  split.each_block([&](const Split& block, index first) {
    const float* pixels = block.pixels.data();
    const io::Extremes e = io::extremes_of(pixels, static_cast<std::size_t>(block.pixels.size()));
    if (inside(e)) return;
    for (index i = 0; i < block.pixels.size(); ++i)
      // Written so that NaN fails too.
      NTKROB_CHECK((pixels[i] >= data.value_low && pixels[i] <= data.value_high) ||
                       (data.beyond_range && std::isfinite(pixels[i])),
                   IoError, where, ": ", name, " split: image ", first + i / size, ", pixel ", i % size, " is ",
                   pixels[i], ", outside the value range [", data.value_low, ", ", data.value_high, "]",
                   likely_mistake(data, split.in_file ? split.in_file->low : e.low,
                                  split.in_file ? split.in_file->high : e.high));
  });
}

}  // namespace

std::string Dataset::checksum() const {
  std::uint32_t value = 0;
  train.each_block([&](const Split& block, index) {
    value = io::crc32(value, block.bytes.data(), block.bytes.size());
    value = io::crc32(value, block.pixels.data(), static_cast<std::size_t>(block.pixels.size()) * sizeof(float));
  });
  value = io::crc32(value, train.labels.data(), train.labels.size() * sizeof(int));
  value = io::crc32(value, train.targets.data(), static_cast<std::size_t>(train.targets.size()) * sizeof(float));
  char buffer[24];
  std::snprintf(buffer, sizeof buffer, "crc32:%08lx", static_cast<unsigned long>(value));
  return buffer;
}

void Dataset::validate(const std::string& where) const {
  NTKROB_CHECK(shape.height > 0 && shape.width > 0 && shape.channels > 0, IoError, where, ": image shape ",
               shape.height, " x ", shape.width, " x ", shape.channels, " has no pixels");
  NTKROB_CHECK(std::isfinite(value_low) && std::isfinite(value_high) && value_low < value_high, IoError, where,
               ": value_range [", value_low, ", ", value_high, "] must be two finite numbers, the lower first");
  NTKROB_CHECK(feature_low.size() == feature_high.size() &&
                   (feature_low.empty() || static_cast<index>(feature_low.size()) == shape.channels),
               IoError, where, ": ranges of ", feature_low.size(), " and ", feature_high.size(), " features for ",
               shape.channels, " channels");
  check_feature_ranges(feature_low, feature_high, where);
  NTKROB_CHECK(class_names.empty() || static_cast<index>(class_names.size()) == classes, IoError, where, ": ",
               class_names.size(), " class names for ", classes, " classes");
  validate_split(*this, train, where, "training");
  validate_split(*this, test, where, "test");
}

}  // namespace ntkrob
