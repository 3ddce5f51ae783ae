#include "nn/window.hpp"

namespace ntkrob::nn {
namespace {

constexpr index kMaxWindow = 4096;

struct Side {
  index positions, front;
};

Side same(index n, index k, index stride) {
  const index positions = (n + stride - 1) / stride;
  return {positions, std::max<index>(0, (positions - 1) * stride + k - n) / 2};
}

}  // namespace

Window read_window(const SpecArguments& arguments, ImageShape in, index stride_default, const char* pad_default) {
  const std::string& source = arguments.source();
  const SpecItem& item = arguments.item();
  if (arguments.find("kh") == nullptr)
    spec_error(source, item.position, text(item.name, " needs the size of its window"));
  Window w;
  w.kh = arguments.integer("kh", 1, 1, kMaxWindow);
  w.kw = arguments.integer("kw", w.kh, 1, kMaxWindow);
  w.stride = arguments.integer("stride", stride_default == 0 ? w.kh : stride_default, 1, kMaxWindow);
  const SpecArgument* given = arguments.find("pad");
  const std::string pad = given == nullptr ? pad_default : given->value;
  if (pad == "same") {
    const Side vertical = same(in.height, w.kh, w.stride), horizontal = same(in.width, w.kw, w.stride);
    w.top = vertical.front, w.left = horizontal.front;
    w.height = vertical.positions, w.width = horizontal.positions;
    return w;
  }
  // A wider padding would have windows that see nothing of the image.
  if (pad != "valid") w.top = w.left = arguments.integer("pad", 0, 0, std::min(w.kh, w.kw) - 1);
  const index height = in.height + 2 * w.top, width = in.width + 2 * w.left;
  if (w.kh > height || w.kw > width)
    spec_error(source, item.position,
               text(item.name, ": its window of ", w.kh, " x ", w.kw, " does not fit what arrives there, ", in.height,
                    " x ", in.width, " positions of ", in.channels, " channels, with padding ", w.top));
  w.height = (height - w.kh) / w.stride + 1;
  w.width = (width - w.kw) / w.stride + 1;
  return w;
}

void describe_window(const Window& w, NetLayer& layer) {
  layer.kh = w.kh;
  layer.kw = w.kw;
  layer.stride = w.stride;
  layer.top = w.top;
  layer.left = w.left;
}

std::vector<std::pair<std::string, StateDict::Value>> window_attributes(const Window& w, ImageShape in) {
  const auto back = [&](index positions, index k, index extent, index front) {
    return std::max<index>(0, (positions - 1) * w.stride + k - extent - front);
  };
  const index bottom = back(w.height, w.kh, in.height, w.top), right = back(w.width, w.kw, in.width, w.left);
  return {{"kernel", NdArray<std::int64_t>{{2}, {w.kh, w.kw}}},
          {"stride", static_cast<std::int64_t>(w.stride)},
          {"padding", NdArray<std::int64_t>{{4}, {w.top, w.left, bottom, right}}}};
}

}  // namespace ntkrob::nn
