/// A backend in a module: a shared library that is loaded when somebody asks for the backend, so that programs start on
/// machines that lack what it links to. runtime finds and loads it; nobody links it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ntkrob/backend/backend.hpp"

namespace ntkrob {

/// What a module exports through a C function named kBackendModuleEntry.
struct BackendModule {
  const char* version;     // kVersion of the library that the module was built with: program and module must agree
  std::string (*probe)();  // why the backend cannot be used on this machine, or nothing
  /// devices: numbers, the first of which has the arrays; none: all there are.
  ///   throws: BackendUnavailable (as probe says), ConfigError (no such device), ResourceError
  std::unique_ptr<Backend> (*make)(const std::vector<int>& devices, int workers);
};

using BackendModuleEntry = const BackendModule* (*)();
constexpr const char* kBackendModuleEntry = "ntkrob_backend_module";

}  // namespace ntkrob
