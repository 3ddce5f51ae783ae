#include "ntkrob/kernel/program.hpp"

#include <cmath>

#include "kernel/spec_layers.hpp"
#include "layers/all.hpp"
#include "ntkrob/base/spec_text.hpp"

namespace ntkrob {
namespace {

std::string by(index height, index width) { return text(height, " x ", width); }

/// Whether an operation reads variances only as part of covariances.
bool is_linear(const Op& op) {
  if (op.type != Operation::pointwise) return op.type != Operation::normalise;
  const int kind = op.layer.kind;
  return layers::info(kind).law == Law::makes_gaussian || kind == layers::k_scale || kind == layers::k_identity;
}

bool is_one_tap(const Window& w) { return w.kh == 1 && w.kw == 1; }

class Compiler {
 public:
  Compiler(const KernelSpec& spec, ImageShape shape) : spec_(spec) {
    program_.input = spec.reads_image() ? shape : ImageShape{1, 1, shape.size()};
    program_.values.push_back({program_.input.height, program_.input.width, false});
  }

  Program run() {
    add(spec_.network(), 0);
    pool_means();
    mark_full();
    return std::move(program_);
  }

 private:
  /// All of these return the number of the value that the layers leave.
  int add(const Network& network, int in) {
    for (const SpecLayer& layer : network) in = add(layer, in);
    return in;
  }

  int add(const SpecLayer& layer, int in) {
    Op op;
    op.type = layer.type;
    op.in = in;
    op.layer = layer.layer;
    op.window = layer.window;
    op.divisor = layer.divisor;
    op.eps = layer.eps;
    op.all_positions = layer.all_positions;
    switch (layer.type) {
      case Operation::pointwise:
        if (layers::info(layer.layer.kind).law == Law::adds_noise)
          fail(layer, text(kernel::layer_name(layer), " is for chains of dense layers: without images and branches"));
        break;
      case Operation::normalise:
        break;
      case Operation::shift:
        in = move_window(op, layer);
        op.type = Operation::pointwise;
        if (op.layer.kind == layers::k_standard)  // inputs of a unit: channels times taps
          op.layer.params[2] *= static_cast<double>(layer.window.kh * layer.window.kw);
        op.in = in;
        op.window = {};
        break;
      case Operation::pool:
        // One tap mixes no positions, and needs no pairs p != q: a shift.
        if (!is_one_tap(layer.window)) return push(op, window_shape(layer, in));
        op.type = Operation::shift;
        return move_window(op, layer);
      case Operation::mean:
      case Operation::flatten:
        return value(in).positions() == 1 ? in : push(op, {1, 1, false});
      case Operation::sum:
      case Operation::product:
        return add_branches(layer, in);
    }
    return push(op, value(in));
  }

  /// A shift, if it changes anything.
  int move_window(Op op, const SpecLayer& layer) {
    const ValueShape shape = window_shape(layer, op.in);
    const bool nothing = is_one_tap(layer.window) && layer.window.sh == 1 && layer.window.sw == 1;
    if (nothing) return op.in;
    op.layer = {};
    return push(op, shape);
  }

  int add_branches(const SpecLayer& layer, int in) {
    int total = add_branch(layer, 0, in);
    for (std::size_t b = 1; b < layer.branches.size(); ++b) {
      Op op;
      op.type = layer.type;
      op.in = total;
      op.other = add_branch(layer, b, in);
      const ValueShape first = value(op.in), second = value(op.other);
      if (first.height != second.height || first.width != second.width)
        fail(layer,
             text("the branches of ", kernel::layer_name(layer), " differ: ", by(first.height, first.width), " and ",
                  by(second.height, second.width), " positions; give all of them the same strides and padding"));
      total = push(op, first);
    }
    return total;
  }

  int add_branch(const SpecLayer& layer, std::size_t b, int in) {
    in = add(layer.branches[b], in);
    if (layer.shares.empty()) return in;
    Op op;
    op.in = in;
    op.layer = {layers::k_scale, {std::sqrt(layer.shares[b])}};
    return push(op, value(in));
  }

  ValueShape window_shape(const SpecLayer& layer, int in) const {
    const Window& w = layer.window;
    return {side(layer, in, value(in).height, w.kh, w.sh), side(layer, in, value(in).width, w.kw, w.sw), false};
  }

  index side(const SpecLayer& layer, int in, index n, index k, index stride) const {
    const index reach = (k - 1) * layer.window.dilation + 1;
    const std::string here = text(" the ", by(value(in).height, value(in).width), " positions at this layer");
    if (layer.window.padding == Padding::valid && reach > n)
      fail(layer,
           text(kernel::layer_name(layer), ": a window that reaches over ", reach, " positions does not fit into", here,
                "; use pad=same, a smaller window or fewer strides and pools before it"));
    if (stride > n && stride > 1 && n > 1)
      fail(layer, text(kernel::layer_name(layer), ": a stride of ", stride, " is wider than", here,
                       "; use a smaller stride or fewer strides and pools before it"));
    return layer.window.padding == Padding::valid ? (n - reach) / stride + 1 : (n + stride - 1) / stride;
  }

  /// A mean that a nonlinear layer reads is a pool over the whole image: such a layer needs the exact variance, that of
  /// the average, and only pool has it.
  void pool_means() {
    for (std::size_t k = 0; k < program_.ops.size(); ++k) {
      Op& op = program_.ops[k];
      if (op.type != Operation::mean || !read_by_nonlinear(k + 1)) continue;
      const ValueShape& in = value(op.in);
      op.type = Operation::pool;
      op.window = {in.height, in.width, in.height, in.width, 1, Padding::valid};
      op.divisor = Divisor::window;
    }
  }

  /// Whether what is made of a value reads its variances for more than linear operations.
  bool read_by_nonlinear(std::size_t number) const {
    std::vector<bool> reaches(program_.values.size(), false);
    reaches[number] = true;
    for (std::size_t k = number; k < program_.ops.size(); ++k) {
      const Op& op = program_.ops[k];
      const bool reads =
          reaches[static_cast<std::size_t>(op.in)] || (op.other >= 0 && reaches[static_cast<std::size_t>(op.other)]);
      if (reads && !is_linear(op)) return true;
      reaches[k + 1] = reads;
    }
    return false;
  }

  /// A value is full where a reader needs it. Operations that neither pool nor flatten have one layout for all their
  /// values: beside a branch that pools, the others are full, too.
  void mark_full() {
    for (bool changed = true; changed;) {
      changed = false;
      const auto need = [&](int number) {
        bool& full = program_.values[static_cast<std::size_t>(number)].full;
        changed |= !full;
        full = true;
      };
      for (int k = static_cast<int>(program_.ops.size()); k-- > 0;) {
        const Op& op = program_.ops[static_cast<std::size_t>(k)];
        const bool reduces = op.type == Operation::mean || op.type == Operation::pool;
        if (op.type == Operation::flatten) continue;
        if (reduces || value(k + 1).full) {
          need(op.in);
          if (op.other >= 0) need(op.other);
        }
        if (!reduces && (value(op.in).full || (op.other >= 0 && value(op.other).full))) need(k + 1);
      }
    }
  }

  int push(const Op& op, ValueShape shape) {
    program_.ops.push_back(op);
    program_.values.push_back(shape);
    return static_cast<int>(program_.ops.size());
  }

  const ValueShape& value(int number) const { return program_.values[static_cast<std::size_t>(number)]; }

  [[noreturn]] void fail(const SpecLayer& layer, const std::string& message) const {
    spec_error(spec_.source(), layer.position, message);
  }

  const KernelSpec& spec_;
  Program program_;
};

}  // namespace

Program compile_program(const KernelSpec& spec, ImageShape shape) {
  NTKROB_CHECK(shape.height >= 1 && shape.width >= 1 && shape.channels >= 1, ShapeError, "kernel \"", spec.source(),
               "\": the image is ", by(shape.height, shape.width), " x ", shape.channels, ", each must be at least 1");
  return Compiler(spec, shape).run();
}

}  // namespace ntkrob
