#include "ntkrob/backend/points.hpp"

namespace ntkrob {

Points::Points(Backend& backend, ConstView2D<float> x)
    : backend_(backend),
      x_(backend.arrays(), x.rows, x.cols),
      z_(backend.arrays(), x.rows, x.cols),
      zeros_(backend.arrays(), x.rows, 1) {
  NTKROB_CHECK(backend.steps() != nullptr, NotSupported, "backend ", backend.info().name,
               " has no steps of attacks; keep points in host memory");
  Arrays& arrays = backend.arrays();
  arrays.copy(x, x_.view());
  arrays.fill(zeros_.view(), 0.0);
  start_at_centres();
}

View2D<float> Points::gradient() { return fit(backend_.arrays(), gradient_, z_.rows(), z_.cols()); }

void Points::start_at_centres() { backend_.arrays().copy(std::as_const(x_).view(), z_.view()); }

void Points::start_at_random(const Ball& ball, const std::vector<RandomStream>& streams) {
  NTKROB_CHECK(static_cast<index>(streams.size()) == z_.rows(), ShapeError, streams.size(), " random streams for ",
               z_.rows(), " points");
  backend_.steps()->random_start(ball, std::as_const(x_).view(), streams.data(), z_.view());
}

void Points::ascend(const Ball& ball, float step) {
  NTKROB_CHECK_SHAPE(std::as_const(gradient_).view(), z_.rows(), z_.cols());
  backend_.steps()->ascend(ball, step, std::as_const(x_).view(), std::as_const(gradient_).view(), z_.view(),
                           zeros_.view());
}

std::vector<index> Points::zero_gradients() const {
  Matrix<double> counts(zeros_.rows(), 1);
  backend_.arrays().copy(zeros_.view(), counts.view());
  return std::vector<index>(counts.data(), counts.data() + counts.size());
}

void Points::keep(const std::vector<index>& rows) {
  if (rows.empty()) return;
  const View2D<float> kept = fit(backend_.arrays(), kept_, z_.rows(), z_.cols());
  backend_.steps()->copy_rows(rows.data(), static_cast<index>(rows.size()), std::as_const(z_).view(), kept);
}

void Points::read(View2D<float> z) const { backend_.arrays().copy(z_.view(), z); }

void Points::read_kept(View2D<float> z) const {
  if (kept_.rows() > 0) backend_.arrays().copy(kept_.view(), z);
}

}  // namespace ntkrob
