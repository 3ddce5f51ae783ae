/// k(x,x): smooth, no pairs, no angle; O(N D).
#include <cmath>

#include "kernel/images.hpp"
#include "layers/samples.hpp"
#include "ntkrob/kernel/kernel.hpp"

namespace ntkrob {
namespace {

/// k(x,x) of one sample with mean square a, and its derivative by a.
SelfState self_kernel(const Kernel& kernel, double a) {
  const SelfState s = layers::self_state(kernel.spec().layers(), a);
  if (kernel.options().output == Output::nngp) return {s.a, s.a, s.da, s.da};
  return s;
}

template <class R>
double mean_square(const R* x, index d) {
  double sum = 0;
  for (index k = 0; k < d; ++k) sum += static_cast<double>(x[k]) * static_cast<double>(x[k]);
  return sum / static_cast<double>(d);
}

template <class R>
void diag_impl(const Kernel& kernel, ConstView2D<R> x, double* out) {
  if (kernel.program() != nullptr) return kernel::image_diag(kernel, x, out);
  for (index i = 0; i < x.rows; ++i) {
    out[i] = self_kernel(kernel, mean_square(x.row(i), x.cols)).t;
    NTKROB_CHECK(std::isfinite(out[i]), NonFinite, "k(x,x) of sample ", i, " is not finite");
  }
}

template <class R>
void diag_grad_impl(const Kernel& kernel, ConstView2D<R> x, const double* w, View2D<R> dx) {
  if (kernel.program() != nullptr) return kernel::image_add_diag_grad(kernel, x, w, dx);
  NTKROB_CHECK_SHAPE(dx, x.rows, x.cols);
  for (index i = 0; i < x.rows; ++i) {
    const double slope = self_kernel(kernel, mean_square(x.row(i), x.cols)).dt;
    const R factor = static_cast<R>(2 * w[i] * slope / static_cast<double>(x.cols));
    for (index k = 0; k < x.cols; ++k) dx(i, k) += factor * x(i, k);
  }
}

}  // namespace

void Kernel::diag(ConstView2D<float> x, double* out) const { diag_impl(*this, x, out); }
void Kernel::diag(ConstView2D<double> x, double* out) const { diag_impl(*this, x, out); }
void Kernel::add_diag_grad(ConstView2D<float> x, const double* w, View2D<float> dx) const {
  diag_grad_impl(*this, x, w, dx);
}
void Kernel::add_diag_grad(ConstView2D<double> x, const double* w, View2D<double> dx) const {
  diag_grad_impl(*this, x, w, dx);
}

}  // namespace ntkrob
