#include "krr/pivoted_cholesky.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ntkrob::krr {
namespace {

/// Diagonals that are left below this part of the original one are rounding errors.
template <class R>
constexpr double kFloor = sizeof(R) == 4 ? 1e-5 : 1e-12;

/// `count` samples drawn with probability proportional to their weight, with repetitions.
std::vector<index> draw(const std::vector<double>& weight, index count, const Rng& rng) {
  std::vector<double> sums(weight.size());
  std::partial_sum(weight.begin(), weight.end(), sums.begin());
  std::vector<index> picks;
  for (index k = 0; k < count; ++k) {
    const double at = rng.uniform(static_cast<std::uint64_t>(k)) * sums.back();
    auto found = std::upper_bound(sums.begin(), sums.end(), at);
    if (found == sums.end()) found = std::lower_bound(sums.begin(), sums.end(), sums.back());
    picks.push_back(found - sums.begin());
  }
  return picks;
}

/// Goes through candidates in order and accepts each with probability (what is left of its diagonal) / (its weight when
/// it was drawn); the accepted are eliminated from h, the block of the rest (b x b, destroyed).
///   returns: positions of the accepted; `used_up` gets those at rounding level
std::vector<index> accept(Matrix<double>& h, const std::vector<double>& weight, const std::vector<double>& floor,
                          index limit, const Rng& rng, std::vector<index>& used_up) {
  const index b = h.rows();
  std::vector<index> accepted;
  for (index k = 0; k < b && static_cast<index>(accepted.size()) < limit; ++k) {
    const auto s = static_cast<std::size_t>(k);
    const double left = h(k, k);
    if (!(left > floor[s])) {
      used_up.push_back(k);
      continue;
    }
    if (rng.uniform(static_cast<std::uint64_t>(k)) * weight[s] >= left) continue;
    accepted.push_back(k);
    const double inverse = 1 / left;
    std::vector<double> row(h.row(k), h.row(k) + b);
    for (index i = k; i < b; ++i)
      for (index j = k; j < b; ++j)
        h(i, j) -= row[static_cast<std::size_t>(i)] * row[static_cast<std::size_t>(j)] * inverse;
  }
  return accepted;
}

/// L^-1 of the lower Cholesky factor L of a (overwritten by L). Small.
Matrix<double> inverse_of_factor(Matrix<double>& a) {
  const index k = a.rows();
  for (index j = 0; j < k; ++j) {
    for (index i = j; i < k; ++i) {
      double sum = a(i, j);
      for (index l = 0; l < j; ++l) sum -= a(i, l) * a(j, l);
      a(i, j) = i == j ? std::sqrt(sum) : sum / a(j, j);
    }
    NTKROB_CHECK(std::isfinite(a(j, j)) && a(j, j) > 0, NotPositiveDefinite,
                 "a block of the kernel matrix is not positive definite: pivot ", j, " of ", k, "; ",
                 advice("use ", field("precision", "float64")));
  }
  Matrix<double> inverse(k, k);
  for (index j = 0; j < k; ++j)
    for (index i = j; i < k; ++i) {
      double sum = i == j ? 1 : 0;
      for (index l = j; l < i; ++l) sum -= a(i, l) * inverse(l, j);
      inverse(i, j) = sum / a(i, i);
    }
  return inverse;
}

}  // namespace

template <class R>
PivotedFactor pivoted_cholesky(const Kernel& kernel, ConstView2D<R> x, const std::vector<double>& diagonal,
                               index capacity, const Rng& rng, const std::function<void(index done)>& progress) {
  const index n = x.rows;
  Backend& backend = kernel.backend();
  PivotedFactor f;
  f.columns = Matrix<double>(n, capacity);
  std::vector<double> rest = diagonal;
  const auto weight = [&](index i) -> double& { return rest[static_cast<std::size_t>(i)]; };
  for (std::uint64_t round = 0; f.rank < capacity; ++round) {
    if (progress) progress(f.rank);
    for (index i = 0; i < n; ++i)
      if (!(weight(i) > kFloor<R> * diagonal[static_cast<std::size_t>(i)])) weight(i) = 0;
    if (*std::max_element(rest.begin(), rest.end()) <= 0) break;

    // The candidates' columns of what is left: G = K(:,s) - F F(s,:)^T.
    const Rng stream = rng.fork(round);
    const std::vector<index> picks = draw(rest, std::min(kPivotBlock, n), stream.fork(0));
    const auto b = static_cast<index>(picks.size());
    Matrix<R> samples(b, x.cols), values(n, b);
    Matrix<double> g(n, b), rows(b, f.rank);
    for (index k = 0; k < b; ++k) {
      std::copy_n(x.row(picks[static_cast<std::size_t>(k)]), x.cols, samples.row(k));
      std::copy_n(f.columns.row(picks[static_cast<std::size_t>(k)]), f.rank, rows.row(k));
    }
    kernel.matrix(x, samples.view(), Pairing::cross, values.view());
    convert(ConstView2D<R>(values.view()), g.view());
    if (f.rank > 0) backend.gemm(Transpose::no, Transpose::yes, -1.0, f.view(), rows.view(), 1.0, g.view());

    Matrix<double> block(b, b);
    std::vector<double> drawn, floor;
    for (index k = 0; k < b; ++k) {
      const index i = picks[static_cast<std::size_t>(k)];
      std::copy_n(g.row(i), b, block.row(k));
      drawn.push_back(weight(i));
      floor.push_back(kFloor<R> * diagonal[static_cast<std::size_t>(i)]);
    }
    for (index k = 0; k < b; ++k)
      for (index j = 0; j < k; ++j) block(k, j) = block(j, k) = (block(k, j) + block(j, k)) / 2;
    Matrix<double> left = block;
    std::vector<index> used_up;
    const std::vector<index> accepted = accept(left, drawn, floor, capacity - f.rank, stream.fork(1), used_up);
    for (const index k : used_up) weight(picks[static_cast<std::size_t>(k)]) = 0;
    const auto more = static_cast<index>(accepted.size());
    if (more == 0) continue;

    // New columns: G(:,accepted) L^-T with L L^T the accepted block.
    Matrix<double> own(more, more), chosen(n, more);
    for (index k = 0; k < more; ++k) {
      const index p = accepted[static_cast<std::size_t>(k)];
      for (index j = 0; j < more; ++j) own(k, j) = block(p, accepted[static_cast<std::size_t>(j)]);
      for (index i = 0; i < n; ++i) chosen(i, k) = g(i, p);
      f.pivots.push_back(picks[static_cast<std::size_t>(p)]);
    }
    const Matrix<double> inverse = inverse_of_factor(own);
    const View2D<double> added = f.columns.view().middle_cols(f.rank, more);
    backend.gemm(Transpose::no, Transpose::yes, 1.0, chosen.view(), inverse.view(), 0.0, added);
    for (index i = 0; i < n; ++i)
      for (index k = 0; k < more; ++k) weight(i) -= added(i, k) * added(i, k);
    f.rank += more;
    for (index k = 0; k < more; ++k) weight(f.pivots[static_cast<std::size_t>(f.rank - 1 - k)]) = 0;
  }
  for (const double r : rest) f.left += std::max(r, 0.0);
  return f;
}
template PivotedFactor pivoted_cholesky(const Kernel&, ConstView2D<float>, const std::vector<double>&, index,
                                        const Rng&, const std::function<void(index)>&);
template PivotedFactor pivoted_cholesky(const Kernel&, ConstView2D<double>, const std::vector<double>&, index,
                                        const Rng&, const std::function<void(index)>&);

std::size_t preconditioner_bytes(index n, index rank, std::size_t bytes_per_number) {
  const auto rows = static_cast<std::size_t>(n), columns = static_cast<std::size_t>(rank);
  const auto block = static_cast<std::size_t>(std::min(kPivotBlock, n));
  const std::size_t making = checked_mul(rows, block * (bytes_per_number + 2 * sizeof(double)), "preconditioner");
  const std::size_t factor =
      checked_mul(checked_mul(rows, columns, "preconditioner"), sizeof(double), "preconditioner");
  return factor + columns * columns * sizeof(double) + making;
}

Preconditioner::Preconditioner(Backend& backend, const PivotedFactor& factor, double mu)
    : backend_(backend), f_(factor.view()), inner_(factor.rank, factor.rank), mu_(mu) {
  backend_.gemm(Transpose::yes, Transpose::no, 1.0, f_, f_, 0.0, inner_.view());
  for (index i = 0; i < inner_.rows(); ++i) inner_(i, i) += mu;
  const index pivot = inner_.rows() > 0 ? backend_.factor_spd(inner_.view()) : -1;
  NTKROB_CHECK(pivot < 0, NotPositiveDefinite, "the preconditioner of rank ", inner_.rows(),
               " is not positive definite: pivot ", pivot, " failed with shift ", mu, "; ",
               advice("lower ", field("rank"), " or raise ", field("ridge")));
}

void Preconditioner::apply(ConstView2D<double> r, View2D<double> z) const {
  Matrix<double> inside(f_.cols, r.cols);
  if (f_.cols > 0) {
    backend_.gemm(Transpose::yes, Transpose::no, 1.0, f_, r, 0.0, inside.view());
    backend_.solve_spd(inner_.view(), inside.view());
  }
  convert(r, z);
  if (f_.cols > 0) backend_.gemm(Transpose::no, Transpose::no, -1.0, f_, inside.view(), 1.0, z);
  for (index i = 0; i < z.rows; ++i)
    for (index c = 0; c < z.cols; ++c) z(i, c) /= mu_;
}

}  // namespace ntkrob::krr
