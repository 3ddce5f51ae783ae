/// Text from files and command lines, made safe for lines that people read.
///
/// Names of files, arrays and classes may hold anything. A NUL cuts what passes through a C string, such as what() of
/// an exception; other controls move the cursor of a terminal, end a line or turn its direction, unseen (U+202E); bytes
/// that are no UTF-8 stop a writer of JSON. They become \xNN, the same text again when it comes by a second time.
#pragma once

#include <cstddef>
#include <string>

namespace ntkrob {

/// C0 but the line feed, DEL, C1, marks of direction, invisible breaks, bytes that are no UTF-8: as \xNN. The rest
/// stays.
std::string printable(const std::string& text);
/// The same for what must stay in one line: line feeds become \x0A, too.
std::string printable_line(const std::string& text);
/// The first `most` characters of printable_line(text), the last of them "…" where some are left out; a \xNN counts as
/// four and is kept whole.   most: at least 1
std::string shortened_line(const std::string& text, std::size_t most);
/// How many characters (code points) a text of printable() has: its width on most terminals.
std::size_t character_count(const std::string& text);

}  // namespace ntkrob
