/// Names from files in error lines and notes.
#pragma once

#include <string>

#include "ntkrob/base/printable.hpp"

namespace ntkrob::io {

/// A name of an array, a member, a column or a class, or a value that stands for one, in one line and at most 80
/// characters: a file may call its arrays by names of 60000.
inline std::string echoed(const std::string& name) { return shortened_line(name, 80); }

}  // namespace ntkrob::io
