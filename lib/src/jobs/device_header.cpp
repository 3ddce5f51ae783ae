/// Blocks of bytes as C++ headers.
#include <cstdio>

#include "ntkrob/jobs/device.hpp"

namespace ntkrob::jobs {

void check_identifier(const std::string& name) {
  static const std::string kKeywords =
      " alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t "
      "char8_t class co_await co_return co_yield compl concept const const_cast consteval constexpr "
      "constinit continue decltype default delete do double dynamic_cast else enum explicit export extern "
      "false float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr "
      "operator or or_eq private protected public register reinterpret_cast requires restrict return short "
      "signed sizeof static static_assert static_cast struct switch template this thread_local throw true "
      "try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor xor_eq "
      "main ";
  const bool starts_with_digit = !name.empty() && name[0] >= '0' && name[0] <= '9';
  bool good = !name.empty() && !starts_with_digit;
  for (const char c : name)
    good = good && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_');
  NTKROB_CHECK(good, ConfigError, field("name"), " is \"", given(shortened_line(name, 80)), "\", must be ",
               limit("a C++ identifier: letters, digits and _, no digit first"));
  constexpr std::size_t kLongest = 200;
  NTKROB_CHECK(name.size() <= kLongest, ConfigError, field("name"), " has ", given(name.size()), " characters, ",
               limit("at most ", kLongest));
  NTKROB_CHECK(kKeywords.find(" " + name + " ") == std::string::npos, ConfigError, field("name"), " is \"", given(name),
               "\", a word of C++ itself; ", advice("choose another, ", name, "_set for example"));
  const bool reserved = name.find("__") != std::string::npos || name[0] == '_' || name.back() == '_';
  NTKROB_CHECK(!reserved, ConfigError, field("name"), " is \"", given(name),
               "\": names with __, or with _ at an end, are reserved in C++ or become so with _classes behind them");
}

namespace {

/// A text as C++ writes it: bytes that are no printable ASCII as octal numbers of three digits.
std::string quoted(const std::string& value) {
  std::string out = "\"";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\' || c == '?') {
      out += '\\';
      out += c;
    } else if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      char octal[8];
      std::snprintf(octal, sizeof octal, "\\%03o", static_cast<unsigned>(byte));
      out += octal;
    }
  }
  return out + '"';
}

}  // namespace

std::string device_header(const std::string& bytes, const std::string& name, const std::string& comment,
                          const std::string& layers, const std::vector<std::string>& classes) {
  check_identifier(name);
  std::string out = text("// ", comment, "\n#pragma once\n\n");
  if (!layers.empty())
    out += text("#include \"ntkrob/micro/net.hpp\"\n\ninline constexpr auto ", name, "_layers =\n    ", layers, ";\n");
  if (!classes.empty()) {
    out += text("inline constexpr const char* ", name, "_classes[", classes.size(), "] = {");
    for (std::size_t k = 0; k < classes.size(); ++k) out += (k == 0 ? "" : ", ") + quoted(classes[k]);
    out += "};\n";
  }
  out += text("alignas(4) inline constexpr unsigned char ", name, "[", bytes.size(), "] = {");
  for (std::size_t k = 0; k < bytes.size(); ++k) {
    if (k % 32 == 0) out += "\n  ";
    out += std::to_string(static_cast<unsigned>(static_cast<unsigned char>(bytes[k])));
    out += ',';
  }
  return out + "\n};\n";
}

}  // namespace ntkrob::jobs
