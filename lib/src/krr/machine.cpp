#include "ntkrob/krr/machine.hpp"

#include <cmath>
#include <type_traits>

#include "krr/solve.hpp"

namespace ntkrob {
namespace {

void check_finite(ConstView2D<double> a, const char* what) {
  for (index i = 0; i < a.rows; ++i)
    for (index j = 0; j < a.cols; ++j)
      NTKROB_CHECK(std::isfinite(a(i, j)), NonFinite, what, "(", i, ",", j, ") is ", a(i, j));
}

/// Copies into a matrix that is allocated only when its shape changes.
template <class From, class To>
void keep(ConstView2D<From> source, Matrix<To>& target) {
  if (target.rows() != source.rows || target.cols() != source.cols) target = Matrix<To>(source.rows, source.cols);
  convert(source, target.view());
}

/// A float view in the precision of the machine: itself, or a converted copy that lives as long as this object.
template <class R>
class In {
 public:
  explicit In(ConstView2D<float> source) {
    if constexpr (std::is_same<R, float>::value) {
      view_ = source;
    } else {
      copy_ = Matrix<R>(source.rows, source.cols);
      convert(source, copy_.view());
      view_ = copy_.view();
    }
  }
  ConstView2D<R> view() const { return view_; }

 private:
  Matrix<R> copy_;
  ConstView2D<R> view_;
};

/// A place for results in the precision of the machine; commit() brings them to the float target.
template <class R>
class Out {
 public:
  explicit Out(View2D<float> target) : target_(target) {
    if constexpr (!std::is_same<R, float>::value) copy_ = Matrix<R>(target.rows, target.cols);
  }
  View2D<R> view() {
    if constexpr (std::is_same<R, float>::value)
      return target_;
    else
      return copy_.view();
  }
  void commit() {
    if constexpr (!std::is_same<R, float>::value) convert(copy_.view(), target_);
  }

 private:
  View2D<float> target_;
  Matrix<R> copy_;
};

}  // namespace

template <class R>
BasicKernelMachine<R>::BasicKernelMachine(Kernel kernel, ImageShape shape, ConstView2D<R> support,
                                          ConstView2D<R> labels, Ridge ridge, const LogSink& log)
    : kernel_(std::move(kernel)), shape_(shape), ridge_(ridge) {
  refit(support, labels, log);
}

template <class R>
void BasicKernelMachine<R>::refit(ConstView2D<R> support, ConstView2D<R> labels, const LogSink& log) {
  fitted_ = false;
  NTKROB_CHECK(support.rows > 0, ShapeError, "a kernel machine needs at least one support image");
  NTKROB_CHECK(support.cols == shape_.size(), ShapeError, "support images have ", support.cols, " numbers, expected ",
               shape_.height, " x ", shape_.width, " x ", shape_.channels);
  NTKROB_CHECK(labels.rows == support.rows && labels.cols > 0, ShapeError, "labels are ", labels.rows, " x ",
               labels.cols, ", expected ", support.rows, " rows and at least one column");
  keep(support, support_);
  keep(labels, labels_);
  keep(labels, alpha_);
  check_finite(alpha_.view(), "support label ");

  kernel_.prepare(this->support(), prepared_);
  report_ = krr::factor_gram<R>(kernel_, prepared_, ridge_, log, factor_, products_);
  kernel_.backend().solve_spd(factor_.view(), alpha_.view());
  check_finite(alpha_.view(), "coefficient ");
  keep(ConstView2D<double>(alpha_.view()), coefficients_);
  fitted_ = true;
}

template <class R>
void BasicKernelMachine<R>::check_fitted() const {
  NTKROB_CHECK(fitted_, ConfigError, "the last refit of this kernel machine failed; refit it before use");
}

template <class R>
void BasicKernelMachine<R>::logits(ConstView2D<float> x, View2D<float> out) const {
  check_fitted();
  NTKROB_CHECK_SHAPE(x, x.rows, shape_.size());
  NTKROB_CHECK_SHAPE(out, x.rows, classes());
  const In<R> input(x);
  Out<R> output(out);
  kernel_.apply(input.view(), prepared_, coefficients_.view(), output.view());
  output.commit();
}

template <class R>
void BasicKernelMachine<R>::input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const {
  check_fitted();
  NTKROB_CHECK_SHAPE(x, x.rows, shape_.size());
  NTKROB_CHECK_SHAPE(cotangent, x.rows, classes());
  NTKROB_CHECK_SHAPE(dx, x.rows, shape_.size());
  const In<R> input(x), g(cotangent);
  Out<R> gradient(dx);
  kernel_.grad(input.view(), prepared_, g.view(), coefficients_.view(), gradient.view());
  gradient.commit();
}

template <class R>
void BasicKernelMachine<R>::logits_and_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                                            View2D<float> dx) const {
  check_fitted();
  NTKROB_CHECK_SHAPE(x, x.rows, shape_.size());
  NTKROB_CHECK_SHAPE(out, x.rows, classes());
  NTKROB_CHECK_SHAPE(dx, x.rows, shape_.size());
  const In<R> input(x);
  Out<R> output(out), gradient(dx);
  const auto strip = [&](index first_row, ConstView2D<R> f, View2D<R> g) {
    if constexpr (std::is_same<R, float>::value) {
      cotangent(first_row, f, g);
    } else {
      Matrix<float> logits(f.rows, f.cols), derivative(g.rows, g.cols);
      convert(f, logits.view());
      cotangent(first_row, logits.view(), derivative.view());
      convert(derivative.view(), g);
    }
  };
  kernel_.apply_grad(input.view(), prepared_, coefficients_.view(), strip, output.view(), gradient.view());
  output.commit();
  gradient.commit();
}

template <class R>
void BasicKernelMachine<R>::for_each(index n, const std::function<void(index)>& task) const {
  kernel_.backend().for_each(n, [&](index i, int) { task(i); });
}

template <class R>
void BasicKernelMachine<R>::support_grad(ConstView2D<R> x, ConstView2D<R> g, View2D<R> dsupport,
                                         View2D<R> dlabels) const {
  NTKROB_CHECK_SHAPE(g, x.rows, classes());
  Matrix<R> logits(x.rows, classes());
  const auto given = [&](index first_row, ConstView2D<R>, View2D<R> target) {
    convert(g.middle_rows(first_row, target.rows), target);
  };
  support_grad(x, given, logits.view(), dsupport, dlabels);
}

template <class R>
void BasicKernelMachine<R>::support_grad(ConstView2D<R> x, const Kernel::StripCotangent<R>& cotangent, View2D<R> out,
                                         View2D<R> dsupport, View2D<R> dlabels) const {
  check_fitted();
  const index n = support_.rows(), c = classes();
  NTKROB_CHECK_SHAPE(x, x.rows, shape_.size());
  NTKROB_CHECK_SHAPE(out, x.rows, c);
  NTKROB_CHECK_SHAPE(dsupport, n, shape_.size());
  if (!dlabels.empty()) NTKROB_CHECK_SHAPE(dlabels, n, c);

  // Cross part: f = K(x,S) alpha, h = K(S,x) g = dL/d alpha, and dL/dS through K(x,S), whose cotangent is g alpha^T.
  Matrix<R> h(n, c);
  kernel_.pull_back(support_.view(), x, coefficients_.view(), cotangent, out, h.view(), dsupport);

  Matrix<double> beta(n, c);
  convert(h.view(), beta.view());
  kernel_.backend().solve_spd(factor_.view(), beta.view());

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
  kernel_.gram_grad(prepared_, products_.view(), u.view(), v.view(), dsupport);

  // A relative ridge grows with the trace: dL/d lambda = -sum(beta o alpha), lambda = rho sum_i k(s_i, s_i) / n. The
  // ridge in use counts, also where it was escalated from a relative one.
  if (ridge_.relative) {
    const double rho = report_.lambda / report_.trace_over_n;
    const std::vector<double> weight(static_cast<std::size_t>(n), -rho / static_cast<double>(n) * beta_alpha);
    kernel_.add_diag_grad(support_.view(), weight.data(), dsupport);
  }
  if (!dlabels.empty()) convert(beta.view(), dlabels);
}

template class BasicKernelMachine<float>;
template class BasicKernelMachine<double>;

}  // namespace ntkrob
