#include "net/presets.hpp"

#include <algorithm>
#include <vector>

#include "net/rules.hpp"
#include "net/weights.hpp"
#include "ntkrob/net/kernel_presets.hpp"

namespace ntkrob::net {
namespace {

constexpr index kWidthLimit = index{1} << 20;
constexpr const char* kForms =
    "a net is mlp:256,128 (hidden widths), mlp: (linear), a preset (cnn:small, resnet:8, ...), or its layers: "
    "dense(256)-relu-dense";

/// He 2016, section 4.2: N = 6n + 2 layers on pictures of about 32 x 32.
std::string resnet(index n) {
  const auto main = [](const char* width, const char* stride) {
    return text("conv(", width, ",3,stride=", stride, ",pad=1)-batchnorm-relu-conv(", width, ",3,pad=1)-batchnorm");
  };
  std::string out =
      "conv(16,3,pad=1)-batchnorm-relu-" + repeat(text("residual(", main("16", "1"), ")-relu-"), (n - 2) / 6);
  for (const char* width : {"32", "64"})
    out += text("sum(", main(width, "2"), " | conv(", width, ",1,stride=2,pad=0)-batchnorm)-relu-",
                repeat(text("residual(", main(width, "1"), ")-relu-"), (n - 2) / 6 - 1));
  return out + "gap-dense";
}

/// The net of the benchmarks of data-set distillation (Gidaris 2018; Zhao 2021).
std::string convnet(index n) { return repeat("conv(128,3)-instancenorm-relu-avgpool(2)-", n) + "flatten-dense"; }

/// Zhang 2017, for keyword spotting: 49 x 10 coefficients.
std::string dscnn() {
  return "conv(64,kh=10,kw=4,stride=2)-batchnorm-relu-" +
         repeat("depthwise(3)-batchnorm-relu-conv(64,1)-batchnorm-relu-", 4) + "gap-dense";
}

struct Row {
  const char* name;  // "resnet" with a number behind a colon, or the whole of it
  const char* examples;
  const char* numbers;       // which are allowed, for messages
  bool (*allowed)(index n);  // null: no number
  std::string (*layers)(index n);
  const char* description;

  /// Whether a text of digits is a number of this row.
  bool takes(const std::string& digits) const { return digits.size() <= 3 && allowed(std::stol(digits)); }
};
// Stored models name their preset: its layers never change.
const Row kRows[] = {
    {"alexnet-s", "alexnet-s", "", nullptr,
     [](index) {
       return std::string(
           "conv(32,5)-relu-maxpool(3,stride=2,pad=1)-conv(64,5)-relu-maxpool(3,stride=2,pad=1)-conv(96,3)-relu-"
           "conv(96,3)-relu-conv(64,3)-relu-maxpool(3,stride=2,pad=1)-flatten-dense(256)-relu-dropout(p=0.5)-"
           "dense(128)-relu-dropout(p=0.5)-dense");
     },
     "after Krizhevsky 2012, for 28 x 28 and 32 x 32 images"},
    {"cnn:small", "cnn:small", "", nullptr,
     [](index) {
       return std::string(
           "conv(16,4,stride=2,pad=1)-relu-conv(32,4,stride=2,pad=1)-relu-flatten-dense(100)-relu-dense");
     },
     "the small net of Wong & Kolter 2018, for 28 x 28 and 32 x 32 images"},
    {"convnet", "convnet:3", "1 to 5", [](index n) { return n >= 1 && n <= 5; }, convnet,
     "n blocks of 128 channels, instance normalisation and average pooling, as data-set distillation has them"},
    {"dscnn", "dscnn", "", nullptr, [](index) { return dscnn(); },
     "depthwise separable, keyword spotting (Zhang 2017)"},
    {"resnet", "resnet:8, resnet:14, resnet:20", "6 n + 2 from 8 to 110",
     [](index n) { return n >= 8 && n <= 110 && (n - 2) % 6 == 0; }, resnet,
     "residual net of 6 n + 2 layers with batch normalisation (He 2016); 6 n + 4 layers: the kernels' wide one"},
    {"vgg11-s", "vgg11-s", "", nullptr,
     [](index) {
       const auto layer = [](int width) { return text("conv(", width, ",3)-batchnorm-relu-"); };
       const std::string pool = "maxpool(2)-";
       return layer(16) + pool + layer(32) + pool + layer(64) + layer(64) + pool + layer(128) + layer(128) + pool +
              layer(128) + layer(128) + "gap-dense";
     },
     "after Simonyan 2015, a quarter as wide, with batch normalisation"}};

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\n"), end = text.find_last_not_of(" \t\n");
  return begin == std::string::npos ? std::string() : text.substr(begin, end - begin + 1);
}

std::string text_before(const std::string& text, char end) { return text.substr(0, text.find(end)); }

/// "mlp:256,128" as layers. The list may be empty, which the general grammar does not allow, so this form is read here.
std::string expand_mlp(const std::string& spec, std::size_t begin) {
  std::string layers;
  if (!trimmed(spec.substr(begin)).empty()) {
    for (std::size_t at = begin; at <= spec.size();) {
      const std::size_t comma = std::min(spec.find(',', at), spec.size());
      try {
        layers +=
            text("dense(", parse_integer(trimmed(spec.substr(at, comma - at)), "width", 1, kWidthLimit), ")-relu-");
      } catch (const ConfigError& e) {
        spec_error(spec, at, e.what());
      }
      at = comma + 1;
    }
  }
  return layers + "dense";
}

/// The layers of a kernel's preset.
Expansion expand_kernel(const std::string& source, const SpecItem& item, const KernelPreset& preset) {
  Expansion result;
  result.tongue = Tongue::kernel;
  PresetChoice choice;
  choice.n = preset_number(source, item, preset);
  std::vector<std::string> known{"w", "b"};
  if (preset.pools) known.emplace_back("pool");
  const SpecArguments arguments(source, item, known, 2);
  if (preset.pools) choice.gap = arguments.choice("pool", 0, {"flatten", "gap"}) == 1;
  Layer scales;
  read_scales(arguments, scales);
  result.w = scales.w;
  result.b = scales.b;
  result.layers = preset.layers(choice);
  result.kernel = trimmed(source);
  return result;
}

std::string all_forms() {
  std::string out = "mlp:256,128";
  for (const Row& row : kRows) out += text(", ", row.examples);
  for (const KernelPreset& preset : kernel_presets) out += text(", ", preset.form);
  return out;
}

std::string no_net(const std::string& word) { return text("no net is called ", word, "; there are: ", all_forms()); }

bool is_number(const std::string& suffix) {
  return !suffix.empty() && suffix.find_first_not_of("0123456789") == std::string::npos;
}

/// "resnet" of "resnet18" and of "resnet:8".
std::string leading_letters(const std::string& name) {
  return name.substr(0, name.find_first_not_of("abcdefghijklmnopqrstuvwxyz"));
}

const Row* find_row(const std::string& name) {
  for (const Row& row : kRows)
    if (row.allowed != nullptr && name == row.name) return &row;
  return nullptr;
}

bool is_preset(const SpecItem& item) {
  return find_kernel_preset(item.name) != nullptr ||
         std::any_of(std::begin(kRows), std::end(kRows),
                     [&](const Row& row) { return item.name == text_before(row.name, ':'); });
}

/// Refuses what neither this row nor a preset of kernels of the same name has.
void check_number(const std::string& source, const SpecItem& item, const Row& row, Tongue tongue) {
  const KernelPreset* kernel = find_kernel_preset(item.name);
  const index n = item.suffix.size() <= 3 ? std::stol(item.suffix) : 0;
  const bool known = kernel != nullptr && n >= kernel->low && n <= kernel->high && kernel->allowed(n);
  if (known || (kernel != nullptr && tongue == Tongue::kernel)) return;
  const std::string other =
      kernel == nullptr ? std::string() : text(", or with the layers of the kernels' preset ", kernel->example);
  if (row.takes(item.suffix))
    spec_error(source, item.position,
               tongue == Tongue::kernel
                   ? text(item.name, ":", item.suffix, " is a net and no kernel; leave \"kernel:\" out")
                   : text(item.name, ":", item.suffix, " is a net and takes no arguments", other));
  spec_error(
      source, item.position,
      text(item.name, ": the number is ", item.suffix, "; nets are ", row.examples, " (", row.numbers, ")", other));
}

}  // namespace

Expansion expand(const std::string& whole) {
  constexpr const char* kPrefix = "kernel:";
  const std::size_t name = whole.find_first_not_of(" \t\n");
  NTKROB_CHECK(name != std::string::npos, ConfigError, "the net's spec is empty; ", kForms);
  Expansion result;
  std::string source = whole;
  if (whole.compare(name, 7, kPrefix) == 0) {
    result.tongue = Tongue::kernel;
    source = std::string(name + 7, ' ') + whole.substr(name + 7);  // positions stay
    NTKROB_CHECK(!trimmed(source).empty(), ConfigError, "the net's spec is empty; ", kForms);
  }
  if (whole.compare(name, 4, "mlp:") == 0) {
    result.layers = expand_mlp(source, name + 4);
    return result;
  }
  const std::string word = trimmed(source);
  for (const Row& row : kRows)
    if (row.allowed == nullptr && word == row.name) {
      result.layers = row.layers(0);
      return result;
    }
  const std::vector<SpecItem> items = parse_spec(source);
  for (const SpecItem& item : items)
    if (item.name == "mlp") spec_error(source, item.position, text("mlp stands alone and with a colon; ", kForms));
  const SpecItem& first = items[0];
  if (items.size() == 1 && is_number(first.suffix)) {
    const Row* row = find_row(first.name);
    if (row != nullptr && result.tongue == Tongue::net && first.arguments.empty() && row->takes(first.suffix)) {
      result.layers = row->layers(std::stol(first.suffix));
      return result;
    }
    if (row != nullptr) check_number(source, first, *row, result.tongue);
  }
  if (items.size() == 1)
    if (const KernelPreset* preset = find_kernel_preset(first.name)) {
      const bool named = preset->number == nullptr || !first.suffix.empty();
      if (!named || !(first.suffix.empty() || is_number(first.suffix)))
        spec_error(source, first.position, no_net(word));
      return expand_kernel(source, first, *preset);
    }
  for (const SpecItem& item : items) {
    const std::string letters = leading_letters(item.name);
    const auto named_so = [&](const std::string& preset) { return letters == leading_letters(preset); };
    const bool preset =
        std::any_of(std::begin(kRows), std::end(kRows), [&](const Row& r) { return named_so(r.name); }) ||
        std::any_of(std::begin(kernel_presets), std::end(kernel_presets),
                    [&](const KernelPreset& p) { return named_so(p.name); });
    if (!preset || find_rule(item.name) != nullptr) continue;
    const bool whole = items.size() > 1 && is_preset(item);
    spec_error(source, item.position,
               whole ? text(item.name, " is a whole net and stands alone; ", kForms)
                     : no_net(items.size() == 1 ? word : item.name));
  }
  result.layers = source;
  if (result.tongue == Tongue::kernel) result.kernel = word;
  return result;
}

std::vector<Preset> net_presets() {
  std::vector<Preset> presets;
  for (const Row& row : kRows) {
    const std::string example = text_before(row.examples, ',');
    const std::size_t colon = row.allowed == nullptr ? std::string::npos : example.find(':');
    const index n = colon == std::string::npos ? 0 : parse_integer(example.substr(colon + 1), "n", 0, 999);
    presets.push_back({row.examples, row.layers(n), row.description});
  }
  return presets;
}

}  // namespace ntkrob::net
