/// Finding and loading modules with backends.
#pragma once

#include "ntkrob/backend/module.hpp"

namespace ntkrob {

/// Loads the module in a file of this name (once; it stays). Looks in the folder that the environment variable
/// NTKROB_MODULE_PATH names, or else in the library folder of the installation or build that the program is part of, or
/// else in that of this library's installation.
/// throws: BackendUnavailable
const BackendModule& load_backend_module(const std::string& file);

}  // namespace ntkrob
