// From the text of a net to its layers.
#include <algorithm>

#include "nn/stack.hpp"
#include "ntkrob/base/error.hpp"
#include "ntkrob/base/spec_text.hpp"

namespace ntkrob {
namespace nn {
namespace {

constexpr index kWidthLimit = index{1} << 20;
constexpr const char* kForms =
    "a net is mlp:256,128 (hidden widths), mlp: (linear), cnn:small, or its layers: dense(256)-relu-dense";

struct Preset {
  const char* name;
  const char* layers;
  const char* description;
};
// Stored models name their preset: its layers never change.
constexpr Preset kPresets[] = {
    {"small", "conv(16,4,stride=2,pad=1)-relu-conv(32,4,stride=2,pad=1)-relu-flatten-dense(100)-relu-dense",
     "the small net of Wong & Kolter 2018, for 28 x 28 and 32 x 32 images"},
};

template <class R>
struct Row {
  const char* name;
  MakeLayer<R> make;
};
template <class R>
const Row<R> kRows[] = {
#define NTKROB_NET_LAYER(name, description, example) {#name, &make_##name<R>},
#include "nn/layers/layers.def"
#undef NTKROB_NET_LAYER
};

/// Words of the grammar that are no layers of their own.
constexpr std::pair<const char*, const char*> kWords[] = {
    {"flatten", "flatten: an image as a vector, in the order H W C; computes nothing"},
    {"relu", "relu: max(x, 0) after any layer but the last"}};

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\n"), end = text.find_last_not_of(" \t\n");
  return begin == std::string::npos ? std::string() : text.substr(begin, end - begin + 1);
}

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

/// The layers of a preset, anything else as it is.
std::string expand(const std::string& spec) {
  const std::size_t name = spec.find_first_not_of(" \t\n");
  NTKROB_CHECK(name != std::string::npos, ConfigError, "the net's spec is empty; ", kForms);
  if (spec.compare(name, 4, "mlp:") == 0) return expand_mlp(spec, name + 4);
  const std::vector<SpecItem> items = parse_spec(spec);
  for (const SpecItem& item : items)
    if (item.name == "mlp" || (item.name == "cnn" && items.size() > 1))
      spec_error(spec, item.position, text(item.name, " stands alone and with a colon; ", kForms));
  if (items[0].name != "cnn") return spec;
  std::string known;
  for (const Preset& preset : kPresets) {
    if (items[0].suffix == preset.name && items[0].arguments.empty()) return preset.layers;
    known += text(known.empty() ? "cnn:" : ", cnn:", preset.name);
  }
  spec_error(spec, items[0].position, "of this kind there are: " + known);
}

template <class R>
const Row<R>& find_row(const std::string& source, const SpecItem& item) {
  std::string names;
  for (const Row<R>& row : kRows<R>) {
    if (item.name == row.name) return row;
    names += text(row.name, ", ");
  }
  spec_error(source, item.position, text("no layer \"", item.name, "\"; layers: ", names, "flatten, relu; ", kForms));
}

bool is_word(const SpecItem& item) { return item.name == "flatten" || item.name == "relu"; }

}  // namespace

template <class R>
Stack<R> compile(const std::string& spec, ImageShape input, index classes) {
  NTKROB_CHECK(classes >= 1, ConfigError, "net: ", classes, " classes, at least 1 is needed");
  const std::string source = expand(spec);
  const std::vector<SpecItem> items = parse_spec(source);
  const auto last = std::find_if_not(items.rbegin(), items.rend(), is_word);
  NTKROB_CHECK(last != items.rend(), ConfigError, "the net \"", spec, "\" has no layer; ", kForms);
  for (const SpecItem& item : items)
    if (item.name == "relu" && item.position > last->position)
      spec_error(source, item.position, "the last layer gives the logits and has no relu after it");
  Stack<R> stack;
  ImageShape shape = input;
  for (const SpecItem& item : items) {
    if (!item.suffix.empty()) spec_error(source, item.position, text(item.name, " takes no \":\""));
    if (is_word(item) && !item.arguments.empty())
      spec_error(source, item.arguments[0].position, text(item.name, " takes no argument"));
    if (item.name == "flatten") {
      shape = {1, 1, shape.size()};
    } else if (item.name == "relu") {
      if (stack.empty()) spec_error(source, item.position, "relu needs a layer before it");
      if (stack.back().relu) spec_error(source, item.position, "a relu after a relu does nothing");
      stack.back().relu = true;
    } else {
      const Row<R>& row = find_row<R>(source, item);
      stack.push_back({row.name, row.make(source, item, shape, &item == &*last ? classes : 0), false});
      shape = stack.back().layer->out;
    }
  }
  if (shape.size() != classes)
    spec_error(source, last->position,
               text("the net ends with ", shape.size(), " numbers, the data have ", classes,
                    " classes; end it with -dense, or with as many channels"));
  return stack;
}

template Stack<float> compile<float>(const std::string&, ImageShape, index);
template Stack<double> compile<double>(const std::string&, ImageShape, index);

}  // namespace nn

std::vector<std::string> net_help() {
  std::vector<std::string> lines{
      "mlp:W,... dense layers of these hidden widths with ReLU between; mlp: is a linear classifier"};
  for (const nn::Preset& preset : nn::kPresets)
    lines.push_back(text("cnn:", preset.name, " ", preset.description, ": ", preset.layers));
  lines.emplace_back("LAYER-LAYER-... of:");
#define NTKROB_NET_LAYER(name, description, example) lines.push_back(std::string("  ") + description);
#include "nn/layers/layers.def"
#undef NTKROB_NET_LAYER
  for (const auto& [name, description] : nn::kWords) lines.push_back(std::string("  ") + description);
  return lines;
}

}  // namespace ntkrob
