/// Which state of which file: what was found out about a file need not be found out again while it rests.
#pragma once

#include <sys/stat.h>

#include <array>
#include <ctime>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace ntkrob::io {

/// Equal ones have equal bytes, but for a change within the tick of the file system's clock; so only what rested() is
/// worth remembering.
class FileIdentity {
 public:
  /// Of no file where there is none at that path.
  explicit FileIdentity(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return;
    numbers_ = {static_cast<long long>(info.st_dev),          static_cast<long long>(info.st_ino),
                static_cast<long long>(info.st_size),         static_cast<long long>(info.st_mtim.tv_sec),
                static_cast<long long>(info.st_mtim.tv_nsec), static_cast<long long>(info.st_ctim.tv_sec),
                static_cast<long long>(info.st_ctim.tv_nsec)};
    known_ = true;
  }
  /// Whether nothing was changed for a second.
  bool rested() const { return known_ && numbers_[5] + 1 < static_cast<long long>(std::time(nullptr)); }
  bool operator==(const FileIdentity& other) const { return known_ && other.known_ && numbers_ == other.numbers_; }

 private:
  std::array<long long, 7> numbers_{};
  bool known_ = false;
};

/// The last few files and what is known of them. Safe to use from several threads.
template <class Value>
class Remembered {
 public:
  std::optional<Value> find(const FileIdentity& file) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& entry : entries_)
      if (entry && entry->first == file) return entry->second;
    return std::nullopt;
  }
  /// before: the identity when the looking at it began; a file that changed since, or has not rested, is not
  /// remembered.
  void add(const FileIdentity& before, const std::string& path, Value value) {
    if (!before.rested() || !(FileIdentity(path) == before)) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    entries_[next_++ % entries_.size()].emplace(before, std::move(value));
  }

 private:
  std::mutex mutex_;
  std::array<std::optional<std::pair<FileIdentity, Value>>, 8> entries_;
  std::size_t next_ = 0;
};

}  // namespace ntkrob::io
