#include "backend_cuda/tables.hpp"

#include "layers/samples.hpp"

namespace ntkrob::cuda {
namespace {

/// Mean squares of the samples, on the host.
template <class R>
std::vector<double> mean_squares(Device& device, DeviceArrays& arrays, WorkerPool& pool, ConstView2D<R> x) {
  std::vector<double> squares(static_cast<std::size_t>(x.rows));
  const View2D<double> sums(squares.data(), x.rows, 1);
  if (device.holds(x.data)) {
    arrays.row_squares(x, sums);
  } else {
    constexpr index kChunk = 64;
    pool.for_each((x.rows + kChunk - 1) / kChunk, [&](index task, int) {
      const index begin = task * kChunk, n = std::min(kChunk, x.rows - begin);
      host_arrays().row_squares(x.middle_rows(begin, n), sums.middle_rows(begin, n));
    });
  }
  for (double& a : squares) a /= static_cast<double>(x.cols);
  return squares;
}

}  // namespace

template <class R>
void fill_table(Device& device, DeviceArrays& arrays, WorkerPool& pool, const Chain& chain, ConstView2D<R> x,
                SampleTable<R>& table) {
  const index rows = layers::sample_rows(chain), n = x.rows;
  const bool noise = layers::adds_noise(chain);
  const std::vector<double> squares = mean_squares(device, arrays, pool, x);
  Matrix<R> coefficients(rows, n);
  Matrix<double> inverse_norm(1, n), self(noise ? 4 : 0, n);
  constexpr index kChunk = 64;
  pool.for_each((n + kChunk - 1) / kChunk, [&](index task, int) {
    std::vector<double> column(static_cast<std::size_t>(rows));
    for (index i = task * kChunk; i < std::min(n, (task + 1) * kChunk); ++i) {
      const double a = squares[static_cast<std::size_t>(i)];
      inverse_norm(0, i) = layers::checked_column<R>(chain, i, a, column.data());
      for (index q = 0; q < rows; ++q) coefficients(q, i) = static_cast<R>(column[static_cast<std::size_t>(q)]);
      if (!noise) continue;
      const SelfState s = layers::self_state(chain, a);
      const double states[] = {s.a, s.t, s.da, s.dt};
      for (int q = 0; q < 4; ++q) self(q, i) = states[q];
    }
  });
  auto* there = static_cast<DeviceTable<R>*>(table.resident.get());
  if (table.resident.use_count() != 1) {
    auto made = std::make_shared<DeviceTable<R>>();
    there = made.get();
    table.resident = std::move(made);
  }
  const auto put = [&](auto& array, const auto& from) {
    if (array.rows() != from.rows() || array.cols() != from.cols())
      array = std::decay_t<decltype(array)>(arrays, from.rows(), from.cols());
    arrays.copy(from.view(), array.view());
  };
  table.n = n;
  table.coefficients = Matrix<R>();
  table.inverse_norm.clear();
  put(there->coefficients, coefficients);
  put(there->inverse_norm, inverse_norm);
  put(there->self, self);
}
template void fill_table(Device&, DeviceArrays&, WorkerPool&, const Chain&, ConstView2D<float>, SampleTable<float>&);
template void fill_table(Device&, DeviceArrays&, WorkerPool&, const Chain&, ConstView2D<double>, SampleTable<double>&);

}  // namespace ntkrob::cuda
