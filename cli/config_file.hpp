/// Options from a file: --config.
///
///     # a comment                       keys before the first section are for every subcommand
///     seed = 1
///     [robustify]                       keys of a section are for that subcommand and win over those before
///     eps = 8/255                       a word as it is, without blanks
///     log = "my run.csv"                with the escapes \" \\ \n \t; or in '...' as it is
///     learn-labels = true               switches: true or false
///     kernel = ["fc:1", "fc:3"]         a list in one line, for options that take several values
///
/// This is the part of TOML that options need; everything else is refused with the number of its line.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "arguments.hpp"

namespace ntkrob::cli {

/// What a section's keys may be.   returns: the options of a subcommand; empty where there is none of that name
using SectionOptions = std::function<std::vector<const Option*>(const std::string& section)>;

/// Reads the file: all of it is checked, also what other subcommands ask for.
///   returns: options of `command`, each once
///   throws: IoError where it cannot be read or is no text; ResourceError where it is larger than 1 MiB; ConfigError
///   with file and line
std::vector<Given> read_config(const std::string& path, const std::string& command, const SectionOptions& sections);

}  // namespace ntkrob::cli
