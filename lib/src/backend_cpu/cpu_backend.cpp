/// The threaded backend: products and elementwise work by the SIMD table, one task at a time per worker.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "backend_cpu/images/runner.hpp"
#include "backend_cpu/linalg.hpp"
#include "backend_cpu/simd.hpp"
#include "layers/noise.hpp"
#include "layers/samples.hpp"
#include "ntkrob/backend_cpu/backend_cpu.hpp"
#include "ntkrob/base/memory.hpp"
#include "ntkrob/base/parallel.hpp"

namespace ntkrob {
namespace {

/// Of the environment variable NTKROB_WINOGRAD, for the whole program.
bool wants_winograd() {
  const char* given = std::getenv("NTKROB_WINOGRAD");
  const std::string value = given == nullptr ? "on" : given;
  NTKROB_CHECK(value == "on" || value == "off", ConfigError, "NTKROB_WINOGRAD is \"", value, "\", must be on or off");
  return value == "on";
}

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(int workers) : pool_(workers), winograd_(wants_winograd()) {}

  DeviceInfo info() const override {
    const std::string set = text(simd_table().name, winograd_ ? "" : ", direct convolutions");
    return {"cpu",
            text(pool_.size(), pool_.size() == 1 ? " worker, " : " workers, ", set, ", eigenvalues by ",
                 eigen_description()),
            pool_.size(),
            physical_memory_bytes(),
            0,
            {},
            set,
            eigen_description(),
            winograd_};
  }

  void set_stop(const Stop* stop) override {
    Backend::set_stop(stop);
    pool_.set_stop(stop);
  }

  std::string supports(const Chain& chain) const override {
    return chain.empty() ? "the chain has no layers" : std::string();
  }

  std::string supports_images(const Program&) const override { return {}; }

  void for_each(index n, const std::function<void(index, int)>& task) override { pool_.for_each(n, task); }

  void gemm(Transpose ta, Transpose tb, float alpha, ConstView2D<float> a, ConstView2D<float> b, float beta,
            View2D<float> c) override {
    split_gemm(ta, tb, alpha, a, b, beta, c);
  }
  void gemm(Transpose ta, Transpose tb, double alpha, ConstView2D<double> a, ConstView2D<double> b, double beta,
            View2D<double> c) override {
    split_gemm(ta, tb, alpha, a, b, beta, c);
  }

  void pack(Transpose t, ConstView2D<float> b, Panels<float>& panels) override {
    pack_all(t, b, panels, *simd_table().f32.products);
  }
  void pack(Transpose t, ConstView2D<double> b, Panels<double>& panels) override {
    pack_all(t, b, panels, *simd_table().f64.products);
  }
  std::string supports_bfloat16() const override {
    if (bfloat16_products() != nullptr) return {};
    return text(
        "products of bfloat16 numbers need a processor and a build with AVX512_BF16 (in use: ", simd_table().name, ")");
  }
  void pack_bfloat16(Transpose t, ConstView2D<float> b, Panels<float>& panels) override {
    NTKROB_CHECK(bfloat16_products() != nullptr, NotSupported, "backend cpu: ", supports_bfloat16());
    pack_all(t, b, panels, *bfloat16_products(), Operands::bfloat16);
  }
  void multiply(float alpha, ConstView2D<float> a, const Panels<float>& panels, index begin, float beta,
                View2D<float> c) override {
    multiply_some(alpha, a, panels, begin, beta, c);
  }
  void multiply(double alpha, ConstView2D<double> a, const Panels<double>& panels, index begin, double beta,
                View2D<double> c) override {
    multiply_some(alpha, a, panels, begin, beta, c);
  }
  void add_thin(ConstView2D<float> a, ConstView2D<float> vt, View2D<double> sum) override {
    simd_table().f32.products->thin(a, vt, sum);
  }
  void add_thin(ConstView2D<double> a, ConstView2D<double> vt, View2D<double> sum) override {
    simd_table().f64.products->thin(a, vt, sum);
  }

  index factor_spd(View2D<float> a) override {
    NTKROB_CHECK_SHAPE(a, a.rows, a.rows);
    return blocked_cholesky(a, pool_);
  }
  index factor_spd(View2D<double> a) override {
    NTKROB_CHECK_SHAPE(a, a.rows, a.rows);
    return blocked_cholesky(a, pool_);
  }
  void solve_spd(ConstView2D<float> factor, View2D<float> b) override {
    NTKROB_CHECK_SHAPE(factor, b.rows, b.rows);
    cholesky_solve(factor, b, pool_);
  }
  void solve_spd(ConstView2D<double> factor, View2D<double> b) override {
    NTKROB_CHECK_SHAPE(factor, b.rows, b.rows);
    cholesky_solve(factor, b, pool_);
  }
  void symmetric_eigen(View2D<double> a, double* values) override { eigen_of_symmetric(a, values); }

  void sample_table(const Chain& chain, ConstView2D<float> x, SampleTable<float>& table) override {
    fill_table(chain, x, table, simd_table().f32.sum_of_squares);
  }
  void sample_table(const Chain& chain, ConstView2D<double> x, SampleTable<double>& table) override {
    fill_table(chain, x, table, simd_table().f64.sum_of_squares);
  }
  void pair_tile(const PairTile<float>& tile) override { run_tile(tile, simd_table().f32); }
  void pair_tile(const PairTile<double>& tile) override { run_tile(tile, simd_table().f64); }
  void weigh_tile(ConstView2D<float> u, ConstView2D<float> vt, View2D<float> dq, ConstView2D<float> da,
                  View2D<double> row_sum) override {
    weigh(u, vt, dq, da, row_sum, simd_table().f32);
  }
  void weigh_tile(ConstView2D<double> u, ConstView2D<double> vt, View2D<double> dq, ConstView2D<double> da,
                  View2D<double> row_sum) override {
    weigh(u, vt, dq, da, row_sum, simd_table().f64);
  }

  void image_tile(const ImageTile<float>& tile) override {
    ImageRunner<float>(*tile.program, !tile.cotangent.empty()).run(tile, *simd_table().f32.images, stop());
  }
  void image_tile(const ImageTile<double>& tile) override {
    ImageRunner<double>(*tile.program, !tile.cotangent.empty()).run(tile, *simd_table().f64.images, stop());
  }
  void image_table(const Program& program, ConstView2D<float> y, ImageTable<float>& table) override {
    fill_image_table(program, y, table, *simd_table().f32.images);
  }
  void image_table(const Program& program, ConstView2D<double> y, ImageTable<double>& table) override {
    fill_image_table(program, y, table, *simd_table().f64.images);
  }
  std::size_t image_table_bytes(const Program& program, index n, std::size_t bytes_per_number) const override {
    return image_table_size(program, n, bytes_per_number);
  }
  std::size_t image_bytes(const Program& program, std::size_t bytes_per_number, bool gradient) const override {
    return image_scratch(program, bytes_per_number, gradient);
  }
  std::size_t image_row_bytes(const Program& program, std::size_t bytes_per_number, bool gradient) const override {
    return image_row_scratch(program, bytes_per_number, gradient);
  }

 private:
  /// Shares blocks of the longer side of c out. Small products stay whole.
  template <class R>
  void split_gemm(Transpose ta, Transpose tb, R alpha, ConstView2D<R> a, ConstView2D<R> b, R beta, View2D<R> c) {
    const ProductFunctions<R>& products = products_of(c);
    const bool left = ta == Transpose::yes, right = tb == Transpose::yes;
    const index inner = left ? a.rows : a.cols;
    const double work = static_cast<double>(c.rows) * static_cast<double>(c.cols) * static_cast<double>(inner);
    const bool by_rows = c.rows >= c.cols;
    const index length = by_rows ? c.rows : c.cols;
    const index block = std::max<index>(64, (length / 8 + 31) / 32 * 32);
    if (work < 4e6 || length <= block) return products.gemm(left, right, alpha, a, b, beta, c);
    pool_.for_each((length + block - 1) / block, [&](index task, int) {
      const index begin = task * block, n = std::min(block, length - begin);
      if (by_rows) {
        const auto part = left ? a.middle_cols(begin, n) : a.middle_rows(begin, n);
        products.gemm(left, right, alpha, part, b, beta, c.middle_rows(begin, n));
      } else {
        const auto part = right ? b.middle_rows(begin, n) : b.middle_cols(begin, n);
        products.gemm(left, right, alpha, a, part, beta, c.middle_cols(begin, n));
      }
    });
  }

  static const ProductFunctions<float>& products_of(View2D<float>) { return *simd_table().f32.products; }
  static const ProductFunctions<double>& products_of(View2D<double>) { return *simd_table().f64.products; }
  static const ProductFunctions<float>& products_of(const Panels<float>& panels) {
    return panels.operands == Operands::bfloat16 ? *bfloat16_products() : *simd_table().f32.products;
  }
  static const ProductFunctions<double>& products_of(const Panels<double>&) { return *simd_table().f64.products; }

  template <class R>
  void fill_image_table(const Program& program, ConstView2D<R> y, ImageTable<R>& table,
                        const ImageFunctions<R>& functions) {
    const index blocks = (y.rows + kImageLanes - 1) / kImageLanes;
    const index numbers = ImageRunner<R>(program, false).block_numbers();
    table.n = y.rows;
    if (table.numbers.rows() != blocks || table.numbers.cols() != numbers) table.numbers = Matrix<R>(blocks, numbers);
    table.scale.assign(static_cast<std::size_t>(blocks * kImageLanes), 1.0);
    constexpr index kChunk = 4;  // blocks
    pool_.for_each((blocks + kChunk - 1) / kChunk, [&](index task, int) {
      ImageRunner<R> runner(program, false);
      for (index b = task * kChunk; b < std::min(blocks, (task + 1) * kChunk); ++b)
        runner.fill_block(y, b * kImageLanes, functions, table.numbers.row(b), table.scale.data() + b * kImageLanes);
    });
  }

  template <class R>
  void pack_all(Transpose t, ConstView2D<R> b, Panels<R>& panels, const ProductFunctions<R>& products,
                Operands operands = Operands::full) {
    const bool transpose = t == Transpose::yes;
    panels.k = transpose ? b.cols : b.rows;
    panels.n = transpose ? b.rows : b.cols;
    panels.operands = operands;
    const index count = (panels.n + products.width - 1) / products.width;
    const index cells = (panels.k + products.per_cell - 1) / products.per_cell * products.width;
    if (panels.data.rows() != count || panels.data.cols() != cells) panels.data = Matrix<R>(count, cells);
    pool_.for_each(count,
                   [&](index task, int) { products.pack(transpose, b, task * products.width, panels.data.row(task)); });
  }

  template <class R>
  static void multiply_some(R alpha, ConstView2D<R> a, const Panels<R>& panels, index begin, R beta, View2D<R> c) {
    const ProductFunctions<R>& products = products_of(panels);
    NTKROB_CHECK_SHAPE(a, c.rows, panels.k);
    NTKROB_CHECK(begin % kPanelStep == 0 && begin + c.cols <= panels.n, ShapeError, "columns ", begin, " to ",
                 begin + c.cols, " of a packed operand with ", panels.n);
    products.multiply(alpha, a, panels.data.row(begin / products.width), beta, c);
  }

  template <class R>
  void fill_table(const Chain& chain, ConstView2D<R> x, SampleTable<R>& table,
                  double (*sum_of_squares)(const R*, index)) {
    const index rows = layers::sample_rows(chain);
    const index padded = (x.rows + kPadding - 1) / kPadding * kPadding + kPadding;
    table.n = x.rows;
    if (table.coefficients.rows() != rows || table.coefficients.cols() != padded)
      table.coefficients = Matrix<R>(rows, padded);
    table.inverse_norm.assign(static_cast<std::size_t>(x.rows), 0.0);
    constexpr index kChunk = 64;
    pool_.for_each((x.rows + kChunk - 1) / kChunk, [&](index task, int) {
      std::vector<double> column(static_cast<std::size_t>(rows));
      for (index i = task * kChunk; i < std::min(x.rows, (task + 1) * kChunk); ++i) {
        const double a = sum_of_squares(x.row(i), x.cols) / static_cast<double>(x.cols);
        table.inverse_norm[static_cast<std::size_t>(i)] = layers::checked_column<R>(chain, i, a, column.data());
        for (index r = 0; r < rows; ++r) table.coefficients(r, i) = static_cast<R>(column[static_cast<std::size_t>(r)]);
      }
    });
  }

  template <class R>
  static void weigh(ConstView2D<R> u, ConstView2D<R> vt, View2D<R> dq, ConstView2D<R> da, View2D<double> row_sum,
                    const SimdFunctions<R>& simd) {
    NTKROB_CHECK_SHAPE(row_sum, dq.rows, 1);
    std::vector<double> sums(static_cast<std::size_t>(dq.rows), 0.0);
    simd.weigh(u, vt, dq, da, sums.data());
    for (index i = 0; i < dq.rows; ++i) row_sum(i, 0) += sums[static_cast<std::size_t>(i)];
  }

  template <class R>
  void run_tile(const PairTile<R>& tile, const SimdFunctions<R>& simd) {
    const index n = tile.x.rows, m = tile.y.rows, d = tile.x.cols;
    NTKROB_CHECK_SHAPE(tile.value, n, m);
    if (!tile.nngp.empty()) NTKROB_CHECK_SHAPE(tile.nngp, n, m);
    if (tile.panels != nullptr)
      multiply_some(R(1) / static_cast<R>(d), tile.x, *tile.panels, tile.panel_begin, R(0), tile.value);
    const Matrix<R>& xt = tile.x_table->coefficients;
    const Matrix<R>& yt = tile.y_table->coefficients;
    PairRow<R> row{};
    row.layers = tile.chain->data();
    row.n_layers = static_cast<int>(tile.chain->size());
    row.output = tile.output;
    row.x_stride = xt.cols();
    row.y_columns = yt.data() + tile.y_begin;
    row.y_stride = yt.cols();
    row.m = m;
    row.y = tile.y.data;
    row.y_row_stride = tile.y.stride;
    row.d = d;
    row.y_inverse_norm = tile.y_table->inverse_norm.data() + tile.y_begin;
    for (index i = 0; i < n; ++i) {
      row.x_column = xt.data() + tile.x_begin + i;
      row.x = tile.x.row(i);
      row.x_inverse_norm = tile.x_table->inverse_norm[static_cast<std::size_t>(tile.x_begin + i)];
      const index same = tile.x_begin + i - tile.y_begin;
      row.same = tile.same && same >= 0 && same < m ? same : -1;
      row.value = tile.value.row(i);
      row.nngp = tile.nngp.empty() ? nullptr : tile.nngp.row(i);
      row.dq = tile.dq.empty() ? nullptr : tile.dq.row(i);
      row.da = tile.da.empty() ? nullptr : tile.da.row(i);
      simd.pair_row(row);
    }
    layers::set_same_pairs(tile);
  }

  WorkerPool pool_;
  const bool winograd_;
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(int workers) { return std::make_unique<CpuBackend>(workers); }

}  // namespace ntkrob
