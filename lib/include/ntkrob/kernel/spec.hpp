/// KernelSpec: the text form of an infinitely wide network, as a value.
///
///     fc:3                             3 hidden layers: (dense-relu) x 3, then dense, w = sqrt(2), b = 0.1
///     fc:3(w=1.41421356,b=0)           the same with other constants
///     dense(w=1.41421356,b=0.1)-relu-dense(w=1.41421356,b=0.1)
///     conv(3)-relu-avgpool(2)-conv(3,pad=valid,stride=2)-relu-gap-dense
///     conv(3)-residual(relu-conv(3)-relu-conv(3))-sum(relu-conv(3,stride=2) | conv(1,stride=2))-gap-dense
///
/// w is the standard deviation of the weights times sqrt(fan-in), b that of the biases (NTK parameterisation; Jacot
/// 2018, Lee 2019). The layer list of a preset is what to_string() prints. Layers, with their defaults:
///
///     dense(w,b), relu, ...         the layers of layers.def (kernel_spec_help() lists them); dense needs one position
///     dense(param=standard,in=N), conv(.., param=standard,in=N)       standard parameterisation, N inputs (channels)
///     dense(width=N), conv(.., width=N)      units (channels) of the layer: the `in` of those behind it
///     conv(kh,kw=kh,w,b,stride=1,pad=same,dilation=1)           pad = same | valid | circular; sh=, sw= for stride
///     avgpool(kh,kw=kh,stride=window,pad=valid,edges=window)    edges: what divides where a window leaves the image,
///     sumpool(kh,kw=kh,stride=window,pad=valid)                 its size (window) or its pixels inside (inside)
///     gap, flatten                  global average pooling; stacking of all positions. One position remains.
///     layernorm(eps=1e-12,axes=channel)                         axes = channel | all (height, width and channels)
///     sum(a | b | ..)               branches that read the same value, summed; an empty one is the identity
///     residual(a)                   sum(a | )
///     product(a | b | ..)           the same, multiplied
///     concat(a | b | ..)            the same, their channels side by side: in equal shares, or by the width= of
///     branches
///
/// A network without conv, avgpool, sumpool, gap and flatten reads the image as one vector.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ntkrob/backend/program.hpp"

namespace ntkrob {

/// One layer of a network, as written: before it is compiled for a shape.
struct SpecLayer {
  Operation type = Operation::pointwise;
  ChainLayer layer;                              // pointwise; shift (a convolution): its dense
  Window window;                                 // shift, pool
  Divisor divisor = Divisor::window;             // pool
  double eps = 0;                                // normalise
  bool all_positions = false;                    // normalise
  index width = 0;                               // dense, shift: its units or channels, 0 where not given
  std::vector<std::vector<SpecLayer>> branches;  // sum, product; an empty branch is the identity
  std::vector<double> shares;                    // of the branches in the channels: the sum is a concatenation
  std::size_t position = 0;                      // offset in the source, for messages
};

/// Layers from the input to the output.
using Network = std::vector<SpecLayer>;

class KernelSpec {
 public:
  /// throws: ConfigError with the position in the text and what was expected there
  static KernelSpec parse(const std::string& text);

  /// The whole network. Its last layer is the readout, a dense.
  const Network& network() const { return network_; }
  /// Whether the network is more than a chain of pointwise layers: one that has positions or branches, and
  /// runs as a Program (compile_program in program.hpp).
  bool spatial() const { return layers_.empty(); }
  /// Whether a layer needs positions: the network reads an image, not a vector.
  bool reads_image() const { return reads_image_; }
  /// The layers of a chain, from the input to the output; empty where spatial().
  const Chain& layers() const { return layers_; }
  /// The text that was parsed ("fc:3").
  const std::string& source() const { return source_; }
  /// The full layer list in the grammar, every parameter written out; parse(to_string()) == *this.
  std::string to_string() const;
  /// FNV-1a of to_string(): the same on every machine.
  std::uint64_t hash() const;
  bool operator==(const KernelSpec& other) const { return to_string() == other.to_string(); }

 private:
  std::string source_;
  Network network_;
  Chain layers_;
  bool reads_image_ = false;
};

/// Names of all layers of kernels, sorted.
std::vector<std::string> kernel_layers();
/// One line per layer and preset for --help: name, parameters with defaults, formula's source.
std::vector<std::string> kernel_spec_help();

}  // namespace ntkrob
