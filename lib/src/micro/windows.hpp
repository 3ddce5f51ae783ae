/// Walks over the windows of convolutions and pools, shared by float32 and int8.
#pragma once

#include "ntkrob/micro/net.hpp"

namespace ntkrob::micro {

/// The part of a window that lies inside the image, for one output position.
struct Window {
  uint32_t y_begin, y_end, x_begin, x_end;  // of the image
  uint32_t tap_y, tap_x;                    // taps above and left of the image
};

inline Window window_at(const Place& at, uint32_t oy, uint32_t ox) {
  const uint32_t kernel = at.layer.kernel, pad = at.layer.pad;
  const uint32_t columns = at.kernel_width(), pad_x = at.pad_width();
  const uint32_t y = oy * at.layer.stride, x = ox * at.layer.stride;  // in the padded image
  Window w;
  w.tap_y = y < pad ? pad - y : 0;
  w.tap_x = x < pad_x ? pad_x - x : 0;
  w.y_begin = y + w.tap_y - pad;
  w.x_begin = x + w.tap_x - pad_x;
  w.y_end = y + kernel - pad < at.in.height ? y + kernel - pad : at.in.height;
  w.x_end = x + columns - pad_x < at.in.width ? x + columns - pad_x : at.in.width;
  return w;
}

/// Calls visit(output, window) for every position; output counts positions.
template <class Visit>
void for_windows(const Place& at, const Visit& visit) {
  uint32_t position = 0;
  for (uint32_t oy = 0; oy < at.out.height; ++oy)
    for (uint32_t ox = 0; ox < at.out.width; ++ox) visit(position++, window_at(at, oy, ox));
}

/// Calls visit(image offset, weight offset, n) for every row of a window: n numbers that lie side by side in the image
/// and in the weight of one output channel.
template <class Visit>
void for_rows(const Place& at, const Window& w, const Visit& visit) {
  const uint32_t channels = at.in.channels, columns = at.kernel_width();
  const uint32_t n = (w.x_end - w.x_begin) * channels;
  uint32_t tap = w.tap_y;
  for (uint32_t y = w.y_begin; y < w.y_end; ++y, ++tap)
    visit((y * at.in.width + w.x_begin) * channels, (tap * columns + w.tap_x) * channels, n);
}

/// Calls visit(image offset, tap) for every value of one channel in a window; taps count the window's values.
template <class Visit>
void for_taps(const Place& at, const Window& w, uint32_t channel, const Visit& visit) {
  uint32_t row = w.tap_y * at.kernel_width() + w.tap_x;
  for (uint32_t y = w.y_begin; y < w.y_end; ++y, row += at.kernel_width()) {
    uint32_t tap = row;
    for (uint32_t x = w.x_begin; x < w.x_end; ++x) visit((y * at.in.width + x) * at.in.channels + channel, tap++);
  }
}

/// Calls visit(image offset) for every value of one channel in a window.
template <class Visit>
void for_values(const Place& at, const Window& w, uint32_t channel, const Visit& visit) {
  for (uint32_t y = w.y_begin; y < w.y_end; ++y)
    for (uint32_t x = w.x_begin; x < w.x_end; ++x) visit((y * at.in.width + x) * at.in.channels + channel);
}

}  // namespace ntkrob::micro
