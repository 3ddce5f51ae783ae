#include "raw_array.hpp"

#include <algorithm>
#include <cmath>

namespace ntkrob::io {

std::string RawArray::shape_text() const {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) out += (i ? "," : "") + std::to_string(shape[i]);
  return out + "]";
}

std::size_t product(const std::vector<std::size_t>& shape, const std::string& where) {
  std::size_t total = 1;
  for (const std::size_t extent : shape) {
    // 2^47 elements is beyond every machine this runs on, and keeps all later products inside 64 bits.
    NTKROB_CHECK(extent == 0 || total <= (std::uint64_t{1} << 47) / extent, IoError, where,
                 ": the extents multiply to more than 2^47 elements; the file is damaged");
    total *= extent;
  }
  return total;
}

namespace {

/// [N,C,H,W] -> [N,H,W,C].
template <class T>
void channels_last(T* values, std::size_t n, std::size_t channels, std::size_t area) {
  std::vector<T> image(channels * area);
  for (std::size_t i = 0; i < n; ++i) {
    T* row = values + i * channels * area;
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t p = 0; p < area; ++p) image[p * channels + c] = row[c * area + p];
    std::copy(image.begin(), image.end(), row);
  }
}

ImageShape take_shape(RawArray& x, bool guess_layout, std::vector<std::string>& notes) {
  NTKROB_CHECK(x.shape.size() >= 2 && x.shape.size() <= 4, IoError, x.where, ": shape ", x.shape_text(),
               "; images are [N,H,W,C], [N,H,W] or [N,D]");
  NTKROB_CHECK(x.count() > 0, IoError, x.where, ": shape ", x.shape_text(), ": holds no images");
  const std::size_t size = product({x.shape.begin() + 1, x.shape.end()}, x.where);
  NTKROB_CHECK(size > 0, IoError, x.where, ": shape ", x.shape_text(), ": an image has no pixels");
  const auto extent = [&](std::size_t i) { return static_cast<index>(x.shape[i]); };
  if (x.shape.size() == 2) return {1, 1, extent(1)};
  if (x.shape.size() == 3) return {extent(1), extent(2), 1};
  const bool last = x.shape[3] == 1 || x.shape[3] == 3, first = x.shape[1] == 1 || x.shape[1] == 3;
  if (!guess_layout || last || !first) return {extent(1), extent(2), extent(3)};
  const std::size_t area = x.shape[2] * x.shape[3];
  if (x.kind == RawArray::Kind::bytes) channels_last(x.bytes.data(), x.shape[0], x.shape[1], area);
  if (x.kind == RawArray::Kind::ints) channels_last(x.ints.data(), x.shape[0], x.shape[1], area);
  if (x.kind == RawArray::Kind::floats) channels_last(x.floats.data(), x.shape[0], x.shape[1], area);
  notes.push_back(text(x.where, ": shape ", x.shape_text(), " read as [N,C,H,W]"));
  return {extent(2), extent(3), extent(1)};
}

/// Whole numbers 0 .. 255 become bytes. All-0/1 arrays are left to the float rule: they are ink or no ink, not 1/255.
void ints_to_pixels(RawArray& x, std::size_t image_size) {
  std::int64_t high = 0;
  for (std::size_t i = 0; i < x.ints.size(); ++i) {
    NTKROB_CHECK(x.ints[i] >= 0 && x.ints[i] <= 255, IoError, x.where, ": image ", i / image_size, ", pixel ",
                 i % image_size, " is ", x.ints[i], "; whole-number pixels must lie in 0 .. 255");
    high = std::max(high, x.ints[i]);
  }
  if (high > 1) {
    x.kind = RawArray::Kind::bytes;
    x.bytes.assign(x.ints.begin(), x.ints.end());
  } else {
    x.kind = RawArray::Kind::floats;
    x.floats = Matrix<float>(static_cast<index>(x.count()), static_cast<index>(image_size));
    for (std::size_t i = 0; i < x.ints.size(); ++i) x.floats.data()[i] = static_cast<float>(x.ints[i]);
  }
  x.ints = {};
}

struct Extremes {
  float low = 0, high = 0;
};

Extremes extremes(const RawArray& x, std::size_t image_size) {
  Extremes result;
  const float* values = x.floats.data();
  for (std::size_t i = 0; i < static_cast<std::size_t>(x.floats.size()); ++i) {
    NTKROB_CHECK(std::isfinite(values[i]), IoError, x.where, ": image ", i / image_size, ", pixel ", i % image_size,
                 " is ", values[i], "; pixels must be finite numbers, remove or repair this image");
    if (i == 0) result = {values[0], values[0]};
    result.low = std::min(result.low, values[i]);
    result.high = std::max(result.high, values[i]);
  }
  return result;
}

void take_pixels(RawArray& x, ImageShape shape, Split& split) {
  split.n = static_cast<index>(x.count());
  if (x.kind == RawArray::Kind::bytes) split.bytes = std::move(x.bytes);
  if (x.kind == RawArray::Kind::floats) {
    NTKROB_CHECK_SHAPE(x.floats.view(), split.n, shape.size());
    split.pixels = std::move(x.floats);
  }
}

std::vector<int> whole_labels(const RawArray& y, index n) {
  const bool column = y.shape.size() == 1 || (y.shape.size() == 2 && y.shape[1] == 1);
  NTKROB_CHECK(column, IoError, y.where, ": shape ", y.shape_text(),
               "; labels are [N] whole numbers or [N,classes] floating-point targets");
  NTKROB_CHECK(static_cast<index>(y.count()) == n, IoError, y.where, ": ", y.count(), " labels for ", n,
               " images; both files must belong together");
  std::vector<int> labels(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    double value = 0;
    if (y.kind == RawArray::Kind::bytes) value = y.bytes[i];
    if (y.kind == RawArray::Kind::ints) value = static_cast<double>(y.ints[i]);
    if (y.kind == RawArray::Kind::floats) value = y.floats.data()[i];
    NTKROB_CHECK(value >= 0 && value < kMaxClasses && value == std::floor(value), IoError, y.where, ": label ", i,
                 " is ", value, "; labels must be whole numbers in 0 .. ", kMaxClasses - 1);
    labels[i] = static_cast<int>(value);
  }
  return labels;
}

void take_labels(RawSplit& raw, Split& split) {
  RawArray& y = *raw.y;
  const bool targets = y.kind == RawArray::Kind::floats && y.shape.size() == 2 && y.shape[1] > 1;
  if (!targets) {
    split.labels = whole_labels(y, split.n);
    return;
  }
  NTKROB_CHECK(static_cast<index>(y.count()) == split.n, IoError, y.where, ": ", y.count(), " rows of targets for ",
               split.n, " images");
  NTKROB_CHECK(y.shape[1] <= static_cast<std::size_t>(kMaxClasses), IoError, y.where, ": shape ", y.shape_text(),
               "; at most ", kMaxClasses, " classes");
  split.targets = std::move(y.floats);
  split.labels.resize(static_cast<std::size_t>(split.n));
  for (index i = 0; i < split.n; ++i) {
    const float* row = split.targets.row(i);
    for (index c = 0; c < split.targets.cols(); ++c)
      NTKROB_CHECK(std::isfinite(row[c]), IoError, y.where, ": row ", i, ", class ", c, " is ", row[c],
                   "; targets must be finite");
    split.labels[static_cast<std::size_t>(i)] =
        static_cast<int>(std::max_element(row, row + split.targets.cols()) - row);
  }
  if (raw.labels) split.labels = whole_labels(*raw.labels, split.n);
}

}  // namespace

Dataset assemble(RawDataset raw) {
  Dataset data;
  NTKROB_CHECK(raw.train.x || raw.test.x, IoError, raw.file, ": holds no images");
  bool first = true;
  std::optional<Extremes> found;
  for (RawSplit* split : {&raw.train, &raw.test}) {
    const char* name = split == &raw.train ? "training" : "test";
    if (!split->x) {
      NTKROB_CHECK(!split->y, IoError, split->y->where, ": ", name, " labels without ", name, " images");
      continue;
    }
    NTKROB_CHECK(split->y.has_value(), IoError, split->x->where, ": ", name, " images without ", name,
                 " labels; give both");
    RawArray& x = *split->x;
    const ImageShape shape = take_shape(x, raw.guess_layout, data.notes);
    NTKROB_CHECK(first || shape == data.shape, IoError, x.where, ": test images are ", shape.height, " x ", shape.width,
                 " x ", shape.channels, ", training images ", data.shape.height, " x ", data.shape.width, " x ",
                 data.shape.channels, "; both splits must agree");
    data.shape = shape;
    first = false;
    const auto size = static_cast<std::size_t>(shape.size());
    if (x.kind == RawArray::Kind::ints) ints_to_pixels(x, size);
    if (x.kind == RawArray::Kind::floats) {
      const Extremes e = extremes(x, size);
      if (!found) found = e;
      found = Extremes{std::min(found->low, e.low), std::max(found->high, e.high)};
    }
  }
  if (raw.value_range) {
    data.value_low = raw.value_range->first;
    data.value_high = raw.value_range->second;
    data.beyond_range = raw.beyond_range;
  } else if (found && (found->low < 0 || found->high > 1)) {
    // Bytes whose largest is below 2 would be black images; a little above 1 is a mistake in the scaling.
    const bool bytes = found->low >= 0 && found->high >= 2 && found->high <= 255;
    NTKROB_CHECK(bytes, IoError, raw.file, ": floating-point pixels span [", found->low, ", ", found->high,
                 "], which is neither [0, 1] nor [0, 255], and no value_range is given; ",
                 found->low < 0 ? "the images look normalised: store them as they were before, normalisation belongs "
                                  "inside the model; or store their range as value_range = [low, high]"
                                : "clip them, or store their range as value_range = [low, high]");
    data.value_high = 255;
    data.notes.push_back(text(raw.file, ": floating-point pixels up to ", found->high,
                              " without value_range: taken as [0, 255] and scaled to [0, 1]"));
  }
  for (RawSplit* split : {&raw.train, &raw.test}) {
    if (!split->x) continue;
    Split& target = split == &raw.train ? data.train : data.test;
    take_pixels(*split->x, data.shape, target);
    take_labels(*split, target);
  }

  data.class_names = std::move(raw.class_names);
  data.classes = raw.classes;
  if (data.classes == 0) data.classes = static_cast<index>(data.class_names.size());
  for (const Split* split : {&data.train, &data.test}) {
    if (data.classes == 0 && !split->targets.empty()) data.classes = split->targets.cols();
  }
  if (data.classes == 0)
    for (const Split* split : {&data.train, &data.test})
      for (const int label : split->labels) data.classes = std::max<index>(data.classes, label + 1);
  data.validate(raw.file);
  return data;
}

}  // namespace ntkrob::io
