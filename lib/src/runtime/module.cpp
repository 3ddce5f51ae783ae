#include "runtime/module.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "ntkrob/base/error.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> folders() {
  if (const char* given = std::getenv("NTKROB_MODULE_PATH"); given != nullptr && *given != '\0') return {given};
  return module_folders(own_file());
}

std::string find(const std::string& file) {
  std::string tried;
  for (const std::string& folder : folders()) {
    std::error_code ignored;
    if (fs::exists(fs::path(folder) / file, ignored)) return (fs::path(folder) / file).string();
    tried += (tried.empty() ? "" : ", ") + folder;
  }
  throw BackendUnavailable(
      text("module ", file, " not found in ", tried, "; name its folder in NTKROB_MODULE_PATH, or use cpu"));
}

}  // namespace

const BackendModule& load_backend_module(const std::string& file) {
  const std::string path = check_module_owner(find(file), own_file());
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  NTKROB_CHECK(handle != nullptr, BackendUnavailable, "cannot be loaded: ", dlerror(),
               "; install what it needs, or use cpu");
  const auto entry = reinterpret_cast<BackendModuleEntry>(dlsym(handle, kBackendModuleEntry));
  NTKROB_CHECK(entry != nullptr, BackendUnavailable, path, " is no module of a backend; use cpu");
  const BackendModule& module = *entry();
  NTKROB_CHECK(std::string(module.version) == kVersion, BackendUnavailable, path, " is of version ", module.version,
               ", this program of ", kVersion, "; install both from one build, or use cpu");
  return module;
}

}  // namespace ntkrob
