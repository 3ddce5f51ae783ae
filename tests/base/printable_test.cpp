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
