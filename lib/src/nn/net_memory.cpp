#include <algorithm>
#include <cmath>

#include "nn/stack.hpp"
#include "ntkrob/base/memory.hpp"
#include "ntkrob/nn/net.hpp"

namespace ntkrob {
namespace {

std::string mebibytes(double bytes) { return text(std::ceil(bytes / (1 << 20)), " MiB"); }

}  // namespace

void check_net_memory(const std::string& spec, ImageShape input, index classes, index batch, std::size_t limit) {
  const nn::Stack<float> stack = nn::compile<float>(spec, input, classes);
  const double allowed = static_cast<double>(limit != 0 ? limit : physical_memory_bytes());
  // Floating point: products of widths may be beyond every integer.
  double parameters = 0, most = -1, numbers = 0, widest = 0;
  std::size_t largest = 0;
  for (std::size_t l = 0; l < stack.size(); ++l) {
    const nn::Layer<float>& layer = *stack[l].layer;
    const double own = static_cast<double>(layer.outputs) * (static_cast<double>(layer.fan_in) + 1);
    const double out = static_cast<double>(layer.out.height) * static_cast<double>(layer.out.width) *
                       static_cast<double>(layer.out.channels);
    parameters += own;
    numbers += out;
    widest = std::max(widest, out);
    if (own > most) most = own, largest = l;
  }
  // Parameters, and as they are laid out for products; with gradient, velocity and the layout of the backward pass.
  const double copies = batch > 0 ? 5 : 2;
  const double of_parameters = copies * sizeof(float) * parameters;
  const double rows = static_cast<double>(std::min<index>(batch, Net::kRowBlock));
  const double of_images = rows * sizeof(float) * (numbers + 2 * widest);
  if (allowed == 0 || of_parameters + of_images <= allowed) return;

  const nn::Layer<float>& layer = *stack[largest].layer;
  const std::string where = text(batch > 0 ? "to train " : "the net ", shortened_line(spec, 80), " takes ",
                                 mebibytes(of_parameters + of_images), ", more than the ",
                                 limit != 0 ? "memory limit" : "memory of this machine", ", ", mebibytes(allowed));
  NTKROB_CHECK(of_parameters < of_images, ResourceError, where, ": ", parameters, " parameters, most of them in layer ",
               largest + 1, " (", layer.fan_in, " inputs, width ", layer.outputs, "); choose a smaller width",
               limit != 0 ? ", or raise the limit" : "");
  throw ResourceError(text(where, ": ", numbers, " numbers between layers for each of ", rows,
                           " images; choose a smaller width or batch", limit != 0 ? ", or raise the limit" : ""));
}

}  // namespace ntkrob
