/// What a Sweep does in which memory.
#include <algorithm>

#include "backend_cpu/images/sweep.hpp"
#include "ntkrob/base/error.hpp"

namespace ntkrob {
namespace {

/// Memory in use from one moment to another. Moments of a stretch of N instances: i when instance i is made, N when
/// their last one is read, 2N + 1 - i when the way back passes instance i.
struct Interval {
  index from, to, size;
  index* place;
};

/// Gives out memory from `begin` on, again where it is free.   returns: its end
index allocate(std::vector<Interval> intervals, index begin) {
  std::stable_sort(intervals.begin(), intervals.end(),
                   [](const Interval& a, const Interval& b) { return a.from < b.from; });
  struct Slot {
    index place, size, busy_to;
  };
  std::vector<Slot> slots;
  for (const Interval& i : intervals) {
    Slot* found = nullptr;
    for (Slot& slot : slots)
      if (slot.busy_to < i.from && slot.size >= i.size && (found == nullptr || slot.size < found->size)) found = &slot;
    if (found == nullptr) {
      slots.push_back({begin, i.size, 0});
      found = &slots.back();
      begin += i.size;
    }
    found->busy_to = i.to;
    *i.place = found->place;
  }
  return begin;
}

template <class R>
std::vector<R> divisors(const Op& op, const Axis& axis) {
  std::vector<R> inverse;
  for (index o = 0; o < axis.out; ++o) {
    index inside = 0;
    axis.for_each_source(o, [&](index, index) { ++inside; });
    const index divisor = op.divisor == Divisor::none ? 1 : op.divisor == Divisor::window ? axis.taps : inside;
    inverse.push_back(R(1) / static_cast<R>(divisor));
  }
  return inverse;
}

}  // namespace

template <class R>
Sweep<R>::Sweep(const Layout& layout, int target, bool gradient, Planned)
    : layout_(layout), target_(target), gradient_(gradient), needed_(layout, target) {
  plan();
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
void Sweep<R>::plan() {
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
  index widest = 0;
  for (const ValueShape& v : layout_.program.values) widest = std::max(widest, v.width);
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
    const bool used = u.shift && !needed_.h[out].empty();
    const ValueShape &from = layout_.shape(u.in), &to = layout_.shape(u.out);
    taps_h_.push_back(used ? taps(axis(from.height, to.height, u.window.kh, u.window.sh, u.window), needed_.h[out])
                           : nullptr);
    taps_w_.push_back(used ? taps(axis(from.width, to.width, u.window.kw, u.window.sw, u.window), needed_.w[out])
                           : nullptr);
  }
  for (int k = 0; k < target_; ++k)
    if (crosses(op(k)) && !needed_.h[static_cast<std::size_t>(k) + 1].empty()) plan_store(k);
  for (const auto& [value, unused] : stores_) {
    const Op& joins = op(value - 1);
    const auto v = static_cast<std::size_t>(value);
    stretches_.emplace_back();
    stretches_.back().value = joins.in;
    stretches_.back().op = value - 1;
    stretches_.back().offsets_h = input_offsets(joins, layout_.axis_h(joins, value), needed_.h[v]);
    stretches_.back().offsets_w = input_offsets(joins, layout_.axis_w(joins, value), needed_.w[v]);
  }
  if (stores_.count(target_) == 0) {
    stretches_.emplace_back();
    stretches_.back().value = target_;
  }
  index end = memory_size_;
  for (Stretch& s : stretches_) {
    const int last = add_instance(s, s.value, 1, 1);
    if (s.instances[static_cast<std::size_t>(last)].source == Source::stored)
      s.instances.push_back({s.value, 1, 1, Source::copy, last});
    const index begin = memory_size_;
    plan_buffers(s);
    std::swap(end, memory_size_);
    end = std::max(end, memory_size_);
    memory_size_ = begin;
  }
  memory_size_ = end;
  mark_needed();
  rows_ = memory_size_;
  index row_numbers = 0;
  for (const auto& [value, s] : stores_)
    if (s->targets_h)
      row_numbers = std::max(row_numbers, 2 * layout_.shape(op(value - 1).in).height * s->w.n * kImageLanes);
  scratch_ = rows_ + row_numbers;
  memory_size_ = scratch_ + 13 * widest * kImageLanes;
}

template <class R>
void Sweep<R>::plan_store(int k) {
  const Op& made = op(k);
  const auto out = static_cast<std::size_t>(k) + 1;
  auto s = std::make_unique<Store>();
  s->h = StoredAxis(layout_.shape(k + 1).height, needed_.h[out]);
  s->w = StoredAxis(layout_.shape(k + 1).width, needed_.w[out]);
  if (made.type == Operation::pool || made.type == Operation::shift) {
    const Axis h = layout_.axis_h(made, k + 1), w = layout_.axis_w(made, k + 1);
    s->covariances = made.type == Operation::pool;
    s->targets_h = std::make_unique<OffsetTargets>(h, s->covariances, s->h);
    s->targets_w = std::make_unique<OffsetTargets>(w, s->covariances, s->w);
    if (s->covariances) {
      s->x_h = s->y_h = divisors<R>(made, h);
      s->x_w = s->y_w = divisors<R>(made, w);
    } else {  // each tap counts once for the pair
      s->x_h.assign(static_cast<std::size_t>(h.out), R(1) / static_cast<R>(h.taps));
      s->x_w.assign(static_cast<std::size_t>(w.out), R(1) / static_cast<R>(w.taps));
      s->y_h.assign(static_cast<std::size_t>(h.out), R(1));
      s->y_w.assign(static_cast<std::size_t>(w.out), R(1));
    }
  }
  const index size = 2 * s->h.n * s->w.n * kImageLanes;
  s->place = memory_size_;
  s->adjoint = memory_size_ + size;
  memory_size_ += (gradient_ ? 2 : 1) * size;
  stores_[k + 1] = std::move(s);
}

template <class R>
int Sweep<R>::add_instance(Stretch& stretch, int value, index step_h, index step_w) {
  for (std::size_t i = 0; i < stretch.instances.size(); ++i) {
    const Instance& known = stretch.instances[i];
    if (known.value == value && known.step_h == step_h && known.step_w == step_w) return static_cast<int>(i);
  }
  Instance made{value, step_h, step_w, Source::pixels};
  if (stores_.count(value) != 0) {
    made.source = Source::stored;
  } else if (value > 0 && op(value - 1).other >= 0) {
    made.source = layout_.is_product(value) ? Source::product : Source::sum;
    made.a = add_instance(stretch, op(value - 1).in, step_h, step_w);
    made.b = add_instance(stretch, op(value - 1).other, step_h, step_w);
  } else if (value > 0) {
    const Unit& u = layout_.units[static_cast<std::size_t>(layout_.unit_of[static_cast<std::size_t>(value)])];
    made.source = Source::unit;
    made.a =
        add_instance(stretch, u.in, u.shift ? step_h * u.window.sh : step_h, u.shift ? step_w * u.window.sw : step_w);
  }
  stretch.instances.push_back(made);
  return static_cast<int>(stretch.instances.size()) - 1;
}

template <class R>
void Sweep<R>::plan_buffers(Stretch& stretch) {
  const auto n = static_cast<index>(stretch.instances.size());
  std::vector<Interval> intervals;
  stretch.last_reader.assign(stretch.instances.size(), -1);
  for (index i = 0; i < n; ++i) {
    Instance& made = stretch.instances[static_cast<std::size_t>(i)];
    const index size = 2 * plane(made.value);
    index last_reader = i + 1 == n ? n : i, kept_to = last_reader;
    for (index j = i + 1; j < n; ++j) {
      const Instance& reader = stretch.instances[static_cast<std::size_t>(j)];
      if (reader.a != i && reader.b != i) continue;
      last_reader = std::max(last_reader, j);
      kept_to = std::max(kept_to, j);
      // The way back passes earlier readers later.
      if (gradient_ && reader.source == Source::product) kept_to = std::max(kept_to, 2 * n + 1 - j);
      if (!gradient_ || reader.source != Source::unit) continue;
      const Unit& u = layout_.units[static_cast<std::size_t>(layout_.unit_of[static_cast<std::size_t>(reader.value)])];
      if (u.normal && !u.shift) kept_to = std::max(kept_to, 2 * n + 1 - j);
    }
    stretch.last_reader[static_cast<std::size_t>(i)] = static_cast<int>(last_reader);
    if (made.source == Source::stored) continue;
    intervals.push_back({i, kept_to, size, &made.buffer});
    if (!gradient_) continue;
    intervals.push_back({2 * n + 1 - last_reader, 2 * n + 1 - i, size, &made.adjoint});
    if (made.source != Source::unit) continue;
    const Unit& u = layout_.units[static_cast<std::size_t>(layout_.unit_of[static_cast<std::size_t>(made.value)])];
    if (u.normal && u.shift) intervals.push_back({i, 2 * n + 1 - i, size, &made.tape});
  }
  memory_size_ = allocate(std::move(intervals), memory_size_);
}

/// A stretch with nonlinear layers or products, or in front of one that is needed, reads values on its way back.
template <class R>
void Sweep<R>::mark_needed() {
  for (std::size_t later = stretches_.size(); later-- > 0;) {
    bool reads = stretches_[later].needed;
    for (const Instance& i : stretches_[later].instances)
      if (i.source == Source::product)
        reads = true;
      else if (i.source == Source::unit)
        reads |= layout_.units[static_cast<std::size_t>(layout_.unit_of[static_cast<std::size_t>(i.value)])].normal;
    if (!reads) continue;
    for (const Instance& i : stretches_[later].instances)
      if (i.source == Source::stored)
        for (Stretch& s : stretches_) s.needed |= s.op == i.value - 1;
  }
}

#define NTKROB_INSTANTIATE(R)                                  \
  template Sweep<R>::Sweep(const Layout&, int, bool, Planned); \
  template Sweep<R>::Sweep(const Layout&, int, bool);          \
  template std::size_t Sweep<R>::bytes(const Layout&, int, bool);
NTKROB_INSTANTIATE(float)
NTKROB_INSTANTIATE(double)

}  // namespace ntkrob
