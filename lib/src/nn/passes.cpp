#include "nn/passes.hpp"

#include "nn/blocks.hpp"
#include "ntkrob/base/multiversion.hpp"

namespace ntkrob::nn {
namespace {

constexpr index kStrip = 128;  // columns whose sums stay in registers and L1

template <class R>
inline void bias_row(const R* bias, R* row, index n) {
  for (index j = 0; j < n; ++j) row[j] += bias[j];
}
template <class R>
inline void bias_relu_row(const R* bias, R* row, index n) {
  for (index j = 0; j < n; ++j) {
    const R v = row[j] + bias[j];
    row[j] = R(0) > v ? R(0) : v;
  }
}
template <class R>
inline void relu_row(R* row, index n) {
  for (index j = 0; j < n; ++j) row[j] = R(0) > row[j] ? R(0) : row[j];
}
template <class R>
inline void close_row(const R* hidden, R* delta, index n) {
  for (index j = 0; j < n; ++j) delta[j] = hidden[j] <= R(0) ? R(0) : delta[j];
}
template <class R>
inline void add_row(const R* row, double* total, index n) {
  for (index j = 0; j < n; ++j) total[j] += row[j];
}

// The wider of these rows are what a training step spends outside of products.
NTKROB_MULTIVERSION void rows_with_bias(const float* bias, bool relu, View2D<float> h) {
  for (index i = 0; i < h.rows; ++i) relu ? bias_relu_row(bias, h.row(i), h.cols) : bias_row(bias, h.row(i), h.cols);
}
NTKROB_MULTIVERSION void rows_with_bias(const double* bias, bool relu, View2D<double> h) {
  for (index i = 0; i < h.rows; ++i) relu ? bias_relu_row(bias, h.row(i), h.cols) : bias_row(bias, h.row(i), h.cols);
}
NTKROB_MULTIVERSION void open_rows(View2D<float> h) {
  for (index i = 0; i < h.rows; ++i) relu_row(h.row(i), h.cols);
}
NTKROB_MULTIVERSION void open_rows(View2D<double> h) {
  for (index i = 0; i < h.rows; ++i) relu_row(h.row(i), h.cols);
}
NTKROB_MULTIVERSION void close_rows(ConstView2D<float> hidden, View2D<float> delta) {
  for (index i = 0; i < delta.rows; ++i) close_row(hidden.row(i), delta.row(i), delta.cols);
}
NTKROB_MULTIVERSION void close_rows(ConstView2D<double> hidden, View2D<double> delta) {
  for (index i = 0; i < delta.rows; ++i) close_row(hidden.row(i), delta.row(i), delta.cols);
}
NTKROB_MULTIVERSION void add_rows(ConstView2D<float> delta, double* total) {
  for (index i = 0; i < delta.rows; ++i) add_row(delta.row(i), total, delta.cols);
}
NTKROB_MULTIVERSION void add_rows(ConstView2D<double> delta, double* total) {
  for (index i = 0; i < delta.rows; ++i) add_row(delta.row(i), total, delta.cols);
}

}  // namespace

template <class R>
void add_bias_rows(const R* bias, bool relu, View2D<R> h) {
  rows_with_bias(bias, relu, h);
}

template <class R>
void apply_relu(Backend& backend, View2D<R> h) {
  for_blocks(backend, h.rows, rows_per_block(h.cols),
             [&](index begin, index count) { open_rows(h.middle_rows(begin, count)); });
}

template <class R>
void close_relu(Backend& backend, ConstView2D<R> hidden, View2D<R> delta) {
  for_blocks(backend, delta.rows, rows_per_block(delta.cols), [&](index begin, index count) {
    close_rows(hidden.middle_rows(begin, count), delta.middle_rows(begin, count));
  });
}

template <class R>
void column_sums(Backend& backend, ConstView2D<R> delta, R beta, View2D<R> sums) {
  for_blocks(backend, delta.cols, rows_per_block(delta.rows), [&](index begin, index count) {
    for (index first = begin; first < begin + count; first += kStrip) {
      const index n = std::min(kStrip, begin + count - first);
      double total[kStrip] = {};
      add_rows(delta.middle_cols(first, n), total);
      R* s = sums.data + first;
      for (index j = 0; j < n; ++j) s[j] = static_cast<R>(beta == R(0) ? total[j] : total[j] + beta * s[j]);
    }
  });
}

template <class R>
void add_column_sums(ConstView2D<R> delta, double* sums) {
  add_rows(delta, sums);
}

#define NTKROB_INSTANTIATE(R)                                           \
  template void add_bias_rows<R>(const R*, bool, View2D<R>);            \
  template void apply_relu<R>(Backend&, View2D<R>);                     \
  template void close_relu<R>(Backend&, ConstView2D<R>, View2D<R>);     \
  template void column_sums<R>(Backend&, ConstView2D<R>, R, View2D<R>); \
  template void add_column_sums<R>(ConstView2D<R>, double*);
NTKROB_INSTANTIATE(float)
NTKROB_INSTANTIATE(double)
#undef NTKROB_INSTANTIATE

}  // namespace ntkrob::nn
