/// The largest eigenvalues of a Gram matrix, with error bounds; of a large one without forming it.
///
/// They say how fast gradient descent learns, and which step size it stands (krr/gradient_flow.hpp). Small matrices are
/// formed and solved whole. For large ones a block Krylov space is built by products with the matrix alone (block
/// Lanczos with thick restarts, written as Rayleigh-Ritz on the span of all residuals: Golub & Underwood 1977; Wu &
/// Simon, SIAM J. Matrix Anal. 22, 2000). Every vector of the basis is orthogonalised against all others.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "ntkrob/kernel/kernel.hpp"

namespace ntkrob {

struct EigenOptions {
  index count = 10;         // how many, the largest ones
  double tolerance = 1e-6;  // of an error bound, relative to the largest eigenvalue
  index dense_rows = 1000;  // matrices up to this size are formed and solved whole
  index max_products = 50;  // products with a block of vectors, at most
  std::uint64_t seed = 0;   // of the first block

  /// throws: ConfigError naming the field
  void validate() const;
};

/// What was found. values[k] is within bounds[k] of an eigenvalue: bounds[k] = |K v - values[k] v| for the unit vector
/// v (Weyl), of the matrix as it is computed in the precision of the inputs. From products, values[k] is also a lower
/// bound of the k-th eigenvalue (Cauchy). Without formed matrix, nothing excludes an eigenvalue whose vectors are
/// orthogonal to the random first block; that has probability 0.
struct TopEigenvalues {
  std::vector<double> values;  // descending
  std::vector<double> bounds;
  index products = 0;     // with a block of vectors; 0: the matrix was formed
  bool converged = true;  // every bound is within the tolerance
};

/// out = A v for a symmetric A.   v, out: n x r
using SymmetricOperator = std::function<void(ConstView2D<double> v, View2D<double> out)>;

/// Of a symmetric n x n matrix given by its products. count is cut to n.
///   memory: 2 n (4 count + 24) numbers
///   throws: NonFinite; NotSupported (a backend without eigenvalue solver)
TopEigenvalues top_eigenvalues(index n, const SymmetricOperator& apply, Backend& backend, const EigenOptions& options);

/// Of K(x,x).   x: n x D. Float32 inputs bound the accuracy at some 1e-7 of the largest eigenvalue.
///   cost: one Kernel::apply per product, memory within the kernel's budget beside the basis
template <class R>
TopEigenvalues top_eigenvalues(const Kernel& kernel, ConstView2D<R> x, const EigenOptions& options = {});

}  // namespace ntkrob
