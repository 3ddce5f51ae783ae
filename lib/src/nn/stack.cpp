#include "nn/stack.hpp"

#include <algorithm>
#include <optional>

#include "nn/blocks.hpp"
#include "nn/passes.hpp"

namespace ntkrob::nn {
namespace {

template <class R>
using MakeLayer = LayerPtr<R> (*)(const net::Layer& what);
template <class R>
const MakeLayer<R> kMakers[] = {
#define NTKROB_NET_LAYER(name, ...) &make_##name<R>,
#include "ntkrob/net/layers.def"
#undef NTKROB_NET_LAYER
};

/// Which layers' outputs are read last by which: the reader with the smallest number ends the life of a derivative's
/// beginning, so that derivatives that are alive together have slots of their own.
template <class R>
std::vector<std::size_t> assign_slots(const Stack<R>& stack) {
  const std::size_t none = stack.size();
  std::vector<std::size_t> last_reader(stack.size(), none), slot(stack.size(), 0);
  for (std::size_t l = 0; l < stack.size(); ++l)
    for (const int in : stack[l].inputs())
      if (in >= 0) last_reader[static_cast<std::size_t>(in)] = l;
  // Walking backwards, layer l writes the derivatives of its inputs while its own is still read.
  std::vector<std::size_t> free_from;  // per slot: the layer whose backward pass ends its use
  for (std::size_t l = stack.size(); l-- > 0;)
    for (const int in : stack[l].inputs()) {
      if (in < 0 || last_reader[static_cast<std::size_t>(in)] != l) continue;
      last_reader[static_cast<std::size_t>(in)] = none;  // two readings by one layer
      std::size_t s = 0;
      while (s < free_from.size() && free_from[s] <= l) ++s;
      if (s == free_from.size()) free_from.push_back(0);
      free_from[s] = static_cast<std::size_t>(in);
      slot[static_cast<std::size_t>(in)] = s;
    }
  return slot;
}

/// h += part.
template <class R>
void add_to(Backend& backend, ConstView2D<R> part, View2D<R> h) {
  for_blocks(backend, h.rows, rows_per_block(h.cols), [&](index begin, index count) {
    for (index i = begin; i < begin + count; ++i)
      for (index j = 0; j < h.cols; ++j) h.row(i)[j] += part.row(i)[j];
  });
}

template <class R>
void copy_rows(Backend& backend, ConstView2D<R> from, View2D<R> to) {
  for_blocks(backend, to.rows, rows_per_block(to.cols), [&](index begin, index count) {
    for (index i = begin; i < begin + count; ++i) std::copy_n(from.row(i), to.cols, to.row(i));
  });
}

/// The kind of a layer of programs; none where backends that run whole nets lack it.
std::optional<NetLayer::Kind> program_kind(net::Kind kind) {
  switch (kind) {
    case net::Kind::dense:
      return NetLayer::Kind::dense;
    case net::Kind::conv:
      return NetLayer::Kind::conv;
    case net::Kind::maxpool:
      return NetLayer::Kind::maxpool;
    case net::Kind::avgpool:
      return NetLayer::Kind::avgpool;
    case net::Kind::gap:
      return NetLayer::Kind::gap;
    case net::Kind::normalise:
      return NetLayer::Kind::normalise;
    case net::Kind::batchnorm:
    case net::Kind::depthwise:
    case net::Kind::dropout:
    case net::Kind::gelu:
    case net::Kind::groupnorm:
    case net::Kind::layernorm:
    case net::Kind::leaky:
    case net::Kind::relu:
    case net::Kind::sum:
    case net::Kind::tanh:
      break;
  }
  return std::nullopt;
}

}  // namespace

template <class R>
Stack<R> build(const net::Description& description) {
  Stack<R> stack;
  for (const net::Layer& layer : description.layers)
    stack.push_back({kMakers<R>[static_cast<std::size_t>(layer.kind)](layer), layer.relu});
  return stack;
}

template <class R>
Stack<R> compile(const std::string& spec, ImageShape input, index classes) {
  return build<R>(net::describe(spec, input, classes));
}

template <class R>
std::vector<BasicLayerParameters<R>> fresh_parameters(const Stack<R>& stack) {
  std::vector<BasicLayerParameters<R>> parameters;
  for (const Stage<R>& stage : stack) {
    const index width = stage.layer->outputs, fan_in = stage.layer->fan_in;
    BasicLayerParameters<R> own{Matrix<R>(width, fan_in), Matrix<R>(width > 0 ? 1 : 0, width), {}};
    if (stage.layer->what.scales()) std::fill_n(own.weight.data(), width, R(1));
    if (stage.layer->what.statistics) {
      own.statistics = Matrix<R>(2, width);
      std::fill_n(own.statistics.row(1), width, R(1));
    }
    parameters.push_back(std::move(own));
  }
  return parameters;
}

bool is_program(const net::Description& description) {
  return description.chain() &&
         std::all_of(description.layers.begin(), description.layers.end(),
                     [](const net::Layer& layer) { return program_kind(layer.kind).has_value(); });
}

template <class R>
NetProgram program_of(const Stack<R>& stack, ImageShape input, index classes) {
  NetProgram program{input, classes, {}};
  for (const Stage<R>& stage : stack) {
    const net::Layer& what = stage.layer->what;
    NetLayer layer;
    const std::optional<NetLayer::Kind> kind = program_kind(what.kind);
    NTKROB_ASSERT(kind.has_value());
    layer.kind = *kind;
    layer.in = what.in;
    layer.out = what.out;
    layer.relu = stage.relu;
    layer.outputs = what.outputs;
    layer.fan_in = what.fan_in;
    if (what.has_window()) {
      layer.kh = what.window.kh;
      layer.kw = what.window.kw;
      layer.stride = what.window.stride;
      layer.top = what.window.top;
      layer.left = what.window.left;
    }
    layer.inside = what.inside;
    layer.mean = what.mean;
    layer.deviation = what.deviation;
    program.layers.push_back(std::move(layer));
  }
  return program;
}

namespace {

/// Numbers between layers of one block of rows, beyond which a block of images has fewer rows.
constexpr index kTogether = index{1} << 22;
constexpr index kSmallestBlock = 16;

/// The buffers between layers, in numbers for each row.
struct Widths {
  std::vector<std::size_t> slot;
  std::vector<index> hidden, delta;
  index part = 0, classes = 0;
};

template <class R>
Widths widths(const Stack<R>& stack) {
  Widths w;
  const std::size_t last = stack.size() - 1;
  w.classes = stack[last].layer->out.size();
  w.slot = assign_slots(stack);
  w.delta.assign(1 + *std::max_element(w.slot.begin(), w.slot.end()), 0);
  std::vector<int> readers(stack.size(), 0);
  for (std::size_t l = 0; l < stack.size(); ++l)
    for (const int in : stack[l].inputs())
      if (in >= 0 && ++readers[static_cast<std::size_t>(in)] > 1)
        w.part = std::max(w.part, stack[static_cast<std::size_t>(in)].layer->out.size());
      else if (in < 0 && l > 0)
        w.part = std::max(w.part, stack[l].layer->in.size());
  for (std::size_t l = 0; l < last; ++l) {
    w.hidden.push_back(stack[l].layer->out.size());
    index& most = w.delta[w.slot[l]];
    most = std::max(most, w.hidden[l]);
  }
  return w;
}

}  // namespace

template <class R>
index numbers_between(const Stack<R>& stack, bool backward) {
  const Widths w = widths(stack);
  index numbers = 2 * w.classes;
  for (const index one : w.hidden) numbers += one;
  if (!backward) return numbers;
  for (const index one : w.delta) numbers += one;
  return numbers + w.part;
}

template <class R>
index rows_together(const Stack<R>& stack) {
  index numbers = 0;
  bool images = false;
  for (const Stage<R>& stage : stack) {
    numbers += std::min(stage.layer->out.size(), kTogether);  // shapes from files may be of any size
    images |= stage.layer->out.height * stage.layer->out.width > 1;
  }
  return images ? std::clamp(kTogether / numbers, kSmallestBlock, Net::kRowBlock) : Net::kRowBlock;
}

template <class R>
void reserve(const Stack<R>& stack, index rows, Scratch<R>& scratch) {
  if (scratch.of == &stack && scratch.rows >= rows) return;
  const Widths w = widths(stack);
  scratch.of = &stack;
  scratch.rows = rows;
  scratch.slot = w.slot;
  scratch.hidden.resize(w.hidden.size());
  scratch.layers.resize(stack.size());
  scratch.delta.resize(w.delta.size());
  for (std::size_t l = 0; l < w.hidden.size(); ++l) grow(scratch.hidden[l], rows, w.hidden[l]);
  for (std::size_t s = 0; s < w.delta.size(); ++s)
    if (w.delta[s] > 0) grow(scratch.delta[s], rows, w.delta[s]);
  if (w.part > 0) grow(scratch.part, rows, w.part);
  grow(scratch.logits, rows, w.classes);
  grow(scratch.cotangent, rows, w.classes);
}

template <class R>
void forward(Backend& backend, const Stack<R>& stack, const std::vector<BasicLayerParameters<R>>& parameters,
             ConstView2D<R> x, Scratch<R>& scratch, View2D<R> out, const TrainingPass* training) {
  const auto value = [&](int layer) {
    return layer < 0 ? x
                     : ConstView2D<R>(scratch.hidden[static_cast<std::size_t>(layer)].view().middle_rows(0, x.rows));
  };
  for (std::size_t l = 0; l < stack.size(); ++l) {
    const Stage<R>& stage = stack[l];
    LayerScratch<R>& own = scratch.layers[l];
    own.keeps = scratch.keeps;
    own.shared = &scratch.shared;
    own.training = training != nullptr;
    if (training != nullptr) {
      own.random = training->random.fork(l);
      own.first_row = training->first_row;
    }
    const bool last = l + 1 == stack.size();
    const View2D<R> direct = last ? out : scratch.hidden[l].view().middle_rows(0, x.rows);
    const View2D<R> h = direct.stride == direct.cols ? direct : scratch.logits.view().middle_rows(0, x.rows);
    if (stage.inputs().size() == 1) {
      stage.layer->forward(backend, parameters[l], stage.relu, value(stage.inputs()[0]), h, own);
    } else {
      std::vector<ConstView2D<R>> inputs;
      for (const int in : stage.inputs()) inputs.push_back(value(in));
      stage.layer->join(backend, inputs, stage.relu, h);
    }
    if (h.data != direct.data) convert<R, const R>(h, direct);
  }
}

template <class R>
void backward(Backend& backend, const Stack<R>& stack, const std::vector<BasicLayerParameters<R>>& parameters,
              ConstView2D<R> x, ConstView2D<R> cotangent, Scratch<R>& scratch, View2D<R> dx,
              std::vector<BasicLayerParameters<R>>* grads, R beta) {
  const auto value = [&](int layer) {
    return layer < 0 ? x
                     : ConstView2D<R>(scratch.hidden[static_cast<std::size_t>(layer)].view().middle_rows(0, x.rows));
  };
  // Whether somebody wants the derivative by a layer's output: parameters of it or below it, or the images.
  std::vector<char> wanted(stack.size(), 0), begun(stack.size(), 0);
  bool image_begun = false;
  for (std::size_t l = 0; l < stack.size(); ++l) {
    wanted[l] = stack[l].layer->has_parameters() || !dx.empty();
    for (const int in : stack[l].inputs()) wanted[l] |= in >= 0 && wanted[static_cast<std::size_t>(in)];
  }
  const auto below = [&](int in, index cols) {
    if (in < 0) return dx;
    if (!wanted[static_cast<std::size_t>(in)]) return View2D<R>();
    return View2D<R>(scratch.delta[scratch.slot[static_cast<std::size_t>(in)]].data(), x.rows, cols);
  };
  ConstView2D<R> top = cotangent;
  if (top.stride != top.cols) {
    const View2D<R> copy = scratch.cotangent.view().middle_rows(0, x.rows);
    convert<R, const R>(top, copy);
    top = copy;
  }
  for (std::size_t l = stack.size(); l-- > 0;) {
    if (!wanted[l]) continue;
    const Stage<R>& stage = stack[l];
    const Layer<R>& layer = *stage.layer;
    ConstView2D<R> delta = top;
    if (l + 1 < stack.size()) {
      const View2D<R> own = below(static_cast<int>(l), layer.out.size());
      if (stage.relu) close_relu<R>(backend, value(static_cast<int>(l)), own);
      delta = own;
    }
    BasicLayerParameters<R>* const gradient = grads != nullptr && layer.has_parameters() ? &(*grads)[l] : nullptr;
    for (const int in : stage.inputs()) {
      const View2D<R> down = below(in, layer.in.size());
      bool more = false;  // another reader of the value has been here
      if (!down.empty()) {
        more = in < 0 ? image_begun : begun[static_cast<std::size_t>(in)] != 0;
        if (in < 0)
          image_begun = true;
        else
          begun[static_cast<std::size_t>(in)] = 1;
      }
      const View2D<R> part = more ? View2D<R>(scratch.part.data(), x.rows, down.cols) : down;
      if (stage.inputs().size() > 1) {
        if (down.empty()) continue;
        more ? add_to<R>(backend, delta, down) : copy_rows<R>(backend, delta, down);
        continue;
      }
      layer.backward(backend, parameters[l], value(in), delta, part, gradient, beta, scratch.layers[l]);
      if (more) add_to<R>(backend, part, down);
    }
  }
}

template <class R>
void absorb_statistics(const Stack<R>& stack, const Scratch<R>& scratch,
                       std::vector<BasicLayerParameters<R>>& parameters) {
  for (std::size_t l = 0; l < stack.size(); ++l) {
    const net::Layer& what = stack[l].layer->what;
    if (!what.statistics) continue;
    const LayerScratch<R>& own = scratch.layers[l];
    const double momentum = what.constant("momentum"), n = static_cast<double>(own.counted);
    for (index k = 0; k < what.outputs; ++k)
      for (const int row : {0, 1}) {
        const double found = own.statistics(row, k) * (row == 0 ? 1 : n / (n - 1));  // variance: unbiased
        R& running = parameters[l].statistics(row, k);
        running = static_cast<R>((1 - momentum) * static_cast<double>(running) + momentum * found);
      }
  }
}

#define NTKROB_INSTANTIATE(R)                                                                                       \
  template Stack<R> build<R>(const net::Description&);                                                              \
  template Stack<R> compile<R>(const std::string&, ImageShape, index);                                              \
  template std::vector<BasicLayerParameters<R>> fresh_parameters<R>(const Stack<R>&);                               \
  template NetProgram program_of<R>(const Stack<R>&, ImageShape, index);                                            \
  template index numbers_between<R>(const Stack<R>&, bool);                                                         \
  template index rows_together<R>(const Stack<R>&);                                                                 \
  template void reserve<R>(const Stack<R>&, index, Scratch<R>&);                                                    \
  template void forward<R>(Backend&, const Stack<R>&, const std::vector<BasicLayerParameters<R>>&, ConstView2D<R>,  \
                           Scratch<R>&, View2D<R>, const TrainingPass*);                                            \
  template void backward<R>(Backend&, const Stack<R>&, const std::vector<BasicLayerParameters<R>>&, ConstView2D<R>, \
                            ConstView2D<R>, Scratch<R>&, View2D<R>, std::vector<BasicLayerParameters<R>>*, R);      \
  template void absorb_statistics<R>(const Stack<R>&, const Scratch<R>&, std::vector<BasicLayerParameters<R>>&);
NTKROB_INSTANTIATE(float)
NTKROB_INSTANTIATE(double)
#undef NTKROB_INSTANTIATE

}  // namespace ntkrob::nn
