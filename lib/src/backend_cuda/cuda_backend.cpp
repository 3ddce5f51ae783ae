#include "backend_cuda/cuda_backend.hpp"

#include <algorithm>
#include <type_traits>

#include "backend_cuda/arrays.hpp"
#include "backend_cuda/images/backend_images.hpp"
#include "backend_cuda/launch.hpp"
#include "backend_cuda/linalg.hpp"
#include "backend_cuda/nets/runner.hpp"
#include "backend_cuda/rough.hpp"
#include "backend_cuda/steps.hpp"
#include "backend_cuda/tables.hpp"
#include "ntkrob/base/finite.hpp"
#include "ntkrob/base/memory.hpp"
#include "ntkrob/base/parallel.hpp"

namespace ntkrob::cuda {
namespace {

/// Streams that keep one device busy with copies and kernels at once.
constexpr int kMostWorkers = 4;

/// Tiles of pairs that fill a large device with one launch.
constexpr TileSizes kTiles{4096, 64, 4096, 4096};

class CudaBackend final : public Backend {
 public:
  CudaBackend(const std::vector<int>& devices, int workers)
      : shared_device_(std::make_shared<Device>(devices)),
        device_(*shared_device_),
        arrays_(shared_device_),
        steps_(shared_device_),
        pool_(workers > 0 ? workers
                          : std::clamp(hardware_threads(), device_.devices(), kMostWorkers * device_.devices())) {}

  DeviceInfo info() const override {
    return {
        "cuda",
        text(device_.numbers(), ", ", device_.name(), ", ", pool_.size(), pool_.size() == 1 ? " stream" : " streams"),
        pool_.size(),
        physical_memory_bytes(),
        device_.free_bytes(),
        kTiles,
        device_.name(),
        {}};
  }
  void set_stop(const Stop* stop) override {
    Backend::set_stop(stop);
    pool_.set_stop(stop);
  }
  std::string account() const override {
    return text("copied ", device_.to_device.load(), " bytes to the device and ", device_.to_host.load(), " back");
  }
  Arrays& arrays() override { return arrays_; }
  Steps* steps() override { return &steps_; }
  std::string supports(const Chain& chain) const override {
    if (chain.empty()) return "the chain has no layers";
    if (chain.size() > static_cast<std::size_t>(kMaxLayers))
      return text("the chain has ", chain.size(), " layers, the limit is ", kMaxLayers);
    return {};
  }
  std::unique_ptr<NetRunner> make_net(const NetProgram& program) override {
    return nets::make_runner(shared_device_, program);
  }
  /// Several tasks at a time are on queues of their own, each worker's; one is on the outer queue.
  void for_each(index n, const std::function<void(index, int)>& task) override {
    if (n <= 1 || pool_.size() == 1 || device_.in_task()) return pool_.for_each(n, task);
    const Device::Tasks tasks(device_, pool_.size());
    pool_.for_each(n, [&](index i, int worker) {
      const Device::Inside inside(device_, worker);
      task(i, worker);
    });
  }

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
  std::string supports_bfloat16() const override { return device_.why_no_bfloat16(); }
  void pack_bfloat16(Transpose t, ConstView2D<float> b, Panels<float>& panels) override {
    const std::string reason = supports_bfloat16();
    NTKROB_CHECK(reason.empty(), NotSupported, "backend cuda: ", reason);
    pack_rough(device_, arrays_, t, b, panels);
  }
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

  void add_thin_transposed(ConstView2D<float> a, ConstView2D<float> v, View2D<double> sum) override {
    thin_transposed(a, v, sum);
  }
  void add_thin_transposed(ConstView2D<double> a, ConstView2D<double> v, View2D<double> sum) override {
    thin_transposed(a, v, sum);
  }

  index factor_spd(View2D<float> a) override {
    NTKROB_CHECK_SHAPE(a, a.rows, a.rows);
    Work work(device_);
    return cuda::factor_spd(work, a);
  }
  index factor_spd(View2D<double> a) override {
    NTKROB_CHECK_SHAPE(a, a.rows, a.rows);
    Work work(device_);
    return cuda::factor_spd(work, a);
  }
  void solve_spd(ConstView2D<float> factor, View2D<float> b) override {
    NTKROB_CHECK_SHAPE(factor, b.rows, b.rows);
    Work work(device_);
    cuda::solve_spd(work, factor, b);
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
    fill_table(device_, arrays_, pool_, chain, x, table);
  }
  void sample_table(const Chain& chain, ConstView2D<double> x, SampleTable<double>& table) override {
    fill_table(device_, arrays_, pool_, chain, x, table);
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

  std::string supports_images(const Program&) const override { return {}; }
  void image_tile(const ImageTile<float>& tile) override { cuda::image_tile(device_, tile); }
  void image_tile(const ImageTile<double>& tile) override { cuda::image_tile(device_, tile); }
  void image_table(const Program& program, ConstView2D<float> y, ImageTable<float>& table) override {
    cuda::image_table(*this, device_, program, y, table);
  }
  void image_table(const Program& program, ConstView2D<double> y, ImageTable<double>& table) override {
    cuda::image_table(*this, device_, program, y, table);
  }
  std::size_t image_table_bytes(const Program& program, index n, std::size_t bytes_per_number) const override {
    return cuda::image_table_bytes(program, n, bytes_per_number);
  }
  std::size_t image_bytes(const Program& program, std::size_t bytes_per_number, bool gradient) const override {
    return cuda::image_bytes(program, bytes_per_number, gradient);
  }
  std::size_t image_row_bytes(const Program& program, std::size_t bytes_per_number, bool gradient) const override {
    return cuda::image_row_bytes(program, bytes_per_number, gradient);
  }

 private:
  template <class R>
  void lay_out(Transpose t, ConstView2D<R> b, Panels<R>& panels) {
    if (panels.operands != Operands::full) panels.resident.reset();
    panels.operands = Operands::full;
    panels.k = t == Transpose::yes ? b.cols : b.rows;
    panels.n = t == Transpose::yes ? b.rows : b.cols;
    panels.data = Matrix<R>();
    const View2D<R> rows = stays<R>(panels.resident, arrays_, panels.k, panels.n).view();
    if (t == Transpose::yes)
      arrays_.transpose(b, rows);
    else
      arrays_.copy(b, rows);
    device_.share(rows.data);
  }

  /// Columns [begin, begin + m) of the laid-out operand.
  template <class R>
  DeviceView<const R> columns_of(const Panels<R>& panels, index begin, index m) const {
    NTKROB_CHECK(begin % kPanelStep == 0 && begin + m <= panels.n, ShapeError, "columns ", begin, " to ", begin + m,
                 " of a packed operand with ", panels.n);
    const ConstView2D<R> all = resident<Array<R>>(panels.resident, "packed operand").view();
    return {device_.here(all.data) + begin, all.rows, m, all.stride};
  }

  template <class R>
  void product(R alpha, ConstView2D<R> a, const Panels<R>& panels, index begin, R beta, View2D<R> c) {
    NTKROB_CHECK_SHAPE(a, c.rows, panels.k);
    Work work(device_);
    start_product(work, alpha, work.in(a), panels, begin, beta, work.out(c, beta != R(0)));
    work.finish();
  }
  template <class R>
  void start_product(Work& work, R alpha, DeviceView<const R> a, const Panels<R>& panels, index begin, R beta,
                     DeviceView<R> c) const {
    if constexpr (std::is_same<R, float>::value)
      if (panels.operands == Operands::bfloat16) return multiply_rough(work, alpha, a, panels, begin, beta, c);
    launch(Product<R>{alpha, beta, a, columns_of(panels, begin, c.cols), c}, work.stream());
  }

  template <class R>
  void thin(ConstView2D<R> a, ConstView2D<R> vt, View2D<double> sum) {
    NTKROB_CHECK_SHAPE(vt, sum.cols, a.cols);
    NTKROB_CHECK_SHAPE(sum, a.rows, vt.rows);
    Work work(device_);
    launch(ThinProduct<R>{work.in(a), work.in(vt), work.out(sum, true)}, work.stream());
    work.finish();
  }

  template <class R>
  void thin_transposed(ConstView2D<R> a, ConstView2D<R> v, View2D<double> sum) {
    NTKROB_CHECK_SHAPE(v, a.rows, sum.cols);
    NTKROB_CHECK_SHAPE(sum, a.cols, v.cols);
    Work work(device_);
    const index n_parts = ThinTransposed<R>::parts_of(a.rows);
    const DeviceView<R> parts = work.template scratch<R>(n_parts * v.cols, a.cols);
    launch(ThinTransposed<R>{work.in(a), work.in(v), parts}, work.stream());
    launch(PartsSum<R>{parts, n_parts, work.out(sum, true)}, work.stream());
    work.finish();
  }

  template <class R>
  void weigh(ConstView2D<R> u, ConstView2D<R> vt, View2D<R> dq, ConstView2D<R> da, View2D<double> row_sum) {
    NTKROB_CHECK_SHAPE(u, dq.rows, vt.rows);
    NTKROB_CHECK_SHAPE(vt, u.cols, dq.cols);
    NTKROB_CHECK_SHAPE(da, dq.rows, dq.cols);
    NTKROB_CHECK_SHAPE(row_sum, dq.rows, 1);
    Work work(device_);
    launch(Weights<R>{work.in(u), work.in(vt), work.out(dq, true), work.in(da), work.out(row_sum, true)},
           work.stream());
    work.finish();
  }

  template <class R>
  static void put_samples(DeviceView<const R> samples, Side<R>& side) {
    side.samples = samples.data;
    side.by_sample = samples.stride;
    side.by_number = 1;
  }

  /// The samples of a packed operand: its columns, where they are not rounded.
  template <class R>
  void put_samples_of(const PairTile<R>& tile, Work& work, Side<R>& side) const {
    if constexpr (std::is_same<R, float>::value)
      if (tile.panels->operands == Operands::bfloat16)
        return put_samples(samples_of(work, device_, *tile.panels, tile.panel_begin, tile.y), side);
    const DeviceView<const R> columns = columns_of(*tile.panels, tile.panel_begin, tile.y.rows);
    side.samples = columns.data;
    side.by_sample = 1;
    side.by_number = columns.stride;
  }

  template <class R>
  void run_tile(const PairTile<R>& tile) {
    const index n = tile.x.rows, m = tile.y.rows, d = tile.x.cols;
    NTKROB_CHECK_SHAPE(tile.value, n, m);
    if (!tile.nngp.empty()) NTKROB_CHECK_SHAPE(tile.nngp, n, m);
    const std::string reason = supports(*tile.chain);
    NTKROB_CHECK(reason.empty(), NotSupported, "backend cuda: ", reason);
    const auto result = [](Work& work, View2D<R> to, bool read) {
      return to.empty() ? DeviceView<R>() : work.out(to, read);
    };
    Work work(device_);
    const DeviceView<const R> x = work.in(tile.x);
    PairJob<R> job;
    for (const ChainLayer& layer : *tile.chain) job.chain.kind[job.chain.n++] = static_cast<unsigned char>(layer.kind);
    job.ntk = tile.output == Output::ntk;
    job.n = n;
    job.m = m;
    job.d = d;
    put_samples(x, job.x);
    put_table(device_, *tile.x_table, tile.x_begin, n, job.x);
    put_table(device_, *tile.y_table, tile.y_begin, m, job.y);
    job.same = tile.same;
    job.same_offset = tile.x_begin - tile.y_begin;
    job.value = result(work, tile.value, tile.panels == nullptr);
    job.nngp = result(work, tile.nngp, false);
    job.dq = result(work, tile.dq, false);
    job.da = result(work, tile.da, false);
    if (tile.panels != nullptr) {
      NTKROB_CHECK(tile.panels->k == d, ShapeError, "a packed operand of length ", tile.panels->k, " for samples of ",
                   d, " values");
      start_product(work, R(1) / static_cast<R>(d), x, *tile.panels, tile.panel_begin, R(0), job.value);
      put_samples_of(tile, work, job.y);
    } else {
      put_samples(work.in(tile.y), job.y);
    }
    launch(job, work.stream());
    if (tile.same) set_same_pairs(tile, job, work);
    work.finish();
  }

  template <class R>
  static void set_same_pairs(const PairTile<R>& tile, const PairJob<R>& job, Work& work) {
    const ConstView2D<double> self = resident<DeviceTable<R>>(tile.x_table->resident, "sample table").self.view();
    if (self.empty()) return;
    launch(SamePairs<R>{{},
                        Work::on_device(self.middle_cols(tile.x_begin, job.n)),
                        job.same_offset,
                        job.ntk,
                        job.value,
                        job.nngp,
                        job.dq,
                        job.da},
           work.stream());
  }

  std::shared_ptr<Device> shared_device_;
  Device& device_;
  DeviceArrays arrays_;
  DeviceSteps steps_;
  WorkerPool pool_;
};

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(const std::vector<int>& devices, int workers) {
  return std::make_unique<CudaBackend>(devices, workers);
}

}  // namespace ntkrob::cuda
