#include "backend_cuda/launch.cuh"
#include "backend_cuda/launch.hpp"

namespace ntkrob::cuda {
namespace {

template <class Sums>
void start(const Sums& sums, Stream stream) {
  Memory memory;
  start_sums(
      sums, [&](const auto& program) { launch_program(program, stream); },
      [&](auto number, index count) {
        using T = decltype(number);
        if (count > 0)
          memory = Memory(checked_mul(static_cast<std::size_t>(count), sizeof(T), "parts of sums"), stream);
        return static_cast<T*>(memory.data());
      });
}

}  // namespace

void launch(const ThinProduct<float>& product, Stream stream) { start(product, stream); }
void launch(const ThinProduct<double>& product, Stream stream) { start(product, stream); }
void launch(const Weights<float>& weights, Stream stream) { start(weights, stream); }
void launch(const Weights<double>& weights, Stream stream) { start(weights, stream); }

}  // namespace ntkrob::cuda
