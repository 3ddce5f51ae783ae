/// Chooses the instruction set once, at the first use.
#include <cstdlib>
#include <cstring>

#include "backend_cpu/simd.hpp"
#include "ntkrob/base/error.hpp"

namespace ntkrob {

namespace baseline {
extern const SimdTable kTable;
}
#ifdef NTKROB_HAS_AVX2
namespace avx2 {
extern const SimdTable kTable;
}
#endif
#ifdef NTKROB_HAS_AVX512
namespace avx512 {
extern const SimdTable kTable;
}
#endif
#ifdef NTKROB_HAS_AVX512_BF16
namespace avx512bf16 {
extern const ProductFunctions<float> kProducts;
}
#endif

namespace {

const SimdTable& choose() {
  const char* forced = std::getenv("NTKROB_SIMD");
  const auto wanted = [&](const char* name) { return forced == nullptr || std::strcmp(forced, name) == 0; };
#ifdef NTKROB_HAS_AVX512
  if (wanted("avx512") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return avx512::kTable;
#endif
#ifdef NTKROB_HAS_AVX2
  if (wanted("avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2::kTable;
#endif
  NTKROB_CHECK(wanted("baseline"), ConfigError, "NTKROB_SIMD is \"", forced,
               "\", which this processor or build does not have; known: avx512, avx2, baseline");
  return baseline::kTable;
}

}  // namespace

const SimdTable& simd_table() {
  static const SimdTable& table = choose();
  return table;
}

const ProductFunctions<float>* bfloat16_products() {
#ifdef NTKROB_HAS_AVX512_BF16
  static const bool has = &simd_table() == &avx512::kTable && __builtin_cpu_supports("avx512bf16");
  return has ? &avx512bf16::kProducts : nullptr;
#else
  return nullptr;
#endif
}

}  // namespace ntkrob
