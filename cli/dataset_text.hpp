/// Descriptions of data sets and formats for the terminal.
#pragma once

#include <string>

#include "ntkrob/data/dataset.hpp"

namespace ntkrob::cli {

/// Shapes, element type, value range, class counts; several lines.
std::string dataset_text(const Dataset& data);
/// What made the data set, or "" where nothing is recorded.
std::string provenance_text(const Provenance& provenance);
/// The table of formats, for help and `info --formats`.
std::string formats_text();

}  // namespace ntkrob::cli
