#include "ntkrob/net/description.hpp"

#include <algorithm>

#include "net/presets.hpp"
#include "net/rules.hpp"
#include "ntkrob/base/error.hpp"

namespace ntkrob::net {
namespace {

bool is_sum(const SpecItem& item) { return item.name == "sum" || item.name == "residual"; }
/// Words that compute nothing, or belong to what is before them.
bool is_word(const SpecItem& item) { return item.name == "flatten" || item.name == "relu"; }

const Rule& rule_of(const std::string& source, const SpecItem& item) {
  const Rule* rule = find_rule(item.name);
  if (rule == nullptr)
    spec_error(source, item.position, text("no layer \"", item.name, "\" of nets; layers: ", layer_names()));
  if (!item.suffix.empty()) spec_error(source, item.position, text(item.name, " takes no \":\""));
  return *rule;
}

/// The branches of a sum or residual, in the order of the text; an empty one is the identity.
std::vector<std::vector<SpecItem>> branches_of(const std::string& source, const SpecItem& item) {
  const bool residual = item.name == "residual";
  const std::string form = residual ? "residual takes one branch: residual(conv(16,3)-relu)"
                                    : "sum takes two branches or more: sum(conv(16,3) | conv(16,1))";
  if (item.arguments.size() != 1 || !item.arguments[0].key.empty()) spec_error(source, item.position, form);
  std::vector<std::vector<SpecItem>> branches = parse_branches(source, item.arguments[0]);
  if (residual != (branches.size() == 1)) spec_error(source, item.position, form);
  if (residual) branches.emplace_back();
  return branches;
}

std::string shape_text(ImageShape s) { return text(s.height, " x ", s.width, " x ", s.channels); }

class Builder {
 public:
  Builder(const Expansion& e, Description& d, const SpecItem* last) : e_(e), d_(d), last_(last) {}

  struct Value {
    int layer = kInput;
    ImageShape shape;
    bool image = false;  // other libraries have it as an image, be it of one position
  };

  /// place: what the places of these words begin with, "" or "4.1."
  Value run(const std::vector<SpecItem>& items, Value at, const std::string& place = {}) {
    bool fresh = false;  // made in this sequence, and read by nobody yet
    index word = 0;
    for (const SpecItem& item : items) {
      if (item.name == "dense" ? at.image : !at.image && reads_images(item)) ++word;
      place_ = text(place, word++);
      if (item.name == "flatten") {
        no_arguments(item);
        at = {at.layer, {1, 1, at.shape.size()}, false};
      } else if (item.name == "relu" && fresh) {
        no_arguments(item);
        Layer& before = d_.layers.back();
        if (before.relu || before.kind == Kind::relu) fail(item, "a relu after a relu does nothing");
        before.relu = true;
      } else if (is_sum(item)) {
        at = sum(item, at);
        fresh = true;
      } else {
        if (item.name == "relu" && at.layer == kInput) fail(item, "relu needs a layer before it");
        at = add(item, at);
        fresh = true;
      }
    }
    return at;
  }

 private:
  Value add(const SpecItem& item, Value at) {
    const Rule& rule = rule_of(e_.layers, item);
    Layer layer;
    layer.kind = rule.kind;
    layer.inputs = {at.layer};
    layer.in = at.shape;
    layer.position = item.position;
    layer.place = place_;
    layer.signal = item.name.size() > 2 && item.name.compare(item.name.size() - 2, 2, "1d") == 0;
    rule.read({e_.layers, item, e_.tongue, &item == last_ ? d_.classes : 0}, layer);
    if (layer.kind == Kind::dense || layer.kind == Kind::conv) {
      if (e_.w) layer.w = e_.w;
      if (e_.b) layer.b = e_.b;
    }
    const bool image = layer.kind != Kind::dense && (at.image || reads_images(item));
    return push(std::move(layer), image);
  }

  Value sum(const SpecItem& item, Value at) {
    if (!item.suffix.empty()) fail(item, text(item.name, " takes no \":\""));
    Layer layer;
    layer.kind = Kind::sum;
    layer.inputs.clear();
    layer.position = item.position;
    layer.place = place_;
    bool image = true;
    index number = 0;
    for (const std::vector<SpecItem>& branch : branches_of(e_.layers, item)) {
      const Value out = run(branch, at, text(layer.place, ".", number++, "."));
      image &= out.image;
      if (layer.inputs.empty()) layer.in = out.shape;
      if (out.shape != layer.in)
        fail(item, text("the branches of ", item.name, " differ: one gives ", shape_text(layer.in), ", another ",
                        shape_text(out.shape), "; give all of them the same widths, strides and padding"));
      layer.inputs.push_back(out.layer);
    }
    layer.out = layer.in;
    return push(std::move(layer), image);
  }

  Value push(Layer layer, bool image) {
    d_.layers.push_back(std::move(layer));
    return {static_cast<int>(d_.layers.size()) - 1, d_.layers.back().out, image};
  }
  /// Windows and means over positions.
  bool reads_images(const SpecItem& item) const {
    const Rule* rule = find_rule(item.name);
    Layer layer;
    if (rule != nullptr) layer.kind = rule->kind;
    return rule != nullptr && (layer.has_window() || layer.kind == Kind::gap);
  }

  void no_arguments(const SpecItem& item) const {
    if (!item.suffix.empty()) fail(item, text(item.name, " takes no \":\""));
    if (!item.arguments.empty())
      spec_error(e_.layers, item.arguments[0].position, text(item.name, " takes no argument"));
  }
  [[noreturn]] void fail(const SpecItem& item, const std::string& message) const {
    spec_error(e_.layers, item.position, message);
  }

  const Expansion& e_;
  Description& d_;
  const SpecItem* const last_;
  std::string place_;  // of the word that is read
};

/// From layers in the grammar of nets to the grammar of kernels.
class Limit {
 public:
  explicit Limit(const Expansion& e) : e_(e) {}

  /// What arrives at a layer.
  struct State {
    bool image = false;    // it has positions
    bool centred = false;  // its channels have mean 0 over their law: weights were applied, and no nonlinearity since
  };

  std::string run(const std::vector<SpecItem>& items, State& state, bool top) const {
    std::string out;
    const auto append = [&](const std::string& layer) { out += (out.empty() ? "" : "-") + layer; };
    const auto last = std::find_if_not(items.rbegin(), items.rend(), is_word);
    for (const SpecItem& item : items) {
      if (item.name == "flatten") {
        if (state.image) append("flatten");
        state.image = false;
      } else if (is_sum(item)) {
        append(sum(item, state));
      } else {
        const Rule& rule = rule_of(e_.layers, item);
        if (rule.kind == Kind::dense && state.image) append("flatten");
        if (rule.kind == Kind::layernorm && !state.centred)
          spec_error(e_.layers, item.position,
                     "a kernel knows layernorm right behind dense or conv only: behind a nonlinearity a net subtracts "
                     "a mean that the kernel does not have");
        append(rule.limit({e_.layers, item, e_.tongue, top && &item == &*last ? index{1} : index{0}}));
        if (rule.kind == Kind::dense || rule.kind == Kind::gap) state.image = false;
        if (rule.kind == Kind::dense || rule.kind == Kind::conv) state.centred = true;
        if (rule.kind == Kind::relu || rule.kind == Kind::leaky || rule.kind == Kind::gelu) state.centred = false;
      }
    }
    return out;
  }

 private:
  std::string sum(const SpecItem& item, State& state) const {
    std::string out;
    State after = state;
    bool first = true, centred = true;
    for (const std::vector<SpecItem>& branch : branches_of(e_.layers, item)) {
      after = state;
      out += (first ? "" : " | ") + run(branch, after, false);
      centred &= after.centred;
      first = false;
    }
    state = {after.image, centred};
    return "sum(" + out + ")";
  }

  const Expansion& e_;
};

/// Whether the layers have positions in a kernel.
bool reads_image(const std::string& source, const std::vector<SpecItem>& items) {
  return std::any_of(items.begin(), items.end(), [&](const SpecItem& item) {
    if (is_sum(item)) {
      const auto branches = branches_of(source, item);
      return std::any_of(branches.begin(), branches.end(), [&](const auto& b) { return reads_image(source, b); });
    }
    const Rule* rule = find_rule(item.name);
    if (rule == nullptr) return false;
    switch (rule->kind) {
      case Kind::conv:
      case Kind::depthwise:
      case Kind::avgpool:
      case Kind::maxpool:
      case Kind::gap:
        return true;
      default:
        return false;
    }
  });
}

}  // namespace

bool Layer::has_window() const {
  return kind == Kind::conv || kind == Kind::depthwise || kind == Kind::maxpool || kind == Kind::avgpool;
}

bool Layer::scales() const { return kind == Kind::batchnorm || kind == Kind::layernorm || kind == Kind::groupnorm; }

double Layer::constant(const char* name) const {
  const auto at = std::find_if(constants.begin(), constants.end(), [&](const auto& c) { return c.first == name; });
  NTKROB_ASSERT(at != constants.end());
  return at->second;
}

bool Description::chain() const {
  for (std::size_t l = 0; l < layers.size(); ++l)
    if (layers[l].inputs != std::vector<int>{static_cast<int>(l) - 1}) return false;
  return true;
}

bool Description::trains_differently() const {
  return std::any_of(layers.begin(), layers.end(),
                     [](const Layer& l) { return l.kind == Kind::batchnorm || l.kind == Kind::dropout; });
}

Description describe(const std::string& text, ImageShape input, index classes) {
  NTKROB_CHECK(classes >= 1, ConfigError, "net: ", classes, " classes, at least 1 is needed");
  Description d;
  d.text = text;
  d.input = input;
  d.classes = classes;
  const Expansion e = expand(text);
  const std::vector<SpecItem> items = parse_spec(e.layers);
  const auto last = std::find_if_not(items.rbegin(), items.rend(), is_word);
  NTKROB_CHECK(last != items.rend(), ConfigError, "the net \"", text,
               "\" has no layer; for example dense(256)-relu-dense");
  for (const SpecItem& item : items)
    if (item.name == "relu" && item.position > last->position)
      spec_error(e.layers, item.position, "the last layer gives the logits and has no relu after it");
  Builder(e, d, &*last).run(items, {kInput, input, input.height * input.width > 1});
  if (d.layers.back().out.size() != classes)
    spec_error(e.layers, last->position,
               ntkrob::text("the net ends with ", d.layers.back().out.size(), " numbers, the data have ", classes,
                            " classes; end it with -dense, or with as many channels"));
  return d;
}

std::string written_out(const std::string& text) {
  const std::string layers = expand(text).layers;
  // What is no preset stays as it is, behind "kernel:" too, where the same letters mean something else.
  const std::size_t begin = layers.find_first_not_of(' ');
  return text.find(layers.substr(begin)) == std::string::npos ? layers : text;
}

std::string kernel_text(const std::string& source) {
  const Expansion e = expand(source);
  if (!e.kernel.empty()) return e.kernel;
  const std::vector<SpecItem> items = parse_spec(e.layers);
  Limit::State state;
  state.image = reads_image(e.layers, items);
  return Limit(e).run(items, state, true);
}

std::vector<index> stored_order(const Layer& layer) {
  std::vector<index> order;
  if (layer.kind != Kind::conv) return order;
  const index c = layer.in.channels, kh = layer.window.kh, kw = layer.window.kw;
  for (index o = 0; o < layer.outputs; ++o)
    for (index ky = 0; ky < kh; ++ky)
      for (index kx = 0; kx < kw; ++kx)
        for (index i = 0; i < c; ++i) order.push_back(((o * c + i) * kh + ky) * kw + kx);
  return order;
}

}  // namespace ntkrob::net
