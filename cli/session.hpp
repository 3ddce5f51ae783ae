/// What every subcommand gets: the context of its job, the global options, the terminal.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/jobs/context.hpp"

namespace ntkrob::cli {

using namespace jobs;

/// Options that every subcommand has beside the settings of jobs.
struct Globals {
  std::string config;
  bool dry_run = false;
  bool explain = false;
  bool quiet = false;
};

template <class Visitor>
void visit_globals(Settings& settings, Globals& g, Visitor&& visitor) {
  visit_settings(settings, visitor);
  visitor("config", g.config, "read options from FILE; those on the command line win");
  visitor("dry-run", g.dry_run, "print the resolved options and the plan, then stop");
  visitor("explain", g.explain, "print backend, precision and the kernel's tile plan");
  visitor("quiet", g.quiet, "no progress and no notes on stderr");
}

/// Progress and notes go to stderr, results to stdout. At a terminal there is at most one line of progress, the last
/// one: it is rewritten in place, cut to the width of the terminal, and gone when the job is over or something else is
/// said.
class Console : public Listener {
 public:
  Console();
  ~Console() override;
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
  void set_quiet(bool quiet) { quiet_ = quiet; }

  void answers_stop(bool yes) override;
  void stopping() override;

 private:
  void on_note(const std::string& line) override;
  /// Also printed when quiet.
  void on_warning(const std::string& line) override;
  /// Elsewhere than at a terminal printed about every tenth of the way.
  void on_progress(const std::string& line, index done, index total) override;
  void on_stage(const std::string& line) override;
  void on_refresh(const std::string& line) override;
  /// Before results go to stdout, which may be the same terminal.
  void on_finish() override;
  void on_last_words(const std::string& words) override;
  void clear();

  bool quiet_ = false;
  bool open_line_ = false;
};

/// "--name VALUE" of an option; of switches "--name" and "--no-name".
std::string spelt_as_flag(const std::string& name, const std::string& value);

namespace detail {
struct HasConsole {
  Console console;
};
}  // namespace detail

class Session : public detail::HasConsole, public Context {
 public:
  Session();
  Globals globals;
  std::vector<std::string> arguments;  // as typed, without the program's name

  /// The command line as typed, quoted for a shell, without the flags in `without`.
  std::string command_line(const std::vector<std::string>& without = {}) const;
  /// What the backend has done beside computing; empty if it has nothing to say.
  std::string account_text();
};

/// Rows of equal length as aligned columns; the first row is underlined; columns but the first are right-aligned.
std::string table_text(const std::vector<std::vector<std::string>>& rows);
}  // namespace ntkrob::cli
