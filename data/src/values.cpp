/// What the values of pixels mean. One rule for all formats and types: whole numbers and floating-point numbers of the
/// same values give the same pixels.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <optional>

#include "echo.hpp"
#include "ntkrob/data/model_features.hpp"
#include "raw_array.hpp"
#include "read_options.hpp"
#include "scan.hpp"

namespace ntkrob::io {
namespace {

using Kind = RawArray::Kind;

/// A largest value below this part of white is asked about, or said.
constexpr double kDark = 0.5;
constexpr double kWhite = 255;

/// throws: IoError for what is no finite number
Extremes extremes(RawArray& x, std::size_t size) {
  std::optional<Extremes> all;
  x.each_block([&](RawArray& block, std::size_t first) {
    const std::size_t count = block.count() * size;
    const Extremes e = block.kind == Kind::bytes  ? extremes_of(block.bytes.data(), count)
                       : block.kind == Kind::ints ? extremes_of(block.ints.data(), count)
                                                  : extremes_of(block.floats.data(), count);
    const float* values = block.floats.data();
    for (std::size_t i = 0; i < count && !e.finite; ++i)
      NTKROB_CHECK(std::isfinite(values[i]), IoError, x.where, ": image ", first + i / size, ", pixel ", i % size,
                   " is ", values[i], "; pixels must be finite numbers, remove or repair this image");
    all ? all->add(e) : void(all = e);
  });
  return *all;
}

/// What its numbers take in memory, as its reader has counted them.
std::size_t bytes_of(const RawArray& x, std::size_t size) {
  const std::size_t each = x.kind == Kind::bytes ? 1 : x.kind == Kind::ints ? sizeof(std::int64_t) : sizeof(float);
  return x.in_file ? 0 : x.count() * size * each;
}

/// Every number by itself, in the array or in what comes from its file.
void to_floats(RawArray& x, std::size_t size, ReadBudget& budget) {
  if (x.kind == Kind::floats) return;
  const std::size_t before = bytes_of(x, size);
  if (!x.in_file) budget.take(x.count() * size * sizeof(float), x.where);
  x.apply([size](RawArray& block) {
    Matrix<float> values(static_cast<index>(block.count()), static_cast<index>(size));
    const auto count = static_cast<std::size_t>(values.size());
    float* out = values.data();
    if (block.kind == Kind::bytes)
      std::copy_n(block.bytes.data(), count, out);
    else
      for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<float>(block.ints[i]);
    block.floats = std::move(values);
    block.bytes = {};
    block.ints = {};
    block.kind = Kind::floats;
  });
  x.kind = Kind::floats;
  budget.give_back(before);
}

void to_bytes(RawArray& x, std::size_t size, ReadBudget& budget) {
  if (x.kind == Kind::bytes) return;
  const std::size_t before = bytes_of(x, size);
  if (!x.in_file) budget.take(x.count() * size, x.where);
  x.apply([size](RawArray& block) {
    std::vector<std::uint8_t> values(block.count() * size);
    if (block.kind == Kind::ints)
      std::transform(block.ints.begin(), block.ints.end(), values.begin(),
                     [](std::int64_t v) { return static_cast<std::uint8_t>(v); });
    else
      std::transform(block.floats.data(), block.floats.data() + values.size(), values.begin(),
                     [](float v) { return static_cast<std::uint8_t>(v); });
    block.bytes = std::move(values);
    block.ints = {};
    block.floats = {};
    block.kind = Kind::bytes;
  });
  x.kind = Kind::bytes;
  budget.give_back(before);
}

/// A number as a user types it: the shortest that is read back to the same float32.
std::string number_text(double value) {
  char out[32];
  return {out, std::to_chars(out, out + sizeof out, static_cast<float>(value)).ptr};
}

std::string range_text(double low, double high) { return number_text(low) + ":" + number_text(high); }

/// The feature that is far outside of the others' range: an identifier among measurements, say.
std::string odd_column(const RawDataset& raw, RawArray& x, std::size_t size) {
  if (x.kind != Kind::floats || size < 3 || raw.columns.size() != size) return "";
  std::vector<std::pair<double, std::size_t>> highs(size);
  for (std::size_t c = 0; c < size; ++c) highs[c] = {0, c};
  x.each_block([&](const RawArray& block, std::size_t) {
    for (index i = 0; i < block.floats.rows(); ++i)
      for (std::size_t c = 0; c < size; ++c)
        highs[c].first = std::max<double>(highs[c].first, std::abs(block.floats.row(i)[c]));
  });
  std::sort(highs.begin(), highs.end());
  const auto& last = highs[size - 1];
  const double before = highs[size - 2].first;
  if (last.first <= 4 * before) return "";
  return text("; column \"", echoed(raw.columns[last.second]), "\" reaches ", last.first, ", all others ", before,
              ": if it is no feature, ", field("drop"), " ", echoed(raw.columns[last.second]));
}

struct Part {
  RawArray* x;
  const char* name;
  Extremes e;
  ReadBudget* budget;
};

/// The range that is said by the file or the user.
void take_range(std::vector<Part>& parts, float low, float high, std::size_t size, Dataset& data) {
  for (Part& part : parts)
    NTKROB_CHECK(data.beyond_range || (part.e.low >= low && part.e.high <= high), IoError, part.x->where,
                 ": values span [", part.e.low, ", ", part.e.high, "], outside of the value range ",
                 limit("[", low, ", ", high, "]"), "; ",
                 advice("clip them, or give ", field("value-range", range_text(std::min<double>(low, part.e.low),
                                                                               std::max<double>(high, part.e.high)))));
  const bool bytes =
      low == 0 && high == kWhite && std::all_of(parts.begin(), parts.end(), [](const Part& p) { return p.e.whole; });
  for (Part& part : parts) bytes ? to_bytes(*part.x, size, *part.budget) : to_floats(*part.x, size, *part.budget);
  if (bytes) return;
  data.value_low = low;
  data.value_high = high;
}

void scale_channels(std::vector<Part>& parts, const std::vector<float>& low, const std::vector<float>& high,
                    std::size_t size, Dataset& data) {
  const std::size_t channels = low.size();
  for (Part& part : parts) {
    to_floats(*part.x, size, *part.budget);
    const auto clipped = std::make_shared<std::size_t>(0);
    part.x->apply([=](RawArray& block) {
      float* values = block.floats.data();
      for (std::size_t i = 0; i < static_cast<std::size_t>(block.floats.size()); ++i) {
        const std::size_t c = i % channels;
        const double width = static_cast<double>(high[c]) - low[c];
        const double scaled = width > 0 ? (static_cast<double>(values[i]) - low[c]) / width : 0;
        *clipped += scaled < 0 || scaled > 1;
        values[i] = static_cast<float>(std::clamp(scaled, 0.0, 1.0));
      }
    });
    part.e = extremes(*part.x, size);  // what stays in its file passes through the step for the first time
    if (*clipped > 0)
      data.notes.push_back(text(part.x->where, ": ", *clipped,
                                " values lie outside of the ranges of their features and were "
                                "clipped to them"));
  }
  data.feature_low = low;
  data.feature_high = high;
}

/// Each channel by its own extremes in the training split.
void take_columns(std::vector<Part>& parts, const ReadOptions& options, std::size_t size, Dataset& data) {
  const auto channels = static_cast<std::size_t>(data.shape.channels);
  if (!options.feature_low.empty()) {
    NTKROB_CHECK(options.feature_low.size() == channels, ConfigError, field("value-range", "columns"), ": ",
                 parts.front().x->where, " has ", channels, " features, ", options.feature_source, " ",
                 options.feature_low.size());
    data.notes.push_back(text("each of ", channels, " features is scaled by the ranges of ", options.feature_source));
    return scale_channels(parts, options.feature_low, options.feature_high, size, data);
  }
  std::vector<float> low(channels), high(channels);
  parts.front().x->each_block([&](const RawArray& block, std::size_t first) {
    const std::size_t count = block.count() * size;
    for (std::size_t i = 0; i < count; ++i) {
      const auto value = static_cast<float>(block.number(i));
      const std::size_t c = i % channels;
      const bool fresh = first == 0 && i < channels;
      low[c] = fresh ? value : std::min(low[c], value);
      high[c] = fresh ? value : std::max(high[c], value);
    }
  });
  const auto constant = static_cast<std::size_t>(std::count_if(
      low.begin(), low.end(), [&](const float& l) { return l == high[static_cast<std::size_t>(&l - low.data())]; }));
  data.notes.push_back(text(channels == 1 ? std::string("the feature is") : text("each of ", channels, " features is"),
                            " scaled from its extremes in the ", parts.front().name, " split to [0, 1]",
                            constant > 0 ? text(" (", constant, " never change and are 0)") : "",
                            "; for other files of these features give ", field("value-range"),
                            " with the data set written from this one"));
  scale_channels(parts, low, high, size, data);
}

void take_file_ranges(std::vector<Part>& parts, const std::string& file, std::size_t size, Dataset& data) {
  if (identify(file).first == "model") {
    const StateDict model = load_state(file, kModelSchema, {parts.front().budget->limit()});
    NTKROB_CHECK(model.contains("feature_range"), ConfigError, field("value-range"), ": ", file,
                 " is a net that stores no ranges of features; name the data set that it was trained on");
    const ModelFeatures ranges = model_features(model, file);
    const auto channels = static_cast<std::size_t>(data.shape.channels);
    NTKROB_CHECK(ranges.low.size() == channels, ConfigError, field("value-range"), ": ", file, " is about ",
                 ranges.low.size(), " features, the data have ", channels);
    data.notes.push_back(text("the ranges of ", channels, " features taken from ", file));
    return scale_channels(parts, ranges.low, ranges.high, size, data);
  }
  ReadOptions unread;
  unread.in_memory = std::size_t{1} << 24;  // its pixels are not wanted
  unread.memory = parts.front().budget->limit();
  const Dataset ranges = open_dataset({file}, unread);
  NTKROB_CHECK(ranges.shape.channels == data.shape.channels, ConfigError, field("value-range"), ": ", file,
               " is about ", ranges.shape.channels, " features, the data have ", data.shape.channels);
  if (ranges.feature_low.empty()) {
    data.notes.push_back(text("value range [", ranges.value_low, ", ", ranges.value_high, "] taken from ", file));
    const bool bytes = ranges.train.is_bytes() || ranges.test.is_bytes();
    return take_range(parts, bytes ? 0 : ranges.value_low, bytes ? 255 : ranges.value_high, size, data);
  }
  data.notes.push_back(text("the ranges of ", ranges.feature_low.size(), " features taken from ", file));
  scale_channels(parts, ranges.feature_low, ranges.feature_high, size, data);
}

/// Neither the file nor the user says what the values mean.
void recognise(const RawDataset& raw, std::vector<Part>& parts, std::size_t size, Dataset& data) {
  double low = parts.front().e.low, high = parts.front().e.high;
  bool whole = true;
  for (const Part& part : parts) {
    low = std::min(low, part.e.low);
    high = std::max(high, part.e.high);
    whole = whole && part.e.whole;
  }
  const std::string& where = parts.front().x->where;
  // A split of bytes beside one of floating-point numbers in [0,1]: each is what it says.
  if (parts.size() == 2) {
    const Extremes &a = parts[0].e, &b = parts[1].e;
    const bool unit_a = a.low >= 0 && a.high <= 1, unit_b = b.low >= 0 && b.high <= 1;
    NTKROB_CHECK(unit_a == unit_b || low < 0 || std::max(a.high, b.high) < 2 || std::min(a.high, b.high) <= 0, IoError,
                 raw.file, ": the splits are scaled differently: training values reach ", a.high, ", test values ",
                 b.high, "; store both alike");
  }
  if (low >= 0 && high <= 1) {
    for (Part& part : parts) to_floats(*part.x, size, *part.budget);
    if (high == 0) data.notes.push_back(text(where, ": all values are 0"));
    if (high > 0 && high < kDark)
      data.notes.push_back(text("attention: the largest value is ", high, ", ", std::lround(1 / high),
                                " times below 1: if that is white, give ", field("value-range", range_text(0, high))));
    return;
  }
  const bool table = data.shape.height == 1 && data.shape.width == 1;
  const bool floats = parts.front().x->kind == Kind::floats && !whole;
  if (low < 0 || high > kWhite || (high < 2 && floats)) {
    std::string advice;
    if (low < 0)
      advice = text(
          "the images look normalised: store them as they were before, normalisation belongs inside the "
          "model; or give the values of black and white, e.g. ",
          field("value-range", low >= -1 && high <= 1 ? "-1:1" : range_text(low, high)));
    else if (high > kWhite)
      advice = text("give the values of black and white, e.g. ",
                    field("value-range", high <= 1023    ? "0:1023"
                                         : high <= 4095  ? "0:4095"
                                         : high <= 65535 ? "0:65535"
                                                         : range_text(low, high)));
    else
      advice = text("a little above 1 is a mistake in the scaling: clip them, or give ",
                    field("value-range", range_text(0, high)));
    if (table || data.shape.width == 1)
      advice += text("; features of their own scales: ", field("value-range", "columns"),
                     " takes the extremes of each in the training split");
    throw IoError(text(where, ": ", whole ? "whole-number" : "floating-point", " values span [", number_text(low), ", ",
                       number_text(high), "], which is neither [0, 1] nor [0, 255]; ", ntkrob::advice(advice),
                       odd_column(raw, *parts.front().x, size)));
  }
  NTKROB_CHECK(high >= kDark * kWhite, IoError, where, ": the largest value is ", high,
               ", which is neither 1 nor near 255; give ", field("value-range", range_text(0, high)),
               " if that is white, or ", field("value-range", "0:255"), " if the pictures are that dark",
               table ? text("; ", field("value-range", "columns"), " scales each feature from its own extremes") : "",
               odd_column(raw, *parts.front().x, size));
  if (whole) {
    const bool said = parts.front().x->kind == Kind::floats;
    for (Part& part : parts) to_bytes(*part.x, size, *part.budget);
    if (said) data.notes.push_back(text("whole floating-point values up to ", high, " taken as [0, 255]"));
    return;
  }
  for (Part& part : parts) to_floats(*part.x, size, *part.budget);
  data.value_high = static_cast<float>(kWhite);
  data.notes.push_back(text("floating-point values up to ", high, " taken as [0, 255]"));
}

/// Rows of bytes whose number is a square are square grey pictures, as MNIST's are; of others the user is told how.
void shape_rows(const RawDataset& raw, const ReadOptions& options, Dataset& data) {
  const ImageShape& s = data.shape;
  if (raw.own || s.height != 1 || s.width != 1 || !options.layout.empty() || !options.image_shape.empty()) return;
  const auto side_of = [](index n) { return static_cast<index>(std::lround(std::sqrt(static_cast<double>(n)))); };
  constexpr index kSmallest = 8;
  const index side = side_of(s.channels);
  const bool bytes = (raw.train.x ? raw.train.x : raw.test.x)->kind == Kind::bytes;
  if (side * side == s.channels && side >= kSmallest) {
    if (!bytes) {
      data.notes.push_back(text("rows of ", s.channels, " numbers: if they are pictures, give ",
                                field("image-shape", text(side, "x", side, "x1"))));
      return;
    }
    data.notes.push_back(text("rows of ", s.channels, " numbers read as pictures of ", side, " x ", side, " (",
                              field("layout", "ND"), " keeps them rows)"));
    data.shape = {side, side, 1};
    return;
  }
  const index colour = side_of(s.channels / 3);
  if (s.channels % 3 == 0 && colour * colour * 3 == s.channels && colour >= kSmallest)
    data.notes.push_back(text("rows of ", s.channels, " numbers: if they are pictures, give ",
                              field("image-shape", text(colour, "x", colour, "x3")), ", and ", field("layout", "NCHW"),
                              " where a row holds one colour after the other"));
}

/// What comes from the file block by block, with all that was recognised done to it.
std::shared_ptr<const PixelsInFile> pixels_in_file(RawArray x, const Extremes& e) {
  auto pixels = std::make_shared<PixelsInFile>();
  pixels->bytes = x.kind == Kind::bytes;
  pixels->low = e.low;
  pixels->high = e.high;
  pixels->read = [x](const PixelsInFile::Use& use) {
    RawArray(x).each_block([&](RawArray& block, std::size_t first) {
      Split split;
      split.n = static_cast<index>(block.count());
      split.bytes = std::move(block.bytes);
      split.pixels = std::move(block.floats);
      use(split, static_cast<index>(first));
    });
  };
  return pixels;
}

}  // namespace

void take_values(RawDataset& raw, const ReadOptions& options, Dataset& data) {
  const auto size = static_cast<std::size_t>(data.shape.size());
  const auto budget = budget_of(options);
  std::vector<Part> parts;
  for (RawSplit* split : {&raw.train, &raw.test})
    if (split->x)
      parts.push_back({&*split->x, split == &raw.train ? "training" : "test", extremes(*split->x, size), budget.get()});
  const RangeOption range = parse_value_range(options.value_range);
  data.beyond_range = raw.beyond_range;
  data.feature_low = raw.feature_low;
  data.feature_high = raw.feature_high;
  if (range.kind != RangeOption::Kind::none && raw.value_range && !raw.own)
    data.notes.push_back(text("the value range [", raw.value_range->first, ", ", raw.value_range->second,
                              "] that the file states is replaced by ", field("value-range"), " ",
                              options.value_range));
  switch (range.kind) {
    case RangeOption::Kind::numbers:
      take_range(parts, range.low, range.high, size, data);
      break;
    case RangeOption::Kind::columns:
      take_columns(parts, options, size, data);
      break;
    case RangeOption::Kind::file:
      take_file_ranges(parts, range.file, size, data);
      break;
    case RangeOption::Kind::none:
      if (raw.own && raw.value_range &&
          std::none_of(parts.begin(), parts.end(), [](const Part& p) { return p.x->kind == Kind::ints; })) {
        data.value_low = raw.value_range->first;
        data.value_high = raw.value_range->second;
      } else if (raw.value_range) {
        // Bytes are 0 .. 255 whatever is said of floating-point pixels.
        const auto [low, high] = *raw.value_range;
        const bool all_bytes =
            std::all_of(parts.begin(), parts.end(), [](const Part& p) { return p.x->kind == Kind::bytes; });
        if (all_bytes && low == 0 && high == 1)
          recognise(raw, parts, size, data);
        else
          take_range(parts, low, high, size, data);
      } else {
        recognise(raw, parts, size, data);
      }
  }
  shape_rows(raw, options, data);
  for (const Part& part : parts) {
    if (!part.x->in_file) continue;
    Split& split = part.x == &*raw.train.x ? data.train : data.test;
    split.in_file = pixels_in_file(std::move(*part.x), part.e);
  }
  for (const auto& [from, to] : {std::pair<RawSplit*, Split*>{&raw.train, &data.train}, {&raw.test, &data.test}}) {
    if (!from->x || to->in_file) continue;
    if (from->x->kind == Kind::bytes) to->bytes = std::move(from->x->bytes);
    if (from->x->kind != Kind::floats) continue;
    // Readers lay floats out as N x D; axes that moved have changed no more than the order.
    NTKROB_CHECK_SHAPE(from->x->floats.view(), to->n, static_cast<index>(size));
    to->pixels = std::move(from->x->floats);
  }
}

}  // namespace ntkrob::io
