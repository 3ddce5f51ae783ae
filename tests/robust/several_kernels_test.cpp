/// One set for several kernels.
#include <cstring>

#include "kit/check.hpp"
#include "ntkrob/attack/attack.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/krr/machine.hpp"
#include "ntkrob/model/metrics.hpp"
#include "robust/blobs.hpp"

namespace ntkrob {
namespace {

RobustifyOptions several(const char* mix = "average") {
  RobustifyOptions o = small_options();
  o.kernel = "fc:1|fc:3(b=0.2)";
  o.kernel_mix = mix;
  o.learn_labels = true;
  return o;
}

Matrix<float> support_of(const Robustifier& robustifier) {
  Matrix<float> s(small_options().n, Blobs::kD);
  robustifier.state().get_matrix("support", s.view());
  return s;
}

RobustSet run(const RobustifyOptions& options, Backend& backend = test_backend()) {
  const Blobs blobs;
  Robustifier robustifier(options, blobs.data(), backend);
  while (!robustifier.done()) robustifier.step();
  return robustifier.result();
}

void check_same(const RobustSet& a, const RobustSet& b) {
  CHECK(a.best_step == b.best_step);
  NTKROB_CHECK_SAME(kit::compare(a.images.view(), b.images.view(), 0));
  NTKROB_CHECK_SAME(kit::compare(a.targets.view(), b.targets.view(), 0));
}

}  // namespace

TEST_CASE("kernels are told apart at bars outside parentheses", "[robust]") {
  using List = std::vector<std::string>;
  const auto texts = [](const std::string& text) {
    List all;
    for (const KernelSpec& spec : KernelSpecs::parse(text).all) all.push_back(spec.source());
    return all;
  };
  CHECK(texts("fc:3") == List{"fc:3"});
  CHECK(texts(" fc:1 | fc:3(b=0)") == List{"fc:1", "fc:3(b=0)"});
  CHECK(texts("conv(3)-sum(relu-conv(3) | )-gap-dense|fc:1") == List{"conv(3)-sum(relu-conv(3) | )-gap-dense", "fc:1"});
  CHECK_THROWS_WITH(texts("fc:1|"), Catch::Contains("kernel is \"fc:1|\""));
  RobustifyOptions options = several();
  CHECK_NOTHROW(options.validate());
  CHECK_THROWS_AS(options.kernel = "fc:1|nonsense", ConfigError);
  options = several("both");
  CHECK_THROWS_WITH(options.validate(), Catch::Contains("kernel-mix"));
}

TEST_CASE("the first step on several kernels moves along the mean of their gradients", "[robust]") {
  // Signed steps would hide sizes; Adam's first step does too. So the gradients are compared where they show: a set
  // that starts alike, loss and gradient norm of each kernel alone against both, and the same kernel twice against
  // once.
  const Blobs blobs;
  RobustifyOptions first = several(), second = several(), both = several(), twice = several();
  first.kernel = "fc:1";
  second.kernel = "fc:3(b=0.2)";
  twice.kernel = "fc:1|fc:1";
  Robustifier a(first, blobs.data(), test_backend()), b(second, blobs.data(), test_backend()),
      ab(both, blobs.data(), test_backend()), aa(twice, blobs.data(), test_backend());
  const StepRecord ra = a.step(), rb = b.step(), rab = ab.step(), raa = aa.step();

  CHECK(rab.loss == Approx((ra.loss + rb.loss) / 2).epsilon(1e-12));
  CHECK(rab.adversarial == Approx((ra.adversarial + rb.adversarial) / 2).epsilon(1e-12));
  CHECK(rab.lambda == Approx((ra.lambda + rb.lambda) / 2).epsilon(1e-12));
  CHECK(ab.initial().validation_clean == Approx((a.initial().validation_clean + b.initial().validation_clean) / 2));
  CHECK(ab.initial().validation_robust == Approx((a.initial().validation_robust + b.initial().validation_robust) / 2));
  CHECK(rab.gradient_norm < (ra.gradient_norm + rb.gradient_norm) / 2);  // the mean of two different vectors
  CHECK(rab.gradient_norm > std::abs(ra.gradient_norm - rb.gradient_norm) / 2);
  CHECK(raa.gradient_norm == Approx(ra.gradient_norm).epsilon(1e-6));
  NTKROB_CHECK_SAME(kit::compare(support_of(aa).view(), support_of(a).view(), 1e-5));
  CHECK(kit::compare(support_of(ab).view(), support_of(a).view(), 0).worst > 1e-3);
}

TEST_CASE("sampling takes one kernel per step by the seed, and each of them now and then", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = several("sample");
  options.validation = 0;
  Robustifier sampled(options, blobs.data(), test_backend());
  int counts[2] = {0, 0};
  while (!sampled.done()) {
    const std::unique_ptr<Model> machines[2] = {sampled.machine(0), sampled.machine(1)};
    double lambda[2];
    for (int k = 0; k < 2; ++k) lambda[k] = dynamic_cast<const KernelMachine&>(*machines[k]).report().lambda;
    REQUIRE(lambda[0] != lambda[1]);
    const StepRecord record = sampled.step();
    const int drawn =
        static_cast<int>(Rng(options.seed, "kernel").below(static_cast<std::uint64_t>(record.step - 1), 2));
    CHECK(record.lambda == lambda[drawn]);
    ++counts[drawn];
  }
  CHECK(counts[0] > 0);
  CHECK(counts[1] > 0);
}

TEST_CASE("several kernels: the same bytes for every number of workers, and after a resume", "[robust]") {
  for (const char* mix : {"average", "sample"})
    for (const char* precision : {"mixed", "float64"}) {
      INFO(mix << ", " << precision);
      RobustifyOptions options = several(mix);
      options.precision = precision;
      options.steps = 10;
      const auto three = make_backend("cpu", 3);
      const RobustSet whole = run(options);
      check_same(run(options, *three), whole);

      const Blobs blobs;
      Robustifier begun(options, blobs.data(), test_backend());
      for (int step = 0; step < 4; ++step) begun.step();
      Robustifier resumed(options, blobs.data(), *three);
      resumed.restore(begun.state());
      while (!resumed.done()) resumed.step();
      check_same(resumed.result(), whole);

      options.kernel = "fc:1";
      Robustifier other(options, blobs.data(), test_backend());
      CHECK_THROWS_WITH(other.restore(begun.state()), Catch::Contains("kernel=fc:1|fc:3(b=0.2)"));
    }
}

TEST_CASE("the result is the best iterate on the mean over the kernels", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = several();
  options.lr = 0.05;
  Robustifier robustifier(options, blobs.data(), test_backend());
  while (!robustifier.done()) robustifier.step();
  index best = 0;
  double robust = robustifier.initial().validation_robust, clean = robustifier.initial().validation_clean;
  for (const StepRecord& r : robustifier.history())
    if (r.validated &&
        (r.validation_robust > robust || (r.validation_robust == robust && r.validation_clean >= clean))) {
      best = r.step;
      robust = r.validation_robust;
      clean = r.validation_clean;
    }
  CHECK(robustifier.result().best_step == best);
  CHECK_THROWS_AS(robustifier.machine(2), ConfigError);
}

}  // namespace ntkrob
