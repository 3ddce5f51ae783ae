/// How a result came to be: one place for the canonical command, the chain of parents and the curves. Private to jobs.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/base/fields.hpp"
#include "ntkrob/base/records.hpp"
#include "ntkrob/data/dataset.hpp"
#include "ntkrob/data/format.hpp"

namespace ntkrob::jobs {

/// Library version, parent and its checksum, what was recognised of it, and the commands that made it.
///   file: of the parent, as it was named
Provenance made_from(const Dataset& parent, const std::string& file, const ReadOptions& read);

/// Every option written out, file names without folders, so that the text is the same for an interrupted and an
/// uninterrupted run. Kernels in one text with "|" between them are options of their own.
std::string canonical_command(const std::string& job, const std::string& data, const OptionTexts& options,
                              const ReadOptions& read);

/// The columns that are curves. Those that were not measured in every step come with their steps: "validation_step" for
/// "validation_clean".
std::vector<std::pair<std::string, std::vector<double>>> curves_of(const std::vector<Column>& columns,
                                                                   const std::vector<Row>& rows);

}  // namespace ntkrob::jobs
