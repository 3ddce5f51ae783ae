#include "nn/on_device.hpp"

namespace ntkrob::nn {

NetRunner& OnDevice::ready() {
  if (runner_old_ || (exposed_ && !host_old_))
    for (std::size_t l = 0; l < layers_->size(); ++l)
      if (const LayerParameters& layer = (*layers_)[l]; !layer.weight.empty())
        runner_->set_parameters(static_cast<index>(l), layer.weight.view(), layer.bias.view());
  runner_old_ = false;
  return *runner_;
}

void OnDevice::fetch() {
  if (!host_old_) return;
  for (std::size_t l = 0; l < layers_->size(); ++l)
    if (LayerParameters& layer = (*layers_)[l]; !layer.weight.empty())
      runner_->get_parameters(static_cast<index>(l), layer.weight.view(), layer.bias.view());
  host_old_ = false;
}

void OnDevice::updated() {
  host_old_ = true;
  if (exposed_) fetch();
}

void OnDevice::get_gradients(std::vector<LayerParameters>& grads) {
  for (std::size_t l = 0; l < grads.size(); ++l)
    if (!grads[l].weight.empty())
      runner_->get_gradients(static_cast<index>(l), grads[l].weight.view(), grads[l].bias.view());
}

OnDevice::Training::Training(OnDevice& device, ConstView2D<float> x, double momentum, double weight_decay)
    : device_(device), exposed_(device.exposed_) {
  device_.ready().start_training(x, momentum, weight_decay);
  device_.exposed_ = false;
}

OnDevice::Training::~Training() {
  device_.exposed_ = device_.exposed_ || exposed_;
  try {
    device_.fetch();
    device_.runner_->end_training();
  } catch (const Error&) {
  }
}

void OnDevice::Training::get_velocities(std::vector<LayerParameters>& velocities) {
  for (std::size_t l = 0; l < velocities.size(); ++l)
    if (!velocities[l].weight.empty())
      device_.runner_->get_velocities(static_cast<index>(l), velocities[l].weight.view(), velocities[l].bias.view());
}

void OnDevice::Training::set_velocities(const std::vector<LayerParameters>& velocities) {
  for (std::size_t l = 0; l < velocities.size(); ++l)
    if (!velocities[l].weight.empty())
      device_.runner_->set_velocities(static_cast<index>(l), velocities[l].weight.view(), velocities[l].bias.view());
}

}  // namespace ntkrob::nn
