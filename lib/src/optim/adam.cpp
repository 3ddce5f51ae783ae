#include <cmath>

#include "ntkrob/base/multiversion.hpp"
#include "ntkrob/optim/optimizer.hpp"

namespace ntkrob {
namespace {

struct Constants {
  double beta1, beta2, epsilon, step_size, root_correction;
};

template <class R>
inline void update(R* p, const R* g, R* m, R* v, index n, Constants c) {
  for (index j = 0; j < n; ++j) {
    const double slope = g[j];
    const R first = static_cast<R>(c.beta1 * m[j] + (1 - c.beta1) * slope);
    const R second = static_cast<R>(c.beta2 * v[j] + (1 - c.beta2) * slope * slope);
    const double denominator = std::sqrt(static_cast<double>(second)) / c.root_correction + c.epsilon;
    m[j] = first;
    v[j] = second;
    p[j] = static_cast<R>(p[j] - c.step_size * first / denominator);
  }
}

NTKROB_MULTIVERSION void update_row(float* p, const float* g, float* m, float* v, index n, Constants c) {
  update(p, g, m, v, n, c);
}
NTKROB_MULTIVERSION void update_row(double* p, const double* g, double* m, double* v, index n, Constants c) {
  update(p, g, m, v, n, c);
}

}  // namespace

template <class R>
void Adam<R>::step(View2D<R> p, ConstView2D<R> g, double lr) {
  NTKROB_CHECK_SHAPE(g, p.rows, p.cols);
  begin_step(p.rows, p.cols, lr);
  step_rows(0, p, g);
}

template <class R>
void Adam<R>::begin_step(index rows, index cols, double lr) {
  if (m_.empty()) {
    Matrix<R> m(rows, cols), v(rows, cols);
    m_ = std::move(m);
    v_ = std::move(v);
  }
  NTKROB_CHECK(rows == m_.rows() && cols == m_.cols(), ShapeError, "Adam: parameters are ", rows, " x ", cols,
               ", were ", m_.rows(), " x ", m_.cols(), " in the step before");
  ++t_;
  step_size_ = lr / (1 - std::pow(options_.beta1, static_cast<double>(t_)));
  root_correction_ = std::sqrt(1 - std::pow(options_.beta2, static_cast<double>(t_)));
}

template <class R>
void Adam<R>::step_rows(index first, View2D<R> p, ConstView2D<R> g) {
  NTKROB_CHECK_SHAPE(p, p.rows, m_.cols());
  NTKROB_CHECK_SHAPE(g, p.rows, p.cols);
  NTKROB_CHECK(first >= 0 && first + p.rows <= m_.rows(), ShapeError, "Adam: rows [", first, ", ", first + p.rows,
               ") are not among the ", m_.rows(), " rows of begin_step");
  for (index i = 0; i < p.rows; ++i)
    update_row(p.row(i), g.row(i), m_.row(first + i), v_.row(first + i), p.cols,
               {options_.beta1, options_.beta2, options_.epsilon, step_size_, root_correction_});
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
