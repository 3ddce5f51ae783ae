#include "jobs/log.hpp"

#include <cstdlib>

#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/data/format.hpp"

namespace ntkrob::jobs {

Log::Log(const std::string& path, const std::vector<Column>& columns, index steps_done, Context& context)
    : path_(path), context_(context) {
  if (path.empty()) return;
  std::string kept = "step";
  for (const Column& column : columns) kept += "," + column.name;
  kept += ",seconds\n";
  if (steps_done > 0) {
    std::ifstream old(path);
    std::string line;
    for (std::getline(old, line); std::getline(old, line);)
      if (!line.empty() && std::atoll(line.c_str()) <= steps_done) kept += line + "\n";
  }
  write_text(path, kept, true);
  file_.open(path, std::ios::app);
  NTKROB_CHECK(file_.good(), ResourceError, "cannot append to ", path);
}

void Log::append(const Row& row) {
  if (path_.empty() || !file_.good()) return;
  file_ << row.step;
  for (const std::optional<double>& value : row.values) file_ << "," << (value ? format_number(*value) : "");
  file_ << "," << row.seconds << "\n" << std::flush;
  if (file_.good()) return;
  context_.late_error = text("the log ", path_, " ends before step ", row.step,
                             ", where it could not be written: is the disk full? The other outputs are complete");
  context_.listener().warn(
      text("cannot append step ", row.step, " to the log ", path_, ": is the disk full? The run goes on"));
}

}  // namespace ntkrob::jobs
