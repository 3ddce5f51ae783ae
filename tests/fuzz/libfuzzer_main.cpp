/// One target as libFuzzer runs it; NTKROB_FUZZ_TARGET is its name.
#include <cstdint>
#include <cstdlib>

#include "target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t n_bytes) {
  static const ntkrob::fuzz::Target* const target = [] {
    for (const ntkrob::fuzz::Target& row : ntkrob::fuzz::targets())
      if (row.name == NTKROB_FUZZ_TARGET) return &row;
    std::abort();
  }();
  ntkrob::fuzz::run_one(*target, std::string(reinterpret_cast<const char*>(data), n_bytes));
  return 0;
}
