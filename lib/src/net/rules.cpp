#include "net/rules.hpp"

#include <algorithm>

#include "net/headers.hpp"  // of all layers, made by CMake from layers.def
#include "ntkrob/net/kernel_presets.hpp"

namespace ntkrob::net {
namespace {

const Rule kRules[] = {
#define NTKROB_NET_LAYER(name, description, ...) \
  {Kind::name, #name, description, &rules::name::read, &rules::name::limit},
#include "ntkrob/net/layers.def"
#undef NTKROB_NET_LAYER
};

const Coverage kCoverage[] = {
#define NTKROB_NET_LAYER(name, description, example, kernel, cpu, cuda, micro, int8, onnx, torch) \
  {#name, kernel, cpu, cuda, micro, int8, onnx, torch},
#include "ntkrob/net/layers.def"
#undef NTKROB_NET_LAYER
};

/// Words of the grammar, and the layer they are.
struct Word {
  const char* word;
  Kind kind;
};
constexpr Word kWords[] = {{"avgpool1d", Kind::avgpool},
                           {"conv1d", Kind::conv},
                           {"depthwise1d", Kind::depthwise},
                           {"instancenorm", Kind::groupnorm},
                           {"maxpool1d", Kind::maxpool}};

}  // namespace

const Rule* find_rule(const std::string& name) {
  for (const Rule& rule : kRules)
    if (name == rule.name) return &rule;
  for (const Word& word : kWords)
    if (name == word.word) return &kRules[static_cast<std::size_t>(word.kind)];
  return nullptr;
}

std::string layer_names() {
  std::string names;
  for (const Rule& rule : kRules) names += text(names.empty() ? "" : ", ", rule.name);
  for (const Word& word : kWords) names += text(", ", word.word);
  return names + ", flatten, residual";
}

const char* name(Kind kind) { return kRules[static_cast<std::size_t>(kind)].name; }

const std::vector<Coverage>& coverage() {
  static const std::vector<Coverage> rows(std::begin(kCoverage), std::end(kCoverage));
  return rows;
}

std::vector<std::string> net_help() {
  std::vector<std::string> lines{
      "mlp:W,... dense layers of these hidden widths with ReLU between; mlp: is a linear classifier"};
  for (const Preset& preset : net_presets()) {
    const bool shown = preset.layers.size() < 100;
    lines.push_back(text(preset.name, "  ", preset.description, shown ? ": " + preset.layers : std::string()));
  }
  std::string kernels;
  for (const KernelPreset& preset : kernel_presets) kernels += text(kernels.empty() ? "" : ", ", preset.form);
  lines.push_back(text(kernels, "  the presets of kernels, convolutions with ", kDefaultChannels,
                       " channels, hidden dense layers with ", kDefaultWidth, " units"));
  lines.emplace_back("LAYER-LAYER-... of:");
  for (const Rule& rule : kRules) lines.push_back(std::string("  ") + rule.description);
  lines.emplace_back("  conv1d, depthwise1d, maxpool1d, avgpool1d: windows of k steps over signals");
  lines.emplace_back("  flatten: an image as a vector, in the order H W C; computes nothing");
  lines.emplace_back(
      "kernel:LAYERS  read as a kernel: conv(3,5) is a window of 3 x 5, widths are width=N or the default");
  return lines;
}

}  // namespace ntkrob::net
