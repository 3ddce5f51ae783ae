#include "nn/dense.hpp"

#include <algorithm>

#include "nn/blocks.hpp"

namespace ntkrob::nn {
namespace {

constexpr index kStrip = 128;  // columns whose sums stay in registers and L1

/// h += bias in every row, then max(h, 0) where relu follows. A NaN stays NaN: 0 > NaN is false.
template <class R>
void add_bias(Backend& backend, ConstView2D<R> bias, bool relu, View2D<R> h) {
  for_blocks(backend, h.rows, rows_per_block(h.cols), [&](index begin, index count) {
    const R* b = bias.data;
    for (index i = begin; i < begin + count; ++i) {
      R* row = h.row(i);
      if (relu) {
        for (index j = 0; j < h.cols; ++j) {
          const R v = row[j] + b[j];
          row[j] = R(0) > v ? R(0) : v;
        }
      } else {
        for (index j = 0; j < h.cols; ++j) row[j] += b[j];
      }
    }
  });
}

/// delta = 0 wherever the ReLU was closed.
template <class R>
void close_relu(Backend& backend, ConstView2D<R> hidden, View2D<R> delta) {
  for_blocks(backend, delta.rows, rows_per_block(delta.cols), [&](index begin, index count) {
    for (index i = begin; i < begin + count; ++i) {
      const R* h = hidden.row(i);
      R* d = delta.row(i);
      for (index j = 0; j < delta.cols; ++j) d[j] = h[j] <= R(0) ? R(0) : d[j];
    }
  });
}

/// sums = beta sums + the column sums of delta, accumulated in float64 in the order of the rows.
template <class R>
void column_sums(Backend& backend, ConstView2D<R> delta, R beta, View2D<R> sums) {
  for_blocks(backend, delta.cols, rows_per_block(delta.rows), [&](index begin, index count) {
    for (index first = begin; first < begin + count; first += kStrip) {
      const index n = std::min(kStrip, begin + count - first);
      double total[kStrip] = {};
      for (index i = 0; i < delta.rows; ++i) {
        const R* d = delta.row(i) + first;
        for (index j = 0; j < n; ++j) total[j] += d[j];
      }
      R* s = sums.data + first;
      for (index j = 0; j < n; ++j) s[j] = static_cast<R>(beta == R(0) ? total[j] : total[j] + beta * s[j]);
    }
  });
}

template <class R>
void grow(Matrix<R>& buffer, index rows, index cols) {
  if (buffer.rows() < rows || buffer.cols() != cols) buffer = Matrix<R>(rows, cols);
}

}  // namespace

template <class R>
void reserve(const std::vector<BasicDenseLayer<R>>& layers, index rows, DenseScratch<R>& scratch) {
  const index last = static_cast<index>(layers.size()) - 1;
  const index classes = layers[last].weight.rows();
  index widest = 1;
  scratch.hidden.resize(last);
  for (index l = 0; l < last; ++l) {
    const index width = layers[l].weight.rows();
    grow(scratch.hidden[l], rows, width);
    widest = std::max(widest, width);
  }
  if (last > 0)
    for (auto& delta : scratch.delta) grow(delta, rows, widest);
  grow(scratch.logits, rows, classes);
  grow(scratch.cotangent, rows, classes);
}

template <class R>
void forward(Backend& backend, const std::vector<BasicDenseLayer<R>>& layers, ConstView2D<R> x,
             DenseScratch<R>& scratch, View2D<R> out) {
  ConstView2D<R> input = x;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const bool last = l + 1 == layers.size();
    const View2D<R> h = last ? out : scratch.hidden[l].view().middle_rows(0, x.rows);
    backend.gemm(Transpose::no, Transpose::yes, R(1), input, layers[l].weight.view(), R(0), h);
    add_bias<R>(backend, layers[l].bias.view(), !last, h);
    input = h;
  }
}

template <class R>
void backward(Backend& backend, const std::vector<BasicDenseLayer<R>>& layers, ConstView2D<R> x,
              ConstView2D<R> cotangent, DenseScratch<R>& scratch, View2D<R> dx, std::vector<BasicDenseLayer<R>>* grads,
              R beta) {
  ConstView2D<R> delta = cotangent;
  for (index l = static_cast<index>(layers.size()) - 1; l >= 0; --l) {
    const ConstView2D<R> input = l == 0 ? x : ConstView2D<R>(scratch.hidden[l - 1].view().middle_rows(0, x.rows));
    if (grads != nullptr) {
      backend.gemm(Transpose::yes, Transpose::no, R(1), delta, input, beta, (*grads)[l].weight.view());
      column_sums<R>(backend, delta, beta, (*grads)[l].bias.view());
    }
    if (l > 0) {
      const View2D<R> previous(scratch.delta[l % 2].data(), x.rows, layers[l].weight.cols());
      backend.gemm(Transpose::no, Transpose::no, R(1), delta, layers[l].weight.view(), R(0), previous);
      close_relu<R>(backend, input, previous);
      delta = previous;
    } else if (!dx.empty()) {
      backend.gemm(Transpose::no, Transpose::no, R(1), delta, layers[l].weight.view(), R(0), dx);
    }
  }
}

#define NTKROB_INSTANTIATE(R)                                                                                  \
  template void reserve<R>(const std::vector<BasicDenseLayer<R>>&, index, DenseScratch<R>&);                   \
  template void forward<R>(Backend&, const std::vector<BasicDenseLayer<R>>&, ConstView2D<R>, DenseScratch<R>&, \
                           View2D<R>);                                                                         \
  template void backward<R>(Backend&, const std::vector<BasicDenseLayer<R>>&, ConstView2D<R>, ConstView2D<R>,  \
                            DenseScratch<R>&, View2D<R>, std::vector<BasicDenseLayer<R>>*, R);
NTKROB_INSTANTIATE(float)
NTKROB_INSTANTIATE(double)
#undef NTKROB_INSTANTIATE

}  // namespace ntkrob::nn
