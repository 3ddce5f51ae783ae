#include <cmath>

#include "ntkrob/optim/optimizer.hpp"

namespace ntkrob {

template <class R>
void Adam<R>::step(View2D<R> p, ConstView2D<R> g, double lr) {
  NTKROB_CHECK_SHAPE(g, p.rows, p.cols);
  if (m_.empty()) {
    m_ = Matrix<R>(p.rows, p.cols);
    v_ = Matrix<R>(p.rows, p.cols);
  }
  NTKROB_CHECK_SHAPE(p, m_.rows(), m_.cols());
  ++t_;
  const double step_size = lr / (1 - std::pow(options_.beta1, static_cast<double>(t_)));
  const double root_correction = std::sqrt(1 - std::pow(options_.beta2, static_cast<double>(t_)));
  for (index i = 0; i < p.rows; ++i)
    for (index j = 0; j < p.cols; ++j) {
      const double slope = g(i, j);
      m_(i, j) = static_cast<R>(options_.beta1 * m_(i, j) + (1 - options_.beta1) * slope);
      v_(i, j) = static_cast<R>(options_.beta2 * v_(i, j) + (1 - options_.beta2) * slope * slope);
      const double denominator = std::sqrt(static_cast<double>(v_(i, j))) / root_correction + options_.epsilon;
      p(i, j) = static_cast<R>(p(i, j) - step_size * m_(i, j) / denominator);
    }
}

template <class R>
void Adam<R>::save(StateDict& state, const std::string& prefix) const {
  state.set_matrix(prefix + "/m", m_.view());
  state.set_matrix(prefix + "/v", v_.view());
  state.set(prefix + "/t", t_);
}

template <class R>
void Adam<R>::restore(const StateDict& state, const std::string& prefix, index rows, index cols) {
  const std::int64_t t = state.get<std::int64_t>(prefix + "/t");
  NTKROB_CHECK(t >= 0, IoError, "entry \"", prefix, "/t\" is ", t, ", must be 0 or more");
  Matrix<R> m, v;
  // Before the first step there are no moments yet: they were stored as empty matrices.
  if (t > 0) {
    m = Matrix<R>(rows, cols);
    v = Matrix<R>(rows, cols);
    state.get_matrix(prefix + "/m", m.view());
    state.get_matrix(prefix + "/v", v.view());
  }
  m_ = std::move(m);
  v_ = std::move(v);
  t_ = t;
}

template class Adam<float>;
template class Adam<double>;

}  // namespace ntkrob
