/// Command: one subcommand as data. commands.def lists them; cmd_<name>.cpp makes them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "options.hpp"
#include "outputs.hpp"
#include "session.hpp"

namespace ntkrob::cli {

struct Command {
  OptionSet options;                   // of the subcommand, without the global ones
  std::vector<std::string> examples;   // complete command lines
  std::function<std::vector<FileUse>()> files;  // those that the command derives from its options, or empty
  std::function<std::string()> notes;  // lists for the end of the help (layers, attacks, formats), or empty
  std::function<void(Session&)> run;
};

#define NTKROB_COMMAND(name, summary) Command make_##name();
#include "commands.def"
#undef NTKROB_COMMAND

/// Parses the command line and runs the subcommand. Prints help texts itself.
///   who: set to "ntkrob <subcommand>" as soon as that is known, for the error line
///   words: what the user wrote, for readable_error(): the values of a config are added
///   returns: the exit code, 0   throws: Error
int dispatch(int argc, const char* const* argv, std::string& who, std::vector<std::string>& words);

/// A heading and indented lines, for Command::notes.
std::string list_text(const std::string& heading, const std::vector<std::string>& lines);
std::string list_text(const std::string& heading, const std::vector<std::pair<std::string, std::string>>& lines);

}  // namespace ntkrob::cli
