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
  if (m_.empty()) {
    m_ = Matrix<R>(p.rows, p.cols);
    v_ = Matrix<R>(p.rows, p.cols);
  }
  NTKROB_CHECK_SHAPE(p, m_.rows(), m_.cols());
  ++t_;
  const double step_size = lr / (1 - std::pow(options_.beta1, static_cast<double>(t_)));
  const double root_correction = std::sqrt(1 - std::pow(options_.beta2, static_cast<double>(t_)));
  for (index i = 0; i < p.rows; ++i)
    update_row(p.row(i), g.row(i), m_.row(i), v_.row(i), p.cols,
               {options_.beta1, options_.beta2, options_.epsilon, step_size, root_correction});
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
