#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "ntkrob/base/error.hpp"
#include "runtime/module.hpp"

namespace ntkrob {

namespace fs = std::filesystem;

std::string check_module_owner(const std::string& path, const std::string& own_path) {
  struct stat own, info;
  NTKROB_CHECK(::stat(own_path.c_str(), &own) == 0, BackendUnavailable, own_path, " cannot be looked at; use cpu");
  std::error_code error;
  fs::path part = fs::canonical(path, error);
  NTKROB_CHECK(!error, BackendUnavailable, path, ": ", error.message(), "; use cpu");
  const std::string real = part.string();
  while (true) {
    NTKROB_CHECK(::stat(part.c_str(), &info) == 0, BackendUnavailable, part.string(), " cannot be looked at; use cpu");
    NTKROB_CHECK(info.st_uid == 0 || info.st_uid == ::geteuid() || info.st_uid == own.st_uid, BackendUnavailable, real,
                 " is not loaded: ", part.string(), " belongs to another user (", info.st_uid,
                 "); install it again as root or as yourself, or use cpu");
    const mode_t group = own.st_gid == info.st_gid ? own.st_mode & S_IWGRP : 0, others = own.st_mode & S_IWOTH;
    // In a folder with the sticky bit, as /tmp, others may add files but not replace this one.
    const bool sticky = S_ISDIR(info.st_mode) && (info.st_mode & S_ISVTX) != 0;
    NTKROB_CHECK(sticky || (info.st_mode & (S_IWGRP | S_IWOTH) & ~(group | others)) == 0, BackendUnavailable, real,
                 " is not loaded: others may write ", part.string(), "; take that from them (chmod go-w), or use cpu");
    if (!part.has_relative_path()) return real;
    part = part.parent_path();
  }
}

}  // namespace ntkrob
