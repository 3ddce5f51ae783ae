/// gram_apply: the symmetric operator of an iterative solve. Bands of columns in order; in a band, chunks of strips of
/// rows; a tile serves its rows and, transposed, its columns. The partition depends on n alone, so the bits do not
/// depend on the number of workers.
#include "kernel/images.hpp"
#include "kernel/tiles.hpp"

namespace ntkrob {
namespace kernel {
namespace {

constexpr index kChunks = 64;  // tasks of a band, each with sums of its own for the columns of the band

/// Columns of a band and rows of a tile. On a processor a tile in R and in float64 stays in the second-level cache.
struct Cut {
  explicit Cut(const Kernel& kernel) {
    const TileSizes tiles = kernel.backend().info().tiles;
    band = tiles.pull_columns;
    strip = tiles.rows;
  }
  index band, strip;
};

index parts(index n, index size) { return (n + size - 1) / size; }

/// The values of a tile and its copy in float64, of one worker.
template <class R>
struct TileScratch {
  Array<R> value;
  Array<double> wide;
};

template <class R>
class GramOperator {
 public:
  GramOperator(const Kernel& kernel, const PreparedSet<R>& x)
      : kernel_(kernel),
        backend_(kernel.backend()),
        arrays_(kernel.program() != nullptr ? host_arrays() : backend_.arrays()),
        x_(x),
        samples_(x.near()),
        workers_(static_cast<std::size_t>(workers())) {}

  /// Makes the layout of the band's samples where the set has none.
  void begin_band(index begin, index size) {
    begin_ = begin;
    if (kernel_.program() == nullptr || x_.images.n > 0) return;
    backend_.image_table(*kernel_.program(), x_.samples.middle_rows(begin, size), table_);
  }

  /// Values of rows [i, i + n) and columns [j, j + m) as float64. Pairs left of the diagonal are 0.
  View2D<double> tile(index i, index n, index j, index m, int worker) {
    TileScratch<R>& own = workers_[static_cast<std::size_t>(worker)];
    const View2D<R> value = fit(arrays_, own.value, n, m);
    if (kernel_.program() != nullptr)
      image_values(i, j, value);
    else
      pair_values(i, j, value);
    const View2D<double> wide = fit(arrays_, own.wide, n, m);
    arrays_.copy(ConstView2D<R>(value), wide);
    arrays_.clear_left(i - j, wide);
    return wide;
  }

  int workers() const { return backend_.info().workers; }
  Backend& backend() const { return backend_; }
  /// Where tiles lie.
  Arrays& arrays() const { return arrays_; }

 private:
  void pair_values(index i, index j, View2D<R> value) const {
    PairTile<R> tile;
    tile.chain = &kernel_.spec().layers();
    tile.output = kernel_.options().output;
    tile.x = samples_.middle_rows(i, value.rows);
    tile.y = samples_.middle_rows(j, value.cols);
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
  Arrays& arrays_;
  const PreparedSet<R>& x_;
  ConstView2D<R> samples_;  // in the memory of the backend
  std::vector<TileScratch<R>> workers_;
  ImageTable<R> table_;
  index begin_ = 0;
};

/// Strips [first, last) of rows against the band [begin, begin + size): to their own rows of out, and transposed to
/// `columns` (size x r).
template <class R>
void run_strips(GramOperator<R>& op, const Cut& cut, ConstView2D<double> v, ConstView2D<double> vt, index begin,
                index size, index first, index last, int worker, View2D<double> out, View2D<double> columns) {
  const index end = begin + size;
  for (index strip = first; strip < last; ++strip) {
    const index i = strip * cut.strip, n = std::min(cut.strip, end - i);
    const index j = std::max(begin, i / kPanelStep * kPanelStep), m = end - j;
    const View2D<double> tile = op.tile(i, n, j, m, worker);
    op.backend().add_thin(ConstView2D<double>(tile), vt.middle_cols(j, m), out.middle_rows(i, n));
    op.arrays().clear_left(i - j + 1, tile);  // the diagonal has been counted
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
  const kernel::Cut cut(*this);
  const bool apart = program_ == nullptr && !backend_->arrays().on_host();  // then v and out have copies
  std::size_t own = count(cut.strip * cut.band) * (sizeof(R) + sizeof(double));
  std::size_t shared = (count(kernel::kChunks * cut.band) + count(apart ? 3 * n : n)) * count(r) * sizeof(double);
  if (program_ != nullptr) {
    own += backend_->image_bytes(*program_, sizeof(R), false) +
           count(cut.strip) * backend_->image_row_bytes(*program_, sizeof(R), false);
    shared += backend_->image_table_bytes(*program_, cut.band, sizeof(R));
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
  NTKROB_CHECK(bytes <= budget, ResourceError, "memory budget of ", limit(budget),
               " bytes is too small: a product with the ", n, " x ", n, " Gram matrix by tiles needs ", given(bytes),
               " bytes; ", advice("raise ", field("memory"), " or lower ", field("threads")));

  GramOperator<R> op(*this, x);
  const Cut cut(*this);
  Arrays& arrays = op.arrays();
  Array<double> near_v, near_out, transposed_v, columns(arrays, kChunks * cut.band, r);
  const ConstView2D<double> here = nearby(arrays, v, near_v), vt = transposed(arrays, here, transposed_v);
  Near<double> result(arrays, out, near_out);
  const View2D<double> sums = result.view();
  arrays.fill(sums, 0.0);
  for (index begin = 0; begin < n; begin += cut.band) {
    const index size = std::min(cut.band, n - begin), strips = parts(begin + size, cut.strip);
    const index chunk = parts(strips, kChunks), tasks = parts(strips, chunk);
    if (progress) progress(begin / cut.band, parts(n, cut.band));
    op.begin_band(begin, size);
    backend_->for_each(tasks, [&](index task, int worker) {
      const View2D<double> own = columns.view().middle_rows(task * cut.band, size);
      arrays.fill(own, 0.0);
      run_strips(op, cut, here, vt, begin, size, task * chunk, std::min(strips, (task + 1) * chunk), worker, sums, own);
    });
    for (index task = 0; task < tasks; ++task)
      arrays.add(ConstView2D<double>(columns.view().middle_rows(task * cut.band, size)), sums.middle_rows(begin, size));
  }
  const index bad = arrays.first_not_finite(ConstView2D<double>(sums));
  NTKROB_CHECK(bad < 0, NonFinite, "row ", bad,
               " of a product with the Gram matrix is not finite; the inputs are too large for this precision");
  result.commit();
}
template void Kernel::gram_apply(const PreparedSet<float>&, ConstView2D<double>, View2D<double>,
                                 const std::function<void(index, index)>&) const;
template void Kernel::gram_apply(const PreparedSet<double>&, ConstView2D<double>, View2D<double>,
                                 const std::function<void(index, index)>&) const;

}  // namespace ntkrob
