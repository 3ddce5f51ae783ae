/// k(x,x): smooth, no pairs, no angle; O(N D).
#include <cmath>
#include <vector>

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
std::vector<double> mean_squares(const Kernel& kernel, ConstView2D<R> x) {
  std::vector<double> squares(static_cast<std::size_t>(x.rows));
  kernel.backend().arrays().row_squares(x, View2D<double>(squares.data(), x.rows, 1));
  for (double& a : squares) a /= static_cast<double>(x.cols);
  return squares;
}

template <class R>
void diag_impl(const Kernel& kernel, ConstView2D<R> x, double* out) {
  if (kernel.program() != nullptr) return kernel::image_diag(kernel, x, out);
  const std::vector<double> squares = mean_squares(kernel, x);
  for (index i = 0; i < x.rows; ++i) {
    out[i] = self_kernel(kernel, squares[static_cast<std::size_t>(i)]).t;
    NTKROB_CHECK(std::isfinite(out[i]), NonFinite, "k(x,x) of sample ", i, " is not finite");
  }
}

template <class R>
void diag_grad_impl(const Kernel& kernel, ConstView2D<R> x, const double* w, View2D<R> dx) {
  if (kernel.program() != nullptr) return kernel::image_add_diag_grad(kernel, x, w, dx);
  NTKROB_CHECK_SHAPE(dx, x.rows, x.cols);
  std::vector<double> factors = mean_squares(kernel, x);
  for (index i = 0; i < x.rows; ++i) {
    double& factor = factors[static_cast<std::size_t>(i)];
    factor = 2 * w[i] * self_kernel(kernel, factor).dt / static_cast<double>(x.cols);
  }
  kernel.backend().arrays().add_scaled_rows(1, ConstView2D<double>(factors.data(), x.rows, 1), x, dx);
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
