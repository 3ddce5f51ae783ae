/// Starts the programs of networks on images. One source for each way and precision, so that a change compiles one.
#pragma once

#include "backend_cuda/device.hpp"
#include "backend_cuda/images/backward.hpp"
#include "backend_cuda/images/joins.hpp"

namespace ntkrob::cuda {

template <class Program>
void launch_images(const Program& program, Stream stream);

#define NTKROB_IMAGES_EXTERN(...) extern template void launch_images(const __VA_ARGS__&, Stream)
NTKROB_IMAGES_EXTERN(ImageForward<float, OnlyRelu>);
NTKROB_IMAGES_EXTERN(ImageForward<float, AllLayers>);
NTKROB_IMAGES_EXTERN(ImageForward<double, OnlyRelu>);
NTKROB_IMAGES_EXTERN(ImageForward<double, AllLayers>);
NTKROB_IMAGES_EXTERN(ImageBackward<float, OnlyRelu>);
NTKROB_IMAGES_EXTERN(ImageBackward<float, AllLayers>);
NTKROB_IMAGES_EXTERN(ImageBackward<double, OnlyRelu>);
NTKROB_IMAGES_EXTERN(ImageBackward<double, AllLayers>);
NTKROB_IMAGES_EXTERN(Join<float>);
NTKROB_IMAGES_EXTERN(Join<double>);
NTKROB_IMAGES_EXTERN(JoinVariances<float>);
NTKROB_IMAGES_EXTERN(JoinVariances<double>);
NTKROB_IMAGES_EXTERN(Means<float>);
NTKROB_IMAGES_EXTERN(Means<double>);
NTKROB_IMAGES_EXTERN(Clear<float>);
NTKROB_IMAGES_EXTERN(Clear<double>);
NTKROB_IMAGES_EXTERN(ImageResults<float>);
NTKROB_IMAGES_EXTERN(ImageResults<double>);
NTKROB_IMAGES_EXTERN(FoldParts);
#undef NTKROB_IMAGES_EXTERN

}  // namespace ntkrob::cuda
