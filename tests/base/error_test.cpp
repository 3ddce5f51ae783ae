#include "ntkrob/base/error.hpp"

#include "kit/check.hpp"

using namespace ntkrob;

namespace {

ConfigError example() {
  return ConfigError(text(field("rank"), " is ", given(9), ", must be ", limit("at most ", 5), "; ",
                          advice("lower it, or give ", field("solver", "direct"), " and ", field("clip", "false"))));
}

std::string as_flag(const std::string& name, const std::string& value) {
  return "--" + name + (value.empty() ? "" : " " + value);
}

}  // namespace

TEST_CASE("the parts of an error can be asked for, and its line reads as one sentence", "[base]") {
  const ConfigError error = example();
  CHECK(std::string(error.what()) == "rank is 9, must be at most 5; lower it, or give solver=direct and clip=false");
  CHECK(error.field() == "rank");
  CHECK(error.value() == "9");
  CHECK(error.limit() == "at most 5");
  CHECK(error.advice() == "lower it, or give solver=direct and clip=false");
}

TEST_CASE("whoever prints an error spells its options", "[base]") {
  CHECK(example().line(as_flag) ==
        "--rank is 9, must be at most 5; lower it, or give --solver direct and --clip false");
  CHECK(spelt(text("see ", field("n"), "."), as_flag) == "see --n.");
  CHECK(spelt(text("see ", field("n"), ".")) == "see n.");
}

TEST_CASE("an error made of another one keeps its parts", "[base]") {
  const IoError outer("x.h5: " + example().marked());
  CHECK(outer.field() == "rank");
  CHECK(outer.line(as_flag).rfind("x.h5: --rank is 9", 0) == 0);
}

TEST_CASE("an error without parts has none", "[base]") {
  const ConfigError error("nothing is marked --here");
  CHECK(std::string(error.what()) == "nothing is marked --here");
  CHECK(error.line(as_flag) == error.what());
  for (const std::string& part : {error.field(), error.value(), error.limit(), error.advice()}) CHECK(part.empty());
}

TEST_CASE("a range that is broken names field, value and limit", "[base]") {
  const auto check = [](int n) { NTKROB_CHECK_RANGE("n", n, 1, 5); };
  try {
    check(7);
    FAIL("7 is out of the range");
  } catch (const ConfigError& error) {
    CHECK(std::string(error.what()) == "n is 7, must be in [1, 5]");
    CHECK(error.field() == "n");
    CHECK(error.value() == "7");
    CHECK(error.limit() == "[1, 5]");
  }
}

TEST_CASE("names from files neither end a line nor pass for parts", "[base]") {
  const std::string name =
      "a\nb\x1b[2J\x02\x1e"
      "fx\x03\x1e";
  const IoError error(text(given(name), " is damaged"));
  const std::string line = error.what();
  CHECK(line.find('\n') == std::string::npos);
  for (const char c : line) CHECK(static_cast<unsigned char>(c) >= 0x20);
  CHECK(line.find("is damaged") != std::string::npos);
  // Marks that are never closed, and a text that is nothing but marks.
  CHECK(std::string(IoError("\x02\x1e"
                            "f")
                        .what())
            .empty());
  CHECK(std::string(IoError("x\x03\x1e\x03\x1ey").what()) == "xy");
  CHECK(IoError("\x02\x1e"
                "vopen")
            .value() == "open");
}
