/// What every subcommand gets: the global options, the terminal, the backend.
#pragma once

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "ntkrob/backend/backend.hpp"
#include "ntkrob/base/log.hpp"
#include "options.hpp"

namespace ntkrob::cli {

/// The largest --threads, of every subcommand: that of WorkerPool.
constexpr index kMostThreads = 1024;

/// Options that every subcommand has.
struct Globals {
  index threads = 0;
  std::uint64_t seed = 0;
  Bytes memory;
  std::string backend = "auto";
  std::string config;
  bool dry_run = false;
  bool explain = false;
  bool force = false;
  bool quiet = false;
};

template <class Visitor>
void visit_globals(Globals& g, Visitor&& visitor) {
  visitor("threads", g.threads, "worker threads, up to 1024; 0: all. Results do not depend on it");
  visitor("seed", g.seed, "seed of every random choice");
  visitor("memory", g.memory, "limit for what reading a data set takes, and for scratch memory with results, e.g. 2G; 0: three quarters of this machine's for reading, 1 GiB or a quarter for the rest");
  visitor("backend", g.backend, "auto | cpu | reference | cuda[:i], cuda:0,1 or cuda:all; see ntkrob info --backends");
  visitor("config", g.config, "read options from FILE; those on the command line win");
  visitor("dry-run", g.dry_run, "print the resolved options and the plan, then stop");
  visitor("explain", g.explain, "print backend, precision and the kernel's tile plan");
  visitor("force", g.force, "overwrite existing outputs");
  visitor("quiet", g.quiet, "no progress and no notes on stderr");
}

/// Progress and notes go to stderr, results to stdout. At a terminal there is at most one line of progress, the last
/// one: it is rewritten in place, cut to the width of the terminal, and gone when the job is over or something else is
/// said.
class Console {
 public:
  Console() = default;
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
  void set_quiet(bool quiet) { quiet_ = quiet; }
  /// One line that stays.
  void note(const std::string& line);
  /// A warning; also printed when quiet.
  void warn(const std::string& line);
  /// A line about progress: rewritten in place on a terminal, and taken away at the end; printed about every tenth of
  /// the way otherwise. done counts from 1 to total.
  void progress(const std::string& line, index done, index total);
  /// A line about what begins now: rewritten in place on a terminal, printed elsewhere.
  void stage(const std::string& line);
  /// Rewrites the line of progress at a terminal; nothing elsewhere.
  void refresh(const std::string& line);
  /// Takes the line of progress away: before results go to stdout, which may be the same terminal.
  void finish();
  /// For the library's messages: warnings, and infos when not quiet.
  LogSink sink();

 private:
  void clear();
  bool quiet_ = false;
  bool open_line_ = false;
};

/// Seconds since its construction. For progress and reports; never part of a result.
class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

class Session {
 public:
  Globals globals;
  Console console;
  std::vector<std::string> arguments;  // as typed, without the program's name
  /// Inputs that were opened, each with what its reader recognised.
  std::vector<std::pair<std::string, std::vector<std::string>>> readings;
  /// Names and ranges of the features of the first input or model that has them; others must agree.
  std::vector<std::string> feature_names;
  std::vector<float> feature_low, feature_high;
  std::string names_source, ranges_source;
  /// What went wrong beside the work and must not cost it: the command's error when everything else is done, code 5.
  std::string late_error;

  /// Made at the first call.
  Backend& backend();
  /// The memory limit in bytes; never 0.
  std::size_t memory_limit();
  /// The command line as typed, quoted for a shell, without the flags in `without`.
  std::string command_line(const std::vector<std::string>& without = {}) const;
  /// "backend  cpu: 2 workers, ..." and why better ones were not taken.
  std::string backend_text();
  /// What the backend has done beside computing; empty if it has nothing to say.
  std::string account_text() const;

 private:
  std::unique_ptr<Backend> backend_;
};

/// Refuses now what would fail after the work: the file exists (without --force), or its folder does not.
/// throws: ConfigError, ResourceError
void check_output(const std::string& path, bool force);

/// "1.5 GiB", "120 KiB", "17 bytes".
std::string bytes_text(double bytes);
/// "41.3 %" for 0.413.
std::string percent_text(double fraction);
/// "0.00123", six significant digits.
std::string number_text(double value);
/// "8 s", "3 min 20 s", "2 h 5 min".
std::string duration_text(double seconds);
/// A heading and the lines of a text under it, indented; ends with a line feed.
std::string block_text(const std::string& heading, const std::string& lines);
/// "name  value" lines, aligned.
std::string options_text(const OptionTexts& texts);
/// Rows of equal length as aligned columns; the first row is underlined; columns but the first are right-aligned.
std::string table_text(const std::vector<std::vector<std::string>>& rows);
/// The last part of a path.
std::string file_name(const std::string& path);

}  // namespace ntkrob::cli
