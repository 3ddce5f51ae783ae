#include "ntkrob/base/printable.hpp"

#include "ntkrob/base/utf8.hpp"

namespace ntkrob {

namespace {

enum class LineFeed { keep, escape };

/// Characters that nobody sees and that change how a line is read: they turn the direction of what follows (a name
/// would end in another extension, a header show other code than it holds: CVE-2021-42574), begin a new line, or allow
/// one. Letters that are written from right to left turn themselves, and joiners belong into words and emoji: they
/// stay.
struct CodeRange {
  std::uint32_t first, last;
};
constexpr CodeRange kInvisible[] = {
    {0x00AD, 0x00AD},  // soft hyphen
    {0x061C, 0x061C},  // Arabic letter mark
    {0x180E, 0x180E},  // Mongolian vowel separator
    {0x200B, 0x200B},  // zero width space
    {0x200E, 0x200F},  // left-to-right and right-to-left marks
    {0x2028, 0x202E},  // separators of lines and paragraphs; embeddings and overrides of direction
    {0x2060, 0x206F},  // word joiner, invisible operators, isolates, controls of older versions of Unicode
    {0xFEFF, 0xFEFF},  // byte-order mark
    {0xFFF9, 0xFFFB},  // marks of annotations
};

/// text[at, at + length) is one character of UTF-8 of 2 or 3 bytes.
bool is_invisible(const std::string& text, std::size_t at, std::size_t length) {
  if (length != 2 && length != 3) return false;
  const std::uint32_t code = code_point(text, at, length);
  for (const CodeRange& range : kInvisible)
    if (code >= range.first && code <= range.last) return true;
  return false;
}

void escape(unsigned char byte, std::string& out) {
  static const char kDigits[] = "0123456789ABCDEF";
  out += "\\x";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

/// Calls take(part, characters) for every character that stays, and for every \xNN.
template <class Take>
void walk(const std::string& text, LineFeed line_feed, const Take& take) {
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    const std::size_t length = utf8_length(text, at);
    const bool c0 = first < 0x20 && !(first == '\n' && line_feed == LineFeed::keep);
    const bool c1 = length == 2 && first == 0xC2 && static_cast<unsigned char>(text[at + 1]) < 0xA0;
    const bool whole = c1 || is_invisible(text, at, length);
    if (length > 0 && !c0 && first != 0x7F && !whole) {
      take(text.substr(at, length), std::size_t{1});
      at += length;
      continue;
    }
    std::string escaped;
    for (std::size_t k = 0; k < (whole ? length : 1U); ++k) escape(static_cast<unsigned char>(text[at++]), escaped);
    take(escaped, escaped.size());
  }
}

std::string walked(const std::string& text, LineFeed line_feed) {
  std::string out;
  out.reserve(text.size());
  walk(text, line_feed, [&](const std::string& part, std::size_t) { out += part; });
  return out;
}

}  // namespace

std::string printable(const std::string& text) { return walked(text, LineFeed::keep); }

std::string printable_line(const std::string& text) { return walked(text, LineFeed::escape); }

std::string shortened_line(const std::string& text, std::size_t most) {
  std::string whole, cut;  // cut: as much as fits beside the mark
  std::size_t width = 0;
  walk(text, LineFeed::escape, [&](const std::string& part, std::size_t characters) {
    width += characters;
    if (width < most) cut += part;
    if (width <= most) whole += part;
  });
  return width <= most ? whole : cut + "\u2026";
}

std::size_t character_count(const std::string& text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

}  // namespace ntkrob
