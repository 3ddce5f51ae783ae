/// Forward and backward passes of single layers on one sample.
#pragma once

#include "ntkrob/micro/net.hpp"

namespace ntkrob::micro {

/// x: the input, y: the output (in place for relu, leaky and flatten), weights: all parameters of the net
void layer_forward(const Place& at, const float* weights, const float* x, float* y);
/// dx = the derivative by the layer's input.   y: the output of the layer, dy: the derivative by it; may be dx for
/// layers that work in place
void layer_backward(const Place& at, const float* weights, const float* x, const float* y, const float* dy, float* dx);
/// gradient += scale times the derivative by weight and bias.   gradient: of all parameters of the net
void layer_gradient(const Place& at, const float* x, const float* dy, float scale, float* gradient);

}  // namespace ntkrob::micro
