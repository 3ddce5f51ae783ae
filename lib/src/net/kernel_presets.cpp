#include "ntkrob/net/kernel_presets.hpp"

namespace ntkrob::net {

std::string repeat(const std::string& layers, index n) {
  std::string out;
  for (index i = 0; i < n; ++i) out += layers;
  return out;
}

namespace {

std::string fully_connected(const PresetChoice& c) { return repeat("dense-relu-", c.n) + "dense"; }

std::string convolutional(const PresetChoice& c) {
  return repeat("conv(3)-relu-", c.n) + (c.gap ? "gap" : "flatten") + "-dense";
}

/// The published nets end in three 2 x 2 average pools, which take 8 x 8 positions to one: their mean.
std::string myrtle(const PresetChoice& c) {
  const index first = c.n == 10 ? 3 : 2, rest = c.n == 5 ? 1 : first;
  const std::string unit = "conv(3)-relu-", pool = "avgpool(2)-";
  return repeat(unit, first) + pool + repeat(unit, rest) + pool + repeat(unit, rest) + "gap-dense";
}

std::string lenet(const PresetChoice&) {
  return "conv(5)-relu-avgpool(2)-conv(5,pad=valid)-relu-avgpool(2)-flatten-dense-relu-dense-relu-dense";
}

std::string wide_resnet(const PresetChoice& c) {
  std::string out = "conv(3)-";
  for (const char* stride : {"1", "2", "2"})
    out += text("sum(relu-conv(3,stride=", stride, ")-relu-conv(3) | conv(3,stride=", stride, "))-",
                repeat("residual(relu-conv(3)-relu-conv(3))-", (c.n - 4) / 6 - 1));
  return out + "gap-dense";
}

bool any(index) { return true; }

}  // namespace

const KernelPreset kernel_presets[kKernelPresets] = {
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

const KernelPreset* find_kernel_preset(const std::string& name) {
  for (const KernelPreset& preset : kernel_presets)
    if (name == preset.name) return &preset;
  return nullptr;
}

index preset_number(const std::string& source, const SpecItem& item, const KernelPreset& preset) {
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

}  // namespace ntkrob::net
