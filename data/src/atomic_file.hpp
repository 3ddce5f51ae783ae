/// A file that appears whole or not at all. The only way this component writes.
///
/// The content goes into a temporary file beside the target (same folder, so that the rename cannot cross file
/// systems); commit() flushes it to the disk and renames it over the target. Without commit() the destructor removes
/// the temporary file.
#pragma once

#include <cstddef>
#include <string>

namespace ntkrob::io {

/// throws: ConfigError when path exists and force is false, or is not a regular file; ResourceError when its folder is
/// missing.
void check_target(const std::string& path, bool force);

/// throws: ResourceError where the disk of path has no room for n_bytes
void check_space(const std::string& path, std::size_t n_bytes);

class AtomicFile {
 public:
  /// Creates the temporary file. throws: as check_target; ResourceError with the system's reason when it cannot be
  /// created.
  AtomicFile(std::string path, bool force);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Where the content goes before commit(). A library that writes files by name may fill it, and must have closed it
  /// before commit().
  const std::string& temporary() const { return temporary_; }
  /// Makes sure that the disk has room for a file of this length, which may then hold holes. throws: ResourceError with
  /// the system's reason
  void reserve(std::size_t n_bytes);
  /// Writes at an offset. throws: as write
  void write_at(std::size_t offset, const void* data, std::size_t n_bytes);
  /// Appends. throws: ResourceError with the system's reason (disk full, ...).
  void write(const void* data, std::size_t n_bytes);
  /// Flush to disk, rename. throws: ResourceError; the temporary file is removed then.
  void commit();

 private:
  void finish();
  std::string path_, temporary_;
  int descriptor_ = -1;
  bool force_ = false;
};

/// AtomicFile of one block.
void write_whole(const std::string& path, const void* data, std::size_t n_bytes, bool force);

}  // namespace ntkrob::io
