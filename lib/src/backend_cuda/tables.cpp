#include "backend_cuda/tables.hpp"

#include <algorithm>

#include "backend_cuda/launch.hpp"
#include "layers/samples.hpp"

namespace ntkrob::cuda {
namespace {

template <class R>
struct Maker {
  Device& device;
  DeviceArrays& arrays;
  const Chain& chain;
  ConstView2D<R> x;
  DeviceTable<R>& there;
  index rows, n;
  bool noise;

  template <class T>
  static View2D<T> sized(Arrays& arrays, Array<T>& array, index rows, index cols) {
    if (array.rows() != rows || array.cols() != cols) array = Array<T>(arrays, rows, cols);
    return array.view();
  }

  void on_device() {
    Work work(device);
    if (there.layers.rows() == 0 || !same_chain()) {
      there.chain = chain;
      const auto layers = static_cast<index>(chain.size());
      work.write(View2D<const ChainLayer>(chain.data(), 1, layers),
                 Work::on_device(sized(arrays, there.layers, 1, layers)));
    }
    const DeviceView<double> squares = work.scratch<double>(n, 1);
    const View2D<double> verdict = sized(arrays, there.verdict, n, 1);
    launch(RowSquares<R>{work.in(x), squares}, work.stream());
    launch(SampleColumns<R>{{},
                            Work::on_device(ConstView2D<ChainLayer>(there.layers.view())),
                            squares,
                            x.cols,
                            Work::on_device(sized(arrays, there.coefficients, rows, n)),
                            Work::on_device(sized(arrays, there.inverse_norm, 1, n)),
                            Work::on_device(sized(arrays, there.self, noise ? 4 : 0, n)),
                            Work::on_device(verdict)},
           work.stream());
    if (n == 0) return;
    const index bad = arrays.first_not_finite(ConstView2D<double>(verdict));
    if (bad < 0) return;
    double square = 0;
    work.read(DeviceView<const double>(squares.data + bad, 1, 1, 1), View2D<double>(&square, 1, 1));
    std::vector<double> column(static_cast<std::size_t>(rows));
    layers::checked_column<R>(chain, bad, square / static_cast<double>(x.cols), column.data());
    throw NonFinite(text("sample ", bad, " of a kernel input has values or a kernel value beyond the precision"));
  }

  void on_host(WorkerPool& pool) {
    std::vector<double> squares(static_cast<std::size_t>(n));
    arrays.row_squares(x, View2D<double>(squares.data(), n, 1));
    Matrix<R> coefficients(rows, n);
    Matrix<double> inverse_norm(1, n), self(noise ? 4 : 0, n);
    constexpr index kChunk = 64;
    pool.for_each((n + kChunk - 1) / kChunk, [&](index task, int) {
      std::vector<double> column(static_cast<std::size_t>(rows));
      for (index i = task * kChunk; i < std::min(n, (task + 1) * kChunk); ++i) {
        const double a = squares[static_cast<std::size_t>(i)] / static_cast<double>(x.cols);
        inverse_norm(0, i) = layers::checked_column<R>(chain, i, a, column.data());
        for (index q = 0; q < rows; ++q) coefficients(q, i) = static_cast<R>(column[static_cast<std::size_t>(q)]);
        if (!noise) continue;
        const SelfState s = layers::self_state(chain, a);
        const double states[] = {s.a, s.t, s.da, s.dt};
        for (int q = 0; q < 4; ++q) self(q, i) = states[q];
      }
    });
    arrays.copy(coefficients.view(), sized(arrays, there.coefficients, rows, n));
    arrays.copy(inverse_norm.view(), sized(arrays, there.inverse_norm, 1, n));
    arrays.copy(self.view(), sized(arrays, there.self, self.rows(), n));
  }

  bool same_chain() const {
    return std::equal(
        chain.begin(), chain.end(), there.chain.begin(), there.chain.end(),
        [](const ChainLayer& a, const ChainLayer& b) { return a.kind == b.kind && a.params == b.params; });
  }
};

}  // namespace

template <class R>
void fill_table(Device& device, DeviceArrays& arrays, WorkerPool& pool, const Chain& chain, ConstView2D<R> x,
                SampleTable<R>& table) {
  if (table.resident.use_count() != 1) table.resident = std::make_shared<DeviceTable<R>>();
  table.n = x.rows;
  table.coefficients = Matrix<R>();
  table.inverse_norm.clear();
  Maker<R> maker{device,
                 arrays,
                 chain,
                 x,
                 *static_cast<DeviceTable<R>*>(table.resident.get()),
                 layers::sample_rows(chain),
                 x.rows,
                 layers::adds_noise(chain)};
  if (layers::refuses_nothing(chain))
    maker.on_device();
  else
    maker.on_host(pool);
  device.share(maker.there.coefficients.view().data);
  device.share(maker.there.inverse_norm.view().data);
}
template void fill_table(Device&, DeviceArrays&, WorkerPool&, const Chain&, ConstView2D<float>, SampleTable<float>&);
template void fill_table(Device&, DeviceArrays&, WorkerPool&, const Chain&, ConstView2D<double>, SampleTable<double>&);

}  // namespace ntkrob::cuda
