/// Eigenvalues of symmetric matrices.
#include <cmath>
#include <limits>
#include <vector>

#include "backend_cpu/lapack.hpp"
#include "backend_cpu/linalg.hpp"

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Eigenvalues>

namespace ntkrob {
namespace {

/// Column-major eigenvectors in columns are row-major ones in rows. False: it did not converge.
bool divide_and_conquer(const Lapack& lapack, View2D<double> a, double* values) {
  const int n = static_cast<int>(a.rows), lda = static_cast<int>(a.stride);
  const int n_whole = 3 + 5 * n, n_work = 1 + 6 * n + 2 * n * n;
  std::vector<double> work(static_cast<std::size_t>(n_work));
  std::vector<int> whole(static_cast<std::size_t>(n_whole));
  int info = 0;
  lapack.dsyevd("V", "L", &n, a.data, &lda, values, work.data(), &n_work, whole.data(), &n_whole, &info);
  return info == 0;
}

bool implicit_qr(View2D<double> a, double* values) {
  using Map = Eigen::Map<Eigen::MatrixXd, Eigen::Unaligned, Eigen::OuterStride<>>;
  Map m(a.data, a.rows, a.cols, Eigen::OuterStride<>(a.stride));
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(m);
  if (solver.info() != Eigen::Success) return false;
  m = solver.eigenvectors();
  Eigen::Map<Eigen::VectorXd>(values, a.rows) = solver.eigenvalues();
  return true;
}

}  // namespace

void eigen_of_symmetric(View2D<double> a, double* values) {
  NTKROB_CHECK_SHAPE(a, a.rows, a.rows);
  for (index i = 0; i < a.rows; ++i)
    for (index j = 0; j < a.cols; ++j)
      NTKROB_CHECK(std::isfinite(a(i, j)), NonFinite, "entry (", i, ",", j, ") of a symmetric matrix is ", a(i, j));
  if (a.rows == 0) return;
  // Beyond this size the length of the scratch array does not fit LAPACK's integers.
  constexpr index kLargest = 32760;
  const Lapack* lapack = a.rows <= kLargest ? system_lapack() : nullptr;
  const bool good = lapack != nullptr ? divide_and_conquer(*lapack, a, values) : implicit_qr(a, values);
  NTKROB_CHECK(good, NumericalError, "the eigenvalues of a ", a.rows, " x ", a.rows, " matrix did not converge");
}

std::string eigen_description() {
  return (lapack_name().empty() ? "" : lapack_name() + " or ") + "Eigen " + std::to_string(EIGEN_WORLD_VERSION) + "." +
         std::to_string(EIGEN_MAJOR_VERSION) + "." + std::to_string(EIGEN_MINOR_VERSION);
}

}  // namespace ntkrob
