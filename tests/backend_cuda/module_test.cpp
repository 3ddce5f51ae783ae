// The module as runtime sees it, on this machine.
#include "ntkrob/backend/module.hpp"

#include <dlfcn.h>

#include <cstdio>

#include "kit/check.hpp"
#include "ntkrob/version.hpp"

using namespace ntkrob;

TEST_CASE("errors of the module are errors of the program", "[backend_cuda]") {
  void* handle = dlopen(NTKROB_CUDA_MODULE, RTLD_NOW | RTLD_LOCAL);
  INFO((handle == nullptr ? dlerror() : ""));
  REQUIRE(handle != nullptr);
  const auto entry = reinterpret_cast<BackendModuleEntry>(dlsym(handle, kBackendModuleEntry));
  REQUIRE(entry != nullptr);
  const BackendModule& module = *entry();
  CHECK(std::string(module.version) == kVersion);
  const std::string reason = module.probe();
  std::printf("cuda: %s\n", reason.empty() ? "available" : reason.c_str());
  // Without a device counting fails, with one the number is wrong: either way the class of the error survives.
  if (reason.empty())
    CHECK_THROWS_AS(module.make({1000}, 1), ConfigError);
  else
    CHECK_THROWS_AS(module.make({0}, 1), ResourceError);
}
