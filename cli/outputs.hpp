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

/// The files that options name, in their order.
std::vector<FileUse> files_of(const std::vector<Given>& given);

/// Refuses what cannot be, in one line that names the options.
///   force: existing outputs may be replaced   resume: logs go on   throws: ConfigError, ResourceError, NotCompiled
void check_files(const std::vector<FileUse>& files, bool force, bool resume);

/// Whether this process can open as many files as a command has open at once: outputs and their locks, inputs, a child that
/// looks at them.
///   throws: ResourceError
void check_open_files();

/// Locks of all outputs and checkpoints, held until the command has ended.
///   throws: ResourceError: another run writes one of them
std::vector<std::unique_ptr<OutputLock>> lock_files(const std::vector<FileUse>& files);

/// Whether this is a regular file of the schema of our checkpoints, "ntkrob.checkpoint/<version>". False for everything
/// else: no file, a folder, a file of another kind, one that cannot be read. Never throws.
///   cost: reads the beginning of the file, and as much as the guard of its format wants to see
bool is_checkpoint(const std::string& path);

/// Where a checkpoint is to be written: a checkpoint or nothing at all. A file of another kind under this name is never
/// touched, whatever --force says.   option: how the user named it, "--checkpoint"
///   throws: ConfigError
void check_checkpoint_target(const std::string& path, const std::string& option);

/// Removes a checkpoint that is no longer needed; any other file stays.
void remove_checkpoint_file(const std::string& path) noexcept;

}  // namespace ntkrob::cli
