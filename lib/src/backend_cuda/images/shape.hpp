/// A pass through a network for a device: its plan, the sizes of its memory, and the lists that its kernels read.
#pragma once

#include "backend_cuda/images/forward.hpp"

namespace ntkrob::cuda {

/// Lists one behind the other, to be copied to a device at once.
template <class T>
struct ListPool {
  std::vector<T> numbers;
  /// returns: where it begins
  template <class U>
  std::size_t add(const std::vector<U>& list) {
    const std::size_t at = numbers.size();
    for (const U& number : list) numbers.push_back(static_cast<T>(number));
    return at;
  }
};

/// One axis of stored pairs: places of lists.
struct PairLists {
  std::size_t begin, x, y, weight;  // begin: by offset + size - 1
  int n;
};

/// Between a stretch and the value that joins its offsets.
struct JoinLists {
  PairLists from_h, from_w, to_h, to_w;
  struct Axis {
    std::size_t sources_begin, sources_item, targets_begin, targets_item;
  } h, w;
};

class PassShape {
 public:
  /// From the pixels to value `target`, for groups of 1 << lanes_log samples y. layout must outlive it.
  PassShape(const Layout& layout, int target, bool gradient, int lanes_log);

  /// The most lanes, as a power of two, that keep a block busy and its memory small.
  static int lanes_for(const Layout& layout);

  const Layout& layout;
  SweepPlan plan;     // places of stored values; buffers of the way forward and back
  SweepPlan forward;  // buffers of a way forward alone
  int lanes_log;
  index group_numbers = 0;             // of a group: stored values, then
  index from = 0, middle = 0;          // a value in front of a join, half of its sums,
  index target_place, target_adjoint;  // and the target
  index target_plane = 0;
  index block_forward = 0, block_backward = 0;  // numbers of a block's buffers
  index logs = 0, log_plane = 0;                // place of two planes in block_backward, numbers of one
  index sum_numbers = 0;                        // of the sums of a row of x: variances, then pixels
  bool whole_groups = false;  // a stretch reads one stored value at two steps: its offsets are not independent

  /// Blocks that share the offsets of a group on the way forward.
  int parts(const Stretch& s) const;
  /// Bytes of a group, with all that its blocks need on the way forward.
  template <class R>
  std::size_t group_bytes() const {
    index blocks = 0;
    for (const Stretch& s : plan.stretches) blocks = std::max(blocks, static_cast<index>(parts(s)));
    const index own = block_forward > kSharedNumbers ? blocks * block_forward : 0;
    return static_cast<std::size_t>(group_numbers + own) * sizeof(R) +
           (static_cast<std::size_t>(blocks) * 2 * sizeof(double) << lanes_log);
  }
  /// Bytes that the way back adds for each row of x.
  template <class R>
  std::size_t row_bytes() const {
    const index own = block_backward > kSharedNumbers ? block_backward : 0;
    return kBackParts *
               (static_cast<std::size_t>(own) * sizeof(R) + static_cast<std::size_t>(sum_numbers) * sizeof(double)) +
           static_cast<std::size_t>(sum_numbers) * sizeof(double);
  }
  /// Blocks for each sample x on the way back. Sums have a fixed order for it.
  static constexpr int kBackParts = 32;

  ListPool<int> ints;
  ListPool<double> weights;
  std::vector<PairLists> stored_h, stored_w;      // by value
  std::vector<JoinLists> joins;                   // by stretch
  std::vector<std::size_t> offsets_h, offsets_w;  // by stretch
  std::vector<RunLayer> runs;                     // of all units
  std::vector<index> run_begin;                   // by unit

  /// The steps of a stretch.   buffers: the plan that places them   ints_at, runs_at: the lists on the device
  std::vector<ImageStep> steps(const SweepPlan& buffers, std::size_t stretch, const int* ints_at,
                               const RunLayer* runs_at) const;
  /// As a stored value: what is in front of a join.
  ImageStep joined(std::size_t stretch, const int* ints_at) const;
  /// As a stored value: the target, or its adjoint.
  ImageStep target_step(bool adjoint, const int* ints_at) const;

 private:
  PairLists add_axis(index positions, const StoredAxis& axis, const std::vector<double>& x_weight,
                     const std::vector<double>& y_weight);
  void add_join(const Stretch& s);
  void add_runs();
  void put_unit(const Unit& u, ImageStep& step, const RunLayer* runs_at) const;
  std::size_t zeros_ = 0;  // where the pairs of offset 0 of the target begin
};

}  // namespace ntkrob::cuda
