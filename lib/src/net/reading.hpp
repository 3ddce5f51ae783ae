/// What the rules of layers share. A rule is a namespace rules::<name> in net/layers/<name>.hpp with
///
///     void read(const Reading& r, Layer& layer)     arguments, then shapes: layer.in is there, the rest is its work
///     std::string limit(const Reading& r)           the layer in the grammar of kernels, or an error by r.fail()
#pragma once

#include "net/window.hpp"
#include "ntkrob/base/spec_arguments.hpp"
#include "ntkrob/net/description.hpp"

namespace ntkrob::net {

/// Whose meaning positional arguments have.
enum class Tongue { net, kernel };

struct Reading {
  const std::string& source;
  const SpecItem& item;
  Tongue tongue = Tongue::net;
  index classes = 0;  // outputs of the last layer of the net, 0 elsewhere

  [[noreturn]] void fail(const std::string& message) const { spec_error(source, item.position, message); }
  /// Refuses any argument.
  void no_arguments() const { SpecArguments(source, item, {}, 0); }
};

/// A layer that keeps the shape and has no parameters.
inline void keep_shape(Layer& layer) { layer.out = layer.in; }

/// gamma and beta for every channel, 1 and 0 at first.
inline void scale_and_shift(Layer& layer) {
  layer.out = layer.in;
  layer.outputs = layer.in.channels;
  layer.fan_in = 1;
  layer.weight_shape = {layer.outputs};
}

}  // namespace ntkrob::net
