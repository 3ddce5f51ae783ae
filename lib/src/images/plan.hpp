/// What a pass through a network, or through its first operations, does in which memory.
///
/// Operations that keep offsets apart are run patch by patch, offset after offset, in buffers of one patch. Where an
/// operation joins offsets (pooling, means, circular windows) a stretch ends: its output is stored for all offsets that
/// are needed from there on. The way back runs each patch forward again, now with a tape.
#pragma once

#include "images/offsets.hpp"
#include "images/samples.hpp"

namespace ntkrob {

enum class Source { pixels, stored, unit, sum, product, copy };

/// A value at `step` times the offset that a stretch is run for, in a buffer or stored.
struct Instance {
  int value;
  index step_h, step_w;
  Source source;
  int a = -1, b = -1;                          // instances read
  index buffer = -1, adjoint = -1, tape = -1;  // places in the memory
};

/// Operations that lead to `value`, for an operation that joins its offsets, or to the target.
struct Stretch {
  int value = 0;
  int op = -1;
  std::vector<Instance> instances;
  std::vector<int> last_reader;             // by instance
  std::vector<index> offsets_h, offsets_w;  // that it is run for
  bool needed = false;                      // its output is read by the way back of later ones
};

/// Output of an operation that joins offsets.
struct Store {
  StoredAxis h, w;
  index place = -1, adjoint = -1;
  bool mean = false;         // one pair: a mean over pairs of the input
  bool covariances = false;  // joined as covariances, not as distances
};

/// Of one x and `lanes` samples y side by side. A plane of a value has a number for each of its positions and lanes; D
/// and T are one plane behind the other. Places are numbers from the beginning of the memory.
struct SweepPlan {
  /// From the pixels to value `target`, at offset 0. layout must outlive it.
  SweepPlan(const Layout& layout, int target, bool gradient, index lanes);

  const Layout& layout;
  int target;
  bool gradient;
  index lanes;
  NeededOffsets needed;
  std::vector<Stretch> stretches;
  std::map<int, Store> stores;  // by value
  index buffers = 0, size = 0;  // stored values lie in front of `buffers`

  const Op& op(int k) const { return layout.op(k); }
  const Store& store(int value) const { return stores.at(value); }
  const Unit& unit(int value) const {
    return layout.units[static_cast<std::size_t>(layout.unit_of[static_cast<std::size_t>(value)])];
  }
  index plane(int value) const { return layout.shape(value).positions() * lanes; }
  /// Pairs that a mean divides by.
  double mean_divisor(const Stretch& s) const {
    const double n = static_cast<double>(layout.shape(s.value).positions());
    return op(s.op).type == Operation::mean ? n * n : n;
  }

 private:
  void add_store(int op);
  int add_instance(Stretch& stretch, int value, index step_h, index step_w);
  void place_buffers(Stretch& stretch);
  void mark_needed();
};

/// Weights of the pairs of one axis of an operation that joins offsets, by position in each image.
struct JointWeights {
  std::vector<double> x, y;
  JointWeights(const Op& op, const Axis& axis);
};

}  // namespace ntkrob
