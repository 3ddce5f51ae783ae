#include "net/window.hpp"

#include <algorithm>

namespace ntkrob::net {
namespace {

constexpr index kMaxWindow = 4096;

struct Side {
  index positions, front;
};

Side same(index n, index k, index stride) {
  const index positions = (n + stride - 1) / stride;
  return {positions, std::max<index>(0, (positions - 1) * stride + k - n) / 2};
}

index back(index positions, index k, index stride, index extent, index front) {
  return std::max<index>(0, (positions - 1) * stride + k - extent - front);
}

bool of_signals(const SpecItem& item) {
  const std::string& name = item.name;
  return name.size() > 2 && name.compare(name.size() - 2, 2, "1d") == 0;
}

/// Size and stride; what kernels say beyond that is refused.
Window read_size(const SpecArguments& arguments, index stride_default) {
  const SpecItem& item = arguments.item();
  const auto fail = [&](const SpecArgument& at, const std::string& message) {
    spec_error(arguments.source(), at.position, message);
  };
  if (arguments.find("kh") == nullptr)
    spec_error(arguments.source(), item.position,
               text(item.name, " needs the size of its window: ", item.name,
                    item.name == "conv" ? "(16,3), width and window" : "(2)"));
  Window w;
  w.kh = arguments.integer("kh", 1, 1, kMaxWindow);
  w.kw = arguments.integer("kw", of_signals(item) ? 1 : w.kh, 1, kMaxWindow);
  if (of_signals(item) && w.kw != 1)
    fail(*arguments.find("kw"),
         text(item.name, " has windows of k steps; on pictures write ", item.name.substr(0, item.name.size() - 2)));
  w.stride = stride_default == 0 ? w.kh : stride_default;
  if (arguments.find("stride") != nullptr) {
    w.stride = arguments.integer("stride", 1, 1, kMaxWindow);
  } else if (const SpecArgument* sh = arguments.find("sh"); sh != nullptr || arguments.find("sw") != nullptr) {
    w.stride = arguments.integer("sh", 1, 1, kMaxWindow);
    if (w.stride != arguments.integer("sw", 1, 1, kMaxWindow))
      fail(sh != nullptr ? *sh : *arguments.find("sw"), "windows of nets move by one stride both ways: stride=N");
  }
  if (arguments.integer("dilation", 1, 1, kMaxWindow) != 1)
    fail(*arguments.find("dilation"), "windows of nets have no dilation");
  return w;
}

std::string padding(const SpecArguments& arguments, const char* pad_default) {
  const SpecArgument* given = arguments.find("pad");
  if (given != nullptr && given->value == "circular")
    spec_error(arguments.source(), given->position, "nets have no circular padding; pad is same, valid or a number");
  return given == nullptr ? pad_default : given->value;
}

}  // namespace

index Window::bottom(ImageShape in) const { return back(height, kh, stride, in.height, top); }
index Window::right(ImageShape in) const { return back(width, kw, stride, in.width, left); }

std::vector<std::string> window_parameters(std::vector<std::string> first) {
  for (const char* name : {"kh", "kw", "stride", "pad", "sh", "sw", "dilation"}) first.emplace_back(name);
  return first;
}

Window read_window(const SpecArguments& arguments, ImageShape in, index stride_default, const char* pad_default) {
  const std::string& source = arguments.source();
  const SpecItem& item = arguments.item();
  Window w = read_size(arguments, stride_default);
  if (of_signals(item) && in.width != 1)
    spec_error(source, item.position,
               text(item.name, " reads signals, T x 1 x C; here ", in.height, " x ", in.width, " x ", in.channels,
                    " arrives: write ", item.name.substr(0, item.name.size() - 2)));
  const std::string pad = padding(arguments, pad_default);
  if (pad == "same") {
    const Side vertical = same(in.height, w.kh, w.stride), horizontal = same(in.width, w.kw, w.stride);
    w.top = vertical.front, w.left = horizontal.front;
    w.height = vertical.positions, w.width = horizontal.positions;
    return w;
  }
  // A wider padding would have windows that see nothing of the image.
  if (pad != "valid")
    w.top = w.left = arguments.integer("pad", 0, 0, (of_signals(item) ? w.kh : std::min(w.kh, w.kw)) - 1);
  if (of_signals(item)) w.left = 0;
  const index height = in.height + 2 * w.top, width = in.width + 2 * w.left;
  if (w.kh > height || w.kw > width)
    spec_error(source, item.position,
               text(item.name, ": its window of ", w.kh, " x ", w.kw, " does not fit what arrives there, ", in.height,
                    " x ", in.width, " positions of ", in.channels, " channels, with padding ", w.top,
                    in.width == 1 && in.height > 1 && !of_signals(item)
                        ? text("; these are signals, T x 1 x C: write ", item.name, "1d")
                        : ""));
  w.height = (height - w.kh) / w.stride + 1;
  w.width = (width - w.kw) / w.stride + 1;
  return w;
}

std::string window_limit(const SpecArguments& arguments, index stride_default, const char* pad_default) {
  const Window w = read_size(arguments, stride_default);
  std::string pad = padding(arguments, pad_default);
  if (pad != "same" && pad != "valid") {
    const index p = arguments.integer("pad", 0, 0, std::min(w.kh, w.kw) - 1);
    // The same positions wherever the sides divide by the stride.
    const bool same = w.kh - w.stride == 2 * p && w.kw - w.stride == 2 * p;
    if (p != 0 && !same)
      spec_error(arguments.source(), arguments.find("pad")->position,
                 text("kernels pad by same or valid; pad=", p, " of a window of ", w.kh, " x ", w.kw, " with stride ",
                      w.stride, " is neither"));
    pad = p == 0 ? "valid" : "same";
  }
  return text("kh=", w.kh, ",kw=", w.kw, ",stride=", w.stride, ",pad=", pad);
}

}  // namespace ntkrob::net
