/// The inner attack with bfloat16 products: what it may change, and what it must not.
#include <cstdio>

#include "kit/check.hpp"
#include "robust/blobs.hpp"

namespace ntkrob {
namespace {

RobustifyOptions rough_options() {
  RobustifyOptions options = small_options();
  options.n = 30;
  options.batch = 40;
  options.attack_precision = "bfloat16";
  return options;
}

bool available() {
  const std::string reason = test_backend().supports_bfloat16();
  if (!reason.empty()) std::printf("skipped: %s\n", reason.c_str());
  return reason.empty();
}

void check_same(const Robustifier& a, const Robustifier& b) {
  CHECK(a.result().best_step == b.result().best_step);
  NTKROB_CHECK_SAME(kit::compare(a.result().images.view(), b.result().images.view(), 0));
  REQUIRE(a.history().size() == b.history().size());
  for (std::size_t i = 0; i < a.history().size(); ++i) CHECK(a.history()[i].loss == b.history()[i].loss);
}

}  // namespace

TEST_CASE("a bfloat16 attack gives the same bytes for every number of workers", "[robust]") {
  if (!available()) return;
  const Blobs blobs(300);
  const auto one = make_backend("cpu", 1);
  Robustifier expected(rough_options(), blobs.data(), *one);
  while (!expected.done()) expected.step();
  for (const int workers : {2, 3}) {
    CAPTURE(workers);
    const auto backend = make_backend("cpu", workers);
    Robustifier robustifier(rough_options(), blobs.data(), *backend);
    while (!robustifier.done()) robustifier.step();
    check_same(robustifier, expected);
  }
}

TEST_CASE("a cut run with a bfloat16 attack goes on to the same bytes, and in no other precision", "[robust]") {
  if (!available()) return;
  const Blobs blobs;
  Robustifier straight(rough_options(), blobs.data(), test_backend());
  for (int i = 0; i < 7; ++i) straight.step();
  const StateDict cut = straight.state();
  while (!straight.done()) straight.step();
  Robustifier resumed(rough_options(), blobs.data(), test_backend());
  resumed.restore(cut);
  while (!resumed.done()) resumed.step();
  check_same(resumed, straight);

  RobustifyOptions options = rough_options();
  options.attack_precision = "float32";
  Robustifier other(options, blobs.data(), test_backend());
  CHECK_THROWS_WITH(other.restore(cut),
                    Catch::Contains("attack-precision=bfloat16") && Catch::Contains("attack-precision=float32"));
}

TEST_CASE("only the attack is rough: validation and the fit of an iterate do not change", "[robust]") {
  if (!available()) return;
  const Blobs blobs(200);
  RobustifyOptions options = rough_options();
  Robustifier rough(options, blobs.data(), test_backend());
  options.attack_precision = "float32";
  Robustifier full(options, blobs.data(), test_backend());
  const StepRecord a = rough.step(), b = full.step();
  CHECK(a.lambda == b.lambda);
  CHECK(rough.initial().validation_clean == full.initial().validation_clean);
  CHECK(rough.initial().validation_robust == full.initial().validation_robust);
  CHECK(a.loss != b.loss);  // another adversarial batch
  CHECK(a.loss == Approx(b.loss).epsilon(1e-2));
  CHECK(a.gradient_norm == Approx(b.gradient_norm).epsilon(2e-2));

  // Without an attack there is nothing to be rough about.
  options.eps = 0;
  Robustifier plain(options, blobs.data(), test_backend());
  options.attack_precision = "bfloat16";
  Robustifier same(options, blobs.data(), test_backend());
  while (!plain.done()) plain.step(), same.step();
  check_same(same, plain);
}

}  // namespace ntkrob
