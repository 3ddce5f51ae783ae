/// Net: the description of a small network, checked and measured at compile time.
///
///   constexpr auto kNet = net({28, 28, 1}, dense(32), relu(), dense(10));
///   alignas(4) static unsigned char arena[bytes_needed(kNet, kOptions)];      // or: static Arena<bytes, limit> arena;
///
/// Values between layers are arrays in the order height, width, channels. Parameters lie layer by layer, the weight
/// before the bias: dense weight[out][in], conv weight[out][kernel row][kernel column][in], as in a model of
/// ntkrob::nn.
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
enum class Kind : uint8_t { dense = 1, conv = 2, relu = 3, max_pool = 4, avg_pool = 5, flatten = 6 };

struct Layer {
  Kind kind;
  uint8_t kernel;    // side of the square window: conv, pools
  uint8_t stride;    // conv, pools
  uint8_t pad;       // zeros on every side: conv
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
    case Kind::max_pool:
    case Kind::avg_pool: {
      const uint32_t height = windows(in.height, layer), width = windows(in.width, layer);
      const bool is_conv = layer.kind == Kind::conv;
      fits = height > 0 && height <= 0xFFFF && width > 0 && width <= 0xFFFF && (is_conv || layer.pad == 0) &&
             (!is_conv || layer.outputs > 0);
      out = {static_cast<uint16_t>(height), static_cast<uint16_t>(width), is_conv ? layer.outputs : in.channels};
      if (is_conv) {
        biases = layer.outputs;
        weights = static_cast<uint64_t>(layer.kernel) * layer.kernel * in.channels * biases;
      }
      break;
    }
    case Kind::relu:
      in_place = true;
      fits = at.target > 0;  // the net's input stays as it is
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
