#include "ntkrob/data/output_lock.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

#include "atomic_file.hpp"
#include "ntkrob/base/error.hpp"
#include "shortage.hpp"

namespace ntkrob {

namespace {

/// The process of a temporary file NAME.tmp-<process>-<number> or -lock, where NAME is the output, or one of the files
/// of a set that is written to a prefix (null: it is one file).
struct Owner {
  pid_t process = 0;
  bool lock = false;
};
std::optional<Owner> owner_of(const std::string& name, const std::string& own, const std::string* prefix) {
  if (!io::is_temporary_name(name)) return std::nullopt;
  const std::size_t at = name.rfind(io::kTemporaryMark);
  const std::string of = name.substr(0, at);
  const bool part = prefix != nullptr && (of.rfind(*prefix + "train-", 0) == 0 || of.rfind(*prefix + "t10k-", 0) == 0);
  if (of != own && !part) return std::nullopt;
  const std::string number = name.substr(at + std::strlen(io::kTemporaryMark));
  return Owner{static_cast<pid_t>(std::atol(number.c_str())), io::ends_with_lock(name)};
}

/// Whether a lock on this file is held by somebody else. Waits for nobody.
bool is_locked(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return false;
  const bool locked = ::flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(file);
  return locked;
}

bool is_gone(pid_t process) { return process == ::getpid() || (::kill(process, 0) != 0 && errno == ESRCH); }

/// One process at a time decides who comes first. Without a lock where the file system has none.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder)
      : descriptor_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (descriptor_ >= 0)
      while (::flock(descriptor_, LOCK_EX) != 0 && errno == EINTR) continue;
  }
  ~FolderLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_;
};

}  // namespace

OutputLock::OutputLock(const std::string& path) {
  std::string target = path;
  if (char* real = path.back() == '/' ? nullptr : ::realpath(path.c_str(), nullptr)) {
    target = real;
    std::free(real);
  }
  // Of a prefix all files that begin with it: "digits.idx" is written to digits-train-images-idx3-ubyte and so on.
  const bool several = path.back() == '/' || (path.size() > 4 && path.compare(path.size() - 4, 4, ".idx") == 0);
  const std::size_t slash = target.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : target.substr(0, slash + 1);
  const std::string own = slash == std::string::npos ? target : target.substr(slash + 1);
  const std::string prefix = own.empty() ? own : own.substr(0, own.size() - std::min<std::size_t>(4, own.size())) + "-";

  const FolderLock deciding(folder);
  DIR* entries = ::opendir(folder.c_str());
  if (entries == nullptr) return;  // whoever writes there will say why not
  std::vector<std::pair<std::string, Owner>> found;
  while (const dirent* entry = ::readdir(entries))
    if (const auto owner = owner_of(entry->d_name, own, several ? &prefix : nullptr))
      found.emplace_back(folder + "/" + entry->d_name, *owner);
  ::closedir(entries);
  for (const auto& [name, owner] : found)
    NTKROB_CHECK(!owner.lock || !is_locked(name), ResourceError, path, ": another run of ntkrob, process ",
                 owner.process, ", is writing this file; wait until it is done, or name another file");
  struct stat info;
  for (const auto& [name, owner] : found)
    if (::lstat(name.c_str(), &info) == 0 && S_ISREG(info.st_mode) && (owner.lock || is_gone(owner.process)) &&
        !io::is_registered(name))
      ::unlink(name.c_str());

  name_ = folder + (folder.back() == '/' ? "" : "/") + own + io::kTemporaryMark + std::to_string(::getpid()) + "-lock";
  io::enter_temporary(name_);  // before it is there: a signal may come between the two
  descriptor_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  const int error = errno;
  if (descriptor_ < 0) io::leave_temporary(name_);
  const std::string remedy = descriptor_ < 0 ? io::shortage_remedy(error) : "";
  NTKROB_CHECK(descriptor_ >= 0, ResourceError, path, ": cannot create a file here: ", std::strerror(error),
               "; nothing was written", remedy.empty() ? ", choose a folder with space and write permission" : remedy);
  ::flock(descriptor_, LOCK_EX | LOCK_NB);  // nobody else has it; where there are no locks, there are none
}

OutputLock::~OutputLock() {
  if (descriptor_ < 0) return;
  ::unlink(name_.c_str());
  io::leave_temporary(name_);
  ::close(descriptor_);
}

}  // namespace ntkrob
