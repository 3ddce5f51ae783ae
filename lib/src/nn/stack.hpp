/// Stack: the layers of a net, compiled from its text for one input shape, and passes through all of them.
#pragma once

#include "nn/layer.hpp"

namespace ntkrob::nn {

/// One layer and whether a ReLU follows it.
template <class R>
struct Stage {
  const char* type = nullptr;  // the row of layers.def
  LayerPtr<R> layer;
  bool relu = false;
};
template <class R>
using Stack = std::vector<Stage<R>>;

/// From the text of a net.
/// throws: ConfigError with the position of what is wrong
template <class R>
Stack<R> compile(const std::string& spec, ImageShape input, index classes);

/// The same for a backend that runs whole nets.
template <class R>
NetProgram program_of(const Stack<R>& stack, ImageShape input, index classes);

/// Buffers of a forward and a backward pass.
template <class R>
struct Scratch {
  std::vector<Matrix<R>> hidden;  // for each layer but the last: rows x out, after the ReLU
  Matrix<R> delta[2];             // derivatives with respect to a layer's output, alternating
  Matrix<R> logits;               // rows x classes
  Matrix<R> cotangent;            // rows x classes
  std::vector<LayerScratch<R>> layers;
};

/// Makes every buffer between layers large enough for `rows` rows; allocates only when it grows.
template <class R>
void reserve(const Stack<R>& stack, index rows, Scratch<R>& scratch);

/// out = the layers applied to x; scratch.hidden keeps what backward needs.   x: n x D   out: n x C (overwritten)
///   requires: reserve(stack, n or more, scratch)
template <class R>
void forward(Backend& backend, const Stack<R>& stack, const std::vector<BasicLayerParameters<R>>& parameters,
             ConstView2D<R> x, Scratch<R>& scratch, View2D<R> out);

/// Derivatives of sum <cotangent, out> after forward() on the same x.
///   x: n x D   cotangent: n x C   dx: n x D (overwritten), or empty if not wanted
///   grads: like parameters, or nullptr if not wanted; overwritten when beta is 0, added to when it is 1
template <class R>
void backward(Backend& backend, const Stack<R>& stack, const std::vector<BasicLayerParameters<R>>& parameters,
              ConstView2D<R> x, ConstView2D<R> cotangent, Scratch<R>& scratch, View2D<R> dx,
              std::vector<BasicLayerParameters<R>>* grads, R beta);

}  // namespace ntkrob::nn
