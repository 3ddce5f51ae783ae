#include "jobs/json_list.hpp"

#include <charconv>
#include <cstdint>
#include <cstdio>

namespace ntkrob::jobs {

namespace {

/// The code point at `at`, which moves behind it; U+FFFD, one byte further, where there is none.
std::uint32_t next_code_point(const std::string& text, std::size_t& at) {
  constexpr std::uint32_t kReplacement = 0xFFFD;
  const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
  const unsigned char lead = byte(at);
  const int more = lead < 0x80                   ? 0
                   : lead >= 0xC2 && lead < 0xE0 ? 1
                   : (lead & 0xF0) == 0xE0       ? 2
                   : lead >= 0xF0 && lead < 0xF5 ? 3
                                                 : -1;
  std::uint32_t code = more <= 0 ? lead : lead & (0x3Fu >> more);
  bool good = more >= 0 && at + static_cast<std::size_t>(more) < text.size();
  for (int k = 1; good && k <= more; ++k) {
    const unsigned char next = byte(at + static_cast<std::size_t>(k));
    good = (next & 0xC0) == 0x80;
    code = code << 6 | (next & 0x3Fu);
  }
  const std::uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  good = good && code >= least[more] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
  at += good ? static_cast<std::size_t>(more) + 1 : 1;
  return good ? code : kReplacement;
}

std::string escaped(std::uint32_t unit) {
  char out[8];
  std::snprintf(out, sizeof out, "\\u%04x", static_cast<unsigned>(unit));
  return out;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const std::uint32_t code = next_code_point(text, at);
    if (code == '"' || code == '\\')
      out += {'\\', static_cast<char>(code)};
    else if (code >= 0x20 && code < 0x7F)
      out += static_cast<char>(code);
    else if (code < 0x10000)
      out += escaped(code);
    else
      out += escaped(0xD800 + ((code - 0x10000) >> 10)) + escaped(0xDC00 + ((code - 0x10000) & 0x3FF));
  }
  return out + '"';
}

std::string quoted(float number) {
  char out[40];
  const auto end = std::to_chars(out, out + sizeof out, number).ptr;
  const std::string text(out, end);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

template <class T>
std::string list(const std::vector<T>& items) {
  std::string out = "[";
  for (const T& item : items) out += (out.size() > 1 ? "," : "") + quoted(item);
  return out + "]";
}

}  // namespace

std::string json_list(const std::vector<std::string>& texts) { return list(texts); }
std::string json_list(const std::vector<float>& numbers) { return list(numbers); }

}  // namespace ntkrob::jobs
