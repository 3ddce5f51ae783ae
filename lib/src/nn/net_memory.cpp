#include <algorithm>
#include <cmath>

#include "nn/stack.hpp"
#include "ntkrob/base/memory.hpp"
#include "ntkrob/nn/net.hpp"

namespace ntkrob {
namespace {

std::string mebibytes(double bytes) { return text(std::ceil(bytes / (1 << 20)), " MiB"); }

}  // namespace

void check_net_memory(const std::string& spec, ImageShape input, index classes, index batch, std::size_t limit,
                      index copies) {
  const nn::Stack<float> stack = nn::compile<float>(spec, input, classes);
  const double allowed = static_cast<double>(limit != 0 ? limit : physical_memory_bytes());
  const bool whole = std::any_of(stack.begin(), stack.end(), [](const auto& s) { return s.layer->what.statistics; });
  const index rows = whole ? batch : std::min(batch, nn::rows_together(stack));
  // Floating point: products of widths may be beyond every integer.
  double parameters = 0, laid_out = 0, most = -1;
  index sums = 0;
  std::size_t largest = 0;
  for (std::size_t l = 0; l < stack.size(); ++l) {
    const nn::Layer<float>& layer = *stack[l].layer;
    const double own = static_cast<double>(layer.outputs) * (static_cast<double>(layer.fan_in) + 1);
    parameters += own;
    // A layer whose layout is no copy of its weights makes a matrix of it first.
    const index layout = layer.laid_out();
    laid_out += static_cast<double>(layout) * ((batch > 0 ? 2 : 1) + (layout > layer.outputs * layer.fan_in ? 1 : 0));
    if (batch > 0) sums = std::max(sums, layer.sums(rows));
    if (own > most) most = own, largest = l;
  }
  const double of_parameters =
      sizeof(float) * (parameters * static_cast<double>(batch > 0 ? 3 + copies : 1) + laid_out);
  const double numbers = static_cast<double>(nn::numbers_between(stack, true));
  const double of_images = sizeof(float) * (static_cast<double>(rows) * numbers + static_cast<double>(sums));
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
