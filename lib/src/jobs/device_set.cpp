/// The writer of device sets: the block of bytes that micro/device_data.hpp reads.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <numeric>

#include "ntkrob/base/fnv1a.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/device.hpp"
#include "ntkrob/micro/crc32.hpp"
#include "ntkrob/micro/device_data.hpp"
#include "ntkrob/model/classes.hpp"

namespace ntkrob::jobs {

namespace {

/// Little-endian numbers appended to a string.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}
  void number(std::uint64_t value, int n_bytes) {
    for (int k = 0; k < n_bytes; ++k) out_ += static_cast<char>(value >> (8 * k) & 0xFF);
  }
  void real(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    number(bits, 4);
  }
  void pad_to(std::size_t size) { out_.resize(size, '\0'); }

 private:
  std::string& out_;
};

std::string option_of(const Dataset& data, const char* name) {
  for (const auto& [key, value] : data.provenance.options)
    if (key == name) return value;
  return {};
}

/// 64 bits of FNV-1a over what made the set: options and the checksum of its parent.
std::uint64_t provenance_hash(const Dataset& data) {
  std::uint64_t hash = kFnv1aStart;
  const auto add = [&](const std::string& text) { hash = fnv1a(text + '\n', hash); };
  for (const auto& [key, value] : data.provenance.options) add(key + '=' + value);
  add(data.provenance.parent_checksum);
  return hash;
}

/// Old class numbers in their new order.
std::vector<int> chosen_classes(const Dataset& data, const std::string& list) {
  std::vector<int> chosen;
  if (list.empty()) {
    chosen.resize(static_cast<std::size_t>(data.classes));
    std::iota(chosen.begin(), chosen.end(), 0);
    return chosen;
  }
  for (const std::string& item : split_list(list, "classes")) {
    const int c = static_cast<int>(parse_integer(item, "classes", 0, data.classes - 1));
    NTKROB_CHECK(std::find(chosen.begin(), chosen.end(), c) == chosen.end(), ConfigError, field("classes"), ": ",
                 given(c), " is named twice");
    chosen.push_back(c);
  }
  return chosen;
}

/// The numbers of the rows that go out, in the order of the file.
std::vector<index> chosen_rows(const Split& split, const std::vector<int>& new_class, index per_class) {
  std::vector<index> rows, count(new_class.size(), 0);
  for (index i = 0; i < split.n; ++i) {
    const auto c = static_cast<std::size_t>(split.labels[static_cast<std::size_t>(i)]);
    if (new_class[c] < 0 || (per_class > 0 && count[c] == per_class)) continue;
    ++count[c];
    rows.push_back(i);
  }
  return rows;
}

/// What the user of the device has to know about its classes.   held: images of each old class; chosen: those that go
/// out
std::vector<std::string> class_notes(const Dataset& data, const DeviceExport& options, const std::vector<index>& held,
                                     const std::vector<int>& chosen) {
  std::vector<index> absent, few, present;
  for (const int c : chosen) {
    const index n = held[static_cast<std::size_t>(c)];
    (n == 0 ? absent : present).push_back(c);
    if (n > 0 && n < options.per_class) few.push_back(c);
  }
  std::vector<std::string> notes;
  if (!absent.empty()) {
    std::string list;
    constexpr std::size_t kMostListed = 40;
    for (const index c : present) list += text(list.empty() ? "" : ",", c);
    notes.push_back(
        text(absent.size(), " of ", chosen.size(), " classes ", absent.size() == 1 ? "has" : "have",
             " no image in split ", options.split, ": ", class_list(absent, data.class_names),
             "; a net on the device gets an output for ", absent.size() == 1 ? "it" : "each",
             present.size() >= 2 && present.size() <= kMostListed
                 ? text(" (", field("classes"), " ", list, " leaves ", absent.size() == 1 ? "it" : "them", " out)")
                 : ""));
  }
  if (!few.empty())
    notes.push_back(text("classes with fewer than ", options.per_class,
                         " images give all they have: ", class_list(few, data.class_names, &held)));
  return notes;
}

/// The largest --per-class with which at most `most` images go out; 0 where not even one per class does.
index fitting_per_class(const std::vector<index>& held, const std::vector<int>& chosen, index most) {
  const auto images = [&](index per_class) {
    index sum = 0;
    for (const int c : chosen) sum += std::min(per_class, held[static_cast<std::size_t>(c)]);
    return sum;
  };
  index low = 0, high = most;
  while (low < high) {
    const index middle = low + (high - low + 1) / 2;
    if (images(middle) <= most)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

/// Means over squares of `by` x `by` pixels.
Matrix<float> downsampled(ConstView2D<float> x, ImageShape shape, index by) {
  const index height = shape.height / by, width = shape.width / by, channels = shape.channels;
  Matrix<float> result(x.rows, height * width * channels);
  for (index i = 0; i < x.rows; ++i)
    for (index r = 0; r < height; ++r)
      for (index c = 0; c < width; ++c)
        for (index k = 0; k < channels; ++k) {
          double sum = 0;
          for (index v = 0; v < by; ++v)
            for (index u = 0; u < by; ++u) sum += x(i, ((r * by + v) * shape.width + c * by + u) * channels + k);
          result(i, (r * width + c) * channels + k) = static_cast<float>(sum / static_cast<double>(by * by));
        }
  return result;
}

std::uint16_t side(index value, const char* what) {
  NTKROB_CHECK(value <= 65535, ConfigError, "a device set has at most 65535 ", what, ", this one has ", value);
  return static_cast<std::uint16_t>(value);
}

}  // namespace

DeviceBlock encode_device_data(const Dataset& data, const DeviceExport& options) {
  visit_device_export(options, FieldChecker());
  const Split& split = data.split(options.split);
  NTKROB_CHECK(!split.empty(), ConfigError, field("split"), ": there is no ", given(options.split), " split");
  NTKROB_CHECK(options.labels != "soft" || !split.targets.empty(), ConfigError, field("labels"), " is ", given("soft"),
               ", but the set has classes only");
  const index by = options.downsample;
  NTKROB_CHECK(data.shape.height % by == 0 && data.shape.width % by == 0, ConfigError, field("downsample"), " is ",
               given(by), ", must ", limit("divide the images' ", data.shape.height, " x ", data.shape.width));

  const std::vector<int> chosen = chosen_classes(data, options.classes);
  std::vector<int> new_class(static_cast<std::size_t>(data.classes), -1);
  for (std::size_t k = 0; k < chosen.size(); ++k) new_class[static_cast<std::size_t>(chosen[k])] = static_cast<int>(k);
  const std::vector<index> rows = chosen_rows(split, new_class, options.per_class);
  NTKROB_CHECK(!rows.empty(), ConfigError, "no image of the ", options.split, " split has one of the classes ",
               options.classes);
  const std::vector<index> held = class_counts(split.labels, data.classes);

  DeviceBlock block;
  block.notes = class_notes(data, options, held, chosen);
  block.rows = static_cast<index>(rows.size());
  block.classes = static_cast<index>(chosen.size());
  if (!data.class_names.empty())
    for (const int c : chosen) block.class_names.push_back(data.class_names[static_cast<std::size_t>(c)]);
  block.shape = {data.shape.height / by, data.shape.width / by, data.shape.channels};
  block.soft = options.labels == "soft" || (options.labels == "auto" && !split.targets.empty());
  micro::DeviceData layout{};
  layout.shape = {side(block.shape.height, "rows of pixels"), side(block.shape.width, "columns of pixels"),
                  side(block.shape.channels, "channels")};
  layout.classes = side(block.classes, "classes");
  layout.pixel_bytes = options.pixels == "uint8" ? 1 : 2;
  layout.soft = block.soft;
  const auto bytes_for = [&](index n) {
    layout.rows = static_cast<std::uint32_t>(n);
    return static_cast<std::uint64_t>(n) <= std::numeric_limits<std::uint32_t>::max() && micro::lay_out(layout)
               ? layout.total
               : std::uint64_t{1} << 32;
  };
  const std::uint64_t needed = bytes_for(block.rows);
  const std::uint64_t limit = options.budget.value > 0 ? options.budget.value : 0xFFFFFFFFu;
  if (needed > limit) {
    index fitting = block.rows;
    while (fitting > 0 && bytes_for(fitting) > limit) fitting -= std::max<index>(1, fitting / 1000);
    const index per_class = fitting_per_class(held, chosen, fitting);
    throw ResourceError(text("export: ", block.rows, " images of ", block.shape.height, " x ", block.shape.width, " x ",
                             block.shape.channels, " need ", needed, " bytes, ", needed - limit,
                             " more than the budget of ", limit, "; ",
                             per_class > 0 ? text(field("per-class"), " ", per_class, " fits")
                                           : text("not one image per class fits; raise ", field("downsample"))));
  }

  // Pixels: affine from the type's range to [0,1], or to the values that occur where they lie outside.
  const Matrix<float> all = data.images(options.split);
  Matrix<float> kept(block.rows, all.cols());
  for (index i = 0; i < block.rows; ++i)
    std::copy_n(all.row(rows[static_cast<std::size_t>(i)]), all.cols(), kept.row(i));
  const Matrix<float> x = by == 1 ? std::move(kept) : downsampled(kept.view(), data.shape, by);
  const auto [low_at, high_at] = std::minmax_element(x.data(), x.data() + x.size());
  const double low = std::min(0.0f, *low_at), high = std::max(1.0f, *high_at);
  const bool wide = layout.pixel_bytes == 2;
  const double first = wide ? -32768 : 0, last = wide ? 32767 : 255;
  const float scale = static_cast<float>((high - low) / (last - first));
  const float offset = static_cast<float>(low - first * static_cast<double>(scale));

  const std::string norm = option_of(data, "norm"), eps = option_of(data, "eps");
  bytes_for(block.rows);
  Writer out(block.bytes);
  out.number(micro::kDataMagic, 4);
  out.number(micro::kDataVersion, 2);
  out.number(micro::kDataHeaderBytes, 2);
  out.number(layout.total, 4);
  out.number(layout.rows, 4);
  for (const std::uint16_t value : {layout.shape.height, layout.shape.width, layout.shape.channels, layout.classes})
    out.number(value, 2);
  out.number(layout.pixel_bytes, 1);
  out.number(block.soft ? 1 : 0, 1);
  out.number(norm == "l2" ? 1 : 0, 1);
  out.number(0, 1);
  out.real(scale);
  out.real(offset);
  out.real(eps.empty() ? 0.0f : static_cast<float>(parse_number(eps, "eps")));
  out.number(provenance_hash(data), 8);
  out.pad_to(micro::kDataHeaderBytes);
  for (index k = 0; k < x.size(); ++k) {
    const double exact = (static_cast<double>(x.data()[k]) - static_cast<double>(offset)) / static_cast<double>(scale);
    const double number = std::min(last, std::max(first, std::nearbyint(exact)));
    block.pixel_error = std::max(block.pixel_error, std::abs(exact - number) * static_cast<double>(scale));
    out.number(static_cast<std::uint64_t>(static_cast<std::int64_t>(number)), layout.pixel_bytes);
  }
  out.pad_to(layout.labels);
  for (const index i : rows)
    out.number(
        static_cast<std::uint64_t>(new_class[static_cast<std::size_t>(split.labels[static_cast<std::size_t>(i)])]), 2);
  out.pad_to(layout.soft_labels);
  if (block.soft)
    for (const index i : rows)
      for (const int c : chosen) out.real(split.targets(i, c));
  out.number(micro::crc32(0, block.bytes.data(), block.bytes.size()), 4);
  NTKROB_ASSERT(block.bytes.size() == layout.total);
  return block;
}

}  // namespace ntkrob::jobs
