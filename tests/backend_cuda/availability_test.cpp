#include "backend_cuda/availability.hpp"

#include "kit/check.hpp"

using namespace ntkrob;
using Catch::Matchers::Contains;

TEST_CASE("a machine without driver, with an old one or without device is told apart", "[backend_cuda]") {
  CHECK(cuda::why_unavailable({13000, 13000, 1, ""}).empty());
  CHECK(cuda::why_unavailable({13020, 13000, 2, ""}).empty());
  CHECK_THAT(cuda::why_unavailable({0, 13000, 0, "x"}), Contains("no NVIDIA driver"));
  CHECK_THAT(cuda::why_unavailable({12080, 13000, 0, "insufficient"}),
             Contains("too old") && Contains("supports CUDA 12.8") && Contains("needs 13.0"));
  CHECK_THAT(cuda::why_unavailable({13000, 13000, 0, "no CUDA-capable device is detected"}),
             Contains("no CUDA device (no CUDA-capable device is detected)") && Contains("nvidia-smi"));
}

TEST_CASE("a device without code for it is refused by its compute capability", "[backend_cuda]") {
  CHECK(cuda::why_too_old("0 (T4)", 7, 5).empty());
  CHECK(cuda::why_too_old("0 (H100)", 9, 0).empty());
  CHECK_THAT(cuda::why_too_old("1 (V100)", 7, 0), Contains("device 1 (V100)") && Contains("7.0") && Contains("7.5"));
}

TEST_CASE("a wrong device number names those that there are", "[backend_cuda]") {
  CHECK_THAT(cuda::no_such_device(3, 2), Contains("no device 3") && Contains("has 2: cuda:0 to cuda:1"));
}

TEST_CASE("device out of memory names the bytes needed and free", "[backend_cuda]") {
  CHECK_THAT(spelt(cuda::out_of_memory(100, 30, 80)), Contains("100 bytes needed, 30 of 80 are free"));
}
