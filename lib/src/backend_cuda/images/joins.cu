#include "backend_cuda/images/launch.hpp"
#include "backend_cuda/launch.cuh"

namespace ntkrob::cuda {

template <class Program>
void launch_images(const Program& program, Stream stream) {
  launch_program(program, stream);
}
template void launch_images(const Join<float>&, Stream);
template void launch_images(const Join<double>&, Stream);
template void launch_images(const JoinVariances<float>&, Stream);
template void launch_images(const JoinVariances<double>&, Stream);
template void launch_images(const Means<float>&, Stream);
template void launch_images(const Means<double>&, Stream);
template void launch_images(const Clear<float>&, Stream);
template void launch_images(const Clear<double>&, Stream);
template void launch_images(const ImageResults<float>&, Stream);
template void launch_images(const ImageResults<double>&, Stream);
template void launch_images(const FoldParts&, Stream);

}  // namespace ntkrob::cuda
