/// The files of a command: what it will read, write and keep, compared before the work.
#pragma once

#include <string>

namespace ntkrob::cli {

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
