#include "jobs/json_list.hpp"

#include <charconv>
#include <cstdint>
#include <cstdio>

#include "ntkrob/base/utf8.hpp"

namespace ntkrob::jobs {

namespace {

std::string escaped(std::uint32_t unit) {
  char out[16];
  std::snprintf(out, sizeof out, "\\u%04x", static_cast<unsigned>(unit));
  return out;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  constexpr std::uint32_t kReplacement = 0xFFFD;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    const std::uint32_t code = length > 0 ? code_point(text, at, length) : kReplacement;
    at += length > 0 ? length : 1;
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
