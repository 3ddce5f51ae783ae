// dense: y = x W^T + bias.
//
// Products that outputs and input gradients come from are packed ones, whose bits depend on the row alone: what is said
// about a sample does not depend on the samples beside it. Parameter gradients are sums over the rows of a batch.
#include "nn/blocks.hpp"
#include "nn/layer.hpp"
#include "nn/passes.hpp"

namespace ntkrob::nn {
namespace {

template <class R>
class Dense final : public Layer<R> {
 public:
  using Layer<R>::Layer;

  void forward(Backend& backend, const BasicLayerParameters<R>& parameters, bool relu, ConstView2D<R> x, View2D<R> y,
               LayerScratch<R>& scratch) const override {
    lay_out(scratch, scratch.ahead, [&] { backend.pack(Transpose::yes, parameters.weight.view(), scratch.panels); });
    multiply_rows(backend, x, scratch.panels, y,
                  [&](View2D<R> done) { add_bias_rows<R>(parameters.bias.data(), relu, done); });
  }

  void backward(Backend& backend, const BasicLayerParameters<R>& parameters, ConstView2D<R> x, ConstView2D<R> delta,
                View2D<R> dx, BasicLayerParameters<R>* grads, R beta, LayerScratch<R>& scratch) const override {
    if (grads != nullptr) {
      backend.gemm(Transpose::yes, Transpose::no, R(1), delta, x, beta, grads->weight.view());
      column_sums<R>(backend, delta, beta, grads->bias.view());
    }
    if (dx.empty()) return;
    lay_out(scratch, scratch.behind, [&] { backend.pack(Transpose::no, parameters.weight.view(), scratch.back); });
    multiply_rows(backend, delta, scratch.back, dx, [](View2D<R>) {});
  }

 private:
  /// c = a op(W), then finish(rows of c) while they are in the cache.
  template <class Finish>
  static void multiply_rows(Backend& backend, ConstView2D<R> a, const Panels<R>& panels, View2D<R> c,
                            const Finish& finish) {
    for_blocks(backend, c.rows, rows_per_product(panels.k, panels.n), [&](index first, index count) {
      const View2D<R> rows = c.middle_rows(first, count);
      backend.multiply(R(1), a.middle_rows(first, count), panels, 0, R(0), rows);
      finish(rows);
    });
  }
};

}  // namespace

template <class R>
LayerPtr<R> make_dense(const net::Layer& what) {
  return std::make_shared<Dense<R>>(what);
}

NTKROB_INSTANTIATE_NET_LAYER(dense)

}  // namespace ntkrob::nn
