/// gram_apply: the symmetric operator of an iterative solve. Bands of columns in order; in a band, chunks of strips of
/// rows; a tile serves its rows and, transposed, its columns. The partition depends on n alone, so the bits do not
/// depend on the number of workers.
#include "kernel/images.hpp"
#include "kernel/tiles.hpp"

namespace ntkrob {
namespace kernel {
namespace {

constexpr index kBand = 512;   // columns; a tile in R and in float64 stays in the second-level cache
constexpr index kStrip = 84;   // rows of a tile: whole register blocks
constexpr index kChunks = 64;  // tasks of a band, each with sums of its own for the columns of the band

index parts(index n, index size) { return (n + size - 1) / size; }

/// The values of a tile and its copy in float64, of one worker.
template <class R>
struct TileScratch {
  Matrix<R> value;
  Matrix<double> wide;
};

template <class R>
class GramOperator {
 public:
  GramOperator(const Kernel& kernel, const PreparedSet<R>& x)
      : kernel_(kernel), backend_(kernel.backend()), x_(x), workers_(static_cast<std::size_t>(workers())) {}

  /// Makes the layout of the band's samples where the set has none.
  void begin_band(index begin, index size) {
    begin_ = begin;
    if (kernel_.program() == nullptr || x_.images.n > 0) return;
    backend_.image_table(*kernel_.program(), x_.samples.middle_rows(begin, size), table_);
  }

  /// Values of rows [i, i + n) and columns [j, j + m) as float64. Pairs left of the diagonal are 0.
  View2D<double> tile(index i, index n, index j, index m, int worker) {
    TileScratch<R>& own = workers_[static_cast<std::size_t>(worker)];
    const View2D<R> value = fit(own.value, n, m);
    if (kernel_.program() != nullptr)
      image_values(i, j, value);
    else
      pair_values(i, j, value);
    const View2D<double> wide = fit(own.wide, n, m);
    convert(ConstView2D<R>(value), wide);
    for (index a = 0; a < n; ++a) std::fill_n(wide.row(a), std::clamp<index>(i + a - j, 0, m), 0.0);
    return wide;
  }

  int workers() const { return backend_.info().workers; }
  Backend& backend() const { return backend_; }

 private:
  void pair_values(index i, index j, View2D<R> value) const {
    PairTile<R> tile;
    tile.chain = &kernel_.spec().layers();
    tile.output = kernel_.options().output;
    tile.x = x_.samples.middle_rows(i, value.rows);
    tile.y = x_.samples.middle_rows(j, value.cols);
    tile.x_table = tile.y_table = &x_.table;
    tile.x_begin = i;
    tile.y_begin = j;
    tile.same = true;
    tile.panels = &x_.transposed;
    tile.panel_begin = j;
    tile.value = value;
    backend_.pair_tile(tile);
  }

  void image_values(index i, index j, View2D<R> value) const {
    const bool whole = x_.images.n > 0;
    ImageTile<R> tile;
    tile.program = kernel_.program();
    tile.output = kernel_.options().output;
    tile.x = x_.samples.middle_rows(i, value.rows);
    tile.y = x_.samples.middle_rows(j, value.cols);
    tile.table = whole ? &x_.images : &table_;
    tile.table_begin = whole ? j : j - begin_;
    tile.value = value;
    backend_.image_tile(tile);
  }

  const Kernel& kernel_;
  Backend& backend_;
  const PreparedSet<R>& x_;
  std::vector<TileScratch<R>> workers_;
  ImageTable<R> table_;
  index begin_ = 0;
};

/// Strips [first, last) of rows against the band [begin, begin + size): to their own rows of out, and transposed to
/// `columns` (size x r).
template <class R>
void run_strips(GramOperator<R>& op, ConstView2D<double> v, ConstView2D<double> vt, index begin, index size,
                index first, index last, int worker, View2D<double> out, View2D<double> columns) {
  const index end = begin + size;
  for (index strip = first; strip < last; ++strip) {
    const index i = strip * kStrip, n = std::min(kStrip, end - i);
    const index j = std::max(begin, i / kPanelStep * kPanelStep), m = end - j;
    const View2D<double> tile = op.tile(i, n, j, m, worker);
    op.backend().add_thin(ConstView2D<double>(tile), vt.middle_cols(j, m), out.middle_rows(i, n));
    for (index a = std::max<index>(0, j - i); a < n; ++a) tile(a, i + a - j) = 0;  // the diagonal has been counted
    op.backend().gemm(Transpose::yes, Transpose::no, 1.0, ConstView2D<double>(tile), v.middle_rows(i, n), 1.0,
                      columns.middle_rows(j - begin, m));
  }
}

}  // namespace
}  // namespace kernel

template <class R>
std::size_t Kernel::gram_apply_bytes(index n, index r) const {
  const auto count = [](index value) { return static_cast<std::size_t>(value); };
  const auto workers = static_cast<std::size_t>(backend_->info().workers);
  std::size_t own = count(kernel::kStrip * kernel::kBand) * (sizeof(R) + sizeof(double));
  std::size_t shared = (count(kernel::kChunks * kernel::kBand) + count(n)) * count(r) * sizeof(double);
  if (program_ != nullptr) {
    own += backend_->image_bytes(*program_, sizeof(R), false) +
           count(kernel::kStrip) * backend_->image_row_bytes(*program_, sizeof(R), false);
    shared += backend_->image_table_bytes(*program_, kernel::kBand, sizeof(R));
  }
  return shared + workers * own;
}
template std::size_t Kernel::gram_apply_bytes<float>(index, index) const;
template std::size_t Kernel::gram_apply_bytes<double>(index, index) const;

template <class R>
void Kernel::gram_apply(const PreparedSet<R>& x, ConstView2D<double> v, View2D<double> out,
                        const std::function<void(index done, index total)>& progress) const {
  using namespace kernel;
  const index n = x.samples.rows, r = v.cols;
  NTKROB_CHECK(n > 0, ShapeError, "a Gram matrix needs at least one sample");
  NTKROB_CHECK_SHAPE(v, n, r);
  NTKROB_CHECK_SHAPE(out, n, r);
  check_full(x);
  const std::size_t bytes = gram_apply_bytes<R>(n, r), budget = Call<R>::budget(*this);
  NTKROB_CHECK(bytes <= budget, ResourceError, "memory budget of ", budget, " bytes is too small: a product with the ",
               n, " x ", n, " Gram matrix by tiles needs ", bytes, " bytes; raise --memory or lower --threads");

  GramOperator<R> op(*this, x);
  Matrix<double> transposed_v, columns(kChunks * kBand, r);
  const ConstView2D<double> vt = transposed(v, transposed_v);
  for (index i = 0; i < n; ++i) std::fill_n(out.row(i), r, 0.0);
  for (index begin = 0; begin < n; begin += kBand) {
    const index size = std::min(kBand, n - begin), strips = parts(begin + size, kStrip);
    const index chunk = parts(strips, kChunks), tasks = parts(strips, chunk);
    if (progress) progress(begin / kBand, parts(n, kBand));
    op.begin_band(begin, size);
    backend_->for_each(tasks, [&](index task, int worker) {
      const View2D<double> own = columns.view().middle_rows(task * kBand, size);
      std::fill_n(own.data, size * r, 0.0);
      run_strips(op, v, vt, begin, size, task * chunk, std::min(strips, (task + 1) * chunk), worker, out, own);
    });
    for (index task = 0; task < tasks; ++task)
      for (index j = 0; j < size; ++j)
        for (index c = 0; c < r; ++c) out(begin + j, c) += columns(task * kBand + j, c);
  }
  for (index i = 0; i < n; ++i)
    NTKROB_CHECK(all_finite(out.row(i), r), NonFinite, "row ", i,
                 " of a product with the Gram matrix is not finite; the inputs are too large for this precision");
}
template void Kernel::gram_apply(const PreparedSet<float>&, ConstView2D<double>, View2D<double>,
                                 const std::function<void(index, index)>&) const;
template void Kernel::gram_apply(const PreparedSet<double>&, ConstView2D<double>, View2D<double>,
                                 const std::function<void(index, index)>&) const;

}  // namespace ntkrob
