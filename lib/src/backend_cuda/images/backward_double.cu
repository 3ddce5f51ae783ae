#include "backend_cuda/images/launch.hpp"
#include "backend_cuda/launch.cuh"

namespace ntkrob::cuda {

template <class Program>
void launch_images(const Program& program, Stream stream) {
  launch_program(program, stream);
}
template void launch_images(const ImageBackward<double, OnlyRelu>&, Stream);
template void launch_images(const ImageBackward<double, AllLayers>&, Stream);

}  // namespace ntkrob::cuda
