/// The table of backends: the only place that knows which exist.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ntkrob/backend/backend.hpp"

namespace ntkrob {

/// One row of `ntkrob info --backends`.
struct BackendState {
  std::string name;
  std::string description;
  bool available = false;
  std::string reason;  // why it is not available, with the remedy
};

/// All backends of this library, best first, the reference last; absent ones included.
std::vector<BackendState> backends();

/// name: "auto", "cpu", "reference", "cuda", "cuda:i". workers = 0: all hardware threads.
/// "auto" takes NTKROB_BACKEND if that is set, else the first available row but cuda, which is taken by name only.
/// There is no fallback from a given name.
///   throws: ConfigError (unknown name, lists the names), NotCompiled, BackendUnavailable
std::unique_ptr<Backend> make_backend(const std::string& name = "auto", int workers = 0);

}  // namespace ntkrob
