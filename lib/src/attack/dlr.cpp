#include "attack/dlr.hpp"

#include <algorithm>
#include <vector>

namespace ntkrob {

namespace {

constexpr double kTiny = 1e-12;  // keeps the ratio finite where the logits tie

/// Indices of the `count` largest logits, largest first; ties go to the lower index.
void largest(const float* f, index classes, index count, int* order) {
  index filled = 0;
  for (index j = 0; j < classes; ++j) {
    index place = filled;
    while (place > 0 && f[order[place - 1]] < f[j]) --place;
    if (place >= count) continue;
    filled = std::min(filled + 1, count);
    for (index k = filled - 1; k > place; --k) order[k] = order[k - 1];
    order[place] = static_cast<int>(j);
  }
}

/// d(top / bottom) for bottom = f_first - share * (f_others...), top = f_rival - f_y.
double ratio(const float* f, index classes, int y, int rival, int first, const int* others, index n_others,
             float* cotangent) {
  const double top = static_cast<double>(f[rival]) - f[y], share = 1.0 / static_cast<double>(n_others);
  double bottom = f[first] + kTiny;
  for (index k = 0; k < n_others; ++k) bottom -= share * f[others[k]];
  // Rounding of sums of floats in float64 may eat kTiny, but not more.
  bottom = std::max(bottom, kTiny);
  std::fill_n(cotangent, classes, 0.0f);
  const auto add = [&](int j, double value) { cotangent[j] += static_cast<float>(value); };
  add(rival, 1 / bottom);
  add(y, -1 / bottom);
  const double slope = top / (bottom * bottom);
  add(first, -slope);
  for (index k = 0; k < n_others; ++k) add(others[k], share * slope);
  return top / bottom;
}

}  // namespace

double dlr(const float* f, index classes, int y, int, float* cotangent) {
  int order[kDlrClasses];
  largest(f, classes, kDlrClasses, order);
  const int rival = order[0] == y ? order[1] : order[0];
  return ratio(f, classes, y, rival, order[0], order + 2, 1, cotangent);
}

double targeted_dlr(const float* f, index classes, int y, int rival, float* cotangent) {
  int order[kTargetedDlrClasses];
  largest(f, classes, kTargetedDlrClasses, order);
  return ratio(f, classes, y, rival, order[0], order + 2, 2, cotangent);
}

double targeted_margin(const float* f, index classes, int y, int rival, float* cotangent) {
  std::fill_n(cotangent, classes, 0.0f);
  cotangent[rival] = 1;
  cotangent[y] = -1;
  return static_cast<double>(f[rival]) - f[y];
}

void strongest_rivals(const float* f, index classes, int y, index count, int* rivals) {
  std::vector<int> order(static_cast<std::size_t>(count + 1));
  largest(f, classes, count + 1, order.data());
  // Where y is not among them, the last one is one too many.
  order.erase(std::find(order.begin(), order.end() - 1, y));
  std::copy(order.begin(), order.end(), rivals);
}

}  // namespace ntkrob
