#include "backend_cuda/work.hpp"

namespace ntkrob::cuda {

void Work::copy(void* to, index to_stride, const void* from, index from_stride, index rows, index cols,
                std::size_t number, cudaMemcpyKind kind) {
  if (rows == 0 || cols == 0) return;
  const auto bytes = [&](index count) { return static_cast<std::size_t>(count) * number; };
  if (rows == 1 || (to_stride == cols && from_stride == cols))
    check(cudaMemcpyAsync(to, from, bytes(rows * cols), kind, stream()), "copying");
  else
    check(cudaMemcpy2DAsync(to, bytes(to_stride), from, bytes(from_stride), bytes(cols), static_cast<std::size_t>(rows),
                            kind, stream()),
          "copying");
}

}  // namespace ntkrob::cuda
