#include "ntkrob/base/printable.hpp"

#include <catch2/catch.hpp>
#include <cstring>

#include "ntkrob/base/error.hpp"

namespace ntkrob {
namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

}  // namespace

TEST_CASE("printable text keeps what people can read, and every control character becomes \\xNN", "[base]") {
  const std::string nul("a\0b", 3);
  CHECK(printable(nul) == "a\\x00b");
  CHECK(printable("x\ty\rz\x1b[31m\x7f") == "x\\x09y\\x0Dz\\x1B[31m\\x7F");
  CHECK(printable("two\nlines") == "two\nlines");
  CHECK(printable_line("two\nlines") == "two\\x0Alines");
  CHECK(printable("Größe, 数字, é, 🙂") == "Größe, 数字, é, 🙂");
  CHECK(printable("") == "");
  for (int c = 1; c < 256; ++c) {
    const std::string once = printable(bytes({c}));
    INFO("byte " << c << ": " << once);
    CHECK((once.size() == 1) == ((c >= 0x20 && c < 0x7F) || c == '\n'));
    CHECK(printable(once) == once);
  }
}

TEST_CASE("bytes that are no UTF-8 become \\xNN one by one", "[base]") {
  CHECK(printable(bytes({0xE9, 'a'})) == "\\xE9a");                             // Latin-1
  CHECK(printable(bytes({0xC3})) == "\\xC3");                                   // cut
  CHECK(printable(bytes({0xC0, 0x80})) == "\\xC0\\x80");                        // overlong NUL
  CHECK(printable(bytes({0xE0, 0x80, 0xAF})) == "\\xE0\\x80\\xAF");             // overlong
  CHECK(printable(bytes({0xED, 0xA0, 0x80})) == "\\xED\\xA0\\x80");             // a surrogate
  CHECK(printable(bytes({0xF4, 0x90, 0x80, 0x80})) == "\\xF4\\x90\\x80\\x80");  // beyond U+10FFFF
  CHECK(printable(bytes({0xC2, 0x9B, '3', '1', 'm'})) == "\\xC2\\x9B31m");      // C1: begins a command
  CHECK(printable(bytes({0xC2, 0xA0})) == bytes({0xC2, 0xA0}));                 // no-break space
  CHECK(printable(bytes({0xF0, 0x9F, 0x99, 0x82})) == bytes({0xF0, 0x9F, 0x99, 0x82}));
}

TEST_CASE("what turns the direction of a line, or breaks it, unseen is escaped; letters and emoji stay", "[base]") {
  CHECK(printable("a\u202Eb") == "a\\xE2\\x80\\xAEb");
  CHECK(printable_line("\u2028") == "\\xE2\\x80\\xA8");
  const auto utf8 = [](int code) {
    return code < 0x800 ? bytes({0xC0 | code >> 6, 0x80 | (code & 63)})
                        : bytes({0xE0 | code >> 12, 0x80 | (code >> 6 & 63), 0x80 | (code & 63)});
  };
  for (const auto& [first, last] : std::initializer_list<std::pair<int, int>>{{0xAD, 0xAD},
                                                                              {0x61C, 0x61C},
                                                                              {0x180E, 0x180E},
                                                                              {0x200B, 0x200B},
                                                                              {0x200E, 0x200F},
                                                                              {0x2028, 0x202E},
                                                                              {0x2060, 0x206F},
                                                                              {0xFEFF, 0xFEFF},
                                                                              {0xFFF9, 0xFFFB}}) {
    for (int code = first; code <= last; ++code) {
      const std::string once = printable(utf8(code));
      INFO("U+" << std::hex << code << ": " << once);
      CHECK(once.size() == 4 * utf8(code).size());
      CHECK(printable(once) == once);
    }
    for (const int code : {first - 1, last + 1}) {
      const std::string kept = utf8(code);
      INFO("U+" << std::hex << code);
      CHECK((printable(kept) == kept || first == 0x2028));  // between the ranges stand marks of the next one
    }
  }
  // Hebrew, Arabic, Persian with a zero width non-joiner, a family joined by U+200D, a flag of tags, a variation
  // selector.
  for (const char* name :
       {"שלום", "مرحبا", "می\u200Cخواهم", "👨\u200D👩\u200D👧", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "❤\uFE0F"})
    CHECK(printable(name) == name);
  CHECK(shortened_line("ab\u202Ecd", 8) == "ab…");  // an escape is not cut
}

TEST_CASE("a shortened line has at most so many characters and says that it was cut", "[base]") {
  CHECK(shortened_line("abcdef", 6) == "abcdef");
  CHECK(shortened_line("abcdef", 5) == "abcd…");
  CHECK(shortened_line("ÄÖÜÄÖÜ", 6) == "ÄÖÜÄÖÜ");
  CHECK(shortened_line("ÄÖÜÄÖÜ", 3) == "ÄÖ…");
  CHECK(shortened_line("ab\ncd", 8) == "ab\\x0Acd");
  CHECK(shortened_line("ab\ncd", 6) == "ab…");
  CHECK(shortened_line("ab", 1) == "…");
  CHECK(character_count("Größe…") == 6);
}

TEST_CASE("an error keeps the text behind a NUL", "[base]") {
  const std::string name("da\0ta\x1b.h5", 9);
  try {
    throw IoError(text("cannot read ", name, ": absent"));
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "cannot read da\\x00ta\\x1B.h5: absent");
    CHECK(error.exit_code() == 3);
  }
}

}  // namespace ntkrob
