#include "ntkrob/base/printable.hpp"

#include <cstdint>

namespace ntkrob {

namespace {

enum class LineFeed { keep, escape };

/// Length of the character of UTF-8 that begins at `at`, or 0 where there is none: overlong forms, surrogates and what
/// lies beyond U+10FFFF are none.
std::size_t utf8_length(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t k) {
    return k < text.size() ? static_cast<unsigned>(static_cast<unsigned char>(text[k])) : 0U;
  };
  const unsigned first = byte(at);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xC2 && first < 0xE0   ? 2
                             : first >= 0xE0 && first < 0xF0 ? 3
                             : first >= 0xF0 && first < 0xF5 ? 4
                                                             : 0;
  for (std::size_t k = 1; k < length; ++k)
    if ((byte(at + k) & 0xC0) != 0x80) return 0;
  const unsigned second = byte(at + 1);
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
      (first == 0xF4 && second > 0x8F))
    return 0;
  return length;
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
    if (length > 0 && !c0 && first != 0x7F && !c1) {
      take(text.substr(at, length), std::size_t{1});
      at += length;
      continue;
    }
    std::string escaped;
    for (std::size_t k = 0; k < (c1 ? 2U : 1U); ++k) escape(static_cast<unsigned char>(text[at++]), escaped);
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
