#include "ntkrob/base/spec_text.hpp"

#include <cmath>
#include <limits>

#include "kit/check.hpp"
#include "ntkrob/base/random.hpp"

using namespace ntkrob;

namespace {

/// Canonical text of a parsed spec: items as name:suffix(key=value,...) separated by " | ".
std::string show(const std::string& spec) {
  std::string out;
  for (const SpecItem& item : parse_spec(spec)) {
    out += (out.empty() ? "" : " | ") + item.name;
    if (!item.suffix.empty()) out += ":" + item.suffix;
    if (item.arguments.empty()) continue;
    out += "(";
    for (const SpecArgument& a : item.arguments)
      out += (&a == &item.arguments[0] ? "" : ",") + (a.key.empty() ? "" : a.key + "=") + a.value;
    out += ")";
  }
  return out;
}

std::string error_of(const std::string& spec) {
  try {
    parse_spec(spec);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("specs of the documented grammar parse into their parts", "[base]") {
  CHECK(show("relu") == "relu");
  CHECK(show("dense(w=1.4,b=0.1)-relu-dense") == "dense(w=1.4,b=0.1) | relu | dense");
  CHECK(show("fc:3") == "fc:3");
  CHECK(show("mlp:256,128") == "mlp:256,128");
  CHECK(show("mlp:256,128-relu") == "mlp:256,128 | relu");
  CHECK(show("conv:3(filters=64,pad=same)-pool_2") == "conv:3(filters=64,pad=same) | pool_2");
  CHECK(show("pgd(40,eps=8/255)") == "pgd(40,eps=8/255)");
  CHECK(show("data(path=a/b.h5)") == "data(path=a/b.h5)");
}

TEST_CASE("a minus is a sign or part of an exponent inside a value, a separator elsewhere", "[base]") {
  CHECK(show("f(lr=1e-3)-g") == "f(lr=1e-3) | g");
  CHECK(show("f(-0.5,b=-.5,c=-1e-2)") == "f(-0.5,b=-.5,c=-1e-2)");
  CHECK(show("lr:1e-3-g") == "lr:1e-3 | g");
  CHECK(show("lr:-2-g") == "lr:-2 | g");
  CHECK(show("steps:1,-2,3e-4") == "steps:1,-2,3e-4");
  CHECK(show("fc:3e-relu") == "fc:3e | relu");
  CHECK(error_of("f(a-3)") == "expected \",\" or \")\", found \"-\" at position 4 in \"f(a-3)\"");
  CHECK(error_of("f:2-3") == "expected a name, found \"3\" at position 5 in \"f:2-3\"");
  CHECK(error_of("f(a2e-1)") == "expected \",\" or \")\", found \"-\" at position 6 in \"f(a2e-1)\"");
}

TEST_CASE("white space around items and arguments is ignored and positions are those of the text", "[base]") {
  const std::string text = "  dense ( w = 1.4 , 2 ) -  relu ";
  CHECK(show(text) == "dense(w=1.4,2) | relu");

  const auto items = parse_spec(text);
  CHECK(text.substr(items[0].position, 5) == "dense");
  CHECK(text.substr(items[1].position, 4) == "relu");
  CHECK(text.substr(items[0].arguments[0].position, 3) == "1.4");
  CHECK(text.substr(items[0].arguments[1].position, 1) == "2");
}

namespace {

/// Branches of the first argument, each as its items' names joined by "-".
std::vector<std::string> branches_of(const std::string& spec) {
  std::vector<std::string> result;
  for (const std::vector<SpecItem>& branch : parse_branches(spec, parse_spec(spec).at(0).arguments.at(0))) {
    std::string names;
    for (const SpecItem& item : branch) names += (names.empty() ? "" : "-") + item.name;
    result.push_back(names);
  }
  return result;
}

}  // namespace

TEST_CASE("an argument may hold specs, an empty one too", "[base]") {
  using Names = std::vector<std::string>;
  CHECK(branches_of("residual(relu-conv(3,pad=same)-relu)") == Names{"relu-conv-relu"});
  CHECK(branches_of("residual(relu)") == Names{"relu"});
  CHECK(branches_of("residual(conv(3))") == Names{"conv"});
  CHECK(branches_of("sum(relu-conv(3)|conv(1))") == Names{"relu-conv", "conv"});
  CHECK(branches_of("sum(relu | conv(1) | dense)") == Names{"relu", "conv", "dense"});
  CHECK(branches_of("sum(relu | )") == Names{"relu", ""});
  CHECK(branches_of("sum(|relu)") == Names{"", "relu"});
  CHECK(branches_of("sum(|)") == Names{"", ""});
  CHECK(branches_of("f(key=a-b,2)") == Names{"a-b"});
  CHECK(branches_of("f(a:2-b)") == Names{"a-b"});
  CHECK(show(" sum ( relu - conv ( 3 )  | ) - dense ") == "sum(relu - conv ( 3 )  |) | dense");
  CHECK(show("f(a-b(1,2),c=3)") == "f(a-b(1,2),c=3)");
}

TEST_CASE("positions inside nested specs are those of the whole text", "[base]") {
  const std::string text = "relu - sum( a - bb( c(x=17) | dd ) | ee )";
  const SpecItem sum = parse_spec(text).at(1);
  const auto outer = parse_branches(text, sum.arguments.at(0));
  CHECK(text.substr(outer.at(0).at(1).position, 2) == "bb");
  CHECK(text.substr(outer.at(1).at(0).position, 2) == "ee");
  const auto inner = parse_branches(text, outer[0][1].arguments.at(0));
  CHECK(text.substr(inner.at(0).at(0).arguments.at(0).position, 2) == "17");
  CHECK(text.substr(inner.at(1).at(0).position, 2) == "dd");
}

TEST_CASE("malformed nested specs are refused at their position in the whole text", "[base]") {
  CHECK(error_of("f(a-b(3)") == "expected \",\" or \")\", found the end at position 9 in \"f(a-b(3)\"");
  CHECK(error_of("f(a-b())") == "expected a value, found \")\" at position 7 in \"f(a-b())\"");
  CHECK(error_of("f(a|3)") == "expected a name, found \"3\" at position 5 in \"f(a|3)\"");
  CHECK(error_of("f(a|b-)") == "expected a name, found \")\" at position 7 in \"f(a|b-)\"");
  CHECK(error_of("f(3-a)") == "expected \",\" or \")\", found \"-\" at position 4 in \"f(3-a)\"");
  CHECK(error_of("a|b") == "unexpected \"|\" at position 2 in \"a|b\"");
  CHECK_THROWS_WITH(branches_of("f(3)"), "expected a name, found \"3\" at position 3 in \"f(3)\"");
  CHECK_THROWS_WITH(branches_of("f(a/b)"), "unexpected \"/\" at position 4 in \"f(a/b)\"");
  std::string deep = "relu";
  for (int depth = 0; depth < kMaxSpecDepth; ++depth) deep = "f(" + deep + "-g)";
  CHECK(error_of(deep) == "no error");
  CHECK_THAT(error_of("f(" + deep + ")"), Catch::Matchers::StartsWith("specs are nested more than 50 deep"));
}

TEST_CASE("malformed specs are refused in one line with the position counted from 1", "[base]") {
  CHECK(error_of("") == "expected a name, found the end at position 1 in \"\"");
  CHECK(error_of("relu-") == "expected a name, found the end at position 6 in \"relu-\"");
  CHECK(error_of("-relu") == "expected a name, found \"-\" at position 1 in \"-relu\"");
  CHECK(error_of("3x") == "expected a name, found \"3\" at position 1 in \"3x\"");
  CHECK(error_of("dense()") == "expected a value, found \")\" at position 7 in \"dense()\"");
  CHECK(error_of("dense(w=)") == "expected a value, found \")\" at position 9 in \"dense(w=)\"");
  CHECK(error_of("dense(w=1") == "expected \",\" or \")\", found the end at position 10 in \"dense(w=1\"");
  CHECK(error_of("dense(w=1,)") == "expected a value, found \")\" at position 11 in \"dense(w=1,)\"");
  CHECK(error_of("dense(w=1=2)") == "expected \",\" or \")\", found \"=\" at position 10 in \"dense(w=1=2)\"");
  CHECK(error_of("fc:") == "expected a value, found the end at position 4 in \"fc:\"");
  CHECK(error_of("relu relu") == "unexpected \"r\" at position 6 in \"relu relu\"");
  CHECK(error_of("relu)") == "unexpected \")\" at position 5 in \"relu)\"");
  CHECK(error_of("f(a=1,a=2)") == "argument \"a\" of \"f\" is given twice, at position 7 in \"f(a=1,a=2)\"");
}

TEST_CASE("any byte string either parses or is refused with ConfigError", "[base]") {
  const Rng rng(11, "spec fuzz");
  const std::string alphabet = "ae1.:(),=-_/| \t\xff";
  for (std::uint64_t k = 0; k < 20000; ++k) {
    std::string spec;
    const Rng draw = rng.fork(k);
    const index length = draw.below(0, 12);
    for (index i = 1; i <= length; ++i)
      spec += alphabet[static_cast<std::size_t>(
          draw.below(static_cast<std::uint64_t>(i), static_cast<index>(alphabet.size())))];
    try {
      // What parses, parses again to the same after printing.
      const std::string once = show(spec);
      std::string joined = once;
      for (std::size_t at; (at = joined.find(" | ")) != std::string::npos;) joined.replace(at, 3, "-");
      INFO(spec);
      REQUIRE(show(joined) == once);
    } catch (const ConfigError& error) {
      REQUIRE(std::string(error.what()).find(" at position ") != std::string::npos);
    }
  }
}

TEST_CASE("errors echo long texts around the place that is wrong", "[base]") {
  std::string spec;
  for (int i = 0; i < 20000; ++i) spec += "relu-";
  try {
    spec_error(spec + "densee", spec.size(), "unknown layer \"" + std::string(5000, 'x') + "\"");
    FAIL("nothing was thrown");
  } catch (const ConfigError& error) {
    const std::string line = error.what();
    INFO(line);
    CHECK(line.size() < 1500);
    CHECK(line.find("at position 100001 in \"\u2026") != std::string::npos);
    CHECK(line.find("relu-densee\"") != std::string::npos);
  }
  CHECK_THROWS_WITH(parse_number(std::string(5000, '7') + "x", "eps"),
                    Catch::Matchers::Contains("77\u2026\", must be"));
  CHECK_THROWS_WITH(parse_integer(std::string(5000, '7'), "n", 0, 9), Catch::Matchers::Contains("77\u2026\", must be"));
}

TEST_CASE("spec_error states message, position and text in one line", "[base]") {
  CHECK_THROWS_WITH(spec_error("relu-densee", 5, "unknown layer \"densee\""),
                    "unknown layer \"densee\" at position 6 in \"relu-densee\"");
}

TEST_CASE("parse_number reads decimals and fractions and refuses everything else", "[base]") {
  CHECK(parse_number("8/255", "eps") == 8.0 / 255);
  CHECK(parse_number("1e-3", "eps") == 1e-3);
  CHECK(parse_number("-0.5", "eps") == -0.5);
  CHECK(parse_number("-1/-4", "eps") == 0.25);
  for (const char* bad :
       {"", "nan", "inf", "-inf", "1e999", "1x", " 1", "1 ", "1/0", "1/", "/2", "1/2/3", "0x10", "1e", "."}) {
    INFO(bad);
    CHECK_THROWS_AS(parse_number(bad, "eps"), ConfigError);
  }
  CHECK_THROWS_WITH(parse_number("abc", "eps"), "eps is \"abc\", must be a finite number such as 0.03, 1e-3 or 8/255");
}

TEST_CASE("parse_integer keeps to whole numbers within the limits", "[base]") {
  CHECK(parse_integer("40", "steps", 1, 100) == 40);
  CHECK(parse_integer("-3", "steps", -3, 100) == -3);
  for (const char* bad : {"", "0", "101", "4.0", "4x", " 4", "99999999999999999999999"}) {
    INFO(bad);
    CHECK_THROWS_AS(parse_integer(bad, "steps", 1, 100), ConfigError);
  }
  CHECK_THROWS_WITH(parse_integer("200", "steps", 1, 100), "steps is \"200\", must be a whole number in [1, 100]");
}

TEST_CASE("lists are cut at the separators outside parentheses, and items keep their white space inside", "[base]") {
  using List = std::vector<std::string>;
  CHECK(split_list("clean", "attacks") == List{"clean"});
  CHECK(split_list("clean, pgd-40(loss=margin,restarts=5),fgsm ", "attacks") ==
        List{"clean", "pgd-40(loss=margin,restarts=5)", "fgsm"});
  CHECK(split_list("T-shirt top ,ankle boot", "classes") == List{"T-shirt top", "ankle boot"});
  CHECK(split_list("sum(relu-conv(3) | )|fc:1", "kernels", '|') == List{"sum(relu-conv(3) | )", "fc:1"});
  CHECK(split_list("a,b|c,d", "kernels", '|') == List{"a,b", "c,d"});
  for (const char* wrong : {"", " ", "clean,", ",fgsm", "pgd(loss=ce", "pgd)", "pgd)(", "clean,,fgsm", "a, \t,b"}) {
    INFO(wrong);
    CHECK_THROWS_AS(split_list(wrong, "attacks"), ConfigError);
  }
  CHECK_THROWS_WITH(split_list("a,,b", "attacks"), "attacks is \"a,,b\": an item between two \",\" is empty");
  CHECK_THROWS_WITH(split_list("a(b", "attacks"), "attacks is \"a(b\": a \"(\" without \")\"");
}

TEST_CASE("format_number is the shortest text with the same bits", "[base]") {
  CHECK(format_number(0.1) == "0.1");
  CHECK(format_number(3) == "3");
  CHECK(format_number(-2.5) == "-2.5");
  CHECK(std::signbit(parse_number(format_number(-0.0), "zero")));

  const Rng rng(12, "numbers");
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const double value = std::ldexp(rng.uniform(i, -1, 1), static_cast<int>(rng.below(i, 1000)) - 500);
    const std::string text = format_number(value);
    REQUIRE(parse_number(text, "value") == value);
    // It also survives the spec grammar.
    REQUIRE(parse_spec("f(x=" + text + ")")[0].arguments[0].value == text);
  }
  for (const double value : {std::numeric_limits<double>::max(), std::numeric_limits<double>::min(), 5e-324})
    CHECK(parse_number(format_number(value), "value") == value);
}
