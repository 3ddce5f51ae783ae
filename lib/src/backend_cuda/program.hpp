/// Programs for blocks of threads, as classes that the device and, in tests, the host run.
///
///   struct Program {
///     static constexpr int kThreads;
///     struct Shared { .. };                  // of a block
///     struct Own { .. };                     // of a thread, kept between phases
///     long long blocks() const;              // fewer than 2^31
///     int phases() const;                    // all threads of a block meet behind each phase
///     NTKROB_HD void run(int phase, long long block, int thread, Own& own, Shared& shared) const;
///   };
///
/// Where run returns bool, it says whether the thread's block has more to do: a block ends when none of its threads
/// says so, and phases() is a bound.
///
/// In a phase a thread may read what earlier phases wrote to Shared, and write what no other thread touches in this
/// phase: then the order of the threads does not matter, and results are the same in every run.
#pragma once

#include <type_traits>
#include <utility>

#include "ntkrob/base/view.hpp"
#include "ntkrob/layers/layer.hpp"

namespace ntkrob::cuda {

/// A row-major matrix in the memory of a device: not to be read by the host.
template <class T>
struct DeviceView {
  T* data = nullptr;
  index rows = 0, cols = 0, stride = 0;

  DeviceView() = default;
  NTKROB_HD DeviceView(T* data_, index rows_, index cols_, index stride_)
      : data(data_), rows(rows_), cols(cols_), stride(stride_) {}
  /// DeviceView<T> converts to DeviceView<const T>, never back.
  template <class U, class = std::enable_if_t<std::is_same<const U, T>::value && !std::is_same<U, T>::value>>
  NTKROB_HD DeviceView(const DeviceView<U>& other) : DeviceView(other.data, other.rows, other.cols, other.stride) {}

  NTKROB_HD T* row(index i) const { return data + i * stride; }
  NTKROB_HD T& operator()(index i, index j) const { return data[i * stride + j]; }
  NTKROB_HD bool empty() const { return data == nullptr; }
};

/// block / each for numbers of blocks: 32 bits, which a device divides in a quarter of the time.
NTKROB_HD inline index quotient(long long block, long long each) {
  return static_cast<index>(static_cast<unsigned>(block) / static_cast<unsigned>(each));
}

/// Nothing that a program has to say.
struct None {};

/// Whether the threads of a program say when their block has no more to do.
template <class Program>
constexpr bool kVotes =
    std::is_same<decltype(std::declval<const Program&>().run(0, 0LL, 0, std::declval<typename Program::Own&>(),
                                                             std::declval<typename Program::Shared&>())),
                 bool>::value;

}  // namespace ntkrob::cuda
