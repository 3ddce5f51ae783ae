/// The example of every layer of net/layers.def: a net with the layer in it.
#pragma once

#include "ntkrob/base/view.hpp"

namespace ntkrob::nn_test {

struct NetExample {
  const char* layer;
  const char* spec;
  ImageShape shape{8, 6, 2};
  index classes = 3;
};

inline const NetExample kNetExamples[] = {
#define NTKROB_NET_LAYER(name, description, example, ...) {#name, example},
#include "ntkrob/net/layers.def"
#undef NTKROB_NET_LAYER
};

}  // namespace ntkrob::nn_test
