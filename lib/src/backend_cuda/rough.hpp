/// Products whose operands are rounded to bfloat16, by cuBLAS: sums in float32. cuBLAS chooses its order of sums by the
/// shape of the product, so that bits depend on it, too.
#pragma once

#include <cstdint>

#include "backend_cuda/arrays.hpp"
#include "backend_cuda/work.hpp"
#include "ntkrob/backend/backend.hpp"

namespace ntkrob::cuda {

/// What stays of Panels with Operands::bfloat16.
struct RoughPanels {
  Array<std::uint16_t> numbers;  // k x n and up to 7 columns more: rows begin at multiples of 16 bytes
  Array<float> samples;          // n x k, where the operand was given transposed from host memory: for exact gaps
};

void pack_rough(Device& device, DeviceArrays& arrays, Transpose t, ConstView2D<float> b, Panels<float>& panels);
/// c = alpha a b[:, begin .. begin + m) + beta c
void multiply_rough(Work& work, float alpha, DeviceView<const float> a, const Panels<float>& panels, index begin,
                    float beta, DeviceView<float> c);
/// Samples [begin, begin + n) as pack_rough got them: the operand itself where it is an array.
DeviceView<const float> samples_of(Work& work, const Device& device, const Panels<float>& panels, index begin,
                                   ConstView2D<float> samples);

}  // namespace ntkrob::cuda
