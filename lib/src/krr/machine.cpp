#include "ntkrob/krr/machine.hpp"

#include "krr/keep.hpp"
#include "krr/solve.hpp"

namespace ntkrob {

Factor parse_factor(const std::string& text) {
  NTKROB_CHECK(text == "float64" || text == "refined", ConfigError, field("factor"), " is \"", given(text),
               "\", must be ", limit("float64 | refined"));
  return text == "refined" ? Factor::refined : Factor::float64;
}

template <class R>
std::size_t machine_bytes(const Kernel& kernel, index n, Factor factor) {
  const auto count = static_cast<std::size_t>(n);
  const std::size_t entry = sizeof(double) + (factor == Factor::refined ? sizeof(float) : 0);
  return checked_mul(checked_mul(count, count, "Gram matrix"), entry, "Gram matrix") +
         krr::products_bytes<R>(kernel, n);
}
template std::size_t machine_bytes<float>(const Kernel&, index, Factor);
template std::size_t machine_bytes<double>(const Kernel&, index, Factor);

template <class R>
BasicKernelMachine<R>::BasicKernelMachine(Kernel kernel, ImageShape shape, ConstView2D<R> support,
                                          ConstView2D<R> labels, Ridge ridge, const LogSink& log, Factor factor)
    : BasicKernelExpansion<R>(std::move(kernel), shape),
      ridge_(ridge),
      factor_(factor),
      solver_(std::make_unique<krr::GramSolver<R>>(true)) {
  refit(support, labels, log);
}

template <class R>
BasicKernelMachine<R>::~BasicKernelMachine() = default;

template <class R>
const FitReport& BasicKernelMachine<R>::report() const {
  return solver_->report();
}

template <class R>
void BasicKernelMachine<R>::refit(ConstView2D<R> support, ConstView2D<R> labels, const LogSink& log) {
  this->begin_fit(support, labels);
  krr::keep(labels, labels_);
  krr::keep(labels, alpha_);
  solver_->fit(this->kernel(), this->prepared(), ridge_, factor_, log, alpha_.view());
  this->end_fit(alpha_.view());
}

template <class R>
void BasicKernelMachine<R>::support_grad(ConstView2D<R> x, ConstView2D<R> g, View2D<R> dsupport,
                                         View2D<R> dlabels) const {
  NTKROB_CHECK_SHAPE(g, x.rows, this->classes());
  Matrix<R> logits(x.rows, this->classes());
  const auto given = [&](index first_row, ConstView2D<R>, View2D<R> target) {
    convert(g.middle_rows(first_row, target.rows), target);
  };
  support_grad(x, given, logits.view(), dsupport, dlabels);
}

template <class R>
void BasicKernelMachine<R>::support_grad(ConstView2D<R> x, const Kernel::StripCotangent<R>& cotangent, View2D<R> out,
                                         View2D<R> dsupport, View2D<R> dlabels) const {
  this->check_fitted();
  const Kernel& kernel = this->kernel();
  const ConstView2D<R> support = this->support();
  const index n = support.rows, c = this->classes();
  NTKROB_CHECK_SHAPE(x, x.rows, support.cols);
  NTKROB_CHECK_SHAPE(out, x.rows, c);
  NTKROB_CHECK_SHAPE(dsupport, n, support.cols);
  if (!dlabels.empty()) NTKROB_CHECK_SHAPE(dlabels, n, c);

  // Cross part: f = K(x,S) alpha, h = K(S,x) g = dL/d alpha, and dL/dS through K(x,S), whose cotangent is g alpha^T.
  Matrix<R> h(n, c);
  kernel.pull_back(support, x, this->coefficients(), cotangent, out, h.view(), dsupport);

  Matrix<double> beta(n, c);
  convert(h.view(), beta.view());
  solver_->solve(kernel, beta.view());

  // Gram part: dL/dK(S,S) = -(beta alpha^T + alpha beta^T) / 2. Both arguments of K move, which doubles the derivative
  // with respect to the first one; on the diagonal the first-argument rule of Pairing::same is half of the whole, the
  // same way.
  Matrix<R> u(n, 2 * c), v(n, 2 * c);
  double beta_alpha = 0;
  for (index i = 0; i < n; ++i)
    for (index j = 0; j < c; ++j) {
      u(i, j) = static_cast<R>(-beta(i, j));
      u(i, c + j) = v(i, j) = static_cast<R>(alpha_(i, j));
      v(i, c + j) = static_cast<R>(-beta(i, j));
      beta_alpha += beta(i, j) * alpha_(i, j);
    }
  kernel.gram_grad(this->prepared(), solver_->products(), u.view(), v.view(), dsupport);

  // A relative ridge grows with the trace: dL/d lambda = -sum(beta o alpha), lambda = rho sum_i k(s_i, s_i) / n. The
  // ridge in use counts, also where it was escalated from a relative one.
  if (ridge_.relative) {
    const double rho = report().lambda / report().trace_over_n;
    const std::vector<double> weight(static_cast<std::size_t>(n), -rho / static_cast<double>(n) * beta_alpha);
    kernel.add_diag_grad(support, weight.data(), dsupport);
  }
  if (!dlabels.empty()) convert(beta.view(), dlabels);
}

template class BasicKernelMachine<float>;
template class BasicKernelMachine<double>;

}  // namespace ntkrob
