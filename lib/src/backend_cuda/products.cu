#include "backend_cuda/launch.cuh"
#include "backend_cuda/launch.hpp"

namespace ntkrob::cuda {
namespace {

int multiprocessors() {
  int device = 0, count = 0;
  check(cudaGetDevice(&device), "asking for the device");
  check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device), "asking for the device's size");
  return count;
}

template <class R>
void start(const Product<R>& product, Stream stream) {
  if (product.c.rows == 0 || product.c.cols == 0) return;
  const ProductPlan plan = choose_blocks<R>(product.c.rows, product.c.cols, product.a.cols, multiprocessors());
  Memory parts;
  start_product(
      product, plan, [&](const auto& program) { launch_program(program, stream); },
      [&](index count) {
        parts = Memory(checked_mul(static_cast<std::size_t>(count), sizeof(R), "parts of a product"), stream);
        return static_cast<R*>(parts.data());
      });
}

}  // namespace

void launch(const Product<float>& product, Stream stream) { start(product, stream); }
void launch(const Product<double>& product, Stream stream) { start(product, stream); }
void launch(const Transposition<float>& transposition, Stream stream) { launch_program(transposition, stream); }
void launch(const Transposition<double>& transposition, Stream stream) { launch_program(transposition, stream); }

}  // namespace ntkrob::cuda
