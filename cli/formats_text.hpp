/// The table of formats for the terminal.
#pragma once

#include <string>

namespace ntkrob::cli {

/// For help and `info --formats`.
std::string formats_text();

}  // namespace ntkrob::cli
