/// KernelExpansion: f(x) = K(x, S) alpha as a Model. What all kernel machines are once they are fitted.
#pragma once

#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/model/model.hpp"

namespace ntkrob {

/// Base of the machines, which differ in how they find alpha. R is the precision of storage and products: float (mixed)
/// or double. As a Model it takes float images; scratch is per call. The kernel's backend must outlive it.
///
/// After an exception in a fit the machine is of no use until the next one: its verbs throw ConfigError.
template <class R>
class BasicKernelExpansion : public Model {
 public:
  BasicKernelExpansion(const BasicKernelExpansion&) = delete;
  BasicKernelExpansion& operator=(const BasicKernelExpansion&) = delete;

  ImageShape input_shape() const override { return shape_; }
  index classes() const override { return coefficients_.cols(); }
  void logits(ConstView2D<float> x, View2D<float> out) const override;
  void input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const override;
  void logits_and_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                       View2D<float> dx) const override;
  /// On backends that take steps (Backend::steps), for R float and kernels on vectors.
  std::unique_ptr<Iterates> iterates(ConstView2D<float> x) const override;
  void for_each(index n, const std::function<void(index task)>& task) const override;

  const Kernel& kernel() const { return kernel_; }
  ConstView2D<R> support() const { return support_.view(); }            // n x D
  ConstView2D<R> coefficients() const { return coefficients_.view(); }  // n x C

 protected:
  BasicKernelExpansion(Kernel kernel, ImageShape shape) : kernel_(std::move(kernel)), shape_(shape) {}

  /// Begins a fit: checks shapes, copies the support (n x D; memory is kept where its shape is the same) and prepares
  /// it.   throws: ShapeError, NonFinite (support or labels)
  void begin_fit(ConstView2D<R> support, ConstView2D<R> labels);
  /// Ends it.   alpha: n x C   throws: NonFinite
  void end_fit(ConstView2D<double> alpha);
  /// throws: ConfigError after a failed fit
  void check_fitted() const;
  const PreparedSet<R>& prepared() const { return prepared_; }

 private:
  Kernel kernel_;
  ImageShape shape_;
  Matrix<R> support_;        // n x D
  PreparedSet<R> prepared_;  // of support_
  Matrix<R> coefficients_;   // n x C
  bool fitted_ = false;
};

}  // namespace ntkrob
