/// Eigenvalues of symmetric matrices.
#include <cmath>
#include <limits>
#include <vector>

#include "backend_cpu/linalg.hpp"

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Eigenvalues>

#ifdef NTKROB_HAS_LAPACK
extern "C" {
// OpenBLAS only; other libraries leave them null.
__attribute__((weak)) void openblas_set_num_threads(int);
__attribute__((weak)) char* openblas_get_config(void);
void dsyevd_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w, double* work,
             const int* lwork, int* iwork, const int* liwork, int* info);
}
#endif

namespace ntkrob {
namespace {

#ifdef NTKROB_HAS_LAPACK
/// Column-major eigenvectors in columns are row-major ones in rows. False: it did not converge.
bool divide_and_conquer(View2D<double> a, double* values) {
  const int n = static_cast<int>(a.rows), lda = static_cast<int>(a.stride);
  const int n_whole = 3 + 5 * n, n_work = 1 + 6 * n + 2 * n * n;
  std::vector<double> work(static_cast<std::size_t>(n_work));
  std::vector<int> whole(static_cast<std::size_t>(n_whole));
  int info = 0;
  dsyevd_("V", "L", &n, a.data, &lda, values, work.data(), &n_work, whole.data(), &n_whole, &info);
  return info == 0;
}
#endif

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
#ifdef NTKROB_HAS_LAPACK
  // Beyond this size the length of the scratch array does not fit LAPACK's integers.
  constexpr index kLargest = 32760;
  const bool good = a.rows <= kLargest ? divide_and_conquer(a, values) : implicit_qr(a, values);
#else
  const bool good = implicit_qr(a, values);
#endif
  NTKROB_CHECK(good, NumericalError, "the eigenvalues of a ", a.rows, " x ", a.rows, " matrix did not converge");
}

std::string eigen_description() {
#ifdef NTKROB_HAS_LAPACK
  if (openblas_get_config != nullptr) {
    const std::string config = openblas_get_config();
    return config.substr(0, config.find(' ', config.find(' ') + 1));
  }
  return "system LAPACK";
#else
  return "Eigen " + std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
         std::to_string(EIGEN_MINOR_VERSION);
#endif
}

void make_blas_serial() {
#ifdef NTKROB_HAS_LAPACK
  if (openblas_set_num_threads != nullptr) openblas_set_num_threads(1);
#endif
}

}  // namespace ntkrob
