#include "nn/net_spec.hpp"

#include <algorithm>

#include "ntkrob/base/error.hpp"
#include "ntkrob/base/spec_text.hpp"

namespace ntkrob::nn {
namespace {

constexpr index kWidthLimit = index{1} << 20;
constexpr const char* kForms = "a net is mlp:256,128 (hidden widths), mlp: (linear), or dense(256)-relu-dense";

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\n"), end = text.find_last_not_of(" \t\n");
  return begin == std::string::npos ? std::string() : text.substr(begin, end - begin + 1);
}

index width_at(const std::string& spec, std::size_t position, const std::string& value) {
  try {
    return parse_integer(trimmed(value), "width", 1, kWidthLimit);
  } catch (const ConfigError& e) {
    spec_error(spec, position, e.what());
  }
}

/// "mlp:256,128". The list may be empty, which the general grammar does not allow, so this form is read here.
std::vector<index> parse_mlp(const std::string& spec, std::size_t begin, index classes) {
  std::vector<index> widths;
  const std::string list = spec.substr(begin);
  if (!trimmed(list).empty()) {
    for (std::size_t at = begin; at <= spec.size();) {
      const std::size_t comma = std::min(spec.find(',', at), spec.size());
      widths.push_back(width_at(spec, at, spec.substr(at, comma - at)));
      at = comma + 1;
    }
  }
  widths.push_back(classes);
  return widths;
}

/// Width of one dense item: 0 if it has none.
index dense_width(const std::string& spec, const SpecItem& item) {
  index width = 0;
  for (const SpecArgument& argument : item.arguments) {
    if (!argument.key.empty() && argument.key != "width")
      spec_error(spec, argument.position,
                 text("a net's dense has no parameter \"", argument.key, "\", only its width: dense(256)"));
    if (width != 0) spec_error(spec, argument.position, "dense takes one width");
    width = width_at(spec, argument.position, argument.value);
  }
  return width;
}

}  // namespace

std::vector<index> parse_net_spec(const std::string& spec, index classes) {
  NTKROB_CHECK(classes >= 1, ConfigError, "net: ", classes, " classes, at least 1 is needed");
  const std::size_t name = spec.find_first_not_of(" \t\n");
  NTKROB_CHECK(name != std::string::npos, ConfigError, "the net's spec is empty; ", kForms);
  if (spec.compare(name, 4, "mlp:") == 0) return parse_mlp(spec, name + 4, classes);

  const std::vector<SpecItem> items = parse_spec(spec);
  std::vector<index> widths;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const SpecItem& item = items[i];
    if (item.name == "mlp") spec_error(spec, item.position, text("mlp stands alone and with a colon; ", kForms));
    if (item.name != "dense" && item.name != "relu")
      spec_error(spec, item.position, text("no layer \"", item.name, "\"; layers: dense, relu; ", kForms));
    const bool dense_due = i % 2 == 0;
    if ((item.name == "dense") != dense_due)
      spec_error(spec, item.position,
                 dense_due ? "a dense layer is due here" : "a relu is due between two dense layers");
    if (!item.suffix.empty()) spec_error(spec, item.position, text(item.name, " takes no \":\""));
    if (!dense_due) {
      if (!item.arguments.empty()) spec_error(spec, item.arguments[0].position, "relu takes no argument");
      if (i + 1 == items.size()) spec_error(spec, item.position, "the last layer is a dense without relu after it");
      continue;
    }
    index width = dense_width(spec, item);
    if (i + 1 == items.size()) {
      if (width != 0 && width != classes)
        spec_error(spec, item.position,
                   text("the last dense has ", width, " outputs, the data ", classes, " classes; leave its width out"));
      width = classes;
    }
    if (width == 0) spec_error(spec, item.position, "a hidden dense needs its width: dense(256)");
    widths.push_back(width);
  }
  return widths;
}

}  // namespace ntkrob::nn
