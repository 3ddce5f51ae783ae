/// Description: a finite net as typed layers, with the shapes between them and of their parameters, for one input
/// shape.
///
/// Own passes (nn), whole nets on a device, weights of PyTorch, ONNX and device sets are all made from it. The grammar:
///
///     mlp:256,128                       hidden widths of dense layers with ReLU between; mlp: is a linear classifier
///     cnn:small, resnet:8, ...          presets, net_presets() lists them; the presets of kernels too (fc:3, myrtle:5)
///     conv(16,4,stride=2,pad=1)-relu-flatten-dense(128)-relu-dense
///                                       the layers of layers.def; the last dense takes the number of classes
///     conv(8,3)-residual(relu-conv(8,3)) branches, as in kernels
///     conv1d(16,5), depthwise1d, maxpool1d, avgpool1d          windows of signals, T x 1 x C
///
/// **One text for both**: layers of a kernel are read too. What a kernel does not say, a width, has a default: conv(3)
/// is a window of 3 x 3 with kDefaultChannels, dense (not the last) has kDefaultWidth. Where both would read the same
/// letters differently, the net's meaning counts, conv(16,4) = width and window, dense(256) = width; after "kernel:"
/// the kernel's: kernel:conv(3,5) is a window of 3 x 5. w and b are the scales of initialisation ntk. kernel_text()
/// gives the kernel of a net, its limit of infinite width (Jacot 2018), which kernels take as net:TEXT.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ntkrob/base/view.hpp"

namespace ntkrob::net {

enum class Kind : int {
#define NTKROB_NET_LAYER(name, ...) name,
#include "ntkrob/net/layers.def"
#undef NTKROB_NET_LAYER
};

constexpr index kDefaultChannels = 64, kDefaultWidth = 256;

/// kh x kw taps, moved by `stride`, with `top` lines and `left` columns of padding in front.
struct Window {
  index kh = 1, kw = 1, stride = 1, top = 0, left = 0;
  index height = 0, width = 0;  // positions of the window
  /// Lines (columns) of padding behind, that the positions reach into.
  index bottom(ImageShape in) const;
  index right(ImageShape in) const;
};

/// The input of the net among Layer::inputs.
constexpr int kInput = -1;

struct Layer {
  Kind kind = Kind::dense;
  std::vector<int> inputs{kInput};  // numbers of layers, all before this one; more than one for a sum
  ImageShape in, out;               // behind flatten: {1, 1, numbers}
  bool relu = false;                // max(y, 0) follows at once
  index outputs = 0, fan_in = 0;    // weight: outputs x fan_in, inputs in the order kh kw C; bias: 1 x outputs; 0: none
  bool statistics = false;          // running mean and variance of every channel beside the parameters
  std::vector<index> weight_shape;  // as it is stored, in PyTorch's order
  Window window;                    // of conv, depthwise, maxpool, avgpool
  bool inside = false;              // avgpool: divides by the taps inside the image
  bool all_positions = false;       // layernorm: over the positions too
  std::vector<std::pair<std::string, double>> constants;  // "eps", "momentum", "alpha", "p", "groups"
  std::vector<double> mean, deviation;                    // normalise: one per channel
  std::optional<double> w, b;                             // dense, conv: scales of initialisation ntk
  std::size_t position = 0;                               // in the text, for messages
  /// Its number among the words of the text, from 0, as nn.Sequential of PyTorch counts modules: "2", in branch 1 of a
  /// sum that is word 4 "4.1.0". A ReLU and a flatten are words; so is the flatten that a text may leave out, between
  /// an image and dense, and behind vectors the way back to an image.
  std::string place;
  bool signal = false;  // a window along the steps of a signal: conv1d, ..

  bool has_parameters() const { return outputs > 0; }
  bool has_window() const;
  /// A normalisation with gamma (its weight) and beta (its bias) for every channel.
  bool scales() const;
  /// Of `constants`.   requires: it is there
  double constant(const char* name) const;
};

struct Description {
  std::string text;  // as it was given
  ImageShape input;
  index classes = 0;
  std::vector<Layer> layers;  // in an order in which they can be computed; the last gives the logits

  /// Whether every layer reads the one before it.
  bool chain() const;
  /// Whether a layer computes something else in training: batch statistics, dropout.
  bool trains_differently() const;
};

/// throws: ConfigError with the position of what is wrong and what was expected there
Description describe(const std::string& text, ImageShape input, index classes);

/// The text with its preset as layers.   throws: ConfigError for a preset that there is not
std::string written_out(const std::string& text);

/// The kernel of a net's text in the grammar of kernels.
///   throws: ConfigError with the position of a layer that has no limit, and why
std::string kernel_text(const std::string& text);

/// Name in the grammar and in stored models.
const char* name(Kind kind);
/// Where element k of the weight matrix (outputs x fan_in) lies in the stored array; empty: in the same place.
std::vector<index> stored_order(const Layer& layer);

/// What there is of a kind: "yes", or why not.
struct Coverage {
  const char* layer;
  const char* kernel;
  const char* cpu;
  const char* cuda;
  const char* micro;
  const char* int8;
  const char* onnx;
  const char* torch;
};
/// A row for every kind, in the order of layers.def.
const std::vector<Coverage>& coverage();

struct Preset {
  std::string name, layers, description;
};
std::vector<Preset> net_presets();
/// The forms of a net and its layers, one line each.
std::vector<std::string> net_help();

}  // namespace ntkrob::net
