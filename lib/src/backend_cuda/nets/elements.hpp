/// What the programs of nets share: one thread per number, and division by numbers that the host knows.
#pragma once

#include <cstdint>

#include "backend_cuda/program.hpp"

namespace ntkrob::cuda::nets {

constexpr int kElementThreads = 256;
/// Numbers that one launch goes through, at most: positions in a matrix fit 31 bits.
constexpr index kMostElements = (index{1} << 31) - kElementThreads;

/// Quotients of numbers below 2^31 by a number that stays the same: a product instead of the division that devices
/// lack. Granlund & Montgomery 1994, figure 4.1.
struct Divider {
  std::uint32_t by = 1, multiplier = 1, shift = 0;

  Divider() = default;
  explicit Divider(index divisor) : by(static_cast<std::uint32_t>(divisor)) {
    while ((std::uint64_t{1} << shift) < by) ++shift;
    multiplier = static_cast<std::uint32_t>((((std::uint64_t{1} << shift) - by) << 32) / by + 1);
  }
  NTKROB_HD std::uint32_t quotient(std::uint32_t n) const {
    const auto high = static_cast<std::uint32_t>((static_cast<std::uint64_t>(multiplier) * n) >> 32);
    return (high + n) >> shift;
  }
  NTKROB_HD std::uint32_t remainder(std::uint32_t n) const { return n - quotient(n) * by; }
};

/// Calls program.element(e) for e in [0, program.elements()); a thread has one.
template <class Derived>
struct Elements {
  static constexpr int kThreads = kElementThreads;
  using Shared = None;
  using Own = None;
  long long blocks() const { return (self().elements() + kThreads - 1) / kThreads; }
  int phases() const { return 1; }
  NTKROB_HD void run(int, long long block, int thread, Own&, Shared&) const {
    const long long e = block * kThreads + thread;
    if (e < self().elements()) self().element(static_cast<std::uint32_t>(e));
  }

 private:
  NTKROB_HD const Derived& self() const { return static_cast<const Derived&>(*this); }
};

template <class R>
NTKROB_HD inline R relu(R v) {
  return R(0) > v ? R(0) : v;  // NaN stays NaN
}

/// y = y + bias, and max(y, 0).
template <class R>
struct AddBias : Elements<AddBias<R>> {
  DeviceView<R> y;          // rows x C, contiguous
  const R* bias = nullptr;  // C
  bool open = false;        // a ReLU follows
  Divider width;            // C
  AddBias(DeviceView<R> y_, const R* bias_, bool open_) : y(y_), bias(bias_), open(open_), width(y_.cols) {}
  NTKROB_HD long long elements() const { return y.rows * y.cols; }
  NTKROB_HD void element(std::uint32_t e) const {
    const R v = y.data[e] + bias[width.remainder(e)];
    y.data[e] = open ? relu(v) : v;
  }
};

/// delta = 0 where the ReLU was closed.
template <class R>
struct CloseRelu : Elements<CloseRelu<R>> {
  const R* hidden = nullptr;  // after the ReLU
  R* delta = nullptr;
  index n = 0;
  CloseRelu(const R* hidden_, R* delta_, index n_) : hidden(hidden_), delta(delta_), n(n_) {}
  NTKROB_HD long long elements() const { return n; }
  NTKROB_HD void element(std::uint32_t e) const {
    if (hidden[e] <= R(0)) delta[e] = R(0);
  }
};

/// to = rows of from, by their numbers.
template <class R>
struct PickRows : Elements<PickRows<R>> {
  DeviceView<const R> from;
  const std::int32_t* rows = nullptr;
  DeviceView<R> to;  // contiguous
  Divider width;
  PickRows(DeviceView<const R> from_, const std::int32_t* rows_, DeviceView<R> to_)
      : from(from_), rows(rows_), to(to_), width(to_.cols) {}
  NTKROB_HD long long elements() const { return to.rows * to.cols; }
  NTKROB_HD void element(std::uint32_t e) const {
    const std::uint32_t i = width.quotient(e);
    to.data[e] = from(rows[i], static_cast<index>(e - i * width.by));
  }
};

/// Forward: y = (x - mean) / deviation, and max(y, 0). Backward: y = x / deviation, 0 where the ReLU before was closed.
template <class R, bool backward>
struct Normalise : Elements<Normalise<R, backward>> {
  const R* x = nullptr;
  R* y = nullptr;
  index n = 0;
  const R *mean = nullptr, *deviation = nullptr;  // per channel
  bool open = false;
  const R* hidden = nullptr;  // backward: the input of the layer behind a ReLU, or null
  Divider channels;
  NTKROB_HD long long elements() const { return n; }
  NTKROB_HD void element(std::uint32_t e) const {
    const std::uint32_t c = channels.remainder(e);
    if constexpr (backward) {
      y[e] = hidden != nullptr && hidden[e] <= R(0) ? R(0) : x[e] / deviation[c];
    } else {
      const R v = (x[e] - mean[c]) / deviation[c];
      y[e] = open ? relu(v) : v;
    }
  }
};

/// One step of gradient descent on all parameters of a net, by the operations of Sgd (optim), in float64.
template <class R>
struct SgdStep : Elements<SgdStep<R>> {
  R *parameters = nullptr, *velocity = nullptr;
  const R* gradient = nullptr;
  index n = 0;
  double momentum = 0, weight_decay = 0, lr = 0;
  NTKROB_HD long long elements() const { return n; }
  NTKROB_HD void element(std::uint32_t e) const {
    const double v = momentum * static_cast<double>(velocity[e]) +
                     (static_cast<double>(gradient[e]) + weight_decay * static_cast<double>(parameters[e]));
    velocity[e] = static_cast<R>(v);
    parameters[e] = static_cast<R>(static_cast<double>(parameters[e]) - lr * static_cast<double>(velocity[e]));
  }
};

}  // namespace ntkrob::cuda::nets
