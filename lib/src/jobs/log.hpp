/// The log of a run: its rows as CSV, flushed row by row. Private to jobs.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "ntkrob/base/records.hpp"
#include "ntkrob/jobs/context.hpp"

namespace ntkrob::jobs {

/// A run that goes on first drops the rows behind its checkpoint. A disk that is full while the work goes on costs the
/// rest of the log, and not the result: one warning, and Context::late_error.
class Log {
 public:
  /// path: empty: no log   throws: ResourceError
  Log(const std::string& path, const std::vector<Column>& columns, index steps_done, Context& context);
  void append(const Row& row);

 private:
  std::string path_;
  Context& context_;
  std::ofstream file_;
};

}  // namespace ntkrob::jobs
