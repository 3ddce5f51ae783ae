/// StateDicts as files, in HDF5 and in NPZ: save_state takes the extension, load_state the content.
#pragma once

#include <string>

#include "ntkrob/data/format.hpp"

namespace ntkrob::io {

/// throws: as save_state and load_state
void save_state_hdf5(const StateDict& state, const std::string& schema, const std::string& path, bool force);
StateDict load_state_hdf5(const std::string& path, const std::string& schema, const StateLimits& limits);

/// Every entry is a member <name>.npy, numbers and texts are single values, and the member ntkrob_schema.npy names the
/// kind. NumPy reads such files.   throws: as save_state and load_state
void save_state_npz(const StateDict& state, const std::string& schema, const std::string& path, bool force);
StateDict load_state_npz(const std::string& path, const std::string& schema, const StateLimits& limits);
/// The text of ntkrob_schema.npy, empty in an archive without one. throws: IoError
std::string npz_schema(const std::string& path);

/// Schema texts "ntkrob.<kind>/<version>". throws: IoError unless `found` is `expected` or an older version of it.
void check_schema(const std::string& found, const std::string& expected, const std::string& file);

}  // namespace ntkrob::io
