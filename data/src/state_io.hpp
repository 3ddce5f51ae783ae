/// How a StateDict lies in an HDF5 file, for the writers of such files.
#pragma once

#include <string>

#include "hdf5_file.hpp"
#include "ntkrob/base/state_dict.hpp"

namespace ntkrob::io {

/// The schema and all entries. throws: ConfigError for names and texts that HDF5 cannot hold; ResourceError
void write_entries(hid_t file, const StateDict& state, const std::string& schema);

}  // namespace ntkrob::io
