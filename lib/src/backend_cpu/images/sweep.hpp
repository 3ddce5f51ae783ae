/// One pass through a network, or through its first operations, for one sample x and kImageLanes samples y. Private to
/// images.
///
/// Operations that keep offsets apart are run patch by patch, offset after offset, in buffers of one patch. Where an
/// operation joins offsets (pooling, means, circular windows) a stretch ends: its output is stored for all offsets that
/// are needed from there on. The way back runs each patch forward again, now with a tape.
#pragma once

#include "backend_cpu/images/offsets.hpp"
#include "backend_cpu/images/samples.hpp"

namespace ntkrob {

/// One x, and samples y with their tables by lanes.
template <class R>
struct Pairs {
  Tables<R> tables;
  const R* x;  // pixels, positions x channels
  const R* y;  // planes: channel, then position and lane
  index y_plane;
};

template <class R>
class Sweep {
 public:
  /// From the pixels to value `target`, at offset 0. layout must outlive it.
  Sweep(const Layout& layout, int target, bool gradient);
  Sweep(const Sweep&) = delete;
  Sweep& operator=(const Sweep&) = delete;

  /// Memory of an object, found without taking it.
  static std::size_t bytes(const Layout& layout, int target, bool gradient);

  void forward(const Pairs<R>& pairs, const ImageFunctions<R>& functions);
  /// D and T of the target after forward(); rows are `stride` positions apart.
  Planes<const R> result(index& stride);
  /// Adds to the adjoints of x. gd, gt: adjoints of the target, positions x lanes. forward_done: of the same pairs
  void backward(const Pairs<R>& pairs, const R* gd, const R* gt, bool forward_done, const ImageFunctions<R>& functions,
                SampleGradient& g);

 private:
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
    std::unique_ptr<OffsetTargets> targets_h, targets_w;  // null: a mean
    std::vector<R> x_h, x_w, y_h, y_w;                    // weights
    index place = -1, adjoint = -1;
    bool covariances = false;
  };
  struct Planned {};
  Sweep(const Layout& layout, int target, bool gradient, Planned);

  void plan();
  void plan_store(int op);
  int add_instance(Stretch& stretch, int value, index step_h, index step_w);
  void plan_buffers(Stretch& stretch);
  void mark_needed();
  const Op& op(int k) const { return layout_.op(k); }
  const Store& store(int value) const { return *stores_.at(value); }
  index plane(int value) const { return layout_.shape(value).positions() * kImageLanes; }

  Patch patch(int value, index offset_h, index offset_w) const;
  Patch stored_patch(int value, index offset_h, index offset_w) const;
  Patch patch(const Instance& i, index h, index w) const;
  Planes<R> planes(const Instance& i, index h, index w, bool adjoint);
  UnitCall<R> unit_call(const Stretch& s, const Instance& i, index h, index w, const Pairs<R>& pairs, bool back,
                        SampleGradient* g);
  ProductCall<R> product_call(const Stretch& s, const Instance& i, index h, index w, const Pairs<R>& pairs, bool back,
                              SampleGradient* g);
  void run(const Stretch& s, index h, index w, const Pairs<R>& pairs, const ImageFunctions<R>& f, SampleGradient* g);
  void run_back(const Stretch& s, index h, index w, const Pairs<R>& pairs, const ImageFunctions<R>& f,
                SampleGradient& g);
  void forward(const Stretch& s, const Pairs<R>& pairs, const ImageFunctions<R>& f);
  void forward_mean(const Stretch& s, const Pairs<R>& pairs, const ImageFunctions<R>& f);
  void forward_join(const Stretch& s, const Pairs<R>& pairs, const ImageFunctions<R>& f);
  void backward_mean(const Stretch& s, const Pairs<R>& pairs, const ImageFunctions<R>& f, SampleGradient& g);
  void backward_join(const Stretch& s, const Pairs<R>& pairs, const ImageFunctions<R>& f, SampleGradient& g);
  CrossCall<R> cross_call(const Stretch& s, index h, index w, const Pairs<R>& pairs, bool back, SampleGradient* g);
  FinishCall<R> finish_call(const Stretch& s, index h, index w, const Pairs<R>& pairs, bool back, SampleGradient* g);
  /// Pairs that a mean divides by.
  double mean_divisor(const Stretch& s) const {
    const double n = static_cast<double>(layout_.shape(s.value).positions());
    return op(s.op).type == Operation::mean ? n * n : n;
  }
  double* variance_gradient(SampleGradient& g, int value) const {
    return g.by_variance.data() + layout_.variance[static_cast<std::size_t>(value)];
  }

  const Layout& layout_;
  int target_;
  bool gradient_;
  NeededOffsets needed_;
  std::vector<Stretch> stretches_;
  std::map<int, std::unique_ptr<Store>> stores_;
  std::vector<ImageUnit<R>> units_;
  std::vector<std::shared_ptr<OffsetTaps>> taps_h_, taps_w_;  // by unit
  index memory_size_ = 0, rows_ = 0, scratch_ = 0;            // the whole; places of the rows of joins, of scratch
  Matrix<R> memory_;
};

}  // namespace ntkrob
