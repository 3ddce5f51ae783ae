/// Data sets whose images and labels are files of their own.
#pragma once

#include <string>
#include <vector>

#include "catalogue.hpp"

namespace ntkrob::io {

/// The arrays of a file of any format that holds arrays: HDF5, NPZ, .npy, IDX, or a table of numbers as one array. Its
/// only array has an empty name where the format gives it none. throws: IoError; ResourceError
Catalogue catalogue_of(const std::string& path, const std::shared_ptr<ReadBudget>& budget);
/// Several files, each with arrays, as one data set: what an array is, its file's name says.
RawDataset read_parts(const std::vector<std::string>& files, const ReadOptions& options);
/// The files that options name.
RawDataset read_named_parts(const ReadOptions& options);
/// Whether the names of these files say that some hold images and others labels.
bool are_parts(const std::vector<std::string>& files);

// Per format. What their arrays take in memory, and what making them takes for a time, is asked of the budget.
Catalogue hdf5_catalogue(const std::string& path);
Catalogue npz_catalogue(const std::string& path, const std::shared_ptr<ReadBudget>& budget);
Catalogue npy_catalogue(const std::string& path, const std::shared_ptr<ReadBudget>& budget);
Catalogue idx_catalogue(const std::string& path, const std::shared_ptr<ReadBudget>& budget);
/// A table of numbers without a header: one array [rows,columns], or [rows] of one column.
Catalogue table_catalogue(const std::string& path, const std::shared_ptr<ReadBudget>& budget);

}  // namespace ntkrob::io
