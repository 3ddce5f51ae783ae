#include "backend_cuda/images/shape.hpp"

#include <algorithm>

#include "ntkrob/backend/backend.hpp"

namespace ntkrob::cuda {
namespace {

std::size_t at(int v) { return static_cast<std::size_t>(v); }

Taps taps_of(const Axis& a) {
  return {static_cast<int>(a.taps), static_cast<int>(a.step), static_cast<int>(a.dilation), static_cast<int>(a.low)};
}

index most_positions(const Layout& layout) {
  index most = 1;
  for (const ValueShape& v : layout.program.values) most = std::max(most, v.positions());
  return most;
}

}  // namespace

int PassShape::lanes_for(const Layout& layout) {
  int log = 0;
  while ((index(2) << log) <= kImageStep && (most_positions(layout) << (log + 1)) <= kSharedNumbers / 4) ++log;
  return log;
}

PassShape::PassShape(const Layout& layout_, int target, bool gradient, int lanes_log_)
    : layout(layout_),
      plan(layout_, target, gradient, index(1) << lanes_log_),
      forward(layout_, target, false, index(1) << lanes_log_),
      lanes_log(lanes_log_) {
  zeros_ = ints.add(
      std::vector<int>(static_cast<std::size_t>(std::max(layout.shape(target).height, layout.shape(target).width)), 0));
  const std::vector<double> none;
  stored_h.resize(layout.program.values.size());
  stored_w.resize(layout.program.values.size());
  for (const auto& [value, s] : plan.stores) {
    stored_h[at(value)] = add_axis(layout.shape(value).height, s.h, none, none);
    stored_w[at(value)] = add_axis(layout.shape(value).width, s.w, none, none);
  }
  index from_numbers = 0, middle_numbers = 0;
  for (const Stretch& s : plan.stretches) {
    offsets_h.push_back(ints.add(s.offsets_h));
    offsets_w.push_back(ints.add(s.offsets_w));
    joins.emplace_back();
    if (s.op >= 0 && !plan.store(s.op + 1).mean) {
      add_join(s);
      const JoinLists& j = joins.back();
      from_numbers = std::max(from_numbers, static_cast<index>(j.from_h.n) * j.from_w.n);
      middle_numbers = std::max(middle_numbers, static_cast<index>(j.from_h.n) * j.to_w.n);
    }
    for (const Instance& one : s.instances)
      for (const Instance& two : s.instances)
        whole_groups |= one.source == Source::stored && two.source == Source::stored && one.value == two.value &&
                        (one.step_h != two.step_h || one.step_w != two.step_w);
  }
  add_runs();
  from = plan.buffers;
  middle = from + (2 * from_numbers << lanes_log);
  group_numbers = middle + (2 * middle_numbers << lanes_log);
  target_plane = plan.plane(target);
  if (plan.stores.count(target) != 0) {
    target_place = plan.store(target).place;
    target_adjoint = plan.store(target).adjoint;
  } else {
    target_place = group_numbers;
    target_adjoint = target_place + 2 * target_plane;
    group_numbers += (gradient ? 4 : 2) * target_plane;
  }
  block_forward = forward.size - forward.buffers;
  logs = plan.size - plan.buffers;
  log_plane = most_positions(layout) << lanes_log;
  block_backward = logs + 2 * log_plane;
  sum_numbers = layout.doubles + layout.program.input.size();
}

int PassShape::parts(const Stretch& s) const {
  constexpr index kItems = 8, kMost = 512, kBytes = index(64) << 20;
  const auto items = static_cast<index>(s.offsets_h.size() * s.offsets_w.size());
  const index fit = block_forward > kSharedNumbers ? kBytes / (block_forward * 8) : kMost;
  return static_cast<int>(std::clamp<index>(items / kItems, 1, std::clamp<index>(fit, 1, kMost)));
}

PairLists PassShape::add_axis(index positions, const StoredAxis& axis, const std::vector<double>& x_weight,
                              const std::vector<double>& y_weight) {
  std::vector<int> begin(static_cast<std::size_t>(2 * positions - 1), -1), x, y;
  std::vector<double> weight;
  for (std::size_t d = 0; d < axis.offsets.size(); ++d) {
    begin[static_cast<std::size_t>(axis.offsets[d] + positions - 1)] = static_cast<int>(axis.begin[d]);
    const Line line = line_of(positions, axis.offsets[d]);
    for (index k = 0; k < line.n; ++k) {
      x.push_back(static_cast<int>(line.x + k));
      y.push_back(static_cast<int>(line.y + k));
      if (!x_weight.empty())
        weight.push_back(x_weight[static_cast<std::size_t>(line.x + k)] *
                         y_weight[static_cast<std::size_t>(line.y + k)]);
    }
  }
  return {ints.add(begin), ints.add(x), ints.add(y), weights.add(weight), static_cast<int>(axis.n)};
}

void PassShape::add_join(const Stretch& s) {
  const int value = s.op + 1;
  const Op& op = layout.op(s.op);
  const Store& to = plan.store(value);
  const ValueShape &in = layout.shape(op.in), &out = layout.shape(value);
  const std::vector<double> none;
  const auto lists = [&](const Axis& axis, index from_size, index to_size, const std::vector<index>& offsets,
                         const StoredAxis& joined_axis, PairLists& from_lists, PairLists& to_lists) {
    const StoredAxis from_axis(from_size, offsets);
    const JointWeights weight(op, axis);
    from_lists = add_axis(from_size, from_axis, none, none);
    to_lists = add_axis(to_size, joined_axis, weight.x, weight.y);
    const Joints joints(axis, to.covariances, from_axis, joined_axis);
    return JoinLists::Axis{ints.add(joints.sources.begin), ints.add(joints.sources.item),
                           ints.add(joints.targets.begin), ints.add(joints.targets.item)};
  };
  JoinLists& j = joins.back();
  j.h = lists(layout.axis_h(op, value), in.height, out.height, s.offsets_h, to.h, j.from_h, j.to_h);
  j.w = lists(layout.axis_w(op, value), in.width, out.width, s.offsets_w, to.w, j.from_w, j.to_w);
}

void PassShape::add_runs() {
  for (const Unit& u : layout.units) {
    run_begin.push_back(static_cast<index>(runs.size()));
    for (std::size_t k = 0; k < u.layers.size(); ++k)
      runs.push_back({u.layers[k].kind, static_cast<int>(u.coefficients[k]), static_cast<int>(u.derivatives[k])});
  }
}

void PassShape::put_unit(const Unit& u, ImageStep& step, const RunLayer* runs_at) const {
  const ValueShape &in = layout.shape(u.in), &out = layout.shape(u.out);
  step.shift = u.shift;
  step.dense = u.dense;
  step.normal = u.normal;
  step.h = taps_of(axis(in.height, out.height, u.window.kh, u.window.sh, u.window));
  step.w = taps_of(axis(in.width, out.width, u.window.kw, u.window.sw, u.window));
  step.inverse_taps = 1 / static_cast<double>(u.window.kh * u.window.kw);
  const auto unit = static_cast<std::size_t>(&u - layout.units.data());
  step.run = runs_at + run_begin[unit];
  step.n_run = static_cast<int>(u.layers.size());
  step.next = static_cast<int>(out.positions());
  step.mid = static_cast<int>(u.place_mid);
  step.inverse = static_cast<int>(u.place_inverse);
  step.c = static_cast<int>(u.place_c);
  step.beta = static_cast<int>(u.place_beta);
  step.share = static_cast<int>(u.place_share);
  step.variance_mid = static_cast<int>(layout.variance[at(u.mid)]);
}

std::vector<ImageStep> PassShape::steps(const SweepPlan& buffers, std::size_t stretch, const int* ints_at,
                                        const RunLayer* runs_at) const {
  const Stretch& s = buffers.stretches[stretch];
  std::vector<ImageStep> result;
  for (std::size_t k = 0; k < s.instances.size(); ++k) {
    const Instance& i = s.instances[k];
    const ValueShape& shape = layout.shape(i.value);
    ImageStep step;
    step.source = i.source;
    step.height = static_cast<int>(shape.height);
    step.width = static_cast<int>(shape.width);
    step.step_h = static_cast<int>(i.step_h);
    step.step_w = static_cast<int>(i.step_w);
    step.a = i.a;
    step.b = i.b;
    step.root = static_cast<int>(layout.root[at(i.value)]);
    step.variance = static_cast<int>(layout.variance[at(i.value)]);
    if (i.source == Source::stored) {
      const Store& store = plan.store(i.value);
      step.place = store.place;
      step.adjoint = store.adjoint;
      step.begin_h = ints_at + stored_h[at(i.value)].begin;
      step.begin_w = ints_at + stored_w[at(i.value)].begin;
      step.row = stored_w[at(i.value)].n;
      step.plane = (store.h.n * store.w.n) << lanes_log;
    } else {
      step.place = i.buffer - buffers.buffers;
      step.adjoint = i.adjoint - buffers.buffers;
      step.tape = i.tape < 0 ? -1 : i.tape - buffers.buffers;
      step.plane = buffers.plane(i.value);
    }
    const auto reads = [&](int source, int& root, int& variance, bool& first) {
      if (source < 0) return;
      const Instance& in = s.instances[at(source)];
      root = static_cast<int>(layout.root[at(in.value)]);
      variance = static_cast<int>(layout.variance[at(in.value)]);
      first = in.source != Source::stored && s.last_reader[at(source)] == static_cast<int>(k);
    };
    reads(i.a, step.root_a, step.variance_a, step.first_a);
    reads(i.b, step.root_b, step.variance_b, step.first_b);
    if (i.b == i.a) step.first_b = false;
    if (i.source == Source::unit) put_unit(buffers.unit(i.value), step, runs_at);
    if (i.source == Source::product) step.factor = static_cast<int>(layout.factor[at(i.value)]);
    result.push_back(step);
  }
  return result;
}

ImageStep PassShape::joined(std::size_t stretch, const int* ints_at) const {
  const Stretch& s = plan.stretches[stretch];
  const JoinLists& j = joins[stretch];
  const ValueShape& shape = layout.shape(s.value);
  ImageStep step;
  step.source = Source::stored;
  step.height = static_cast<int>(shape.height);
  step.width = static_cast<int>(shape.width);
  step.place = step.adjoint = from;
  step.begin_h = ints_at + j.from_h.begin;
  step.begin_w = ints_at + j.from_w.begin;
  step.row = j.from_w.n;
  step.plane = (static_cast<index>(j.from_h.n) * j.from_w.n) << lanes_log;
  step.root = static_cast<int>(layout.root[at(s.value)]);
  return step;
}

ImageStep PassShape::target_step(bool adjoint, const int* ints_at) const {
  const ValueShape& shape = layout.shape(plan.target);
  ImageStep step;
  step.source = Source::stored;
  step.height = static_cast<int>(shape.height);
  step.width = static_cast<int>(shape.width);
  step.place = adjoint ? target_adjoint : target_place;
  step.begin_h = step.begin_w = ints_at + zeros_;  // offset 0 alone
  step.row = step.width;
  step.plane = target_plane;
  step.root = static_cast<int>(layout.root[at(plan.target)]);
  return step;
}

}  // namespace ntkrob::cuda
