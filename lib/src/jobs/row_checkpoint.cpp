#include "jobs/row_checkpoint.hpp"

#include <algorithm>

#include "ntkrob/jobs/checkpoint_file.hpp"

namespace ntkrob::jobs {

namespace {

constexpr double kCostShare = 20;  // rows are kept where computing takes this many times what writing takes
/// Options by their names, other things as they are called.
std::string named(const std::string& name) { return name.find(' ') == std::string::npos ? text(field(name)) : name; }

constexpr double kFirstGuess = 1 / 4e8;  // seconds per byte, before anything has been written

}  // namespace

RowCheckpoint::RowCheckpoint(CheckpointOptions options, OptionTexts identity, index rows, Context& context)
    : checkpoint_(options, context),
      path_(options.path),
      identity_(std::move(identity)),
      rows_(rows),
      context_(context),
      seconds_per_byte_(kFirstGuess) {}

void RowCheckpoint::load(const std::function<std::size_t(index first, index rows)>& bytes_of,
                         const std::function<void(index, index, const std::vector<char>&)>& place) {
  journal_ = Journal::open(path_);
  const JournalHead& head = journal_->head();
  const auto stored = [&](const std::string& name) -> std::string {
    const auto at = std::find_if(head.begin(), head.end(), [&](const auto& one) { return one.first == name; });
    NTKROB_CHECK(at != head.end(), IoError, path_, ": its head has no \"", name, "\"; start anew with ",
                 field("force", "true"));
    return at->second;
  };
  checkpoint_.check_identity([&](const std::string& name) { return stored("run/" + name); });
  for (const auto& [name, here] : identity_) {
    const std::string there = stored(name);
    NTKROB_CHECK(there == here, ConfigError, field("resume"), ": ", path_, " was made with ", named(name), " ", there,
                 ", this run has ", named(name), " ", here, "; resume with the options and data it was started with");
  }
  journal_->read([&](std::int64_t first, std::int64_t rows, const std::vector<char>& bytes) {
    NTKROB_CHECK(first >= 0 && rows > 0 && first < rows_ && rows <= rows_ - first, IoError, path_, ": a part has rows ",
                 first, " to ", first, " + ", rows, " of ", rows_, "; start anew with ", field("force", "true"));
    NTKROB_CHECK(missing(first).first == first && missing(first).second >= rows, IoError, path_, ": rows from ", first,
                 " on come twice; start anew with ", field("force", "true"));
    NTKROB_CHECK(bytes.size() == bytes_of(first, rows), IoError, path_, ": the part of rows ", first, " to ",
                 first + rows, " has ", bytes.size(), " bytes, expected ", bytes_of(first, rows), "; start anew with ",
                 field("force", "true"));
    place(first, rows, bytes);
    kept_[first] = first + rows;
  });
  checkpoint_.set_on_disk();
}

std::pair<index, index> RowCheckpoint::missing(index row) const {
  auto next = kept_.upper_bound(row);
  if (next != kept_.begin())
    if (const auto before = std::prev(next); before->second > row) row = before->second;
  while (next != kept_.end() && next->first == row) row = (next++)->second;
  const index end = next == kept_.end() ? rows_ : next->first;
  return {std::min(row, rows_), std::max<index>(0, end - row)};
}

index RowCheckpoint::finished() const {
  index sum = 0;
  for (const auto& [first, end] : kept_) sum += end - first;
  return sum;
}

void RowCheckpoint::append(index first, index rows, const std::vector<std::pair<const void*, std::size_t>>& blocks,
                           double seconds) {
  if (!kept() || failed_) return;
  std::size_t bytes = 0;
  for (const auto& block : blocks) bytes += block.second;
  if (seconds < kCostShare * seconds_per_byte_ * static_cast<double>(bytes)) return;
  const Stopwatch watch;
  try {
    if (!journal_) {
      check_checkpoint_target(path_);
      JournalHead head;
      for (const auto& [name, value] : checkpoint_.identity()) head.emplace_back("run/" + name, value);
      head.insert(head.end(), identity_.begin(), identity_.end());
      checkpoint_.set_on_disk();  // before somebody sees the file
      journal_ = Journal::create(path_, head);
    }
    journal_->append(first, rows, blocks);
  } catch (const ResourceError& error) {
    // The result is worth more than its checkpoint.
    context_.listener().warn(text("the checkpoint cannot be written, the run goes on without it: ", error.marked()));
    failed_ = true;
    if (!journal_) context_.listener().last_words("");
    return;
  }
  seconds_per_byte_ = watch.seconds() / static_cast<double>(std::max<std::size_t>(bytes, 4096));
  kept_[first] = first + rows;
  checkpoint_.set_on_disk();
}

}  // namespace ntkrob::jobs
