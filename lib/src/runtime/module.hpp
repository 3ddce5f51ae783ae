/// Finding and loading modules with backends.
#pragma once

#include <string>

#include "ntkrob/backend/module.hpp"

namespace ntkrob {

/// Loads the module in a file of this name (once; it stays). Looks in the folder that the environment variable
/// NTKROB_MODULE_PATH names, or else in the library folder beside the program's own (prefix/lib/ntkrob of prefix/bin),
/// or else in that of this library's installation; nowhere else.
/// throws: BackendUnavailable, also where others could have put the module there (see check_module_owner)
const BackendModule& load_backend_module(const std::string& file);

/// The real path of a module that only those can have written who could have written the program: the file and all
/// folders above it belong to root, to this user or to the owner of the program, and no others may write there
/// (folders with the sticky bit excepted).
/// throws: BackendUnavailable with the part of the path that is at fault
std::string check_module_owner(const std::string& path, const std::string& program);

}  // namespace ntkrob
