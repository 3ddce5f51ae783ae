/// Which files may be overwritten and removed as checkpoints.
#pragma once

#include <string>

namespace ntkrob::jobs {

/// Whether this is a regular file of the schema of our checkpoints, "ntkrob.checkpoint/<version>". False for everything
/// else: no file, a folder, a file of another kind, one that cannot be read. Never throws.
///   cost: reads the beginning of the file, and as much as the guard of its format wants to see
bool is_checkpoint(const std::string& path);

/// Where a checkpoint is to be written: a checkpoint or nothing at all. A file of another kind under this name is never
/// touched, whatever `force` says.
///   throws: ConfigError
void check_checkpoint_target(const std::string& path);

/// Removes a checkpoint that is no longer needed; any other file stays.
void remove_checkpoint_file(const std::string& path) noexcept;

}  // namespace ntkrob::jobs
