/// Numbers and lines in the words that plans, notes and errors use.
#pragma once

#include <string>

namespace ntkrob {

/// "1.5 GiB", "120 KiB", "17 bytes".
std::string bytes_text(double bytes);
/// "41.3 %" for 0.413.
std::string percent_text(double fraction);
/// "0.00123", six significant digits.
std::string number_text(double value);
/// "8 s", "3 min 20 s", "2 h 5 min".
std::string duration_text(double seconds);
/// A heading and the lines of a text under it, indented; ends with a line feed.
std::string block_text(const std::string& heading, const std::string& lines);

}  // namespace ntkrob
