/// Net: the description of a small network, checked and measured at compile time.
///
///   constexpr auto kNet = net({28, 28, 1}, dense(32), relu(), dense(10));
///   alignas(4) static unsigned char arena[bytes_needed(kNet, kOptions)];      // or: static Arena<bytes, limit> arena;
///
/// Values between layers are arrays in the order height, width, channels. Parameters lie layer by layer, the weight
/// before the bias: dense weight[out][in], conv weight[out][kernel row][kernel column][in], depthwise
/// weight[channel][kernel row][kernel column], as in a model of ntkrob::nn. Signals are T x 1 x C: the layers that end
/// in 1d have windows of `kernel` steps.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "ntkrob/micro/status.hpp"

namespace ntkrob::micro {

struct Shape {
  uint16_t height, width, channels;
  constexpr uint32_t size() const { return static_cast<uint32_t>(height) * width * channels; }
};
constexpr bool operator==(Shape a, Shape b) {
  return a.height == b.height && a.width == b.width && a.channels == b.channels;
}

/// The values are those of the weight file.
enum class Kind : uint8_t {
  dense = 1,
  conv = 2,
  relu = 3,
  max_pool = 4,
  avg_pool = 5,
  flatten = 6,
  leaky = 7,
  depthwise = 8,
  conv1d = 9,
  depthwise1d = 10,
  max_pool1d = 11,
  avg_pool1d = 12
};

/// leaky keeps the bits of its slope, a float, in kernel (the lowest eight), stride, pad and outputs.
struct Layer {
  Kind kind;
  uint8_t kernel;    // side of the square window, or its steps: convolutions, pools
  uint8_t stride;    // convolutions, pools
  uint8_t pad;       // zeros on every side, or at both ends: convolutions
  uint16_t outputs;  // dense: width; conv: channels
};
constexpr Layer dense(uint16_t outputs) { return {Kind::dense, 0, 0, 0, outputs}; }
constexpr Layer conv(uint16_t channels, uint8_t kernel, uint8_t stride = 1, uint8_t pad = 0) {
  return {Kind::conv, kernel, stride, pad, channels};
}
constexpr Layer relu() { return {Kind::relu, 0, 0, 0, 0}; }
/// The largest of each window; windows lie inside the image. stride 0: the window's side.
constexpr Layer max_pool(uint8_t window, uint8_t stride = 0) {
  return {Kind::max_pool, window, stride == 0 ? window : stride, 0, 0};
}
/// The mean of each window; windows lie inside the image. stride 0: the window's side.
constexpr Layer avg_pool(uint8_t window, uint8_t stride = 0) {
  return {Kind::avg_pool, window, stride == 0 ? window : stride, 0, 0};
}
constexpr Layer flatten() { return {Kind::flatten, 0, 0, 0, 0}; }
/// A window of its own for every channel (Howard 2017).
constexpr Layer depthwise(uint8_t kernel, uint8_t stride = 1, uint8_t pad = 0) {
  return {Kind::depthwise, kernel, stride, pad, 0};
}
constexpr Layer conv1d(uint16_t channels, uint8_t kernel, uint8_t stride = 1, uint8_t pad = 0) {
  return {Kind::conv1d, kernel, stride, pad, channels};
}
constexpr Layer depthwise1d(uint8_t kernel, uint8_t stride = 1, uint8_t pad = 0) {
  return {Kind::depthwise1d, kernel, stride, pad, 0};
}
constexpr Layer max_pool1d(uint8_t window, uint8_t stride = 0) {
  return {Kind::max_pool1d, window, stride == 0 ? window : stride, 0, 0};
}
constexpr Layer avg_pool1d(uint8_t window, uint8_t stride = 0) {
  return {Kind::avg_pool1d, window, stride == 0 ? window : stride, 0, 0};
}

namespace detail {

/// The bits of a float from 0 to below 2, without the subnormal ones.
constexpr uint32_t bits_of(float x) {
  uint32_t exponent = 127;
  while (x > 0 && x < 1 && exponent > 0) {
    x *= 2;
    --exponent;
  }
  return x > 0 && exponent > 0 ? exponent << 23 | static_cast<uint32_t>((x - 1) * 8388608.0f) : 0;
}
constexpr uint32_t slope_bits(const Layer& layer) {
  return layer.kernel | static_cast<uint32_t>(layer.stride) << 8 | static_cast<uint32_t>(layer.pad) << 16 |
         static_cast<uint32_t>(layer.outputs) << 24;
}

}  // namespace detail

/// x where it is positive, slope x elsewhere (Maas 2013).   slope: from 0 to below 1; a net with another is no net
constexpr Layer leaky(float slope) {
  const uint32_t bits = slope >= 0 && slope < 1 ? detail::bits_of(slope) : 0xFFFFFFFFu;
  return {Kind::leaky, static_cast<uint8_t>(bits), static_cast<uint8_t>(bits >> 8), static_cast<uint8_t>(bits >> 16),
          static_cast<uint16_t>(bits >> 24)};
}

/// Windows of steps, of signals.
constexpr bool along_one_side(Kind kind) {
  return kind == Kind::conv1d || kind == Kind::depthwise1d || kind == Kind::max_pool1d || kind == Kind::avg_pool1d;
}
constexpr bool is_conv(Kind kind) { return kind == Kind::conv || kind == Kind::conv1d; }
constexpr bool is_depthwise(Kind kind) { return kind == Kind::depthwise || kind == Kind::depthwise1d; }
constexpr bool is_max_pool(Kind kind) { return kind == Kind::max_pool || kind == Kind::max_pool1d; }
constexpr bool is_avg_pool(Kind kind) { return kind == Kind::avg_pool || kind == Kind::avg_pool1d; }

/// What functions take: a description that somebody else keeps.
struct NetView {
  Shape input;
  const Layer* layers;
  uint32_t count;
};

template <unsigned N>
struct Net {
  Shape input;
  Layer layers[N];
  constexpr operator NetView() const { return {input, layers, N}; }
};

template <class... L>
constexpr Net<sizeof...(L)> net(Shape input, L... layers) {
  return {input, {layers...}};
}

/// A net has at most this many layers, parameters and values per layer: all products fit 32 bits.
inline constexpr uint32_t kMaxLayers = 64;
inline constexpr uint32_t kMaxSize = 1u << 26;

/// One layer in its place.
struct Place {
  Layer layer;
  Shape in, out;
  uint32_t weight,
      weights;      // where its weight begins among the parameters, and how many numbers it has; the bias follows
  uint32_t biases;  // 0: the layer has no parameters
  uint32_t source, target;  // where its input and output begin among the values; the net's input is value 0
  uint32_t fan_in() const { return biases == 0 ? 0 : weights / biases; }
  /// Columns of the window, and zeros at their sides.
  uint32_t kernel_width() const { return along_one_side(layer.kind) ? 1 : layer.kernel; }
  uint32_t pad_width() const { return along_one_side(layer.kind) ? 0 : layer.pad; }
};

struct Plan {
  Status status;        // ok or bad_net
  uint32_t layer;       // the layer at fault, counted from 0
  uint32_t parameters;  // numbers in all weights and biases
  uint32_t values;      // numbers in the input and in all outputs; relu and flatten work in place
  uint32_t largest;     // numbers in the largest output that is the input of a layer
  uint16_t classes;     // outputs of the last layer
};

namespace detail {

constexpr uint32_t windows(uint32_t side, const Layer& layer) {
  const uint32_t padded = side + 2u * layer.pad;
  return layer.kernel == 0 || layer.stride == 0 || padded < layer.kernel || layer.pad >= layer.kernel
             ? 0
             : (padded - layer.kernel) / layer.stride + 1;
}

/// Places `layer` behind `before`. False where it does not fit.
constexpr bool place_next(const Layer& layer, Place& at) {
  const Shape in = at.out;
  const uint64_t weight = static_cast<uint64_t>(at.weight) + at.weights + at.biases;
  Shape out = in;
  uint64_t weights = 0;
  uint32_t biases = 0;
  bool fits = true, in_place = false;
  switch (layer.kind) {
    case Kind::dense:
      out = {1, 1, layer.outputs};
      biases = layer.outputs;
      weights = static_cast<uint64_t>(in.size()) * biases;
      fits = biases > 0;
      break;
    case Kind::conv:
    case Kind::depthwise:
    case Kind::max_pool:
    case Kind::avg_pool:
    case Kind::conv1d:
    case Kind::depthwise1d:
    case Kind::max_pool1d:
    case Kind::avg_pool1d: {
      const bool one = along_one_side(layer.kind), conv = is_conv(layer.kind), alone = is_depthwise(layer.kind);
      const uint32_t height = windows(in.height, layer), width = one ? in.width : windows(in.width, layer);
      fits = height > 0 && height <= 0xFFFF && width > 0 && width <= 0xFFFF && (conv || alone || layer.pad == 0) &&
             (!conv || layer.outputs > 0) && (!one || in.width == 1);
      out = {static_cast<uint16_t>(height), static_cast<uint16_t>(width), conv ? layer.outputs : in.channels};
      const uint64_t taps = static_cast<uint64_t>(layer.kernel) * (one ? 1 : layer.kernel);
      if (conv || alone) {
        biases = out.channels;
        weights = taps * (conv ? in.channels : 1u) * biases;
      }
      break;
    }
    case Kind::leaky:
      fits = slope_bits(layer) < 0x3F800000u;  // below 1
      [[fallthrough]];
    case Kind::relu:
      in_place = true;
      fits = fits && at.target > 0;  // the net's input stays as it is
      break;
    case Kind::flatten:
      in_place = true;
      fits = in.size() <= 0xFFFF;
      out = {1, 1, static_cast<uint16_t>(in.size())};
      break;
    default:
      fits = false;
  }
  const uint64_t out_size = static_cast<uint64_t>(out.height) * out.width * out.channels;
  if (!fits || out_size > kMaxSize || weight + weights + biases > kMaxSize) return false;
  const uint32_t source = at.target;
  const uint32_t target = in_place ? source : source + in.size();
  if (target > kMaxSize) return false;
  at = {layer, in, out, static_cast<uint32_t>(weight), static_cast<uint32_t>(weights), biases, source, target};
  return true;
}

}  // namespace detail

/// The place before the first layer.
constexpr Place start(const NetView& net) { return {{Kind::flatten, 0, 0, 0, 0}, net.input, net.input, 0, 0, 0, 0, 0}; }

/// Walks the net. What the other functions require is `plan(net).status == Status::ok`.
constexpr Plan plan(const NetView& net) {
  Plan result{Status::bad_net, 0, 0, 0, 0, 0};
  const uint64_t input =
      static_cast<uint64_t>(net.input.height) * net.input.width * static_cast<uint64_t>(net.input.channels);
  if (net.count == 0 || net.count > kMaxLayers || input == 0 || input > kMaxSize) return result;
  Place at = start(net);
  for (uint32_t l = 0; l < net.count; ++l) {
    result.layer = l;
    if (!detail::place_next(net.layers[l], at)) return result;
    if (l + 1 < net.count && at.target > 0 && at.out.size() > result.largest) result.largest = at.out.size();
  }
  if (at.layer.kind != Kind::dense) return result;
  result.status = Status::ok;
  result.parameters = at.weight + at.weights + at.biases;
  result.values = at.target + at.out.size();
  result.classes = at.layer.outputs;
  return result;
}

/// Layer l in its place. requires: a net that plan() accepts, l < net.count
constexpr Place locate(const NetView& net, uint32_t l) {
  Place at = start(net);
  for (uint32_t k = 0; k <= l; ++k) detail::place_next(net.layers[k], at);
  return at;
}

}  // namespace ntkrob::micro
