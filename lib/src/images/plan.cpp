#include "images/plan.hpp"

#include <algorithm>

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

}  // namespace

JointWeights::JointWeights(const Op& op, const Axis& axis)
    : x(static_cast<std::size_t>(axis.out), 1.0), y(static_cast<std::size_t>(axis.out), 1.0) {
  for (index o = 0; o < axis.out; ++o) {
    const auto at = static_cast<std::size_t>(o);
    if (op.type != Operation::pool) {  // each tap counts once for the pair
      x[at] = 1 / static_cast<double>(axis.taps);
      continue;
    }
    index inside = 0;
    axis.for_each_source(o, [&](index, index) { ++inside; });
    const index divisor = op.divisor == Divisor::none ? 1 : op.divisor == Divisor::window ? axis.taps : inside;
    x[at] = y[at] = 1 / static_cast<double>(divisor);
  }
}

SweepPlan::SweepPlan(const Layout& layout_, int target_, bool gradient_, index lanes_)
    : layout(layout_), target(target_), gradient(gradient_), lanes(lanes_), needed(layout_, target_) {
  for (int k = 0; k < target; ++k)
    if (crosses(op(k)) && !needed.h[static_cast<std::size_t>(k) + 1].empty()) add_store(k);
  for (const auto& [value, unused] : stores) {
    const Op& joins = op(value - 1);
    const auto v = static_cast<std::size_t>(value);
    stretches.emplace_back();
    stretches.back().value = joins.in;
    stretches.back().op = value - 1;
    stretches.back().offsets_h = input_offsets(joins, layout.axis_h(joins, value), needed.h[v]);
    stretches.back().offsets_w = input_offsets(joins, layout.axis_w(joins, value), needed.w[v]);
  }
  if (stores.count(target) == 0) {
    stretches.emplace_back();
    stretches.back().value = target;
    stretches.back().offsets_h = stretches.back().offsets_w = {0};
  }
  buffers = size;
  index end = size;
  for (Stretch& s : stretches) {
    const int last = add_instance(s, s.value, 1, 1);
    if (s.instances[static_cast<std::size_t>(last)].source == Source::stored)
      s.instances.push_back({s.value, 1, 1, Source::copy, last});
    size = buffers;
    place_buffers(s);
    end = std::max(end, size);
  }
  size = end;
  mark_needed();
}

void SweepPlan::add_store(int k) {
  const Op& made = op(k);
  const auto out = static_cast<std::size_t>(k) + 1;
  Store s;
  s.h = StoredAxis(layout.shape(k + 1).height, needed.h[out]);
  s.w = StoredAxis(layout.shape(k + 1).width, needed.w[out]);
  s.covariances = made.type == Operation::pool;
  s.mean = made.type == Operation::mean || made.type == Operation::flatten;
  const index numbers = 2 * s.h.n * s.w.n * lanes;
  s.place = size;
  s.adjoint = size + numbers;
  size += (gradient ? 2 : 1) * numbers;
  stores[k + 1] = std::move(s);
}

int SweepPlan::add_instance(Stretch& stretch, int value, index step_h, index step_w) {
  for (std::size_t i = 0; i < stretch.instances.size(); ++i) {
    const Instance& known = stretch.instances[i];
    if (known.value == value && known.step_h == step_h && known.step_w == step_w) return static_cast<int>(i);
  }
  Instance made{value, step_h, step_w, Source::pixels};
  if (stores.count(value) != 0) {
    made.source = Source::stored;
  } else if (value > 0 && op(value - 1).other >= 0) {
    made.source = layout.is_product(value) ? Source::product : Source::sum;
    made.a = add_instance(stretch, op(value - 1).in, step_h, step_w);
    made.b = add_instance(stretch, op(value - 1).other, step_h, step_w);
  } else if (value > 0) {
    const Unit& u = unit(value);
    made.source = Source::unit;
    made.a =
        add_instance(stretch, u.in, u.shift ? step_h * u.window.sh : step_h, u.shift ? step_w * u.window.sw : step_w);
  }
  stretch.instances.push_back(made);
  return static_cast<int>(stretch.instances.size()) - 1;
}

void SweepPlan::place_buffers(Stretch& stretch) {
  const auto n = static_cast<index>(stretch.instances.size());
  std::vector<Interval> intervals;
  stretch.last_reader.assign(stretch.instances.size(), -1);
  for (index i = 0; i < n; ++i) {
    Instance& made = stretch.instances[static_cast<std::size_t>(i)];
    const index numbers = 2 * plane(made.value);
    index last_reader = i + 1 == n ? n : i, kept_to = last_reader;
    for (index j = i + 1; j < n; ++j) {
      const Instance& reader = stretch.instances[static_cast<std::size_t>(j)];
      if (reader.a != i && reader.b != i) continue;
      last_reader = std::max(last_reader, j);
      kept_to = std::max(kept_to, j);
      // The way back passes earlier readers later.
      if (gradient && reader.source == Source::product) kept_to = std::max(kept_to, 2 * n + 1 - j);
      if (!gradient || reader.source != Source::unit) continue;
      const Unit& u = unit(reader.value);
      if (u.normal && !u.shift) kept_to = std::max(kept_to, 2 * n + 1 - j);
    }
    stretch.last_reader[static_cast<std::size_t>(i)] = static_cast<int>(last_reader);
    if (made.source == Source::stored) continue;
    intervals.push_back({i, kept_to, numbers, &made.buffer});
    if (!gradient) continue;
    intervals.push_back({2 * n + 1 - last_reader, 2 * n + 1 - i, numbers, &made.adjoint});
    if (made.source != Source::unit) continue;
    const Unit& u = unit(made.value);
    if (u.normal && u.shift) intervals.push_back({i, 2 * n + 1 - i, numbers, &made.tape});
  }
  size = allocate(std::move(intervals), size);
}

/// A stretch with nonlinear layers or products, or in front of one that is needed, reads values on its way back.
void SweepPlan::mark_needed() {
  for (std::size_t later = stretches.size(); later-- > 0;) {
    bool reads = stretches[later].needed;
    for (const Instance& i : stretches[later].instances)
      if (i.source == Source::product)
        reads = true;
      else if (i.source == Source::unit)
        reads |= unit(i.value).normal;
    if (!reads) continue;
    for (const Instance& i : stretches[later].instances)
      if (i.source == Source::stored)
        for (Stretch& s : stretches) s.needed |= s.op == i.value - 1;
  }
}

}  // namespace ntkrob
