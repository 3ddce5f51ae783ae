/// The checkpoint of jobs whose state is what they have finished of their result, row by row: kernel and predict.
///
/// Finished rows are appended to a journal where that costs little beside computing them; rows that are computed faster
/// than they are written are not kept, and computed again. What is finished is on disk at any moment, so nothing is
/// asked for an end: the handler of a signal ends the process at once, and says where the rows are.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "jobs/checkpoint.hpp"
#include "ntkrob/data/journal.hpp"

namespace ntkrob::jobs {

class RowCheckpoint {
 public:
  /// identity: options and data on which the rows depend, by the names of the command line
  RowCheckpoint(CheckpointOptions options, OptionTexts identity, index rows, Context& context);

  bool kept() const { return checkpoint_.kept(); }
  /// Hands over what an earlier run has left.   place(first row, rows, bytes): bytes of bytes_of(first row, rows)
  ///   throws: as Checkpoint::load; IoError where parts are not rows of this result
  void load(const std::function<std::size_t(index first, index rows)>& bytes_of,
            const std::function<void(index first, index rows, const std::vector<char>& bytes)>& place);

  /// The first row at or behind `row` that is not kept, and how many of them follow each other; {rows, 0} for none.
  std::pair<index, index> missing(index row) const;
  index finished() const;
  /// Rows [first, first + rows), whose computation has taken this long. Where there is no room for them, that is said
  /// once, and the run goes on without.
  void append(index first, index rows, const std::vector<std::pair<const void*, std::size_t>>& blocks, double seconds);

  void finish() { checkpoint_.finish(); }

 private:
  Checkpoint checkpoint_;
  std::string path_;
  OptionTexts identity_;
  index rows_;
  std::map<index, index> kept_;  // first row -> end
  Context& context_;
  bool failed_ = false;  // the run goes on without a checkpoint
  std::optional<Journal> journal_;
  double seconds_per_byte_;  // of writing
};

}  // namespace ntkrob::jobs
