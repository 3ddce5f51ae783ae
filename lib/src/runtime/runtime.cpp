#include "ntkrob/runtime/runtime.hpp"

#include <algorithm>
#include <cstdlib>

#include "ntkrob/backend_cpu/backend_cpu.hpp"
#include "ntkrob/base/error.hpp"
#include "ntkrob/base/spec_text.hpp"
#ifdef NTKROB_CUDA_MODULE
#include "runtime/module.hpp"
#endif

namespace ntkrob {
namespace {

/// One backend: how to look for it and how to make it. probe returns why it cannot be used here, or nothing.
struct Row {
  const char* name;
  const char* description;
  bool automatic;  // "auto" may take it
  std::string (*probe)();
  std::unique_ptr<Backend> (*make)(const std::vector<int>& devices, int workers);
};

std::string always() { return {}; }
std::unique_ptr<Backend> make_cpu(const std::vector<int>&, int workers) { return make_cpu_backend(workers); }
std::unique_ptr<Backend> make_reference(const std::vector<int>&, int) { return make_reference_backend(); }

#ifdef NTKROB_CUDA_MODULE
std::string probe_cuda() {
  try {
    return load_backend_module(NTKROB_CUDA_MODULE).probe();
  } catch (const BackendUnavailable& reason) {
    return reason.what();
  }
}
std::unique_ptr<Backend> make_cuda(const std::vector<int>& devices, int workers) {
  const std::string reason = probe_cuda();
  NTKROB_CHECK(reason.empty(), BackendUnavailable, "backend cuda: ", reason);
  return load_backend_module(NTKROB_CUDA_MODULE).make(devices, workers);
}
#else
// The row stays in a build without CUDA, so that asking for it gets an answer.
std::string probe_cuda() { return "not compiled: configure with -DNTKROB_WITH_CUDA=ON, or use cpu"; }
std::unique_ptr<Backend> make_cuda(const std::vector<int>&, int) {
  throw NotCompiled(text("backend cuda: ", probe_cuda()));
}
#endif

/// Best first.
constexpr Row kRows[] = {
    // By name only: it has not run on a device yet.
    {"cuda", "NVIDIA GPU", false, &probe_cuda, &make_cuda},
    {"cpu", "worker threads, SIMD", true, &always, &make_cpu},
    {"reference", "textbook loops in float64, one thread, for tests", true, &always, &make_reference},
};

/// "0", "0,2" or "all", which is no number.
std::vector<int> devices_of(const std::string& list) {
  std::vector<int> numbers;
  if (list == "all") return numbers;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    numbers.push_back(static_cast<int>(parse_integer(list.substr(begin, end - begin), "device number", 0, 1023)));
    begin = end + 1;
  }
  return numbers;
}

std::string known_names() {
  std::string names = "auto";
  for (const Row& row : kRows) names += text(", ", row.name);
  return names;
}

}  // namespace

std::vector<BackendState> backends() {
  std::vector<BackendState> states;
  for (const Row& row : kRows) {
    const std::string reason = row.probe();
    states.push_back({row.name, row.description, reason.empty(), reason});
  }
  return states;
}

std::unique_ptr<Backend> make_backend(const std::string& name, int workers) {
  NTKROB_CHECK(workers >= 0, ConfigError, "workers is ", workers, ", must be 0 (all hardware threads) or more");
  const char* variable = std::getenv("NTKROB_BACKEND");
  const std::string wanted = name == "auto" && variable != nullptr && *variable != '\0' ? variable : name;
  const std::size_t colon = wanted.find(':');
  const std::string family = wanted.substr(0, colon);
  NTKROB_CHECK(colon == std::string::npos || family == "cuda", ConfigError, "backend \"", wanted,
               "\": only cuda takes a device number");
  const std::vector<int> devices =
      colon == std::string::npos ? std::vector<int>{0} : devices_of(wanted.substr(colon + 1));
  for (const Row& row : kRows) {
    if (wanted == "auto" && (!row.automatic || !row.probe().empty())) continue;
    if (wanted == "auto" || family == row.name) return row.make(devices, workers);
  }
  throw ConfigError(text("unknown backend \"", wanted, "\"; known: ", known_names()));
}

}  // namespace ntkrob
