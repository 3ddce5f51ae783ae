#include "ntkrob/kernel/stream.hpp"

#include <algorithm>
#include <tuple>

#include "kernel/tiles.hpp"

namespace ntkrob {
namespace {

constexpr index kMirrorColumns = 64;  // columns transposed together
constexpr index kLargestStrip = 8192;

/// Rows of a strip over m columns, in whole register blocks where it has several.
template <class R>
index strip_rows(std::size_t budget, index m, std::size_t n_outputs) {
  const std::size_t row = (static_cast<std::size_t>(m) * n_outputs + kMirrorColumns) * sizeof(R);
  NTKROB_CHECK(row <= budget, ResourceError, "memory budget of ", limit(2 * budget), " bytes is too small: one row of ",
               m, " kernel values needs ", given(2 * row), " bytes; ", advice("raise ", field("memory")));
  const auto rows = static_cast<index>(std::min<std::size_t>(budget / row, kLargestStrip));
  return rows >= 2 * kPanelStep ? rows / kPanelStep * kPanelStep : rows;
}

/// Computes one block of every output.
template <class R>
void compute(const Kernel& kernel, ConstView2D<R> x, ConstView2D<R> y, Pairing pairing, const View2D<R>* out,
             std::size_t n_outputs) {
  if (x.rows == 0 || y.rows == 0) return;
  if (n_outputs == 2)
    kernel.matrices(x, y, pairing, out[0], out[1]);
  else
    kernel.matrix(x, y, pairing, out[0]);
}

template <class R>
void hand_over_mirrored(Output output, index row, index col, ConstView2D<R> block, Matrix<R>& scratch,
                        const MatrixSink<R>& sink) {
  for (index j = 0; j < block.cols; j += kMirrorColumns) {
    const ConstView2D<R> part = block.middle_cols(j, std::min(kMirrorColumns, block.cols - j));
    const View2D<R> turned = kernel::fit(scratch, part.cols, part.rows);
    for (index b = 0; b < part.cols; ++b)
      for (index a = 0; a < part.rows; ++a) turned(b, a) = part(a, b);
    sink(output, col + j, row, turned);
  }
}

}  // namespace

template <class R>
void hand_over_strip(Pairing pairing, const std::vector<Output>& outputs, index row,
                     const std::vector<ConstView2D<R>>& strips, const MatrixSink<R>& sink) {
  Matrix<R> scratch;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const ConstView2D<R>& strip = strips[k];
    const index on_diagonal = pairing == Pairing::same ? strip.rows : 0;
    sink(outputs[k], row, pairing == Pairing::same ? row : 0, strip);
    if (pairing == Pairing::same)
      hand_over_mirrored<R>(outputs[k], row, row + on_diagonal,
                            strip.middle_cols(on_diagonal, strip.cols - on_diagonal), scratch, sink);
  }
}

template <class R>
void stream_matrix(const Kernel& whole, ConstView2D<R> x, ConstView2D<R> y, Pairing pairing,
                   const std::vector<Output>& outputs, const MatrixSink<R>& sink, const MatrixStrips<R>& wanted) {
  const bool half = pairing == Pairing::same;
  NTKROB_CHECK(outputs.size() == 1 || (outputs.size() == 2 && outputs[0] == Output::ntk && outputs[1] == Output::nngp),
               ConfigError, "a kernel has the outputs {ntk}, {nngp} or {ntk, nngp}");
  NTKROB_CHECK(!half || x.rows == y.rows, ShapeError, "Pairing::same with ", x.rows, " and ", y.rows, " samples");
  const std::size_t budget = kernel::Call<R>::budget(whole) / 2;
  KernelOptions options = whole.options();
  options.output = outputs[0];
  options.memory_budget = std::max<std::size_t>(budget, 1);
  const Kernel kernel(whole.spec(), whole.backend(), options);

  Matrix<R> strips[2];
  std::vector<ConstView2D<R>> finished(outputs.size());
  for (index i = 0; i < x.rows;) {
    index most = x.rows;
    if (wanted.next) std::tie(i, most) = wanted.next(i);
    if (i >= x.rows) break;
    const index first = half ? i : 0, m = y.rows - first;
    const index n = std::min({x.rows - i, std::max<index>(most, 1), strip_rows<R>(budget, m, outputs.size())});
    View2D<R> strip[2], square[2], rest[2];
    const index on_diagonal = half ? n : 0;
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      if (strips[k].size() < n * m) {
        strips[k] = Matrix<R>();  // never both at once
        strips[k] = Matrix<R>(1, n * m);
      }
      strip[k] = View2D<R>(strips[k].data(), n, m);
      square[k] = strip[k].middle_cols(0, on_diagonal);
      rest[k] = strip[k].middle_cols(on_diagonal, m - on_diagonal);
    }
    const ConstView2D<R> rows = x.middle_rows(i, n);
    try {
      if (half) compute(kernel, rows, rows, Pairing::same, square, outputs.size());
      compute(kernel, rows, y.middle_rows(first + on_diagonal, m - on_diagonal), Pairing::cross, rest, outputs.size());
    } catch (const ResourceError& error) {
      throw ResourceError(error.marked() +
                          " (one half of the memory limit is for rows of the result: give twice that)");
    }
    std::copy_n(strip, outputs.size(), finished.begin());
    if (wanted.keep) wanted.keep(i, finished);
    hand_over_strip(pairing, outputs, i, finished, sink);
    i += n;
  }
}

template void hand_over_strip(Pairing, const std::vector<Output>&, index, const std::vector<ConstView2D<float>>&,
                              const MatrixSink<float>&);
template void hand_over_strip(Pairing, const std::vector<Output>&, index, const std::vector<ConstView2D<double>>&,
                              const MatrixSink<double>&);
template void stream_matrix(const Kernel&, ConstView2D<float>, ConstView2D<float>, Pairing, const std::vector<Output>&,
                            const MatrixSink<float>&, const MatrixStrips<float>&);
template void stream_matrix(const Kernel&, ConstView2D<double>, ConstView2D<double>, Pairing,
                            const std::vector<Output>&, const MatrixSink<double>&, const MatrixStrips<double>&);

}  // namespace ntkrob
