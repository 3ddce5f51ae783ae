/// The files of a job: what it will read, write and keep, compared before the work.
///
/// All of them are compared by what they are and not by how they are written: device and number of the file
/// where it exists, else the real path of its folder and the name in it. An output that is an input, two outputs that
/// are one file, and a checkpoint that is anything else are refused, and so is whatever would fail at the end: a name
/// that is too long, a format that is not written or not in this build, a folder that is not there.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ntkrob/data/output_lock.hpp"

namespace ntkrob::jobs {

/// What a job does with a file.
enum class Use {
  none,
  reads,         // a file or a folder
  writes_set,    // a data set, in the format of the extension
  writes_state,  // a net or a prediction: HDF5 or NPZ
  writes_hdf5,   // HDF5 alone
  writes_picture,
  writes_block,  // bytes for a device, a header, ONNX or NPZ for PyTorch
  writes_text,   // a report, a page, a log
  keeps          // a checkpoint: read, replaced and removed
};

/// One file of a job and how it was named ("--json", "DATA", "the checkpoint of --output").
struct FileUse {
  std::string option, path;
  Use use = Use::none;
  bool goes_on = false;  // a log: of a run that is resumed it exists
};

/// Refuses what cannot be, in one line that names the options.
///   force: existing outputs may be replaced   resume: logs go on   throws: ConfigError, ResourceError, NotCompiled
void check_files(const std::vector<FileUse>& files, bool force, bool resume);

/// Whether this process can open as many files as a command has open at once: outputs and their locks, inputs, a child
/// that looks at them.
///   throws: ResourceError
void check_open_files();

/// Locks of all outputs and checkpoints, held until the command has ended.
///   throws: ResourceError: another run writes one of them
std::vector<std::unique_ptr<OutputLock>> lock_files(const std::vector<FileUse>& files);

}  // namespace ntkrob::jobs
