#include "ntkrob/robust/options.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>

#include "ntkrob/base/spec_text.hpp"

namespace ntkrob {

TEST_CASE("the defaults are valid", "[robust]") { CHECK_NOTHROW(RobustifyOptions{}.validate()); }

TEST_CASE("each bad option is refused with its name, its value and its range", "[robust]") {
  struct Case {
    std::function<void(RobustifyOptions&)> spoil;
    std::vector<std::string> parts;
  };
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  const std::vector<Case> cases{
      {[](auto& o) { o.kernel = ""; }, {"kernel", "is empty"}},
      {[](auto& o) { o.precision = "half"; }, {"precision", "half", "mixed or float64"}},
      {[](auto& o) { o.n = 0; }, {"n", "0"}},
      {[](auto& o) { o.init = "zeros"; }, {"init", "zeros", "data or noise"}},
      {[](auto& o) { o.norm = "l1"; }, {"norm", "l1", "linf or l2"}},
      {[](auto& o) { o.eps = -0.1; }, {"eps", "-0.1", "[0, 1]"}},
      {[](auto& o) { o.eps = 1.5; }, {"eps", "1.5", "[0, 1]"}},
      {[=](auto& o) { o.eps = nan; }, {"eps", "nan"}},
      {[=](auto& o) { o.norm = "l2", o.eps = infinity; }, {"eps", "inf", "finite"}},
      {[](auto& o) { o.steps = 0; }, {"steps", "0"}},
      {[](auto& o) { o.batch = 0; }, {"batch", "0"}},
      {[](auto& o) { o.attack_steps = 0; }, {"attack-steps", "0"}},
      {[](auto& o) { o.attack_step = -1; }, {"attack-step", "-1"}},
      {[](auto& o) { o.inner_loss = "hinge"; }, {"inner-loss", "hinge", "ce, mse or margin"}},
      {[](auto& o) { o.factor = "float32"; }, {"factor", "float32", "float64 or refined"}},
      {[](auto& o) { o.attack_precision = "float16"; }, {"attack-precision", "float16", "float32 or bfloat16"}},
      {[](auto& o) { o.attack_precision = "bfloat16", o.precision = "float64"; },
       {"attack-precision", "attack-precision is bfloat16", "precision=float64", "precision=mixed"}},
      {[](auto& o) { o.outer_loss = "margin"; }, {"outer-loss", "margin", "mse or ce"}},
      {[](auto& o) { o.temperature = 0; }, {"temperature", "0", "positive"}},
      {[](auto& o) { o.optimizer = "sgd"; }, {"optimizer", "sgd", "adam or signed"}},
      {[](auto& o) { o.lr = 0; }, {"lr", "0", "positive"}},
      {[=](auto& o) { o.lr = nan; }, {"lr", "nan", "positive"}},
      {[](auto& o) { o.schedule = ""; }, {"schedule", "is empty"}},
      {[](auto& o) { o.radius = 0; }, {"radius", "0", "(0, 1]"}},
      {[](auto& o) { o.label_lr = -2; }, {"label-lr", "-2", "positive"}},
      {[](auto& o) { o.eps_ramp = 2; }, {"eps-ramp", "2", "[0, 1]"}},
      {[](auto& o) { o.ridge = -1; }, {"ridge", "-1", "[0, 1]"}},
      {[](auto& o) { o.duplicate_angle = 2; }, {"duplicate-angle", "2"}},
      {[](auto& o) { o.validation = -1; }, {"validation", "-1"}},
      {[](auto& o) { o.validate_every = 0; }, {"validate-every", "0"}},
      {[](auto& o) { o.checkpoint_every = 0; }, {"checkpoint-every", "0"}},
  };
  for (const Case& c : cases) {
    RobustifyOptions options;
    c.spoil(options);
    std::string message = "no error", about;
    try {
      options.validate();
    } catch (const ConfigError& error) {
      message = error.what();
      about = error.field();
    }
    const OptionTexts texts = option_texts(options);
    const auto is_first_part = [&](const auto& text) { return text.first == c.parts.front(); };
    if (std::any_of(texts.begin(), texts.end(), is_first_part)) {
      CHECK(about == c.parts.front());
      CHECK_THAT(message, Catch::StartsWith(about + " is "));
    }
    for (const std::string& part : c.parts) CHECK_THAT(message, Catch::Contains(part));
  }
}

TEST_CASE("a text without meaning is refused when it is set, and the option is as before", "[robust]") {
  RobustifyOptions options;
  CHECK_THROWS_WITH(options.kernel = "fc:x", Catch::Contains("fc:x"));
  CHECK_THROWS_WITH(options.schedule = "linear", Catch::Contains("linear") && Catch::Contains("cosine"));
  FieldCollector fields;
  visit_robustify(options, fields);
  for (const auto& [name, text] : OptionTexts{{"kernel", "fc:1|nonsense"}, {"schedule", "triangle"}}) {
    const auto at =
        std::find_if(fields.fields.begin(), fields.fields.end(), [&n = name](const Field& f) { return f.name == n; });
    REQUIRE(at != fields.fields.end());
    try {
      at->set(text);
      FAIL("accepted " << text);
    } catch (const ConfigError& error) {
      CHECK(error.field() == name);
    }
  }
  CHECK(options.kernel.text() == "fc:3");
  CHECK(options.kernel->all.size() == 1);
  CHECK(options.schedule.text() == "cosine");
}

TEST_CASE("option texts name every option once and read back to the same bits", "[robust]") {
  RobustifyOptions options;
  options.eps = 8.0 / 255;
  options.learn_labels = true;
  int fields = 0;
  visit_robustify(options, [&](const char*, const auto&, const char*, const auto&...) { ++fields; });

  const auto texts = option_texts(options);

  CHECK(static_cast<int>(texts.size()) == fields);
  for (const auto& [name, value] : texts) {
    if (name == "eps") CHECK(parse_number(value, "eps") == options.eps);
    if (name == "learn-labels") CHECK(value == "true");
    if (name == "n") CHECK(value == "1000");
    if (name == "kernel") CHECK(value == "fc:3");
  }
}

}  // namespace ntkrob
