/// Widths of finite layers, where a kernel depends on them: fan-ins of the standard parameterisation, shares of the
/// branches of a concatenation.
#include <algorithm>

#include "kernel/spec_layers.hpp"
#include "layers/all.hpp"

namespace ntkrob::kernel {
namespace {

constexpr index kUnknown = 0;

class Widths {
 public:
  explicit Widths(const std::string& source) : source_(source) {}

  /// in: channels that the layers read, or kUnknown. returns: those that they leave
  index run(Network& network, index in) const {
    for (SpecLayer& layer : network) in = run(layer, in);
    return in;
  }

 private:
  index run(SpecLayer& layer, index in) const {
    switch (layer.type) {
      case Operation::shift:
      case Operation::pointwise:
        if (layer.layer.kind == layers::k_standard) fan_in(layer, in);
        return is_weighted(layer) ? layer.width : in;
      case Operation::flatten:
        return kUnknown;  // channels times positions
      case Operation::pool:
      case Operation::mean:
      case Operation::normalise:
        return in;
      case Operation::sum:
      case Operation::product:
        return branches(layer, in);
    }
    return in;
  }

  void fan_in(SpecLayer& layer, index in) const {
    double& n = layer.layer.params[2];
    if (n == 0 && in == kUnknown)
      fail(layer, text(layer_name(layer), " with param=standard needs its number of inputs: in=N here, or width=N in ",
                       "the layer before (behind flatten: in = channels times positions)"));
    if (n == 0) n = static_cast<double>(in);
    if (in != kUnknown && n != static_cast<double>(in))
      fail(layer, text(layer_name(layer), ": in=", n, ", but the layer before has width=", in));
  }

  index branches(SpecLayer& layer, index in) const {
    std::vector<index> widths;
    for (Network& branch : layer.branches) widths.push_back(run(branch, in));
    const auto known = static_cast<std::size_t>(
        std::count_if(widths.begin(), widths.end(), [](index width) { return width != kUnknown; }));
    if (layer.shares.empty()) {
      for (const index width : widths)
        if (width != kUnknown && widths[0] != kUnknown && width != widths[0])
          fail(layer, text("the branches of ", layer_name(layer), " differ: width=", widths[0], " and width=", width));
      return known == widths.size() ? widths[0] : kUnknown;
    }
    if (known != 0 && known != widths.size())
      fail(layer, "the branches of concat need width=N in the last conv or dense of all of them, or of none");
    index total = 0;
    for (const index width : widths) total += width;
    for (std::size_t b = 0; b < widths.size(); ++b)
      layer.shares[b] = total == 0 ? 1 / static_cast<double>(widths.size())
                                   : static_cast<double>(widths[b]) / static_cast<double>(total);
    return total;
  }

  [[noreturn]] void fail(const SpecLayer& layer, const std::string& message) const {
    spec_error(source_, layer.position, message);
  }

  const std::string& source_;
};

}  // namespace

void resolve_widths(const std::string& source, Network& network) { Widths(source).run(network, kUnknown); }

}  // namespace ntkrob::kernel
