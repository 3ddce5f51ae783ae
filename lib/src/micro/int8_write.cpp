// Calibration and quantisation: from float32 parameters to the block of int8.hpp.
#include "micro/int8_block.hpp"
#include "micro/passes.hpp"

namespace ntkrob::micro {
namespace {

/// Values beyond it are those of a net that has diverged; within it no product of scales leaves the range of float32.
constexpr float kLargest = 1e15f;
/// Input scale times weight scale, at least: weights that are smaller count as 0.
constexpr float kSmallestUnit = 1e-20f;

float magnitude(float x) { return x < 0 ? -x : x; }

void widen(Range& range, const float* x, uint32_t n) {
  for (uint32_t i = 0; i < n; ++i) {
    if (x[i] < range.low) range.low = x[i];
    if (x[i] > range.high) range.high = x[i];
  }
}

/// scale * (q - zero) covers the range and 0, which is a q itself.
struct Scale {
  float scale;
  int8_t zero;
};
Scale scale_of(Range range, float smallest) {
  const float step = (range.high - range.low) / 255.0f, scale = step < smallest ? smallest : step;
  return {scale, to_int8(-128.0f * scale - range.low, scale, 0)};
}

/// Input scale times weight scale of one output channel: what one step of its sum is worth.
float unit_of(const float* weights, uint32_t n, float bias, float input_scale) {
  float largest = 0;
  for (uint32_t i = 0; i < n; ++i)
    if (magnitude(weights[i]) > largest) largest = magnitude(weights[i]);
  float unit = largest / 127.0f * input_scale;
  if (unit < kSmallestUnit) unit = kSmallestUnit;
  // A bias that is large beside the weights must fit its 30 bits.
  const float for_bias = magnitude(bias) / static_cast<float>(kInt8MaxBias);
  return unit < for_bias ? for_bias : unit;
}

int32_t bias_of(float bias, float unit) {
  const int32_t q = nearest(bias / unit);
  return q > kInt8MaxBias ? kInt8MaxBias : q < -kInt8MaxBias ? -kInt8MaxBias : q;
}

/// One layer with parameters, between two scales.
struct Quantised {
  const float *weights, *biases;
  uint32_t outputs, fan_in;
  float input_scale;
  float unit(uint32_t o) const { return unit_of(row(o), fan_in, biases[o], input_scale); }
  const float* row(uint32_t o) const { return weights + static_cast<size_t>(o) * fan_in; }
  int8_t weight(uint32_t o, uint32_t i, float unit) const { return to_int8(row(o)[i], unit / input_scale, 0); }

  /// The worth of the coarsest sum: an output with finer steps would hold no more.
  float largest_unit() const {
    float largest = 0;
    for (uint32_t o = 0; o < outputs; ++o)
      if (unit(o) > largest) largest = unit(o);
    return largest;
  }
  /// No sum can be worth more than this.
  float bound() const {
    float largest = 0;
    for (uint32_t o = 0; o < outputs; ++o) {
      const float u = unit(o);
      const int32_t b = bias_of(biases[o], u);
      uint32_t sum = static_cast<uint32_t>(b < 0 ? -b : b);
      for (uint32_t i = 0; i < fan_in; ++i) {
        const int32_t w = weight(o, i, u);
        sum += 255u * static_cast<uint32_t>(w < 0 ? -w : w);
      }
      const float worth = static_cast<float>(sum) * u;
      if (worth > largest) largest = worth;
    }
    return largest;
  }
};

/// ratio = multiplier / 2^shift exactly, or 0 where no sum of 31 bits would come to 1/2.
void split(float ratio, uint32_t& multiplier, uint32_t& shift) {
  const uint32_t bits = to_bits(ratio);
  const int32_t exponent = static_cast<int32_t>(bits >> 23) - 127;
  multiplier = exponent < -32 ? 0 : ((bits & 0x7FFFFFu) | 0x800000u) << 7;
  shift = exponent < -32 ? 62 : static_cast<uint32_t>(30 - exponent);
}

void write_channel(BlockWriter& out, const Quantised& layer, uint32_t o, float output_scale) {
  const float unit = layer.unit(o);
  uint32_t multiplier, shift;
  split(unit / output_scale, multiplier, shift);
  out.emit32(static_cast<uint32_t>(bias_of(layer.biases[o], unit)));
  out.emit32(multiplier);
  out.emit32(shift);
  for (uint32_t i = 0; i < layer.fan_in; i += 4) {
    uint8_t four[4] = {0, 0, 0, 0};
    for (uint32_t k = 0; k < 4 && i + k < layer.fan_in; ++k)
      four[k] = static_cast<uint8_t>(layer.weight(o, i + k, unit));
    out.emit(four, sizeof four);
  }
}

bool good_range(Range range) { return range.low >= -kLargest && range.high <= kLargest && range.low <= range.high; }

/// Scales layer by layer, in the order of the net.
struct Walk {
  const Session* session;
  const Range* ranges;
  Place at;
  Scale in, out;

  void next(uint32_t l) {
    detail::place_next(session->net.layers[l], at);
    in = out;
    if (at.biases == 0) return;
    const Quantised q = layer();
    if (l + 1 == session->net.count) {
      const float smallest = q.largest_unit(), step = q.bound() / 8388608.0f;
      out = {step > 0 ? step : smallest, 0};
    } else {
      out = scale_of(before_leaks(l), q.largest_unit());
    }
  }
  /// The range of layer l before the leaky layers that work in place behind it, from that after them.
  Range before_leaks(uint32_t l) const {
    Range range = ranges[l + 1];
    Place next = at;
    for (uint32_t k = l + 1; k < session->net.count; ++k) {
      detail::place_next(session->net.layers[k], next);
      if (next.source != next.target) break;
      const uint32_t bits = detail::slope_bits(next.layer);
      float slope;
      __builtin_memcpy(&slope, &bits, sizeof slope);
      if (next.layer.kind == Kind::leaky && slope > 0) range.low /= slope;
    }
    return range;
  }
  Quantised layer() const {
    const float* const weights = session->weights + at.weight;
    return {weights, weights + at.weights, at.biases, at.fan_in(), in.scale};
  }
};

Walk walk(const Session& session, const Range* ranges) {
  // Pixels: those of [0, 1] at least, so that bytes of images are taken as they are.
  Range pixels = ranges[0];
  if (pixels.low > 0) pixels.low = 0;
  if (pixels.high < 1) pixels.high = 1;
  const Scale input = scale_of(pixels, 0);
  return {&session, ranges, start(session.net), input, input};
}

}  // namespace

Status calibrate(Session& session, const Source& source, Range* ranges) {
  for (uint32_t i = 0; i < source.count; ++i) {
    Row row;
    Status status = read_row(session, source, i, row);
    const float* logits;
    if (status == Status::ok) status = forward(session, logits);
    if (status != Status::ok) return status;
    widen(ranges[0], session.input(), session.net.input.size());
    Place at = start(session.net);
    for (uint32_t l = 0; l < session.net.count; ++l) {
      detail::place_next(session.net.layers[l], at);
      widen(ranges[l + 1], session.values + at.target, at.out.size());
    }
  }
  return Status::ok;
}

Status write_int8(const Session& session, const Range* ranges, void (*put)(void* context, const void* bytes, size_t n),
                  void* context) {
  const NetView& net = session.net;
  const size_t total = int8_bytes(net);
  if (total == 0) return Status::bad_net;
  if (session.weights == nullptr) return Status::bad_options;
  for (uint32_t k = 0; k < session.plan.parameters; ++k)
    if (!(magnitude(session.weights[k]) <= kLargest)) return Status::not_finite;
  for (uint32_t l = 0; l <= net.count; ++l)
    if (!good_range(ranges[l])) return Status::not_finite;

  Walk scales = walk(session, ranges);
  for (uint32_t l = 0; l < net.count; ++l) {
    scales.next(l);
    if (!(scales.out.scale <= kLargest)) return Status::not_finite;
  }

  BlockWriter out(put, context);
  out.begin(kInt8Magic, kInt8Version, kInt8HeaderBytes, total, net);
  scales = walk(session, ranges);
  out.emit32(to_bits(scales.out.scale));
  out.emit32(static_cast<uint8_t>(scales.out.zero));
  for (uint32_t l = 0; l < net.count; ++l) {
    scales.next(l);
    out.layer(net.layers[l], scales.out.zero);
    out.emit32(to_bits(scales.out.scale));
  }
  scales = walk(session, ranges);
  for (uint32_t l = 0; l < net.count; ++l) {
    scales.next(l);
    for (uint32_t o = 0; o < scales.at.biases; ++o) write_channel(out, scales.layer(), o, scales.out.scale);
  }
  out.end();
  return Status::ok;
}

}  // namespace ntkrob::micro
