#include "ntkrob/base/fields.hpp"

#include <map>

#include "kit/check.hpp"

using namespace ntkrob;

namespace {

struct Options {
  std::string norm = "linf";
  double eps = 0.1, lr = 1;
  index n = 10;
  std::uint64_t seed = 3;
  bool clip = true;
  Bytes memory;
};

template <class O, class Visitor>
void visit_fields(O& o, Visitor&& visitor) {
  visitor("norm", o.norm, "ball", among("linf|l2"));
  visitor("eps", o.eps, "radius", within(0, 1, "pixels"));
  visitor("lr", o.lr, "step", positive());
  visitor("n", o.n, "images", at_least(1, "images"));
  visitor("seed", o.seed, "seed");
  visitor("clip", o.clip, "in the box");
  visitor("memory", o.memory, "limit");
}

Field find(std::vector<Field>& fields, const std::string& name) {
  for (Field& field : fields)
    if (field.name == name) return field;
  throw ConfigError("no field " + name);
}

std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const ConfigError& error) {
    return std::string(error.field() + ": ") + error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("one description parses, prints, checks and records the options of a struct", "[base]") {
  Options o;
  FieldCollector collector;
  visit_fields(o, collector);
  REQUIRE(collector.fields.size() == 7);
  const std::map<std::string, std::string> values{
      {"norm", "l2"},    {"eps", "8/255"}, {"lr", "0.5"}, {"n", "12"}, {"seed", "18446744073709551615"},
      {"clip", "false"}, {"memory", "2K"}};
  for (const auto& [name, value] : values) find(collector.fields, name).set(value);
  CHECK(o.norm == "l2");
  CHECK(o.eps == 8.0 / 255);
  CHECK(o.n == 12);
  CHECK(o.seed == 18446744073709551615u);
  CHECK_FALSE(o.clip);
  CHECK(o.memory.value == 2048);

  // What is written down is read back to the same bits.
  TextCollector texts;
  visit_fields(o, texts);
  Options again;
  FieldCollector other;
  visit_fields(again, other);
  for (const auto& [name, value] : texts.texts) find(other.fields, name).set(value);
  TextCollector twice;
  visit_fields(again, twice);
  CHECK(twice.texts == texts.texts);
  CHECK(again.eps == o.eps);
}

TEST_CASE("a field refuses what its description does not allow, and stays as it was", "[base]") {
  Options o;
  FieldCollector collector;
  visit_fields(o, collector);
  const auto set = [&](const std::string& name, const std::string& value) {
    return refusal([&] { find(collector.fields, name).set(value); });
  };
  CHECK(set("norm", "l3") == "norm: norm is \"l3\", must be linf or l2");
  CHECK(set("eps", "2") == "eps: eps is 2, must be in [0, 1]");
  CHECK(set("lr", "0") == "lr: lr is 0, must be positive and at most 3.40282e+38");
  CHECK(set("n", "0").find("n is") != std::string::npos);
  CHECK(set("n", "1.5").find("n is") != std::string::npos);
  CHECK(set("seed", "-1").rfind("seed: seed is \"-1\"", 0) == 0);
  CHECK(set("clip", "yes").rfind("clip: clip is \"yes\"", 0) == 0);
  CHECK(set("memory", "2X").rfind("memory: memory is \"2X\"", 0) == 0);
  CHECK(o.norm == "linf");
  CHECK(o.eps == 0.1);
  CHECK(o.n == 10);
  CHECK(o.clip);
}

TEST_CASE("values that were not parsed are checked by the same description", "[base]") {
  const auto check = [](const std::function<void(Options&)>& change) {
    Options o;
    change(o);
    return refusal([&] { visit_fields(static_cast<const Options&>(o), FieldChecker()); });
  };
  CHECK(check([](Options&) {}) == "accepted");
  CHECK(check([](Options& o) { o.norm = ""; }) == "norm: norm is \"\", must be linf or l2");
  CHECK(check([](Options& o) { o.eps = std::numeric_limits<double>::quiet_NaN(); }) ==
        "eps: eps is nan, must be in [0, 1]");
  CHECK(check([](Options& o) { o.lr = -1; }) == "lr: lr is -1, must be positive and at most 3.40282e+38");
  CHECK(check([](Options& o) { o.n = 0; }).rfind("n: n is 0, must be in [1,", 0) == 0);
}

TEST_CASE("lists are split outside of parentheses", "[base]") {
  CHECK(split_list("a, b(c,d) ,e", "x") == std::vector<std::string>{"a", "b(c,d)", "e"});
  CHECK(split_list("fc:1|residual(relu|)", "kernel", '|') == std::vector<std::string>{"fc:1", "residual(relu|)"});
  for (const char* bad : {"", "a,,b", "a,", "a)", "(a"})
    CHECK(refusal([&] { split_list(bad, "x"); }).rfind("x: x is \"", 0) == 0);
}
