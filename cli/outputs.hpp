/// The files of a command: what it will read, write and keep, compared before the work.
///
/// Options say what they name (Use in options.hpp), a command adds what it derives, such as the default name of a
/// checkpoint. All of them are compared by what they are and not by how they are written: device and number of the file
/// where it exists, else the real path of its folder and the name in it. An output that is an input, two outputs that
/// are one file, and a checkpoint that is anything else are refused, and so is whatever would fail at the end: a name
/// that is too long, a format that is not written or not in this build, a folder that is not there.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "ntkrob/data/output_lock.hpp"
#include "options.hpp"

namespace ntkrob::cli {

/// One file of a command and how the user named it ("--json", "DATA").
struct FileUse {
  std::string option, path;
  Use use = Use::none;
};

/// Whether an option names a file that is written.
bool writes_file(const Option& option);
/// The files that options name, in their order.
std::vector<FileUse> files_of(const std::vector<Given>& given);

/// Refuses what cannot be, in one line that names the options.
///   force: existing outputs may be replaced   resume: logs go on   throws: ConfigError, ResourceError, NotCompiled
void check_files(const std::vector<FileUse>& files, bool force, bool resume);

/// Locks of all outputs and checkpoints, held until the command has ended.
///   throws: ResourceError: another run writes one of them
std::vector<std::unique_ptr<OutputLock>> lock_files(const std::vector<FileUse>& files);

}  // namespace ntkrob::cli
