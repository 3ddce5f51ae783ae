/// Finished parts of a long result, appended to a file as they come: the checkpoint of jobs whose state is their
/// output.
///
/// Every part has a checksum of its own, and nothing that is written is ever written again, so a process may be killed
/// at any moment: what is left is the parts before. A file that is cut or damaged counts up to its first part that is
/// not whole.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ntkrob {

/// Names and values that say what a journal is of.
using JournalHead = std::vector<std::pair<std::string, std::string>>;

class Journal {
 public:
  /// A new file; one that exists is replaced.   throws: ResourceError
  static Journal create(const std::string& path, const JournalHead& head);
  /// One that exists, to read and to go on with: what stands behind its last whole part is cut off.
  ///   throws: IoError (no journal, or a damaged head); ResourceError
  static Journal open(const std::string& path);
  /// The head of one that exists, which stays as it is.   throws: IoError (no journal, or a damaged head)
  static JournalHead read_head(const std::string& path);
  /// Whether this file begins as a journal. Never throws.
  static bool is_journal(const std::string& path) noexcept;

  Journal(Journal&&) noexcept;
  Journal& operator=(Journal&&) noexcept;
  ~Journal();

  const JournalHead& head() const;
  /// Calls part(first, count, bytes) for every part, in the order of writing.   throws: IoError; what part throws
  void read(const std::function<void(std::int64_t first, std::int64_t count, const std::vector<char>& bytes)>& part);
  /// One part: numbers of the caller's own, and several blocks of bytes, one behind another.
  ///   throws: ResourceError; then the file ends where it did before
  void append(std::int64_t first, std::int64_t count, const std::vector<std::pair<const void*, std::size_t>>& blocks);

 private:
  class Impl;
  explicit Journal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ntkrob
