/// Finding and loading modules with backends.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/backend/module.hpp"

namespace ntkrob {

/// Loads the module in a file of this name (once; it stays). Looks in the folder that the environment variable
/// NTKROB_MODULE_PATH names, or else in module_folders(own_file()); nowhere else.
/// throws: BackendUnavailable, also where others could have put the module there (see check_module_owner)
const BackendModule& load_backend_module(const std::string& file);

/// The file that holds this library's code: its shared library, or the program or plug-in that it is linked into, as a
/// module of Python. An absolute path; "/proc/self/exe" where the system does not say.
std::string own_file();
/// The file that is mapped at an address of this process, as an absolute path; empty where there is none.
std::string file_of_address(const void* address);

/// Where modules lie, in the order of the search: found from the library and not from the program, which may be
/// anybody's (an interpreter). Of prefix/lib/libx.so it is prefix/lib/ntkrob, of a program prefix/bin/x that holds the
/// code itself prefix/lib/ntkrob; then that of this library's installation.   own: own_file()
std::vector<std::string> module_folders(const std::string& own);

/// The real path of a module that only those can have written who could have written this library: the file and all
/// folders above it belong to root, to this user or to the owner of the library, and no others may write there
/// (folders with the sticky bit excepted).   own: own_file()
/// throws: BackendUnavailable with the part of the path that is at fault
std::string check_module_owner(const std::string& path, const std::string& own);

}  // namespace ntkrob
