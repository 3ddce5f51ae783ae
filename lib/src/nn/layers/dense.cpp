// dense: y = x W^T + bias.
#include "nn/layer.hpp"
#include "nn/passes.hpp"

namespace ntkrob::nn {
namespace {

constexpr index kWidthLimit = index{1} << 20;

template <class R>
class Dense final : public Layer<R> {
 public:
  Dense(ImageShape in, index width) : Layer<R>(in, {1, 1, width}, width, in.size()) {}

  void forward(Backend& backend, const BasicLayerParameters<R>& parameters, bool relu, ConstView2D<R> x, View2D<R> y,
               LayerScratch<R>&) const override {
    backend.gemm(Transpose::no, Transpose::yes, R(1), x, parameters.weight.view(), R(0), y);
    add_bias<R>(backend, parameters.bias.view(), relu, y);
  }

  void backward(Backend& backend, const BasicLayerParameters<R>& parameters, ConstView2D<R> x, ConstView2D<R> delta,
                View2D<R> dx, BasicLayerParameters<R>* grads, R beta, LayerScratch<R>&) const override {
    if (grads != nullptr) {
      backend.gemm(Transpose::yes, Transpose::no, R(1), delta, x, beta, grads->weight.view());
      column_sums<R>(backend, delta, beta, grads->bias.view());
    }
    if (!dx.empty()) backend.gemm(Transpose::no, Transpose::no, R(1), delta, parameters.weight.view(), R(0), dx);
  }
};

}  // namespace

template <class R>
LayerPtr<R> make_dense(const std::string& source, const SpecItem& item, ImageShape in, index classes) {
  const SpecArguments arguments(source, item, {"width"}, 1);
  index width = arguments.integer("width", 0, 1, kWidthLimit);
  if (classes > 0 && width != 0 && width != classes)
    spec_error(source, item.position,
               text("the last dense has ", width, " outputs, the data ", classes, " classes; leave its width out"));
  if (width == 0) width = classes;
  if (width == 0) spec_error(source, item.position, "a hidden dense needs its width: dense(256)");
  return std::make_shared<Dense<R>>(in, width);
}

NTKROB_INSTANTIATE_NET_LAYER(dense)

}  // namespace ntkrob::nn
