#include "ntkrob/krr/expansion.hpp"

#include <cmath>
#include <type_traits>

#include "krr/keep.hpp"
#include "ntkrob/backend/points.hpp"
#include "ntkrob/model/iterates.hpp"

namespace ntkrob {
namespace {

template <class T>
void check_finite(ConstView2D<T> a, const char* what) {
  for (index i = 0; i < a.rows; ++i)
    for (index j = 0; j < a.cols; ++j)
      NTKROB_CHECK(std::isfinite(a(i, j)), NonFinite, what, "(", i, ",", j, ") is ", a(i, j));
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
void BasicKernelExpansion<R>::begin_fit(ConstView2D<R> support, ConstView2D<R> labels) {
  fitted_ = false;
  NTKROB_CHECK(support.rows > 0, ShapeError, "a kernel machine needs at least one support image");
  NTKROB_CHECK(support.cols == shape_.size(), ShapeError, "support images have ", support.cols, " numbers, expected ",
               shape_.height, " x ", shape_.width, " x ", shape_.channels);
  NTKROB_CHECK(labels.rows == support.rows && labels.cols > 0, ShapeError, "labels are ", labels.rows, " x ",
               labels.cols, ", expected ", support.rows, " rows and at least one column");
  check_finite(labels, "support label ");
  krr::keep(support, support_);
  kernel_.prepare(this->support(), prepared_);
}

template <class R>
void BasicKernelExpansion<R>::end_fit(ConstView2D<double> alpha) {
  check_finite(alpha, "coefficient ");
  krr::keep(alpha, coefficients_);
  fitted_ = true;
}

template <class R>
void BasicKernelExpansion<R>::check_fitted() const {
  NTKROB_CHECK(fitted_, ConfigError, "the last refit of this kernel machine failed; refit it before use");
}

template <class R>
void BasicKernelExpansion<R>::logits(ConstView2D<float> x, View2D<float> out) const {
  check_fitted();
  NTKROB_CHECK_SHAPE(x, x.rows, shape_.size());
  NTKROB_CHECK_SHAPE(out, x.rows, classes());
  const In<R> input(x);
  Out<R> output(out);
  kernel_.apply(input.view(), prepared_, coefficients_.view(), output.view());
  output.commit();
}

template <class R>
void BasicKernelExpansion<R>::input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const {
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
void BasicKernelExpansion<R>::logits_and_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
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
std::unique_ptr<Iterates> BasicKernelExpansion<R>::iterates(ConstView2D<float> x) const {
  check_fitted();
  NTKROB_CHECK_SHAPE(x, x.rows, shape_.size());
  if (!std::is_same<R, float>::value || kernel_.program() != nullptr || kernel_.backend().steps() == nullptr)
    return nullptr;
  return std::make_unique<IteratesIn<Points>>(*this, Points(kernel_.backend(), x));
}

template <class R>
void BasicKernelExpansion<R>::for_each(index n, const std::function<void(index)>& task) const {
  kernel_.backend().for_each(n, [&](index i, int) { task(i); });
}

template class BasicKernelExpansion<float>;
template class BasicKernelExpansion<double>;

}  // namespace ntkrob
