/// Whole networks by name, written in the grammar itself.
#include "kernel/spec_layers.hpp"
#include "layers/all.hpp"

namespace ntkrob::kernel {
namespace {

std::string repeat(const std::string& layers, index n) {
  std::string out;
  for (index i = 0; i < n; ++i) out += layers;
  return out;
}

/// What a preset is made from: the number behind ":", and pool=gap.
struct Choice {
  index n = 0;
  bool gap = false;
};

std::string fully_connected(const Choice& c) { return repeat("dense-relu-", c.n) + "dense"; }

std::string convolutional(const Choice& c) {
  return repeat("conv(3)-relu-", c.n) + (c.gap ? "gap" : "flatten") + "-dense";
}

/// The published nets end in three 2 x 2 average pools, which take 8 x 8 positions to one: their mean.
std::string myrtle(const Choice& c) {
  const index first = c.n == 10 ? 3 : 2, rest = c.n == 5 ? 1 : first;
  const std::string unit = "conv(3)-relu-", pool = "avgpool(2)-";
  return repeat(unit, first) + pool + repeat(unit, rest) + pool + repeat(unit, rest) + "gap-dense";
}

std::string lenet(const Choice&) {
  return "conv(5)-relu-avgpool(2)-conv(5,pad=valid)-relu-avgpool(2)-flatten-dense-relu-dense-relu-dense";
}

std::string wide_resnet(const Choice& c) {
  std::string out = "conv(3)-";
  for (const char* stride : {"1", "2", "2"})
    out += text("sum(relu-conv(3,stride=", stride, ")-relu-conv(3) | conv(3,stride=", stride, "))-",
                repeat("residual(relu-conv(3)-relu-conv(3))-", (c.n - 4) / 6 - 1));
  return out + "gap-dense";
}

bool any(index) { return true; }

struct Preset {
  const char* name;
  const char* form;
  const char* number;  // what n is; null: no number
  const char* example;
  index low, high;
  bool (*allowed)(index n);
  bool pools;   // takes pool=flatten|gap
  bool biased;  // b defaults to dense's default, else to 0
  std::string (*layers)(const Choice& c);
  const char* help;
};

const Preset kPresets[] = {
    {"fc", "fc:L", "number of hidden layers", "fc:3 for three hidden layers", 0, 200, any, false, true, fully_connected,
     "L hidden layers: (dense-relu) x L, then dense"},
    {"cnn", "cnn:L", "number of convolutions", "cnn:3 for three convolutions", 1, 200, any, true, true, convolutional,
     "(conv(3)-relu) x L - flatten - dense, or with pool=gap global average pooling"},
    {"lenet", "lenet", nullptr, "", 0, 0, any, false, true, lenet,
     "LeNet-5 with ReLU and average pools: conv(5)-relu-avgpool(2)-conv(5,pad=valid)-relu-avgpool(2)-flatten-"
     "(dense-relu) x 2 - dense (LeCun 1998)"},
    {"myrtle", "myrtle:5|7|10", "number of layers", "myrtle:5, myrtle:7 or myrtle:10", 5, 10,
     [](index n) { return n == 5 || n == 7 || n == 10; }, false, false, myrtle,
     "(conv(3)-relu) x n1 - avgpool(2) - (conv(3)-relu) x n2 - avgpool(2) - (conv(3)-relu) x n3 - gap - dense, "
     "n = 2,1,1 | 2,2,2 | 3,3,3, no bias; on 32 x 32 images gap is the three last pools of the paper (Shankar 2020)"},
    {"resnet", "resnet:N", "number of layers, N = 6n + 4", "resnet:10, resnet:16, resnet:22 or resnet:28", 10, 196,
     [](index n) { return (n - 4) % 6 == 0; }, false, true, wide_resnet,
     "wide residual net, N = 6n + 4 = 10, 16, 22, ..: conv(3), three groups of n blocks with stride 1, 2, 2, gap, "
     "dense; block residual(relu-conv(3)-relu-conv(3)), a group's first with conv(3) in place of the identity "
     "(Zagoruyko 2016)"}};

const Preset* find(const std::string& name) {
  for (const Preset& preset : kPresets)
    if (name == preset.name) return &preset;
  return nullptr;
}

index read_number(const std::string& source, const SpecItem& item, const Preset& preset) {
  if (preset.number == nullptr) {
    if (!item.suffix.empty()) spec_error(source, item.position, text(item.name, " takes no \":", item.suffix, "\""));
    return 0;
  }
  index n = 0;
  try {
    n = parse_integer(item.suffix, text(item.name, ": ", preset.number), preset.low, preset.high);
  } catch (const ConfigError& error) {
    spec_error(source, item.position, text(error.what(), "; write ", preset.example));
  }
  if (!preset.allowed(n))
    spec_error(source, item.position, text(item.name, ": ", preset.number, " is ", n, "; write ", preset.example));
  return n;
}

/// Gives every dense and convolution these parameters, every layer this position.
void finish(Network& network, const ChainLayer& dense, std::size_t position) {
  for (SpecLayer& layer : network) {
    layer.position = position;
    if (is_weighted(layer)) layer.layer = dense;
    for (Network& branch : layer.branches) finish(branch, dense, position);
  }
}

}  // namespace

bool is_preset(const std::string& name) { return find(name) != nullptr; }

std::string preset_forms() {
  std::string out;
  for (const Preset& preset : kPresets) out += text(out.empty() ? "" : ", ", preset.form);
  return out;
}

Network expand_preset(const std::string& source, const SpecItem& item) {
  const Preset& preset = *find(item.name);
  Choice choice;
  choice.n = read_number(source, item, preset);
  std::vector<std::string> known = parameter_names(layers::k_dense);
  const std::size_t positional = known.size();
  if (preset.pools) known.emplace_back("pool");
  const Arguments arguments(source, item, known, positional);
  if (preset.pools) choice.gap = arguments.choice("pool", 0, {"flatten", "gap"}) == 1;
  ChainLayer dense = read_pointwise(layers::k_dense, arguments);
  if (!preset.biased && arguments.find("b") == nullptr)
    for (std::size_t k = 0; k < positional; ++k)
      if (known[k] == "b") dense.params[k] = 0;
  const std::string layers = preset.layers(choice);
  Network network = read_network(layers, parse_spec(layers));
  finish(network, dense, item.position);
  return network;
}

std::vector<std::string> preset_help() {
  std::vector<std::string> lines;
  for (const Preset& preset : kPresets)
    lines.push_back(text(preset.form, " or ", preset.form, preset.pools ? "(pool=..,w=..,b=..)" : "(w=..,b=..)", "   ",
                         preset.help));
  return lines;
}

}  // namespace ntkrob::kernel
