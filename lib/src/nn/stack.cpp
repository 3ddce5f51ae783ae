#include "nn/stack.hpp"

#include <algorithm>

#include "nn/passes.hpp"

namespace ntkrob::nn {

template <class R>
NetProgram program_of(const Stack<R>& stack, ImageShape input, index classes) {
  NetProgram program{input, classes, {}};
  for (const Stage<R>& stage : stack) {
    NetLayer layer;
    layer.in = stage.layer->in;
    layer.out = stage.layer->out;
    layer.relu = stage.relu;
    layer.outputs = stage.layer->outputs;
    layer.fan_in = stage.layer->fan_in;
    stage.layer->describe(layer);
    program.layers.push_back(std::move(layer));
  }
  return program;
}

template <class R>
void reserve(const Stack<R>& stack, index rows, Scratch<R>& scratch) {
  const std::size_t last = stack.size() - 1;
  const index classes = stack[last].layer->out.size();
  index widest = 1;
  scratch.hidden.resize(last);
  scratch.layers.resize(stack.size());
  for (std::size_t l = 0; l < last; ++l) {
    const index width = stack[l].layer->out.size();
    grow(scratch.hidden[l], rows, width);
    widest = std::max(widest, width);
  }
  if (last > 0)
    for (auto& delta : scratch.delta) grow(delta, rows, widest);
  grow(scratch.logits, rows, classes);
  grow(scratch.cotangent, rows, classes);
}

template <class R>
void forward(Backend& backend, const Stack<R>& stack, const std::vector<BasicLayerParameters<R>>& parameters,
             ConstView2D<R> x, Scratch<R>& scratch, View2D<R> out) {
  ConstView2D<R> input = x;
  for (std::size_t l = 0; l < stack.size(); ++l) {
    const bool last = l + 1 == stack.size();
    const View2D<R> direct = last ? out : scratch.hidden[l].view().middle_rows(0, x.rows);
    const View2D<R> h = direct.stride == direct.cols ? direct : scratch.logits.view().middle_rows(0, x.rows);
    stack[l].layer->forward(backend, parameters[l], stack[l].relu, input, h, scratch.layers[l]);
    if (h.data != direct.data) convert<R, const R>(h, direct);
    input = h;
  }
}

template <class R>
void backward(Backend& backend, const Stack<R>& stack, const std::vector<BasicLayerParameters<R>>& parameters,
              ConstView2D<R> x, ConstView2D<R> cotangent, Scratch<R>& scratch, View2D<R> dx,
              std::vector<BasicLayerParameters<R>>* grads, R beta) {
  // No derivative is passed on below this layer.
  std::size_t first = 0;
  while (dx.empty() && first + 1 < stack.size() && !stack[first].layer->has_parameters()) ++first;

  ConstView2D<R> delta = cotangent;
  if (delta.stride != delta.cols) {
    const View2D<R> copy = scratch.cotangent.view().middle_rows(0, x.rows);
    convert<R, const R>(delta, copy);
    delta = copy;
  }
  for (std::size_t l = stack.size(); l-- > first;) {
    const Layer<R>& layer = *stack[l].layer;
    const ConstView2D<R> input = l == 0 ? x : ConstView2D<R>(scratch.hidden[l - 1].view().middle_rows(0, x.rows));
    const View2D<R> down =
        l == first ? (l == 0 ? dx : View2D<R>()) : View2D<R>(scratch.delta[l % 2].data(), x.rows, layer.in.size());
    BasicLayerParameters<R>* const own = grads != nullptr && layer.has_parameters() ? &(*grads)[l] : nullptr;
    layer.backward(backend, parameters[l], input, delta, down, own, beta, scratch.layers[l]);
    if (l > first && stack[l - 1].relu) close_relu<R>(backend, input, down);
    delta = down;
  }
}

#define NTKROB_INSTANTIATE(R)                                                                                       \
  template NetProgram program_of<R>(const Stack<R>&, ImageShape, index);                                            \
  template void reserve<R>(const Stack<R>&, index, Scratch<R>&);                                                    \
  template void forward<R>(Backend&, const Stack<R>&, const std::vector<BasicLayerParameters<R>>&, ConstView2D<R>,  \
                           Scratch<R>&, View2D<R>);                                                                 \
  template void backward<R>(Backend&, const Stack<R>&, const std::vector<BasicLayerParameters<R>>&, ConstView2D<R>, \
                            ConstView2D<R>, Scratch<R>&, View2D<R>, std::vector<BasicLayerParameters<R>>*, R);
NTKROB_INSTANTIATE(float)
NTKROB_INSTANTIATE(double)
#undef NTKROB_INSTANTIATE

}  // namespace ntkrob::nn
