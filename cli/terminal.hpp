/// The terminal at stderr: whether there is one, how wide it is, and lines cut to its width.
///
/// A line of progress is rewritten in place, which works only while it has one row: a longer one is cut.
#pragma once

#include <string>

namespace ntkrob::cli {

/// Whether stderr is a terminal that can rewrite a line (TERM is not "dumb").
bool at_terminal();

/// Columns of the terminal at stderr, asked anew in every call, because windows change; 80 where it does not say.
int terminal_columns();

/// The beginning of a UTF-8 line that fits this many columns: whole characters only, control characters as blanks.
/// Characters of one or two bytes count as one column, longer ones as two, which is what the widest of them need.
std::string cut_to_columns(const std::string& line, int columns);

}  // namespace ntkrob::cli
