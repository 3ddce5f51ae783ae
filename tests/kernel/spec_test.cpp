#include "ntkrob/kernel/spec.hpp"

#include "kit/check.hpp"
#include "ntkrob/base/error.hpp"

using namespace ntkrob;

namespace {

std::string error_of(const std::string& spec) {
  try {
    KernelSpec::parse(spec);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("fc:L stands for L pairs of dense and relu and a readout", "[kernel]") {
  const KernelSpec spec = KernelSpec::parse("fc:3");
  REQUIRE(spec.layers().size() == 7);
  CHECK(spec == KernelSpec::parse("dense-relu-dense-relu-dense-relu-dense"));
  CHECK(spec.hash() == KernelSpec::parse(spec.to_string()).hash());
  CHECK(spec.hash() != KernelSpec::parse("fc:3(b=0)").hash());
  CHECK(KernelSpec::parse("fc:0").to_string() == "dense(w=1.4142135623730951,b=0.1)");
  CHECK(KernelSpec::parse("fc:1(2,0.5)").to_string() == "dense(w=2,b=0.5)-relu-dense(w=2,b=0.5)");
}

TEST_CASE("the printed form parses back to the same spec", "[kernel]") {
  for (const char* text : {"fc:2", "dense(w=1.5,b=0)-relu-dense(b=0.3)", " dense ( w = 1e-3 ) - relu - dense "}) {
    const KernelSpec spec = KernelSpec::parse(text);
    CHECK(KernelSpec::parse(spec.to_string()).to_string() == spec.to_string());
  }
}

TEST_CASE("errors in a spec name the position and what was expected", "[kernel]") {
  using Catch::Matchers::Contains;
  CHECK_THAT(error_of("dense-rleu-dense"), Contains("rleu") && Contains("7") && Contains("known: abrelu, abs, "));
  CHECK_THAT(error_of("relu-dense"), Contains("must follow a dense layer"));
  CHECK_THAT(error_of("dense-layernorm-relu-layernorm-relu-dense"), Contains("relu must follow a dense layer"));
  CHECK_THAT(error_of("layernorm-relu-dense"), Contains("relu must follow a dense layer"));
  CHECK(error_of("dense-layernorm-relu-layernorm-dense") == "no error");
  CHECK_THAT(error_of("dense-relu"), Contains("readout"));
  CHECK_THAT(error_of("fc:x"), Contains("fc:3"));
  CHECK_THAT(error_of("fc:3-dense"), Contains("whole network"));
  CHECK_THAT(error_of("dense(sigma=1)"), Contains("sigma") && Contains("w, b"));
  CHECK_THAT(error_of("dense(w=0)"), Contains("must be in"));
  CHECK_THAT(error_of("dense(b=-1)"), Contains("must be in"));
  CHECK_THAT(error_of("dense-monomial(2.5)-dense"), Contains("whole number"));
  CHECK_THAT(error_of("dense(w=nan)"), Contains("nan"));
  CHECK(error_of("") != "no error");
}
