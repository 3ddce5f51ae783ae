#include "backend_cuda/launch.cuh"
#include "backend_cuda/nets/launch.hpp"

namespace ntkrob::cuda::nets {

template <class Program>
void launch(const Program& program, Stream stream) {
  launch_program(program, stream);
}

#define NTKROB_INSTANTIATE(...) template void launch(const __VA_ARGS__&, Stream);
NTKROB_INSTANTIATE(AddBias<float>)
NTKROB_INSTANTIATE(AvgPool<float>)
NTKROB_INSTANTIATE(AvgPoolBack<float>)
NTKROB_INSTANTIATE(CloseRelu<float>)
NTKROB_INSTANTIATE(ColumnParts<float>)
NTKROB_INSTANTIATE(ColumnTotals<float>)
NTKROB_INSTANTIATE(FromPatches<float>)
NTKROB_INSTANTIATE(MaxPool<float>)
NTKROB_INSTANTIATE(MaxPoolBack<float>)
NTKROB_INSTANTIATE(Normalise<float, false>)
NTKROB_INSTANTIATE(Normalise<float, true>)
NTKROB_INSTANTIATE(Patches<float>)
NTKROB_INSTANTIATE(PickRows<float>)
NTKROB_INSTANTIATE(SgdStep<float>)
#undef NTKROB_INSTANTIATE

}  // namespace ntkrob::cuda::nets
