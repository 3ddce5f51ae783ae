/// What a Sweep needs beside its plan.
#include <algorithm>

#include "backend_cpu/images/sweep.hpp"

namespace ntkrob {

template <class R>
Sweep<R>::Sweep(const Layout& layout, int target, bool gradient, Planned)
    : layout_(layout), plan_(layout, target, gradient, kImageLanes) {
  find_taps();
  find_joins();
  index widest = 0, row_numbers = 0;
  for (const ValueShape& v : layout.program.values) widest = std::max(widest, v.width);
  for (const auto& [value, unused] : joins_)
    row_numbers = std::max(row_numbers, 2 * layout.shape(op(value - 1).in).height * store(value).w.n * kImageLanes);
  rows_ = plan_.size;
  scratch_ = rows_ + row_numbers;
  memory_size_ = scratch_ + 13 * widest * kImageLanes;
}

template <class R>
Sweep<R>::Sweep(const Layout& layout, int target, bool gradient) : Sweep(layout, target, gradient, Planned()) {
  memory_ = Matrix<R>(1, memory_size_);
}

template <class R>
std::size_t Sweep<R>::bytes(const Layout& layout, int target, bool gradient) {
  return static_cast<std::size_t>(Sweep(layout, target, gradient, Planned()).memory_size_) * sizeof(R);
}

template <class R>
void Sweep<R>::find_taps() {
  // Windows of one shape share their taps.
  std::vector<std::pair<Axis, std::pair<std::vector<index>, std::shared_ptr<OffsetTaps>>>> known;
  const auto taps = [&](const Axis& a, const std::vector<index>& offsets) {
    for (const auto& [other, rest] : known)
      if (a.in == other.in && a.out == other.out && a.taps == other.taps && a.step == other.step &&
          a.dilation == other.dilation && a.low == other.low && offsets == rest.first)
        return rest.second;
    known.push_back({a, {offsets, std::make_shared<OffsetTaps>(a, offsets)}});
    return known.back().second.second;
  };
  for (const Unit& u : layout_.units) {
    const auto out = static_cast<std::size_t>(u.out);
    ImageUnit<R> unit{};
    unit.shift = u.shift;
    unit.dense = u.dense;
    unit.normal = u.normal;
    unit.inverse_taps = R(1) / static_cast<R>(u.window.kh * u.window.kw);
    unit.root_in = layout_.root[static_cast<std::size_t>(u.in)];
    unit.root_out = layout_.root[out];
    unit.mid = u.place_mid;
    unit.inverse = u.place_inverse;
    unit.c = u.place_c;
    unit.beta = u.place_beta;
    unit.share = u.place_share;
    unit.run = u.layers.data();
    unit.n_run = static_cast<int>(u.layers.size());
    unit.coefficients = u.coefficients.data();
    unit.derivatives = u.derivatives.data();
    unit.next = layout_.shape(u.out).positions();
    units_.push_back(unit);
    const bool used = u.shift && !plan_.needed.h[out].empty();
    const ValueShape &from = layout_.shape(u.in), &to = layout_.shape(u.out);
    taps_h_.push_back(used ? taps(axis(from.height, to.height, u.window.kh, u.window.sh, u.window), plan_.needed.h[out])
                           : nullptr);
    taps_w_.push_back(used ? taps(axis(from.width, to.width, u.window.kw, u.window.sw, u.window), plan_.needed.w[out])
                           : nullptr);
  }
}

template <class R>
void Sweep<R>::find_joins() {
  const auto rounded = [](const std::vector<double>& from) { return std::vector<R>(from.begin(), from.end()); };
  for (const auto& [value, s] : plan_.stores) {
    if (s.mean) continue;
    const Op& made = op(value - 1);
    const Axis h = layout_.axis_h(made, value), w = layout_.axis_w(made, value);
    const JointWeights of_h(made, h), of_w(made, w);
    joins_[value] =
        std::unique_ptr<Join>(new Join{OffsetTargets(h, s.covariances, s.h), OffsetTargets(w, s.covariances, s.w),
                                       rounded(of_h.x), rounded(of_w.x), rounded(of_h.y), rounded(of_w.y)});
  }
}

#define NTKROB_INSTANTIATE(R)                         \
  template Sweep<R>::Sweep(const Layout&, int, bool); \
  template std::size_t Sweep<R>::bytes(const Layout&, int, bool);
NTKROB_INSTANTIATE(float)
NTKROB_INSTANTIATE(double)

}  // namespace ntkrob
