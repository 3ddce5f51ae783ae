/// Failures that are not the file's: this process, or the machine, has too little memory or too many open files.
///
/// Whoever reads asks here before it calls a file damaged or absent.
#pragma once

#include <string>

#include "ntkrob/base/error.hpp"

namespace ntkrob::io {

/// Memory that was asked for is not there.
class MemoryMissing : public ResourceError {
 public:
  using ResourceError::ResourceError;
};

/// What to do about an errno that says that something is missing (EMFILE, ENFILE, ENOMEM), as "; raise ...", or "" for
/// any other.
std::string shortage_remedy(int error);
/// "where: what: the system's reason".   error: of errno
///   throws: ResourceError where something is missing that is not the file's; IoError else
[[noreturn]] void fail_system(const std::string& where, const std::string& what, int error);
/// "where: what".   throws: MemoryMissing
[[noreturn]] void fail_memory(const std::string& where, const std::string& what);
/// Whether this process gets no more memory, but for a little: a library that fails now may lack it.
bool is_short_of_memory() noexcept;
/// Remedy for missing memory, as "; raise ...".
std::string memory_remedy();

}  // namespace ntkrob::io
