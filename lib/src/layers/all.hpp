/// All layers of layers.def: kinds, information, and a switch from kind to struct.
#pragma once

#include "layers/headers.hpp"  // of all layers, made by CMake from layers.def
#include "ntkrob/layers/layer.hpp"

namespace ntkrob::layers {

enum Kind : int {
#define NTKROB_LAYER(name, type, description, example) k_##name,
#include "layers/layers.def"
#undef NTKROB_LAYER
  kKinds
};

/// What the grammar and the help need to know about a layer.
struct Info {
  const char* name;
  const char* description;
  Law law;
  const LayerParameter* parameters;
  int n_parameters;
  int n_coefficients;
  const char* example;  // a chain with the layer in it, for tests
};

inline const Info& info(int kind) {
  static constexpr Info table[] = {
#define NTKROB_LAYER(name, type, description, example) \
  {#name, description, type::kLaw, type::kParameters, type::kParameterCount, type::kCoefficients, example},
#include "layers/layers.def"
#undef NTKROB_LAYER
  };
  return table[kind];
}

/// Calls f(Layer{}) with the struct of this kind.
template <class F>
NTKROB_HD inline void visit(int kind, F&& f) {
  switch (kind) {
#define NTKROB_LAYER(name, type, description, example) \
  case k_##name:                                       \
    f(type{});                                         \
    break;
#include "layers/layers.def"
#undef NTKROB_LAYER
  }
}

}  // namespace ntkrob::layers
