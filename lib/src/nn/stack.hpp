/// Stack: the layers of a net for one input shape, and passes through all of them.
#pragma once

#include "nn/layer.hpp"

namespace ntkrob::nn {

/// One layer, and whether a ReLU follows it.
template <class R>
struct Stage {
  LayerPtr<R> layer;
  bool relu = false;
  /// The row of layers.def.
  const char* type() const { return net::name(layer->what.kind); }
  /// What it reads: numbers of layers before it, net::kInput: the images.
  const std::vector<int>& inputs() const { return layer->what.inputs; }
};
template <class R>
using Stack = std::vector<Stage<R>>;

template <class R>
Stack<R> build(const net::Description& description);
/// From the text of a net.
/// throws: ConfigError with the position of what is wrong
template <class R>
Stack<R> compile(const std::string& spec, ImageShape input, index classes);

/// Parameters of the shapes of a stack, all 0; those of normalisations that change nothing.
template <class R>
std::vector<BasicLayerParameters<R>> fresh_parameters(const Stack<R>& stack);

/// Whether a backend that runs whole nets can run this one: a chain of the layers it has (layers.def).
bool is_program(const net::Description& description);
/// The stack for such a backend.   requires: is_program() of its description
template <class R>
NetProgram program_of(const Stack<R>& stack, ImageShape input, index classes);

/// Buffers of a forward and a backward pass.
template <class R>
struct Scratch {
  const Stack<R>* of = nullptr;   // reserve() of it ...
  index rows = 0;                 // ... for so many
  std::vector<Matrix<R>> hidden;  // for each layer but the last: rows x out, after the ReLU
  std::vector<Matrix<R>> delta;   // derivatives by layers' outputs; shared by those that are not alive together
  std::vector<std::size_t> slot;  // which of them a layer's output has
  Matrix<R> part;                 // the derivative by one of several readers of a value
  Matrix<R> logits;               // rows x classes
  Matrix<R> cotangent;            // rows x classes
  SharedScratch<R> shared;
  std::vector<LayerScratch<R>> layers;
  bool keeps = false;  // the parameters have not changed since the last pass with this scratch
};

/// A pass of a training: what layers that compute something else there need to know.
struct TrainingPass {
  Rng random;           // of this step
  index first_row = 0;  // of the batch
};

/// Numbers in the buffers between layers, for each row.   backward: those of the derivatives too
template <class R>
index numbers_between(const Stack<R>& stack, bool backward);
/// Rows that go through the layers together where nothing asks for more.
template <class R>
index rows_together(const Stack<R>& stack);

/// Makes every buffer between layers large enough for `rows` rows; allocates only when it grows. A scratch is of one
/// stack for as long as that lives.
template <class R>
void reserve(const Stack<R>& stack, index rows, Scratch<R>& scratch);

/// out = the layers applied to x; scratch.hidden keeps what backward needs.   x: n x D   out: n x C (overwritten)
///   training: null for the net as it is used   requires: reserve(stack, n or more, scratch)
///   throws: ConfigError where a batch is too small for its statistics
template <class R>
void forward(Backend& backend, const Stack<R>& stack, const std::vector<BasicLayerParameters<R>>& parameters,
             ConstView2D<R> x, Scratch<R>& scratch, View2D<R> out, const TrainingPass* training = nullptr);

/// Derivatives of sum <cotangent, out> after forward() on the same x.
///   x: n x D   cotangent: n x C   dx: n x D (overwritten), or empty if not wanted
///   grads: like parameters, or nullptr if not wanted; overwritten when beta is 0, added to when it is 1
template <class R>
void backward(Backend& backend, const Stack<R>& stack, const std::vector<BasicLayerParameters<R>>& parameters,
              ConstView2D<R> x, ConstView2D<R> cotangent, Scratch<R>& scratch, View2D<R> dx,
              std::vector<BasicLayerParameters<R>>* grads, R beta);

/// Moves running statistics towards those of the batch of the last forward pass of a training.
template <class R>
void absorb_statistics(const Stack<R>& stack, const Scratch<R>& scratch,
                       std::vector<BasicLayerParameters<R>>& parameters);

}  // namespace ntkrob::nn
