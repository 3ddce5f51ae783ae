/// One pass through a network, or through its first operations, for one sample x and kImageLanes samples y, as
/// images/plan.hpp says. Private to images.
#pragma once

#include "backend_cpu/images/offset_taps.hpp"
#include "images/plan.hpp"

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
  /// Of an operation that joins offsets.
  struct Join {
    OffsetTargets targets_h, targets_w;
    std::vector<R> x_h, x_w, y_h, y_w;  // weights
  };
  struct Planned {};
  Sweep(const Layout& layout, int target, bool gradient, Planned);
  void find_taps();
  void find_joins();

  const Op& op(int k) const { return plan_.op(k); }
  const Store& store(int value) const { return plan_.store(value); }
  const Join& join(int value) const { return *joins_.at(value); }
  index plane(int value) const { return plan_.plane(value); }

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
  double* variance_gradient(SampleGradient& g, int value) const {
    return g.by_variance.data() + layout_.variance[static_cast<std::size_t>(value)];
  }

  const Layout& layout_;
  SweepPlan plan_;
  std::map<int, std::unique_ptr<Join>> joins_;  // by value
  std::vector<ImageUnit<R>> units_;
  std::vector<std::shared_ptr<OffsetTaps>> taps_h_, taps_w_;  // by unit
  index memory_size_ = 0, rows_ = 0, scratch_ = 0;            // the whole; places of the rows of joins, of scratch
  Matrix<R> memory_;
};

}  // namespace ntkrob
