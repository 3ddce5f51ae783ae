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

/// Folders above the program's own that may be the root of its installation or build.
constexpr int kLevels = 3;

std::vector<fs::path> folders() {
  if (const char* given = std::getenv("NTKROB_MODULE_PATH"); given != nullptr && *given != '\0') return {given};
  std::vector<fs::path> found;
  std::error_code ignored;
  fs::path root = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (int level = 0; level < kLevels && root.has_relative_path(); ++level) {
    root = root.parent_path();
    found.push_back(root / NTKROB_MODULE_FOLDER);
  }
  found.emplace_back(NTKROB_INSTALLED_MODULE_FOLDER);
  return found;
}

std::string find(const std::string& file) {
  std::string tried;
  for (const fs::path& folder : folders()) {
    std::error_code ignored;
    if (fs::exists(folder / file, ignored)) return (folder / file).string();
    tried += (tried.empty() ? "" : ", ") + folder.string();
  }
  throw BackendUnavailable(
      text("module ", file, " not found in ", tried, "; name its folder in NTKROB_MODULE_PATH, or use cpu"));
}

}  // namespace

const BackendModule& load_backend_module(const std::string& file) {
  const std::string path = find(file);
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
