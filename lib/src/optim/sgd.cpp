#include "ntkrob/optim/optimizer.hpp"

namespace ntkrob {

template <class R>
void Sgd<R>::step(View2D<R> p, ConstView2D<R> g, double lr) {
  NTKROB_CHECK_SHAPE(g, p.rows, p.cols);
  if (velocity_.empty()) velocity_ = Matrix<R>(p.rows, p.cols);
  NTKROB_CHECK_SHAPE(p, velocity_.rows(), velocity_.cols());
  for (index i = 0; i < p.rows; ++i)
    for (index j = 0; j < p.cols; ++j) {
      const double v = options_.momentum * velocity_(i, j) + (g(i, j) + options_.weight_decay * p(i, j));
      velocity_(i, j) = static_cast<R>(v);
      p(i, j) = static_cast<R>(p(i, j) - lr * velocity_(i, j));
    }
}

template <class R>
void Sgd<R>::save(StateDict& state, const std::string& prefix) const {
  state.set_matrix(prefix + "/velocity", velocity_.view());
}

template <class R>
void Sgd<R>::restore(const StateDict& state, const std::string& prefix, index rows, index cols) {
  // Before the first step there is no velocity yet: it was stored as an empty matrix.
  if (state.get<NdArray<R>>(prefix + "/velocity").values.empty()) {
    velocity_ = Matrix<R>();
    return;
  }
  Matrix<R> velocity(rows, cols);
  state.get_matrix(prefix + "/velocity", velocity.view());
  velocity_ = std::move(velocity);
}

template class Sgd<float>;
template class Sgd<double>;

}  // namespace ntkrob
