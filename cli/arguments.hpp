/// The words of a command line as options and their values.
///
///     --name VALUE   --name=VALUE   -o VALUE   -oVALUE   -o=VALUE      an option takes exactly one value
///     --name   --no-name                                               a switch takes none
///     --                                                               what follows is no option
///
/// The value after "=" is taken as it is, empty or not. The next word is a value whatever it looks like, negative
/// numbers included, unless it is an option of the subcommand itself: `--log --resume` is a mistake, `--log=--resume`
/// names a file.
#pragma once

#include <string>
#include <vector>

#include "options.hpp"

namespace ntkrob::cli {

/// One option with what was given for it.
struct Given {
  const Option* option = nullptr;
  std::vector<std::string> values;  // of a switch "true" or "false"
  std::string where;                // in front of what is wrong with it, "run.toml:3: "; empty: the command line
};

/// All that a command line says.
struct Arguments {
  std::vector<Given> given;  // each option once, in the order of its first mention
  bool help = false;         // --help or -h is among them
  std::string mistake;       // the first one, as an error line; empty: none
  /// Null where it was not given.
  const Given* find(const std::string& name) const;
};

/// Reads the words behind the subcommand. Never throws: help is given also beside mistakes.
///   options: of the subcommand, the global ones included; they must outlive the result
Arguments read_words(const std::vector<std::string>& words, const std::vector<const Option*>& options);

/// Hands the values to the options. Every required option must be among them.
///   throws: ConfigError: one is missing, or as Option::set, with Given::where in front
void set_options(const std::vector<Given>& given, const std::vector<const Option*>& options);

/// Whether an option names a file that is written.
bool writes_file(const Option& option);
/// The files that options name, in their order.
std::vector<FileUse> files_of(const std::vector<Given>& given);

/// "; did you mean --train?" or nothing: the name that is nearest to what was typed.
std::string suggestion(const std::string& typed, const std::vector<std::string>& names, const std::string& dashes);
/// Names of all options that are no positional arguments, and help.
std::vector<std::string> option_names(const std::vector<const Option*>& options);

/// An error line for people: words of the command line in it that are long or hold line feeds are shortened and made
/// one line, and the whole is cut where it is longer than anybody reads.
std::string readable_error(const std::string& message, const std::vector<std::string>& words);

}  // namespace ntkrob::cli
