/// The right to write one output, for as long as a run lasts.
///
/// Two runs with one output would replace each other's results and checkpoints. A run therefore makes an empty file
/// NAME.tmp-<process>-lock beside the output and holds a lock of the system (flock) on it, which ends with the process,
/// however that ends. Whoever comes second finds the lock and is refused. A file without a lock is what a process that
/// was killed has left: it is removed, and with it all other temporary files of this output,
/// NAME.tmp-<process>-<number>, whose process is gone. Readers of folders never see files of such names.
#pragma once

#include <string>

namespace ntkrob {

/// What the names of temporary files add to that of the output, at most, in bytes.
constexpr std::size_t kTemporarySuffix = 26;

class OutputLock {
 public:
  /// path: a file that is going to be written, or a prefix of several: "folder/", "digits.idx". Its folder must exist.
  /// On a file system that has no locks there is none.
  ///   throws: ResourceError: another process, which is named, is writing this output, or no file can be made here
  explicit OutputLock(const std::string& path);
  ~OutputLock();
  OutputLock(const OutputLock&) = delete;
  OutputLock& operator=(const OutputLock&) = delete;

 private:
  std::string name_;
  int descriptor_ = -1;
};

}  // namespace ntkrob
