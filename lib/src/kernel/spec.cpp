#include "ntkrob/kernel/spec.hpp"

#include <algorithm>

#include "kernel/spec_layers.hpp"
#include "layers/all.hpp"
#include "ntkrob/base/fnv1a.hpp"
#include "ntkrob/net/description.hpp"

namespace ntkrob {
namespace {

using kernel::layer_name;

bool is_dense(const SpecLayer& layer) { return layer.type == Operation::pointwise && kernel::is_weighted(layer); }

/// Whether a layer of the network needs positions.
bool needs_image(const Network& network) {
  return std::any_of(network.begin(), network.end(), [](const SpecLayer& layer) {
    switch (layer.type) {
      case Operation::shift:
      case Operation::pool:
      case Operation::mean:
      case Operation::flatten:
        return true;
      case Operation::sum:
      case Operation::product:
        return std::any_of(layer.branches.begin(), layer.branches.end(), needs_image);
      case Operation::pointwise:
      case Operation::normalise:
        break;
    }
    return false;
  });
}

/// What the rules of the order of layers depend on.
struct State {
  bool image = false;      // positions, or one
  std::string reduced_by;  // the layer that left one position
  // Whether the value is Gaussian, and independent of what the branches around it share: the depth of branches at
  // which the last weights were applied; none where a nonlinearity or the input came after them.
  int gaussian = kNone;
  static constexpr int kNone = -1;
};

class Rules {
 public:
  explicit Rules(const std::string& source) : source_(source) {}

  State apply(const Network& network, State state, int depth) const {
    for (const SpecLayer& layer : network) state = apply(layer, std::move(state), depth);
    return state;
  }

 private:
  State apply(const SpecLayer& layer, State state, int depth) const {
    switch (layer.type) {
      case Operation::pointwise:
        pointwise(layer, state, depth);
        break;
      case Operation::shift:
        need_image(layer, state);
        state.gaussian = depth;
        break;
      case Operation::pool:
        need_image(layer, state);
        break;
      case Operation::mean:
      case Operation::flatten:
        need_image(layer, state);
        state.image = false;
        state.reduced_by = layer_name(layer);
        // What flatten stacks differs in variance from position to position: no single Gaussian.
        if (layer.type == Operation::flatten) state.gaussian = State::kNone;
        break;
      case Operation::normalise:
        break;
      case Operation::sum:
      case Operation::product:
        return branches(layer, state, depth);
    }
    return state;
  }

  void pointwise(const SpecLayer& layer, State& state, int depth) const {
    if (is_dense(layer) && state.image)
      fail(layer,
           "dense needs one position: put flatten or gap before it, or write conv(1) for a dense at every position");
    switch (layers::info(layer.layer.kind).law) {
      case Law::makes_gaussian:
        state.gaussian = depth;
        break;
      case Law::keeps:
        break;
      case Law::adds_noise:
        state.gaussian = State::kNone;
        break;
      case Law::needs_gaussian:
        if (state.gaussian == State::kNone)
          fail(layer, text(layer_name(layer),
                           " must follow a dense layer or a conv, or a sum, an average or a layernorm of such"));
        state.gaussian = State::kNone;
        break;
    }
  }

  State branches(const SpecLayer& layer, const State& state, int depth) const {
    const bool concatenates = !layer.shares.empty();
    State result;
    int dependent = 0;
    for (std::size_t b = 0; b < layer.branches.size(); ++b) {
      State out = apply(layer.branches[b], state, depth + 1);
      if (out.gaussian <= depth) ++dependent;
      if (b > 0 && out.image != result.image)
        fail(layer,
             text("the branches of ", layer_name(layer), " differ: ", "one ends in ",
                  out.image ? result.reduced_by : out.reduced_by, " with one position, another still has an image"));
      out.gaussian = std::min(out.gaussian, depth);
      if (b > 0) out.gaussian = std::min(out.gaussian, result.gaussian);
      result = std::move(out);
    }
    // A product of Gaussians is none; channels of different laws or variances are not one.
    if (concatenates || layer.type == Operation::product) result.gaussian = State::kNone;
    if (dependent > 1 && !concatenates)
      fail(layer, text("the branches of ", layer_name(layer),
                       " are not independent: all but one, the identity for "
                       "example, must end in weights of their own (conv or dense, then no nonlinearity)"));
    return result;
  }

  void need_image(const SpecLayer& layer, const State& state) const {
    if (!state.image)
      fail(layer, text(layer_name(layer), " needs positions, and ", state.reduced_by, " before it left only one"));
  }

  [[noreturn]] void fail(const SpecLayer& layer, const std::string& message) const {
    spec_error(source_, layer.position, message);
  }

  const std::string& source_;
};

/// The layers as a chain; empty where there are branches.
Chain chain(const Network& network) {
  Chain result;
  for (const SpecLayer& layer : network) {
    if (!layer.branches.empty()) return {};
    // Over one position all axes of a layernorm are the channels.
    const bool norm = layer.type == Operation::normalise;
    result.push_back(norm ? ChainLayer{layers::k_layernorm, {layer.eps}} : layer.layer);
  }
  return result;
}

}  // namespace

KernelSpec KernelSpec::parse(const std::string& source) {
  // The limit of a net, by the net's text.
  constexpr const char* kNet = "net:";
  const std::size_t begin = source.find_first_not_of(" \t\n");
  if (begin != std::string::npos && source.compare(begin, 4, kNet) == 0) {
    KernelSpec spec = parse(net::kernel_text(source.substr(begin + 4)));
    spec.source_ = source;
    return spec;
  }
  KernelSpec spec;
  spec.source_ = source;
  const std::vector<SpecItem> items = parse_spec(source);
  const bool preset = items.size() == 1 && kernel::is_preset(items[0].name);
  spec.network_ = preset ? kernel::expand_preset(source, items[0]) : kernel::read_network(source, items);
  kernel::resolve_widths(source, spec.network_);
  spec.reads_image_ = needs_image(spec.network_);
  State state;
  state.image = spec.reads_image_;
  state = Rules(source).apply(spec.network_, state, 0);
  const SpecLayer& last = spec.network_.back();
  if (!is_dense(last))
    spec_error(source, last.position,
               text(layer_name(last), " cannot be the last layer: ",
                    state.image ? "flatten or gap and a readout dense must follow" : "a readout dense must follow"));
  if (!spec.reads_image_) spec.layers_ = chain(spec.network_);
  return spec;
}

std::string KernelSpec::to_string() const { return kernel::print_network(network_); }

std::uint64_t KernelSpec::hash() const { return fnv1a(to_string()); }

std::vector<std::string> kernel_spec_help() {
  std::vector<std::string> lines = kernel::preset_help();
  for (int kind = 0; kind < layers::kKinds; ++kind) {
    if (kind == layers::k_layernorm || kind == layers::k_standard) continue;  // below
    const layers::Info& info = layers::info(kind);
    std::string line = info.name;
    for (int k = 0; k < info.n_parameters; ++k)
      line += text(k == 0 ? "(" : ",", info.parameters[k].name, "=", format_number(info.parameters[k].fallback));
    if (info.n_parameters > 0) line += ")";
    lines.push_back(text(line, "   ", info.description));
  }
  for (const char* line :
       {"conv(3,w=..,b=..,stride=1,pad=same,dilation=1)   convolution, window 3 x 3 or (3,5); pad=same|valid|circular; "
        "sh=, sw= for one stride each; w and b of dense (Novak 2019; Arora 2019)",
        "avgpool(2,stride=2,pad=valid,edges=window)   average pooling, stride of the window if not given; edges=window "
        "divides by the window's size, edges=inside by its pixels inside the image",
        "sumpool(2,stride=2,pad=valid)   sum pooling", "gap   global average pooling: one position remains",
        "flatten   all positions stacked: one position remains",
        "layernorm(eps=1e-12,axes=channel)   layer normalisation over the channels, or axes=all: over positions too",
        "dense(param=standard,in=512), conv(3,param=standard,in=64)   standard parameterisation: in = inputs or "
        "channels, "
        "or width=N in the layer before (Sohl-Dickstein 2020)",
        "residual(relu-conv(3)-relu-conv(3))   the identity plus a branch of layers",
        "sum(relu-conv(3) | conv(1))   branches of layers on the same input, summed; an empty one is the identity",
        "product(relu-conv(3) | conv(1))   the same, multiplied",
        "concat(relu-conv(3) | )   the same, their channels side by side: in equal shares, or in those of the width=N "
        "of "
        "their last conv or dense"})
    lines.emplace_back(line);
  return lines;
}

}  // namespace ntkrob
