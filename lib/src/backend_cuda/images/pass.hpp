/// Runs a pass through a network on a device, chunk of groups by chunk. Machine: what launches programs and has memory,
/// a device's queue (machine.hpp) or, in tests, the host:
///
///   struct Machine {
///     template <class T> using Buffer;                  // owns memory of the device; data()
///     template <class T> Buffer<T> make(index n);
///     template <class T> Buffer<T> upload(const T* from, index n);
///     template <class T> void write(ConstView2D<T> from, DeviceView<T> to);
///     template <class T> void read(DeviceView<T> from, View2D<T> to);  // of what has been launched before
///     template <class Program> void launch(const Program& program);
///   };
#pragma once

#include "backend_cuda/images/backward.hpp"
#include "backend_cuda/images/joins.hpp"
#include "backend_cuda/images/shape.hpp"

namespace ntkrob::cuda {

/// Pairs of rows of x with groups of y, and their memory: row_groups groups for each row, one row behind the other.
template <class R>
struct ImageGroups {
  index rows = 0, row_groups = 0, first_group = 0;  // first_group: in y
  bool same = false;                                // row i with group i of y alone
  const R *x = nullptr, *y = nullptr;
  index x_stride = 0, y_stride = 0;
  R* memory = nullptr;
  index all() const { return rows * row_groups; }
};

template <class R, class Machine>
class ImagePass {
 public:
  /// shape must outlive it
  ImagePass(Machine& machine, const PassShape& shape)
      : machine_(machine),
        shape_(shape),
        ints_(upload(shape.ints.numbers)),
        weights_(upload(shape.weights.numbers)),
        runs_(upload(shape.runs)) {
    std::vector<ImageStep> all;
    for (std::size_t k = 0; k < shape.plan.stretches.size(); ++k)
      for (const SweepPlan* plan : {&shape.forward, &shape.plan}) {
        begin_.push_back(static_cast<index>(all.size()));
        for (const ImageStep& step : shape.steps(*plan, k, ints_.data(), runs_.data())) all.push_back(step);
      }
    steps_ = upload(all);
  }

  /// All values, or those that the way back needs.
  void forward(const ImageGroups<R>& groups, bool only_needed) {
    for (std::size_t k = 0; k < shape_.plan.stretches.size(); ++k)
      if (!only_needed || shape_.plan.stretches[k].needed) forward(groups, k);
  }

  /// Adjoints of the target and of stored values are 0.
  void clear_adjoints(const ImageGroups<R>& groups) {
    for (const auto& [value, store] : shape_.plan.stores)
      clear(groups, store.adjoint, store.place + 2 * (store.adjoint - store.place));
    clear(groups, shape_.target_adjoint, shape_.target_adjoint + 2 * shape_.target_plane);
  }

  /// Adds to the sums of each row and part. tile_group: number of the first group in the whole tile, so that a cut into
  /// chunks does not change what a part adds in which order
  void backward(const ImageGroups<R>& groups, index tile_group, double* sums) {
    for (std::size_t k = shape_.plan.stretches.size(); k-- > 0;) backward(groups, k, tile_group, sums);
  }

  /// The sums of all parts, rows x sum_numbers. They start at 0.
  typename Machine::template Buffer<double> make_sums(index rows) {
    auto sums = machine_.template make<double>(rows * PassShape::kBackParts * shape_.sum_numbers);
    Clear<double> clear;
    clear.memory = sums.data();
    clear.n = clear.group_numbers = rows * PassShape::kBackParts * shape_.sum_numbers;
    machine_.launch(clear);
    return sums;
  }
  Matrix<double> fold(const double* sums, index rows) {
    const auto out = machine_.template make<double>(rows * shape_.sum_numbers);
    FoldParts program;
    program.sums = sums;
    program.rows = rows;
    program.n = shape_.sum_numbers;
    program.parts = PassShape::kBackParts;
    program.out = out.data();
    machine_.launch(program);
    Matrix<double> result(rows, shape_.sum_numbers);
    machine_.template read<double>({out.data(), rows, shape_.sum_numbers, shape_.sum_numbers}, result.view());
    return result;
  }

 private:
  template <class T>
  typename Machine::template Buffer<T> upload(const std::vector<T>& list) {
    return machine_.template upload<T>(list.data(), static_cast<index>(list.size()));
  }
  const int* ints(std::size_t at) const { return ints_.data() + at; }
  PairAxis pair_axis(const PairLists& lists) const {
    return {lists.n, ints(lists.x), ints(lists.y), weights_.data() + lists.weight};
  }
  void clear(const ImageGroups<R>& groups, index begin, index end) {
    Clear<R> program;
    program.memory = groups.memory;
    program.groups = groups.all();
    program.group_numbers = shape_.group_numbers;
    program.begin = begin;
    program.n = end - begin;
    machine_.launch(program);
  }

  /// What both ways have in common. Keeps the memory of blocks in `memory`.
  ImageStretch<R> stretch(const ImageGroups<R>& groups, std::size_t k, bool back,
                          typename Machine::template Buffer<R>& memory) {
    const Stretch& s = shape_.plan.stretches[k];
    ImageStretch<R> job;
    job.steps = steps_.data() + begin_[2 * k + (back ? 1 : 0)];
    job.n_steps = static_cast<int>(s.instances.size());
    job.offsets_h = ints(shape_.offsets_h[k]);
    job.offsets_w = ints(shape_.offsets_w[k]);
    job.n_h = static_cast<int>(s.offsets_h.size());
    job.n_w = static_cast<int>(s.offsets_w.size());
    job.parts = shape_.parts(s);
    job.lanes_log = shape_.lanes_log;
    job.channels = static_cast<int>(shape_.layout.program.input.channels);
    job.rows = groups.rows;
    job.row_groups = groups.row_groups;
    job.first_group = groups.first_group;
    job.same = groups.same;
    job.x = groups.x;
    job.y = groups.y;
    job.x_stride = groups.x_stride;
    job.y_stride = groups.y_stride;
    job.x_pixels = shape_.layout.size;
    job.y_pixels = shape_.layout.y_size << shape_.lanes_log;
    job.groups = groups.memory;
    job.group_numbers = shape_.group_numbers;
    job.block_numbers = back ? shape_.block_backward : shape_.block_forward;
    if (job.block_numbers > kSharedNumbers) {
      const index blocks = back ? groups.rows * PassShape::kBackParts : groups.all() * job.parts;
      memory = machine_.template make<R>(blocks * job.block_numbers);
      job.blocks = memory.data();
    }
    if (s.op >= 0) job.end = shape_.plan.store(s.op + 1).mean ? StretchEnd::mean : StretchEnd::join;
    job.covariances = job.end == StretchEnd::join && shape_.plan.store(s.op + 1).covariances;
    if (job.end == StretchEnd::join) job.joined = shape_.joined(k, ints_.data());
    if (job.end == StretchEnd::target) job.joined = shape_.target_step(false, ints_.data());
    return job;
  }

  bool only_relu(std::size_t k) const {
    for (const Instance& i : shape_.plan.stretches[k].instances) {
      if (i.source != Source::unit) continue;
      for (const ChainLayer& layer : shape_.plan.unit(i.value).layers)
        if (layer.kind != layers::k_relu) return false;
    }
    return true;
  }

  Join<R> join(const ImageGroups<R>& groups, std::size_t k) const {
    const int value = shape_.plan.stretches[k].op + 1;
    Join<R> program;
    program.groups = groups.all();
    program.row_groups = groups.row_groups;
    program.group_numbers = shape_.group_numbers;
    program.first_group = groups.first_group;
    program.same = groups.same;
    program.lanes_log = shape_.lanes_log;
    program.memory = groups.memory;
    program.covariances = shape_.plan.store(value).covariances;
    program.h = pair_axis(shape_.joins[k].to_h);
    program.w = pair_axis(shape_.joins[k].to_w);
    program.row = static_cast<int>(shape_.layout.shape(value).width);
    program.root = static_cast<int>(shape_.layout.root[static_cast<std::size_t>(value)]);
    program.x = groups.x;
    program.y = groups.y;
    program.x_stride = groups.x_stride;
    program.y_stride = groups.y_stride;
    return program;
  }
  /// Along widths, then along heights; on the way back the other way round.
  void launch_join(Join<R> program, index in, int in_h, int in_w, index out, int out_h, int out_w, std::size_t begin,
                   std::size_t item, bool along_heights, typename Join<R>::Weigh weigh) {
    program.in = in;
    program.in_h = in_h;
    program.in_w = in_w;
    program.out = out;
    program.out_h = out_h;
    program.out_w = out_w;
    program.begin = ints(begin);
    program.item = ints(item);
    program.along_heights = along_heights;
    program.weigh = weigh;
    machine_.launch(program);
  }

  void forward(const ImageGroups<R>& groups, std::size_t k) {
    const Stretch& s = shape_.plan.stretches[k];
    typename Machine::template Buffer<R> memory;
    typename Machine::template Buffer<double> partial;
    ImageStretch<R> job = stretch(groups, k, false, memory);
    if (job.end == StretchEnd::mean) {
      partial = machine_.template make<double>(groups.all() * job.parts * 2 << shape_.lanes_log);
      job.partial = partial.data();
    }
    if (only_relu(k))
      machine_.launch(ImageForward<R, OnlyRelu>{job});
    else
      machine_.launch(ImageForward<R, AllLayers>{job});
    if (job.end == StretchEnd::target) return;
    const Store& to = shape_.plan.store(s.op + 1);
    if (job.end == StretchEnd::mean) {
      Means<R> program;
      program.groups = groups.all();
      program.group_numbers = shape_.group_numbers;
      program.lanes_log = shape_.lanes_log;
      program.parts = job.parts;
      program.partial = partial.data();
      program.memory = groups.memory;
      program.place = to.place;
      program.divisor = shape_.plan.mean_divisor(s);
      return machine_.launch(program);
    }
    const JoinLists& j = shape_.joins[k];
    const Join<R> program = join(groups, k);
    launch_join(program, shape_.from, j.from_h.n, j.from_w.n, shape_.middle, j.from_h.n, j.to_w.n, j.w.sources_begin,
                j.w.sources_item, false, Join<R>::none);
    launch_join(program, shape_.middle, j.from_h.n, j.to_w.n, to.place, j.to_h.n, j.to_w.n, j.h.sources_begin,
                j.h.sources_item, true, Join<R>::results);
  }

  void backward(const ImageGroups<R>& groups, std::size_t k, index tile_group, double* sums) {
    const Stretch& s = shape_.plan.stretches[k];
    typename Machine::template Buffer<R> memory;
    ImageAdjoint<R> job;
    job.forward = stretch(groups, k, true, memory);
    job.logs = shape_.logs;
    job.log_plane = shape_.log_plane;
    job.sums = sums;
    job.sum_numbers = shape_.sum_numbers;
    job.pixels = shape_.layout.doubles;
    job.parts = PassShape::kBackParts;
    job.whole_groups = shape_.whole_groups;
    job.tile_group = tile_group;
    if (job.forward.end == StretchEnd::target) {
      job.seed = shape_.target_step(true, ints_.data());
    } else if (job.forward.end == StretchEnd::mean) {
      job.seed.place = shape_.plan.store(s.op + 1).adjoint;
      job.seed.plane = shape_.plan.lanes;
      job.mean_share = 1 / shape_.plan.mean_divisor(s);
    } else {
      back_through_join(groups, k, sums);
      job.seed = job.forward.joined;
    }
    if (only_relu(k))
      machine_.launch(ImageBackward<R, OnlyRelu>{job});
    else
      machine_.launch(ImageBackward<R, AllLayers>{job});
  }

  void back_through_join(const ImageGroups<R>& groups, std::size_t k, double* sums) {
    const int value = shape_.plan.stretches[k].op + 1;
    const Store& to = shape_.plan.store(value);
    const JoinLists& j = shape_.joins[k];
    const Join<R> program = join(groups, k);
    if (to.covariances) {
      JoinVariances<R> variances;
      variances.rows = groups.rows;
      variances.row_groups = groups.row_groups;
      variances.group_numbers = shape_.group_numbers;
      variances.lanes_log = shape_.lanes_log;
      variances.memory = groups.memory;
      variances.place = to.adjoint;
      variances.h = program.h;
      variances.w = program.w;
      variances.height = static_cast<int>(shape_.layout.shape(value).height);
      variances.width = static_cast<int>(shape_.layout.shape(value).width);
      variances.sums = sums + shape_.layout.variance[static_cast<std::size_t>(value)];
      variances.sum_stride = PassShape::kBackParts * shape_.sum_numbers;
      machine_.launch(variances);
    }
    launch_join(program, to.adjoint, j.to_h.n, j.to_w.n, shape_.middle, j.from_h.n, j.to_w.n, j.h.targets_begin,
                j.h.targets_item, true, Join<R>::adjoints);
    launch_join(program, shape_.middle, j.from_h.n, j.to_w.n, shape_.from, j.from_h.n, j.from_w.n, j.w.targets_begin,
                j.w.targets_item, false, Join<R>::none);
  }

  Machine& machine_;
  const PassShape& shape_;
  typename Machine::template Buffer<int> ints_;
  typename Machine::template Buffer<double> weights_;
  typename Machine::template Buffer<RunLayer> runs_;
  typename Machine::template Buffer<ImageStep> steps_;
  std::vector<index> begin_;  // by stretch: steps of the way forward alone, of the way back
};

}  // namespace ntkrob::cuda
