#include "ntkrob/exchange/torch_export.hpp"

#include "exchange/torch_layout.hpp"

namespace ntkrob {

StateDict export_torch(const Net& net) {
  const net::Description& description = net.description();
  const std::vector<ImageShape> images = exchange::flattened_images(description);
  const std::vector<LayerParameters>& parameters = net.layers();
  StateDict arrays;
  for (std::size_t l = 0; l < description.layers.size(); ++l) {
    const net::Layer& what = description.layers[l];
    if (!what.has_parameters()) continue;
    const auto add = [&](const char* name, const std::vector<index>& shape, const float* values, index n) {
      NdArray<float> array{shape, {values, values + n}};
      exchange::reorder(what, images[l], exchange::Order::torch, array);
      if (what.signal && shape.size() == 4) array.shape.pop_back();
      arrays.set(text(what.place, ".", name), std::move(array));
    };
    const LayerParameters& own = parameters[l];
    std::vector<float> weight(own.weight.data(), own.weight.data() + own.weight.size());
    const std::vector<index> order = net::stored_order(what);
    for (std::size_t k = 0; k < order.size(); ++k) weight[static_cast<std::size_t>(order[k])] = own.weight.data()[k];
    add("weight", what.weight_shape, weight.data(), static_cast<index>(weight.size()));
    add("bias", {what.outputs}, own.bias.data(), what.outputs);
    if (!what.statistics) continue;
    add("running_mean", {what.outputs}, own.statistics.row(0), what.outputs);
    add("running_var", {what.outputs}, own.statistics.row(1), what.outputs);
  }
  return arrays;
}

}  // namespace ntkrob
