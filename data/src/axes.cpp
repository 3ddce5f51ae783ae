/// Which axis of an array is which. Readings that fit are collected; one is taken and, where it is not the usual one,
/// said; several are refused with all of them.
#include <algorithm>

#include "raw_array.hpp"
#include "read_options.hpp"

namespace ntkrob::io {
namespace {

/// A picture whose longer side is more than this many times the shorter one is as likely a signal.
constexpr std::size_t kMaxAspect = 4;
constexpr std::size_t kMaxChannels = 4;

struct Reading {
  std::string layout;  // letters of the axes
  ImageShape shape;
  std::size_t n = 0;
};

Reading reading(const std::string& layout, const std::vector<std::size_t>& shape) {
  Reading result{layout, {1, 1, 1}, 0};
  for (std::size_t d = 0; d < layout.size(); ++d) {
    const auto extent = static_cast<index>(shape[d]);
    switch (layout[d]) {
      case 'N':
        result.n = shape[d];
        break;
      case 'H':
      case 'T':
        result.shape.height = extent;
        break;
      case 'W':
        result.shape.width = extent;
        break;
      default:
        result.shape.channels = extent;  // C, D
    }
  }
  return result;
}

std::string describe(const Reading& r) {
  const ImageShape& s = r.shape;
  if (r.layout.find('T') != std::string::npos)
    return text(field("layout", r.layout), " for ", r.n, " signals of ", s.height, " steps and ", s.channels,
                s.channels == 1 ? " channel" : " channels");
  return text(field("layout", r.layout), " for ", r.n, " pictures of ", s.height, " x ", s.width, " with ", s.channels,
              s.channels == 1 ? " channel" : " channels");
}

bool is_picture(const ImageShape& s) {
  const auto low = std::min(s.height, s.width), high = std::max(s.height, s.width);
  return low >= 2 && s.channels <= static_cast<index>(kMaxChannels) && high <= low * static_cast<index>(kMaxAspect);
}

/// All readings of the shape that could be meant, likely ones only.
std::vector<Reading> likely(const std::vector<std::size_t>& shape) {
  std::vector<Reading> result;
  const auto add = [&](const char* layout, bool always) {
    const Reading r = reading(layout, shape);
    if (always || is_picture(r.shape)) result.push_back(r);
  };
  if (shape.size() == 4) {
    for (const char* layout : {"NHWC", "NCHW", "HWCN", "CHWN"}) add(layout, false);
    // Long pictures with one plausible place for the channels.
    if (result.empty())
      for (const char* layout : {"NHWC", "NCHW"}) {
        const Reading r = reading(layout, shape);
        if (r.shape.channels <= static_cast<index>(kMaxChannels) && std::min(r.shape.height, r.shape.width) >= 2)
          result.push_back(r);
      }
    return result;
  }
  if (shape[2] == 1) add("NTC", true);
  if (shape[1] == 1 && shape[2] > 1) add("NCT", true);
  if (result.empty())
    for (const char* layout : {"NHW", "HWN"}) add(layout, false);
  return result;
}

/// Every reading of a shape that nothing speaks for.
std::vector<Reading> possible(const std::vector<std::size_t>& shape) {
  std::vector<Reading> result;
  if (shape.size() == 4)
    for (const char* layout : {"NHWC", "NCHW"}) result.push_back(reading(layout, shape));
  else
    for (const char* layout : {"NTC", "NCT", "NHW"}) result.push_back(reading(layout, shape));
  for (const char* layout : {"HWCN", "CHWN", "HWN"}) {
    if (std::string(layout).size() != shape.size()) continue;
    const Reading last = reading(layout, shape);
    if (is_picture(last.shape)) result.push_back(last);
  }
  return result;
}

[[noreturn]] void refuse(const RawArray& x, const std::vector<Reading>& readings) {
  std::string list;
  for (std::size_t i = 0; i < readings.size(); ++i)
    list += (i == 0 ? "" : i + 1 == readings.size() ? ", or " : ", ") + describe(readings[i]);
  throw IoError(text(x.where, ": shape ", x.shape_text(), " can be read in ", readings.size(), " ways; give ", list));
}

/// The order of axes that brings `layout` to N H W C, N T C or N D.
std::vector<std::size_t> order_of(const std::string& layout) {
  std::vector<std::size_t> order;
  for (const char axis : std::string("NTHWCD")) {
    const std::size_t at = layout.find(axis);
    if (at != std::string::npos) order.push_back(at);
  }
  return order;
}

ImageShape apply(RawArray& x, const Reading& r) {
  permute_axes(x, order_of(r.layout));
  const auto size = [](index i) { return static_cast<std::size_t>(i); };
  x.shape = {r.n, size(r.shape.height), size(r.shape.width), size(r.shape.channels)};
  return r.shape;
}

/// Rows with a given picture shape become an array of four axes, in the order of the layout.
void shape_rows(RawArray& x, const ImageShape& shape, const std::string& layout) {
  NTKROB_CHECK(static_cast<index>(x.shape[1]) == shape.size(), ConfigError, field("image-shape"), ": ", shape.height,
               " x ", shape.width, " x ", shape.channels, " are ", shape.size(), " numbers, but ", x.where, " has ",
               x.shape[1], " in a row");
  const std::string letters = layout.empty() ? "NHWC" : layout;
  std::vector<std::size_t> extents;
  for (const char axis : letters) {
    if (axis == 'N') extents.push_back(x.shape[0]);
    if (axis == 'H' || axis == 'T') extents.push_back(static_cast<std::size_t>(shape.height));
    if (axis == 'W') extents.push_back(static_cast<std::size_t>(shape.width));
    if (axis == 'C') extents.push_back(static_cast<std::size_t>(shape.channels));
  }
  NTKROB_CHECK(letters[0] == 'N' && product(extents, x.where) == product(x.shape, x.where), ConfigError,
               field("layout"), " ", given(layout), " cannot be the order of rows of ", field("image-shape"), " ",
               shape.height, "x", shape.width, "x", shape.channels, " in ", x.where,
               "; rows are samples: NHWC, NCHW, NWHC, NTC, ...");
  x.shape = extents;
}

ImageShape take_named(RawArray& x, const std::string& layout) {
  NTKROB_CHECK(layout.size() == x.shape.size(), ConfigError, field("layout"), " ", given(layout), " names ",
               layout.size(), " axes, ", x.where, " has shape ", x.shape_text(),
               layout.size() == 4 && x.shape.size() == 2
                   ? text("; ", advice("give the picture by ", field("image-shape"), ", e.g. 28x28x1"))
                   : "");
  return apply(x, reading(layout, x.shape));
}

ImageShape take_rows(RawArray& x, const std::optional<ImageShape>& image, const std::string& layout,
                     std::size_t n_labels, std::vector<std::string>& notes) {
  if (image) {
    shape_rows(x, *image, layout);
    return take_named(x, layout.empty() ? "NHWC" : layout);
  }
  if (layout.size() == 2) return take_named(x, layout);
  NTKROB_CHECK(layout.empty(), ConfigError, field("layout"), " ", given(layout), ": ", x.where, " has rows of ",
               x.shape[1], " numbers; ",
               advice("say the shape of the picture too, e.g. ", field("image-shape", "28x28x1")));
  const bool turned = n_labels > x.shape[0] && x.shape[1] == n_labels;
  NTKROB_CHECK(turned || n_labels != x.shape[1] || n_labels == x.shape[0], IoError, x.where, ": shape ", x.shape_text(),
               " and ", n_labels, " labels: rows are samples, and the columns are as many as the labels; give ",
               field("layout", "DN"), " for ", n_labels, " samples of ", x.shape[0], " numbers");
  if (turned)
    notes.push_back(text(x.where, ": shape ", x.shape_text(), " read as [D,N], there are ", n_labels, " labels"));
  return apply(x, reading(turned ? "DN" : "ND", x.shape));
}

ImageShape choose(RawArray& x, const std::optional<ImageShape>& image, std::size_t n_labels,
                  std::vector<std::string>& notes) {
  std::vector<Reading> readings;
  if (image) {
    const auto layouts = x.shape.size() == 4 ? std::vector<const char*>{"NHWC", "NCHW", "HWCN", "CHWN"}
                                             : std::vector<const char*>{"NHW", "HWN", "NTC", "NCT"};
    for (const char* layout : layouts) {
      const Reading r = reading(layout, x.shape);
      if (r.shape == *image) readings.push_back(r);
    }
    NTKROB_CHECK(!readings.empty(), ConfigError, field("image-shape"), ": ", image->height, " x ", image->width, " x ",
                 image->channels, " fits no axes of ", x.where, ", shape ", x.shape_text());
  } else {
    readings = likely(x.shape);
  }
  // The last axis counts samples only where it is longer than a side: else a wrong number of labels would be explained
  // away.
  const auto counted = [&](const Reading& r) {
    const bool last = r.layout[0] != 'N';
    const auto longest = static_cast<std::size_t>(std::max(r.shape.height, r.shape.width));
    return r.n == n_labels && (!last || r.n > longest || (r.layout.size() == 4 && r.n == longest));
  };
  if (std::any_of(readings.begin(), readings.end(), counted))
    readings.erase(std::remove_if(readings.begin(), readings.end(), [&](const Reading& r) { return !counted(r); }),
                   readings.end());
  else  // samples are counted by the first axis unless the labels say otherwise
    readings.erase(
        std::remove_if(readings.begin(), readings.end(), [](const Reading& r) { return r.layout[0] != 'N'; }),
        readings.end());
  if (readings.empty()) refuse(x, possible(x.shape));
  if (readings.size() > 1) refuse(x, readings);
  const Reading& r = readings.front();
  const bool usual = r.layout == "NHWC" || r.layout == "NHW";
  if (!usual) {
    std::string axes;
    for (const char axis : r.layout) axes += std::string(axes.empty() ? "" : ",") + axis;
    notes.push_back(text(x.where, ": shape ", x.shape_text(), " read as [", axes, "]"));
  }
  return apply(x, r);
}

}  // namespace

ImageShape take_axes(RawArray& x, const RawDataset& raw, const ReadOptions& options, std::size_t n_labels,
                     std::vector<std::string>& notes) {
  NTKROB_CHECK(x.kind != RawArray::Kind::texts, IoError, x.where, ": is text; images are numbers");
  NTKROB_CHECK(x.shape.size() >= 2 && x.shape.size() <= 4, IoError, x.where, ": shape ", x.shape_text(),
               x.shape.size() < 2 ? "; images are [N,H,W,C], [N,H,W] or [N,D]; one number for each sample is [N,1]"
                                  : "; images are [N,H,W,C], [N,H,W] or [N,D]; remove axes that are 1 or hold frames "
                                    "(array.reshape or squeeze)");
  const std::size_t size = product({x.shape.begin() + 1, x.shape.end()}, x.where);
  NTKROB_CHECK(size > 0, IoError, x.where, ": shape ", x.shape_text(), ": an image has no pixels");
  NTKROB_CHECK(x.count() > 0, IoError, x.where, ": shape ", x.shape_text(), ": holds no images");
  const std::string layout = parse_layout(options.layout);
  const std::optional<ImageShape> image = parse_image_shape(options.image_shape);
  if (raw.own || (raw.pictures && layout.empty() && !image)) {
    const char* layouts[] = {"ND", "NHW", "NHWC"};
    return apply(x, reading(layouts[x.shape.size() - 2], x.shape));
  }
  if (x.shape.size() == 2) return take_rows(x, image, layout, n_labels, notes);
  if (!layout.empty()) {
    const ImageShape shape = take_named(x, layout);
    NTKROB_CHECK(!image || shape == *image, ConfigError, field("layout"), " ", given(layout), " makes samples of ",
                 shape.height, " x ", shape.width, " x ", shape.channels, " of ", x.where, ", ", field("image-shape"),
                 " says ", image->height, " x ", image->width, " x ", image->channels);
    return shape;
  }
  // [N,1,1,D] are rows.
  if (x.shape.size() == 4 && x.shape[1] == 1 && x.shape[2] == 1 && x.shape[3] > kMaxChannels) {
    x.shape = {x.shape[0], x.shape[3]};
    return take_rows(x, image, layout, n_labels, notes);
  }
  return choose(x, image, n_labels, notes);
}

}  // namespace ntkrob::io
