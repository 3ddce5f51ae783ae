#include "ntkrob/micro/int8.hpp"

#include "micro/int8_block.hpp"
#include "micro/windows.hpp"

namespace ntkrob::micro {
namespace {

constexpr int32_t kLow = -128, kHigh = 127;

int32_t clamp(int64_t v, int32_t low, int32_t high) {
  return v < low ? low : v > high ? high : static_cast<int32_t>(v);
}

/// sum times multiplier / 2^shift, rounded to nearest, halves up. |sum| < 2^31 and shift <= 62: nothing overflows.
int64_t rescale(int32_t sum, const Int8Channel& channel) {
  const int64_t half = int64_t{1} << (channel.shift - 1);
  return (static_cast<int64_t>(sum) * channel.multiplier + half) >> channel.shift;
}

/// sum_i (x_i - zero) w_i
int32_t dot(const int8_t* x, const int8_t* w, int32_t zero, uint32_t n) {
  int32_t sum = 0;
  for (uint32_t i = 0; i < n; ++i) sum += (x[i] - zero) * w[i];
  return sum;
}

/// The layer's input and output, and where its channels are.
struct Step {
  const Place& at;
  const int8_t* x;
  int8_t* y;
  int32_t zero_in, zero_out;
  const uint8_t* channels;
  const uint8_t* channel(uint32_t o) const { return channels + static_cast<size_t>(o) * channel_bytes(at.fan_in()); }
};

int32_t dense_sum(const Step& s, const Int8Channel& channel) {
  return channel.bias + dot(s.x, channel.weights, s.zero_in, s.at.fan_in());
}

void conv(const Step& s) {
  const uint32_t channels = s.at.out.channels;
  for_windows(s.at, [&](uint32_t position, const Window& w) {
    for (uint32_t o = 0; o < channels; ++o) {
      const Int8Channel channel = load_channel(s.channel(o));
      int32_t sum = channel.bias;
      for_rows(s.at, w, [&](uint32_t from, uint32_t tap, uint32_t n) {
        sum += dot(s.x + from, channel.weights + tap, s.zero_in, n);
      });
      s.y[position * channels + o] = static_cast<int8_t>(clamp(rescale(sum, channel) + s.zero_out, kLow, kHigh));
    }
  });
}

void depthwise(const Step& s) {
  const uint32_t channels = s.at.out.channels;
  for_windows(s.at, [&](uint32_t position, const Window& w) {
    for (uint32_t c = 0; c < channels; ++c) {
      const Int8Channel channel = load_channel(s.channel(c));
      int32_t sum = channel.bias;
      for_taps(s.at, w, c, [&](uint32_t k, uint32_t tap) { sum += (s.x[k] - s.zero_in) * channel.weights[tap]; });
      s.y[position * channels + c] = static_cast<int8_t>(clamp(rescale(sum, channel) + s.zero_out, kLow, kHigh));
    }
  });
}

/// slope (q - zero), rounded to nearest, halves up: the slope is mantissa / 2^shift exactly, or too small for any step.
void leak(const Place& at, int8_t* x, int32_t zero) {
  const uint32_t bits = detail::slope_bits(at.layer), exponent = bits >> 23;
  const int64_t mantissa = exponent == 0 ? 0 : static_cast<int64_t>((bits & 0x7FFFFFu) | 0x800000u);
  const uint32_t shift = exponent < 100 ? 50 : 150 - exponent;  // of those that are kept: 24 to 50
  for (uint32_t i = 0; i < at.out.size(); ++i) {
    const int32_t below = x[i] - zero;
    if (below >= 0) continue;
    const int64_t leaked = exponent < 100 ? 0 : (below * mantissa + (int64_t{1} << (shift - 1))) >> shift;
    x[i] = static_cast<int8_t>(zero + leaked);
  }
}

void pool(const Step& s) {
  const uint32_t channels = s.at.out.channels;
  const bool mean = is_avg_pool(s.at.layer.kind);
  const uint32_t taps = s.at.layer.kernel * s.at.kernel_width();
  for_windows(s.at, [&](uint32_t position, const Window& w) {
    for (uint32_t c = 0; c < channels; ++c) {
      uint32_t sum = 0;
      int32_t largest = kLow;
      for_values(s.at, w, c, [&](uint32_t k) {
        if (s.x[k] > largest) largest = s.x[k];
        sum += static_cast<uint32_t>(s.x[k] - kLow);
      });
      const int32_t v = mean ? static_cast<int32_t>((sum + taps / 2) / taps) + kLow : largest;
      s.y[position * channels + c] = static_cast<int8_t>(v);
    }
  });
}

/// The net that the block holds, layer by layer, must be this one, and all its numbers within bounds.
Status check_net(const NetView& net, const uint8_t* block, uint32_t total) {
  const Plan p = plan(net);
  if (p.status != Status::ok) return p.status;
  if (!good_scale(load_float(block + 20))) return Status::bad_header;
  const size_t bytes = int8_bytes(net);
  if (bytes == 0) return Status::bad_net;
  if (bytes != total) return Status::bad_header;
  const uint8_t* next = channels_begin(block, net.count);
  Place at = start(net);
  for (uint32_t l = 0; l < net.count; ++l) {
    detail::place_next(net.layers[l], at);
    if (!good_scale(load_float(layer_record(block, l) + kLayerBytes))) return Status::bad_header;
    for (uint32_t o = 0; o < at.biases; ++o, next += channel_bytes(at.fan_in())) {
      const Int8Channel c = load_channel(next);
      // multiplier < 0 would not overflow either, but no scale is negative.
      if (c.bias > kInt8MaxBias || c.bias < -kInt8MaxBias || c.multiplier < 0 || c.shift < 1 || c.shift > 62)
        return Status::bad_header;
    }
  }
  return Status::ok;
}

}  // namespace

size_t int8_bytes(const NetView& net) {
  if (plan(net).status != Status::ok) return 0;
  uint64_t bytes = kInt8HeaderBytes + static_cast<uint64_t>(kInt8LayerBytes) * net.count + 4;
  Place at = start(net);
  for (uint32_t l = 0; l < net.count; ++l) {
    detail::place_next(net.layers[l], at);
    if (at.biases > 0 && at.fan_in() > kInt8MaxFanIn) return 0;
    bytes += static_cast<uint64_t>(at.biases) * channel_bytes(at.biases > 0 ? at.fan_in() : 0);
  }
  return bytes > 0xFFFFFFFFu ? 0 : static_cast<size_t>(bytes);
}

Status describe(StoredNet& net, const void* bytes, size_t n) {
  const uint8_t* const block = static_cast<const uint8_t*>(bytes);
  uint32_t total;
  const Status status = check_block(block, n, kInt8Magic, kInt8Version, kInt8HeaderBytes, total);
  if (status != Status::ok) return status;
  net.input = load_shape(block);
  net.count = load16(block + 18);
  if (net.count == 0 || net.count > kMaxLayers || total < layers_end(net.count)) return Status::bad_header;
  for (uint32_t l = 0; l < net.count; ++l) net.layers[l] = load_layer(layer_record(block, l));
  return check_net(net, block, total);
}

Status open(Int8Session& session, const NetView& net, const void* bytes, size_t n, void* arena, size_t arena_bytes) {
  const uint8_t* const block = static_cast<const uint8_t*>(bytes);
  uint32_t total;
  Status status = check_block(block, n, kInt8Magic, kInt8Version, kInt8HeaderBytes, total);
  if (status != Status::ok) return status;
  if (!(load_shape(block) == net.input) || load16(block + 18) != net.count) return Status::shape_mismatch;
  if (total < layers_end(net.count)) return Status::bad_header;
  for (uint32_t l = 0; l < net.count; ++l)
    if (!same(load_layer(layer_record(block, l)), net.layers[l])) return Status::shape_mismatch;
  status = check_net(net, block, total);
  if (status != Status::ok) return status;
  if (reinterpret_cast<uintptr_t>(arena) % sizeof(int32_t) != 0) return Status::misaligned;
  if (arena_bytes < int8_bytes_needed(net)) return Status::arena_too_small;
  session.net = net;
  session.block = block;
  session.values = static_cast<int8_t*>(arena);
  session.value_bytes = detail::int8_values(net);
  session.logits = reinterpret_cast<int32_t*>(session.values + session.value_bytes);
  session.classes = plan(net).classes;
  session.input_scale = load_float(block + 20);
  session.input_zero = static_cast<int8_t>(block[24]);
  session.logit_scale = load_float(layer_record(block, net.count - 1) + kLayerBytes);
  __builtin_memset(arena, 0, int8_bytes_needed(net));
  return Status::ok;
}

Status set_input(Int8Session& session, const float* x) {
  for (uint32_t i = 0; i < session.net.input.size(); ++i) {
    if (!is_finite(x[i])) return Status::not_finite;
    session.values[i] = to_int8(x[i], session.input_scale, session.input_zero);
  }
  return Status::ok;
}

void forward(Int8Session& session) {
  const NetView& net = session.net;
  const uint8_t* channels = channels_begin(session.block, net.count);
  int8_t* x = session.values;
  int32_t zero = session.input_zero;
  Place at = start(net);
  for (uint32_t l = 0; l < net.count; ++l) {
    detail::place_next(net.layers[l], at);
    const bool last = l + 1 == net.count;
    int8_t* y = x;
    if (at.source != at.target && !last)
      y = x == session.values ? session.values + session.value_bytes - at.out.size() : session.values;
    const bool parametric = at.biases > 0;
    const int32_t zero_out = parametric ? static_cast<int8_t>(layer_record(session.block, l)[6]) : zero;
    const Step step{at, x, y, zero, zero_out, channels};
    switch (at.layer.kind) {
      case Kind::dense:
        for (uint32_t o = 0; o < at.biases; ++o) {
          const Int8Channel channel = load_channel(step.channel(o));
          const int64_t value = rescale(dense_sum(step, channel), channel);
          if (last)
            session.logits[o] = clamp(value, -0x7FFFFFFF, 0x7FFFFFFF);
          else
            y[o] = static_cast<int8_t>(clamp(value + zero_out, kLow, kHigh));
        }
        break;
      case Kind::conv:
      case Kind::conv1d:
        conv(step);
        break;
      case Kind::depthwise:
      case Kind::depthwise1d:
        depthwise(step);
        break;
      case Kind::leaky:
        leak(at, x, zero);
        break;
      case Kind::relu:
        for (uint32_t i = 0; i < at.out.size(); ++i)
          if (x[i] < zero) x[i] = static_cast<int8_t>(zero);
        break;
      case Kind::max_pool:
      case Kind::avg_pool:
      case Kind::max_pool1d:
      case Kind::avg_pool1d:
        pool(step);
        break;
      case Kind::flatten:
        break;
    }
    if (parametric) channels = step.channel(at.biases);
    x = y;
    zero = zero_out;
  }
}

uint16_t predicted(const Int8Session& session) {
  uint16_t best = 0;
  for (uint16_t j = 1; j < session.classes; ++j)
    if (session.logits[j] > session.logits[best]) best = j;
  return best;
}

Status evaluate(Int8Session& session, const Source& source, float* x, Report& report) {
  report = {0, 0, 0};
  for (uint32_t i = 0; i < source.count; ++i) {
    Row row{x, nullptr, 0, false};
    Status status = source.read(source.context, i, row);
    if (status == Status::ok && row.label >= session.classes) status = Status::bad_label;
    if (status == Status::ok) status = set_input(session, x);
    if (status != Status::ok) return status;
    forward(session);
    ++report.rows;
    report.right += predicted(session) == row.label ? 1u : 0u;
  }
  return Status::ok;
}

}  // namespace ntkrob::micro
