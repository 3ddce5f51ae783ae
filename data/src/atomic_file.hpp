/// A file that appears whole or not at all. The only way this component writes.
///
/// The content goes into a temporary file beside the target (same folder, so that the rename cannot cross file
/// systems); commit() flushes it to the disk and renames it over the target. Without commit() the destructor removes
/// the temporary file.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ntkrob::io {

/// Temporary files are called NAME.tmp-<process>-<number>, or -lock (output_lock.hpp).
constexpr const char* kTemporaryMark = ".tmp-";
/// Whether a file is a temporary one by its name: no reader of folders looks at it.
bool is_temporary_name(const std::string& name);
bool ends_with_lock(const std::string& name);
/// The register of temporary files of this process, for remove_temporary_files().
void enter_temporary(const std::string& name);
void leave_temporary(const std::string& name);
bool is_registered(const std::string& name);

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
  friend void commit_together(const std::vector<AtomicFile*>& files);
  void flush();
  void finish();
  std::string path_, temporary_;
  int descriptor_ = -1;
  bool force_ = false;
};

/// Files that make up one output appear together or not at all: all are flushed before the first is renamed, and where
/// one cannot be, those that were come back as they were. A machine that dies between two renames leaves a part of the
/// new files, and of the old ones none, not even where they are replaced: they are moved out of the way first, under
/// temporary names. A set of which a file is missing is refused by its reader, so that old and new ones are never taken
/// for one set; the next run of the same output removes the temporary ones.
///   throws: as AtomicFile::commit
void commit_together(const std::vector<AtomicFile*>& files);

/// AtomicFile of one block.
void write_whole(const std::string& path, const void* data, std::size_t n_bytes, bool force);

}  // namespace ntkrob::io
