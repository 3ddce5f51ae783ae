/// Command: one subcommand as data. commands.def lists them; cmd_<name>.cpp makes them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "options.hpp"
#include "session.hpp"

namespace ntkrob::cli {

struct Command {
  OptionSet options;                  // of the subcommand, without the global ones
  std::vector<std::string> examples;  // complete command lines
  /// Of a subcommand with variants, or empty: takes the one that was asked for, and marks the options it has not
  /// (Option::not_here). true: the question was answered, nothing is to be run.
  std::function<bool(OptionSet&, const Arguments&)> choose;
  std::function<std::vector<FileUse>()> files;  // those that the command derives from its options, or empty
  std::function<std::string()> notes;           // lists for the end of the help (layers, attacks, formats), or empty
  std::function<void(Session&)> run;
};

#define NTKROB_COMMAND(name, summary) Command make_##name();
#include "commands.def"
#undef NTKROB_COMMAND

/// Who speaks in an error line, and how it spells options.
struct Speaker {
  std::string who = "ntkrob";        // "ntkrob <subcommand>"
  std::vector<std::string> options;  // of the subcommand
  std::vector<std::string> words;    // what the user wrote, values of a config included, for readable_error()
  /// What the error says, in one line.
  std::string line(const Error& error) const;
};

/// Parses the command line and runs the subcommand. Prints help texts itself.
///   speaker: is told as soon as they are known, for the error line
///   returns: the exit code, 0   throws: Error
int dispatch(int argc, const char* const* argv, Speaker& speaker);

/// A heading and indented lines, for Command::notes.
std::string list_text(const std::string& heading, const std::vector<std::string>& lines);
std::string list_text(const std::string& heading, const std::vector<std::pair<std::string, std::string>>& lines);

}  // namespace ntkrob::cli
