/// a cos(b x + c): formulas in sinusoid.hpp.
#pragma once

#include "layers/sinusoid.hpp"

namespace ntkrob::layers {

using Cos = Sinusoid<-1>;

}  // namespace ntkrob::layers
