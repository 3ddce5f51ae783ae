/// Randomly pivoted Cholesky, and the preconditioner made of it. Private to krr.
#pragma once

#include <functional>
#include <vector>

#include "ntkrob/base/random.hpp"
#include "ntkrob/kernel/kernel.hpp"

namespace ntkrob::krr {

/// K ~ F F^T, and the rest K - F F^T is positive semi-definite with the trace `left`.
struct PivotedFactor {
  Matrix<double> columns;  // n x capacity
  index rank = 0;          // columns in use
  double left = 0;
  std::vector<index> pivots;  // rank samples: F F^T has their rows of K
  ConstView2D<double> view() const { return columns.view().middle_cols(0, rank); }
};

/// Pivots are drawn with probability proportional to the diagonal that is left (Chen, Epperly, Tropp, Webber, arXiv
/// 2207.06503), in blocks of kPivotBlock with rejection, which gives the same distribution (Epperly, Tropp, Webber,
/// arXiv 2410.03969). Diagonals at rounding level count as 0, so duplicates are no harm and the rank may end below the
/// capacity.   x: n x D   diagonal: n, k(x,x)   cost: n rank (D + 2 rank)
template <class R>
PivotedFactor pivoted_cholesky(const Kernel& kernel, ConstView2D<R> x, const std::vector<double>& diagonal,
                               index capacity, const Rng& rng, const std::function<void(index done)>& progress);
constexpr index kPivotBlock = 128;

/// Bytes of a factor and its preconditioner while they are made.
std::size_t preconditioner_bytes(index n, index rank, std::size_t bytes_per_number);

/// (F F^T + mu I)^-1 = (I - F (F^T F + mu I)^-1 F^T) / mu, the Woodbury identity.
class Preconditioner {
 public:
  /// factor must outlive it.   cost: n rank^2
  Preconditioner(Backend& backend, const PivotedFactor& factor, double mu);
  /// z = (F F^T + mu I)^-1 r.   r, z: n x q (z overwritten; not r)
  void apply(ConstView2D<double> r, View2D<double> z) const;

 private:
  Backend& backend_;
  ConstView2D<double> f_;
  Matrix<double> inner_;  // rank x rank, Cholesky factor of F^T F + mu I
  double mu_;
};

}  // namespace ntkrob::krr
