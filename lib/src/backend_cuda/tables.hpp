/// Sample tables on a device.
#pragma once

#include "backend_cuda/arrays.hpp"
#include "backend_cuda/pairs.hpp"
#include "ntkrob/backend/backend.hpp"
#include "ntkrob/base/parallel.hpp"

namespace ntkrob::cuda {

/// What stays of a SampleTable.
template <class R>
struct DeviceTable {
  Array<R> coefficients;       // a column for every sample
  Array<double> inverse_norm;  // 1 x n
  Array<double> self;          // 4 x n as in SamePairs, for chains with noise
  Array<double> verdict;       // n x 1: of the last making, as in SampleColumns
  Chain chain;                 // what it was made for, and
  Array<ChainLayer> layers;    // the same on the device
};

/// throws: ConfigError where the pointer is of another backend's making
template <class T>
const T& resident(const Resident& pointer, const char* what) {
  NTKROB_CHECK(pointer != nullptr, ConfigError, "backend cuda: a ", what, " of another backend");
  return *static_cast<const T*>(pointer.get());
}

/// An array of this shape that stays behind `pointer`: the one that is there, where nobody else has it.
template <class R>
Array<R>& stays(Resident& pointer, Arrays& arrays, index rows, index cols) {
  auto* there = static_cast<Array<R>*>(pointer.get());
  if (pointer.use_count() == 1 && there->rows() == rows && there->cols() == cols) return *there;
  pointer.reset();  // before there is new memory
  auto made = std::make_shared<Array<R>>(arrays, rows, cols);
  pointer = made;
  return *made;
}

/// Backend::sample_table. The columns are made on the device, in float64, or on the host where a layer refuses
/// variances by an exception; whatever is wrong with a sample, the host's checks say.
template <class R>
void fill_table(Device& device, DeviceArrays& arrays, WorkerPool& pool, const Chain& chain, ConstView2D<R> x,
                SampleTable<R>& table);

/// Samples [begin, begin + n) of a table.
template <class R>
void put_table(const Device& device, const SampleTable<R>& table, index begin, index n, Side<R>& side) {
  NTKROB_CHECK(begin + n <= table.n, ShapeError, "samples ", begin, " to ", begin + n, " of a table of ", table.n);
  const auto& there = resident<DeviceTable<R>>(table.resident, "sample table");
  side.table = device.here(there.coefficients.view().data) + begin;
  side.table_stride = there.coefficients.cols();
  side.inverse_norm = device.here(there.inverse_norm.view().data) + begin;
}

}  // namespace ntkrob::cuda
