/// Sound HDF5 files as others make them: the oldest layout, which h5py writes by default. Neither ntkrob nor the format
/// has a checksum in it, so that every change reaches the library, in the child process that looks at such files first.
#pragma once

#include <string>

namespace ntkrob::fuzz {

/// A set: 4 images of bytes, contiguous and as packed chunks, labels as numbers and as texts of variable length, and
/// names of classes as such texts in an attribute.   path: where the file is made   throws: IoError
void write_old_set(const std::string& path);

/// A state of schema ntkrob.model/1: texts of fixed length, a number, arrays.
void write_old_state(const std::string& path);

}  // namespace ntkrob::fuzz
