#include "ntkrob/jobs/checkpoint_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "ntkrob/base/error.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/data/journal.hpp"

namespace ntkrob::jobs {

bool is_checkpoint(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  try {
    return Journal::is_journal(path) || identify(path).first == "checkpoint";
  } catch (const std::exception&) {
    return false;
  }
}

void check_checkpoint_target(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return;
  NTKROB_CHECK(is_checkpoint(path), ConfigError, field("checkpoint"), ": ", given(path),
               " exists and is no checkpoint of ntkrob, or a damaged one; it is left as it is, also with ",
               field("force", "true"), ": name another file, or remove it yourself");
}

void remove_checkpoint_file(const std::string& path) noexcept {
  try {
    if (!path.empty() && is_checkpoint(path)) ::unlink(path.c_str());
  } catch (const std::exception&) {
    return;  // a checkpoint that stays is found by the next run
  }
}

}  // namespace ntkrob::jobs
