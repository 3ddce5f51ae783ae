#include "backend_cuda/cuda_backend.hpp"

#include <algorithm>
#include <cmath>

#include "backend_cuda/launch.hpp"
#include "backend_cuda/linalg.hpp"
#include "layers/noise.hpp"
#include "ntkrob/base/finite.hpp"
#include "ntkrob/base/memory.hpp"
#include "ntkrob/base/parallel.hpp"

namespace ntkrob::cuda {
namespace {

/// Streams that keep one device busy with copies and kernels at once.
constexpr int kMostWorkers = 4;

/// What stays of a SampleTable.
template <class R>
struct DeviceTable {
  DeviceMatrix<R> coefficients;
  DeviceMatrix<double> inverse_norm;
};

template <class T>
const T& resident(const Resident& pointer, const char* what) {
  NTKROB_CHECK(pointer != nullptr, ConfigError, "backend cuda: a ", what, " of another backend");
  return *static_cast<const T*>(pointer.get());
}

class CudaBackend final : public Backend {
 public:
  CudaBackend(int device, int workers)
      : device_(device), pool_(workers > 0 ? workers : std::min(hardware_threads(), kMostWorkers)) {
    Work(device_).finish();  // what cannot be started says so now
  }

  DeviceInfo info() const override {
    const std::size_t host = physical_memory_bytes();  // 0: unknown
    return {"cuda",
            text("device ", device_.number(), ", ", device_.name(), ", ", pool_.size(),
                 pool_.size() == 1 ? " stream" : " streams"),
            pool_.size(), host == 0 ? device_.memory_bytes() : std::min(device_.memory_bytes(), host)};
  }
  std::string account() const override {
    return text("copied ", device_.to_device.load(), " bytes to the device and ", device_.to_host.load(), " back");
  }
  std::string supports(const Chain& chain) const override {
    if (chain.empty()) return "the chain has no layers";
    if (chain.size() > static_cast<std::size_t>(kMaxLayers))
      return text("the chain has ", chain.size(), " layers, the limit is ", kMaxLayers);
    return {};
  }
  void for_each(index n, const std::function<void(index, int)>& task) override { pool_.for_each(n, task); }

  void gemm(Transpose ta, Transpose tb, float alpha, ConstView2D<float> a, ConstView2D<float> b, float beta,
            View2D<float> c) override {
    Work work(device_);
    cuda::gemm(work, ta, tb, alpha, a, b, beta, c);
  }
  void gemm(Transpose ta, Transpose tb, double alpha, ConstView2D<double> a, ConstView2D<double> b, double beta,
            View2D<double> c) override {
    Work work(device_);
    cuda::gemm(work, ta, tb, alpha, a, b, beta, c);
  }
  void pack(Transpose t, ConstView2D<float> b, Panels<float>& panels) override { lay_out(t, b, panels); }
  void pack(Transpose t, ConstView2D<double> b, Panels<double>& panels) override { lay_out(t, b, panels); }
  void multiply(float alpha, ConstView2D<float> a, const Panels<float>& panels, index begin, float beta,
                View2D<float> c) override {
    product(alpha, a, panels, begin, beta, c);
  }
  void multiply(double alpha, ConstView2D<double> a, const Panels<double>& panels, index begin, double beta,
                View2D<double> c) override {
    product(alpha, a, panels, begin, beta, c);
  }
  void add_thin(ConstView2D<float> a, ConstView2D<float> vt, View2D<double> sum) override { thin(a, vt, sum); }
  void add_thin(ConstView2D<double> a, ConstView2D<double> vt, View2D<double> sum) override { thin(a, vt, sum); }

  index factor_spd(View2D<double> a) override {
    NTKROB_CHECK_SHAPE(a, a.rows, a.rows);
    Work work(device_);
    return cuda::factor_spd(work, a);
  }
  void solve_spd(ConstView2D<double> factor, View2D<double> b) override {
    NTKROB_CHECK_SHAPE(factor, b.rows, b.rows);
    Work work(device_);
    cuda::solve_spd(work, factor, b);
  }
  void symmetric_eigen(View2D<double> a, double* values) override {
    NTKROB_CHECK_SHAPE(a, a.rows, a.rows);
    for (index i = 0; i < a.rows; ++i)
      NTKROB_CHECK(all_finite(a.row(i), a.cols), NonFinite, "row ", i, " of a symmetric matrix is not finite");
    Work work(device_);
    cuda::symmetric_eigen(work, a, values);
  }

  void sample_table(const Chain& chain, ConstView2D<float> x, SampleTable<float>& table) override {
    fill_table(chain, x, table);
  }
  void sample_table(const Chain& chain, ConstView2D<double> x, SampleTable<double>& table) override {
    fill_table(chain, x, table);
  }
  void pair_tile(const PairTile<float>& tile) override { run_tile(tile); }
  void pair_tile(const PairTile<double>& tile) override { run_tile(tile); }
  void weigh_tile(ConstView2D<float> u, ConstView2D<float> vt, View2D<float> dq, ConstView2D<float> da,
                  View2D<double> row_sum) override {
    weigh(u, vt, dq, da, row_sum);
  }
  void weigh_tile(ConstView2D<double> u, ConstView2D<double> vt, View2D<double> dq, ConstView2D<double> da,
                  View2D<double> row_sum) override {
    weigh(u, vt, dq, da, row_sum);
  }

 private:
  template <class R>
  void lay_out(Transpose t, ConstView2D<R> b, Panels<R>& panels) {
    Work work(device_);
    panels.operands = Operands::full;
    panels.k = t == Transpose::yes ? b.cols : b.rows;
    panels.n = t == Transpose::yes ? b.rows : b.cols;
    panels.data = Matrix<R>();
    panels.resident.reset();  // before there is new memory
    auto rows = std::make_shared<DeviceMatrix<R>>(panels.k, panels.n, nullptr);
    if (t == Transpose::yes) {
      const DeviceMatrix<R> columns = work.upload<R>(b);
      launch(Transposition<R>{columns.view(), rows->view()}, work.stream());
      work.finish();
    } else {
      work.write(b, rows->view());
      work.finish();
    }
    panels.resident = std::move(rows);
  }

  /// Columns [begin, begin + m) of the laid-out operand.
  template <class R>
  static DeviceView<const R> columns_of(const Panels<R>& panels, index begin, index m) {
    NTKROB_CHECK(begin % kPanelStep == 0 && begin + m <= panels.n, ShapeError, "columns ", begin, " to ", begin + m,
                 " of a packed operand with ", panels.n);
    const DeviceView<R>& all = resident<DeviceMatrix<R>>(panels.resident, "packed operand").view();
    return {all.data + begin, all.rows, m, all.stride};
  }

  template <class R>
  void product(R alpha, ConstView2D<R> a, const Panels<R>& panels, index begin, R beta, View2D<R> c) {
    NTKROB_CHECK_SHAPE(a, c.rows, panels.k);
    Work work(device_);
    const DeviceMatrix<R> left = work.upload<R>(a);
    const DeviceMatrix<R> result = beta == R(0) ? work.make<R>(c.rows, c.cols) : work.upload<R>(ConstView2D<R>(c));
    launch(Product<R>{alpha, beta, left.view(), columns_of(panels, begin, c.cols), result.view()}, work.stream());
    work.read(result.view(), c);
    work.finish();
  }

  template <class R>
  void thin(ConstView2D<R> a, ConstView2D<R> vt, View2D<double> sum) {
    NTKROB_CHECK_SHAPE(vt, sum.cols, a.cols);
    NTKROB_CHECK_SHAPE(sum, a.rows, vt.rows);
    Work work(device_);
    const DeviceMatrix<R> left = work.upload<R>(a), right = work.upload<R>(vt);
    const DeviceMatrix<double> result = work.upload<double>(ConstView2D<double>(sum));
    launch(ThinProduct<R>{left.view(), right.view(), result.view()}, work.stream());
    work.read(result.view(), sum);
    work.finish();
  }

  template <class R>
  void weigh(ConstView2D<R> u, ConstView2D<R> vt, View2D<R> dq, ConstView2D<R> da, View2D<double> row_sum) {
    NTKROB_CHECK_SHAPE(u, dq.rows, vt.rows);
    NTKROB_CHECK_SHAPE(vt, u.cols, dq.cols);
    NTKROB_CHECK_SHAPE(da, dq.rows, dq.cols);
    NTKROB_CHECK_SHAPE(row_sum, dq.rows, 1);
    Work work(device_);
    const DeviceMatrix<R> left = work.upload<R>(u), right = work.upload<R>(vt),
                          by_q = work.upload<R>(ConstView2D<R>(dq)), by_a = work.upload<R>(da);
    const DeviceMatrix<double> result = work.upload<double>(ConstView2D<double>(row_sum));
    launch(Weights<R>{left.view(), right.view(), by_q.view(), by_a.view(), result.view()}, work.stream());
    work.read(by_q.view(), dq);
    work.read(result.view(), row_sum);
    work.finish();
  }

  /// The columns are made on the host, in float64 and with its checks: O(N D) beside the O(N M D) of the pairs.
  template <class R>
  void fill_table(const Chain& chain, ConstView2D<R> x, SampleTable<R>& table) {
    const index rows = layers::sample_rows(chain);
    Matrix<R> coefficients(rows, x.rows);
    Matrix<double> inverse_norm(1, x.rows);
    constexpr index kChunk = 64;
    pool_.for_each((x.rows + kChunk - 1) / kChunk, [&](index task, int) {
      std::vector<double> column(static_cast<std::size_t>(rows));
      for (index i = task * kChunk; i < std::min(x.rows, (task + 1) * kChunk); ++i) {
        double sum = 0;
        for (index k = 0; k < x.cols; ++k) sum += static_cast<double>(x(i, k)) * static_cast<double>(x(i, k));
        inverse_norm(0, i) = layers::checked_column<R>(chain, i, sum / static_cast<double>(x.cols), column.data());
        for (index q = 0; q < rows; ++q) coefficients(q, i) = static_cast<R>(column[static_cast<std::size_t>(q)]);
      }
    });
    Work work(device_);
    table.n = x.rows;
    table.coefficients = Matrix<R>();
    table.inverse_norm.clear();
    table.resident.reset();
    auto stays = std::make_shared<DeviceTable<R>>(
        DeviceTable<R>{DeviceMatrix<R>(rows, x.rows, nullptr), DeviceMatrix<double>(1, x.rows, nullptr)});
    work.write(ConstView2D<R>(coefficients.view()), stays->coefficients.view());
    work.write(ConstView2D<double>(inverse_norm.view()), stays->inverse_norm.view());
    work.finish();
    table.resident = std::move(stays);
  }

  template <class R>
  static void put_table(const SampleTable<R>& table, index begin, index n, Side<R>& side) {
    NTKROB_CHECK(begin + n <= table.n, ShapeError, "samples ", begin, " to ", begin + n, " of a table of ", table.n);
    const auto& stays = resident<DeviceTable<R>>(table.resident, "sample table");
    side.table = stays.coefficients.data() + begin;
    side.table_stride = stays.coefficients.view().stride;
    side.inverse_norm = stays.inverse_norm.data() + begin;
  }
  template <class R>
  static void put_samples(const DeviceMatrix<R>& samples, Side<R>& side) {
    side.samples = samples.data();
    side.by_sample = samples.view().stride;
    side.by_number = 1;
  }

  template <class R>
  void run_tile(const PairTile<R>& tile) {
    const index n = tile.x.rows, m = tile.y.rows, d = tile.x.cols;
    NTKROB_CHECK_SHAPE(tile.value, n, m);
    if (!tile.nngp.empty()) NTKROB_CHECK_SHAPE(tile.nngp, n, m);
    const std::string reason = supports(*tile.chain);
    NTKROB_CHECK(reason.empty(), NotSupported, "backend cuda: ", reason);
    const bool gradient = !tile.dq.empty();
    Work work(device_);
    const DeviceMatrix<R> x = work.upload<R>(tile.x);
    PairJob<R> job;
    for (const ChainLayer& layer : *tile.chain) job.chain.kind[job.chain.n++] = static_cast<unsigned char>(layer.kind);
    job.ntk = tile.output == Output::ntk;
    job.n = n;
    job.m = m;
    job.d = d;
    put_samples(x, job.x);
    put_table(*tile.x_table, tile.x_begin, n, job.x);
    put_table(*tile.y_table, tile.y_begin, m, job.y);
    job.same = tile.same;
    job.same_offset = tile.x_begin - tile.y_begin;

    DeviceMatrix<R> y;
    const DeviceMatrix<R> value =
        tile.panels != nullptr ? work.make<R>(n, m) : work.upload<R>(ConstView2D<R>(tile.value));
    const DeviceMatrix<R> nngp = tile.nngp.empty() ? DeviceMatrix<R>() : work.make<R>(n, m);
    const DeviceMatrix<R> dq = gradient ? work.make<R>(n, m) : DeviceMatrix<R>(),
                          da = gradient ? work.make<R>(n, m) : DeviceMatrix<R>();
    if (tile.panels != nullptr) {  // the operand is y transposed: its columns are the samples
      const DeviceView<const R> columns = columns_of(*tile.panels, tile.panel_begin, m);
      NTKROB_CHECK(tile.panels->k == d, ShapeError, "a packed operand of length ", tile.panels->k, " for samples of ",
                   d, " values");
      launch(Product<R>{R(1) / static_cast<R>(d), R(0), x.view(), columns, value.view()}, work.stream());
      job.y.samples = columns.data;
      job.y.by_sample = 1;
      job.y.by_number = columns.stride;
    } else {
      y = work.upload<R>(tile.y);
      put_samples(y, job.y);
    }
    job.value = value.view();
    job.nngp = nngp.view();
    job.dq = dq.view();
    job.da = da.view();
    launch(job, work.stream());
    work.read(value.view(), tile.value);
    if (!tile.nngp.empty()) work.read(nngp.view(), tile.nngp);
    if (gradient) {
      work.read(dq.view(), tile.dq);
      work.read(da.view(), tile.da);
    }
    work.finish();
    layers::set_same_pairs(tile);
  }

  Device device_;
  WorkerPool pool_;
};

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(index device, int workers) {
  return std::make_unique<CudaBackend>(static_cast<int>(device), workers);
}

}  // namespace ntkrob::cuda
