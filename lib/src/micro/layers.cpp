#include "micro/layers.hpp"

#include "micro/math.hpp"
#include "micro/windows.hpp"

namespace ntkrob::micro {
namespace {

/// Where the largest value is, the first of equals. NaN counts as larger, so that it is not lost.
uint32_t largest(const Place& at, const Window& w, uint32_t channel, const float* x) {
  uint32_t best = (w.y_begin * at.in.width + w.x_begin) * at.in.channels + channel;
  for_values(at, w, channel, [&](uint32_t k) {
    if (!(x[k] <= x[best])) best = k;
  });
  return best;
}

float mean_factor(const Place& at) { return 1.0f / static_cast<float>(at.layer.kernel * at.kernel_width()); }

float slope(const Place& at) {
  const uint32_t bits = detail::slope_bits(at.layer);
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace

void layer_forward(const Place& at, const float* weights, const float* x, float* y) {
  const float* weight = weights + at.weight;
  const float* bias = weight + at.weights;
  const uint32_t channels = at.out.channels, fan_in = at.fan_in();
  switch (at.layer.kind) {
    case Kind::dense:
      for (uint32_t o = 0; o < channels; ++o) y[o] = bias[o] + dot(weight + o * fan_in, x, fan_in);
      break;
    case Kind::conv:
    case Kind::conv1d:
      for_windows(at, [&](uint32_t position, const Window& w) {
        for (uint32_t o = 0; o < channels; ++o) {
          float sum = bias[o];
          for_rows(at, w, [&](uint32_t from, uint32_t tap, uint32_t n) {
            sum += dot(weight + o * fan_in + tap, x + from, n);
          });
          y[position * channels + o] = sum;
        }
      });
      break;
    case Kind::depthwise:
    case Kind::depthwise1d:
      for_windows(at, [&](uint32_t position, const Window& w) {
        for (uint32_t c = 0; c < channels; ++c) {
          float sum = bias[c];
          for_taps(at, w, c, [&](uint32_t k, uint32_t tap) { sum += weight[c * fan_in + tap] * x[k]; });
          y[position * channels + c] = sum;
        }
      });
      break;
    case Kind::leaky:
      for (uint32_t i = 0; i < at.out.size(); ++i) y[i] = 0.0f > x[i] ? slope(at) * x[i] : x[i];
      break;
    case Kind::relu:
      // 0 > NaN is false: a NaN stays.
      for (uint32_t i = 0; i < at.out.size(); ++i) y[i] = 0.0f > x[i] ? 0.0f : x[i];
      break;
    case Kind::max_pool:
    case Kind::max_pool1d:
      for_windows(at, [&](uint32_t position, const Window& w) {
        for (uint32_t c = 0; c < channels; ++c) y[position * channels + c] = x[largest(at, w, c, x)];
      });
      break;
    case Kind::avg_pool:
    case Kind::avg_pool1d:
      for_windows(at, [&](uint32_t position, const Window& w) {
        for (uint32_t c = 0; c < channels; ++c) {
          float sum = 0;
          for_values(at, w, c, [&](uint32_t k) { sum += x[k]; });
          y[position * channels + c] = sum * mean_factor(at);
        }
      });
      break;
    case Kind::flatten:
      break;
  }
}

void layer_backward(const Place& at, const float* weights, const float* x, const float* y, const float* dy, float* dx) {
  const float* weight = weights + at.weight;
  const uint32_t channels = at.out.channels, fan_in = at.fan_in();
  if (at.source != at.target) fill(dx, 0, at.in.size());
  switch (at.layer.kind) {
    case Kind::dense:
      for (uint32_t o = 0; o < channels; ++o) add_scaled(dx, weight + o * fan_in, dy[o], fan_in);
      break;
    case Kind::conv:
    case Kind::conv1d:
      for_windows(at, [&](uint32_t position, const Window& w) {
        for (uint32_t o = 0; o < channels; ++o) {
          const float d = dy[position * channels + o];
          if (d == 0) continue;  // closed by a ReLU, or not the largest
          for_rows(at, w, [&](uint32_t from, uint32_t tap, uint32_t n) {
            add_scaled(dx + from, weight + o * fan_in + tap, d, n);
          });
        }
      });
      break;
    case Kind::depthwise:
    case Kind::depthwise1d:
      for_windows(at, [&](uint32_t position, const Window& w) {
        for (uint32_t c = 0; c < channels; ++c) {
          const float d = dy[position * channels + c];
          for_taps(at, w, c, [&](uint32_t k, uint32_t tap) { dx[k] += d * weight[c * fan_in + tap]; });
        }
      });
      break;
    case Kind::leaky:
      for (uint32_t i = 0; i < at.out.size(); ++i) dx[i] = y[i] <= 0 ? slope(at) * dy[i] : dy[i];
      break;
    case Kind::relu:
      for (uint32_t i = 0; i < at.out.size(); ++i) dx[i] = y[i] <= 0 ? 0.0f : dy[i];
      break;
    case Kind::max_pool:
    case Kind::max_pool1d:
      for_windows(at, [&](uint32_t position, const Window& w) {
        for (uint32_t c = 0; c < channels; ++c) dx[largest(at, w, c, x)] += dy[position * channels + c];
      });
      break;
    case Kind::avg_pool:
    case Kind::avg_pool1d:
      for_windows(at, [&](uint32_t position, const Window& w) {
        for (uint32_t c = 0; c < channels; ++c) {
          const float share = dy[position * channels + c] * mean_factor(at);
          for_values(at, w, c, [&](uint32_t k) { dx[k] += share; });
        }
      });
      break;
    case Kind::flatten:
      if (dx != dy)
        for (uint32_t i = 0; i < at.out.size(); ++i) dx[i] = dy[i];
      break;
  }
}

void layer_gradient(const Place& at, const float* x, const float* dy, float scale, float* gradient) {
  float* weight = gradient + at.weight;
  float* bias = weight + at.weights;
  const uint32_t channels = at.out.channels, fan_in = at.fan_in();
  if (at.layer.kind == Kind::dense) {
    for (uint32_t o = 0; o < channels; ++o) {
      const float d = scale * dy[o];
      add_scaled(weight + o * fan_in, x, d, fan_in);
      bias[o] += d;
    }
  } else if (is_depthwise(at.layer.kind)) {
    for_windows(at, [&](uint32_t position, const Window& w) {
      for (uint32_t c = 0; c < channels; ++c) {
        const float d = scale * dy[position * channels + c];
        for_taps(at, w, c, [&](uint32_t k, uint32_t tap) { weight[c * fan_in + tap] += d * x[k]; });
        bias[c] += d;
      }
    });
  } else if (is_conv(at.layer.kind)) {
    for_windows(at, [&](uint32_t position, const Window& w) {
      for (uint32_t o = 0; o < channels; ++o) {
        const float d = scale * dy[position * channels + o];
        if (d == 0) continue;
        for_rows(at, w, [&](uint32_t from, uint32_t tap, uint32_t n) {
          add_scaled(weight + o * fan_in + tap, x + from, d, n);
        });
        bias[o] += d;
      }
    });
  }
}

}  // namespace ntkrob::micro
