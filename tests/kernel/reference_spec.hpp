/// The networks of the reference file (its attribute `architecture`) as text in the grammar of KernelSpec.
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "ntkrob/base/error.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob::kit {

inline std::string reference_number(const nlohmann::json& layer, const char* name) {
  return format_number(layer.at(name).get<double>());
}

/// "w=1.4142135623730951,b=0.1"
inline std::string reference_weights(const nlohmann::json& layer) {
  return "w=" + reference_number(layer, "W_std") + ",b=" + reference_number(layer, "b_std");
}

/// "3,3,sh=1,sw=1,pad=same"
inline std::string reference_window(const nlohmann::json& layer, const char* window) {
  std::string pad = layer.at("padding");
  for (char& c : pad) c = static_cast<char>(c - 'A' + 'a');
  return text(layer.at(window)[0].get<int>(), ",", layer.at(window)[1].get<int>(),
              ",sh=", layer.at("strides")[0].get<int>(), ",sw=", layer.at("strides")[1].get<int>(), ",pad=", pad);
}

inline std::string reference_layers(const nlohmann::json& layers);

inline std::string reference_layer(const nlohmann::json& layer) {
  const std::string type = layer.at("type");
  const auto call = [&](const char* name, std::initializer_list<const char*> parameters) {
    std::string arguments;
    for (const char* p : parameters)
      arguments += text(arguments.empty() ? "" : ",", p, "=", reference_number(layer, p));
    return text(name, arguments.empty() ? "" : "(", arguments, arguments.empty() ? "" : ")");
  };
  if (type == "Dense") return "dense(" + reference_weights(layer) + ")";
  if (type == "Conv") return "conv(" + reference_window(layer, "filter_shape") + "," + reference_weights(layer) + ")";
  if (type == "AvgPool")
    return "avgpool(" + reference_window(layer, "window_shape") +
           ",edges=" + (layer.at("normalize_edges").get<bool>() ? "inside" : "window") + ")";
  if (type == "SumPool") return "sumpool(" + reference_window(layer, "window_shape") + ")";
  if (type == "GlobalAvgPool") return "gap";
  if (type == "Flatten") return "flatten";
  if (type == "Relu") return "relu";
  if (type == "LeakyRelu") return call("leaky", {"alpha"});
  if (type == "ABRelu") return call("abrelu", {"a", "b"});
  if (type == "Erf") return call("erf", {"a", "b", "c"});
  if (type == "Sin") return call("sin", {"a", "b", "c"});
  if (type == "Cos") return call("cos", {"a", "b", "c"});
  if (type == "Gelu") return "gelu";
  if (type == "Gaussian") return call("gaussian", {"a", "b"});
  if (type == "Identity") return "identity";
  if (type == "LayerNorm")
    return "layernorm(eps=" + reference_number(layer, "eps") +
           ",axes=" + (layer.at("axis").size() == 1 ? "channel" : "all") + ")";
  if (type == "Parallel") {
    std::string branches;
    for (const nlohmann::json& branch : layer.at("branches"))
      branches += (&branch == &layer.at("branches")[0] ? "" : " | ") + reference_layers(branch);
    return "sum(" + branches + ")";
  }
  throw std::runtime_error("the reference file has a layer " + type + ", which no spec is known for");
}

/// The layers joined; FanOut and FanInSum belong to the Parallel between them.
inline std::string reference_layers(const nlohmann::json& layers) {
  std::string out;
  for (const nlohmann::json& layer : layers)
    if (layer.at("type") != "FanOut" && layer.at("type") != "FanInSum")
      out += (out.empty() ? "" : "-") + reference_layer(layer);
  return out;
}

/// The text of a case's `architecture`.
inline std::string reference_spec(const nlohmann::json& architecture) {
  return reference_layers(architecture.at("layers"));
}

/// The shape of its samples; vectors are {1, 1, d}.
inline ImageShape reference_shape(const nlohmann::json& architecture) {
  const nlohmann::json& s = architecture.at("input_shape");
  if (s.size() == 1) return {1, 1, s[0].get<index>()};
  return {s[0].get<index>(), s[1].get<index>(), s[2].get<index>()};
}

}  // namespace ntkrob::kit
