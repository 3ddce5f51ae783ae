#include "ntkrob/runtime/runtime.hpp"

#include <cstdlib>

#include "kit/check.hpp"
#include "ntkrob/base/error.hpp"

using namespace ntkrob;
using Catch::Matchers::Contains;

namespace {

/// Sets an environment variable for one scope.
struct Environment {
  explicit Environment(const char* value) { setenv("NTKROB_BACKEND", value, 1); }
  ~Environment() { unsetenv("NTKROB_BACKEND"); }
};

}  // namespace

TEST_CASE("the table lists every backend, the absent ones with a reason", "[runtime]") {
  const std::vector<BackendState> rows = backends();
  REQUIRE(rows.size() == 3);
  CHECK(rows.back().name == "reference");
  for (const BackendState& row : rows) {
    INFO(row.name);
    CHECK(row.available == row.reason.empty());
    CHECK_FALSE(row.description.empty());
  }
}

TEST_CASE("auto takes the environment's backend, else the first available row", "[runtime]") {
  CHECK(make_backend("auto", 1)->info().name == "cpu");
  {
    const Environment environment("reference");
    CHECK(make_backend("auto", 1)->info().name == "reference");
    CHECK(make_backend("cpu", 1)->info().name == "cpu");
  }
  const Environment environment("tpu");
  CHECK_THROWS_WITH(make_backend("auto"), Contains("unknown backend \"tpu\""));
}

TEST_CASE("a backend asked for by name is never replaced by another", "[runtime]") {
  const BackendState cuda = backends().front();
  REQUIRE(cuda.name == "cuda");
  if (!cuda.available) {
    CHECK_THROWS_AS(make_backend("cuda"), ResourceError);  // NotCompiled or BackendUnavailable
    CHECK_THROWS_WITH(make_backend("cuda:1"), "backend cuda: " + cuda.reason);
  }
  CHECK_THROWS_AS(make_backend("cuda:9999"), ConfigError);
  CHECK_THROWS_WITH(make_backend("gpu"), Contains("cuda, cpu, reference"));
  CHECK_THROWS_WITH(make_backend("cpu:0"), Contains("only cuda takes a device number"));
  CHECK_THROWS_WITH(make_backend("cpu", -1), Contains("workers is -1"));
}

TEST_CASE("a backend has as many workers as it was asked for", "[runtime]") {
  CHECK(make_backend("cpu", 3)->info().workers == 3);
  CHECK(make_backend("cpu")->info().workers >= 1);
}

TEST_CASE("who was given no memory budget takes a quarter of the machine, 1 GiB at most, or two thirds of a device",
          "[runtime]") {
  constexpr std::size_t kGiB = std::size_t{1} << 30;
  DeviceInfo host;
  CHECK(host.default_host_budget() == kGiB);  // the system does not say
  CHECK(host.most_array_bytes() == 0);
  host.memory_bytes = kGiB;
  CHECK(host.default_host_budget() == kGiB / 4);
  CHECK(host.default_array_budget() == kGiB / 4);
  CHECK(host.most_array_bytes() == kGiB);
  host.memory_bytes = std::size_t{3} << 30;
  CHECK(host.default_array_budget() == kGiB / 4 * 3);
  DeviceInfo device = host;
  device.array_bytes = std::size_t{3} << 29;
  CHECK(device.default_array_budget() == kGiB);
  CHECK(device.default_host_budget() == host.default_host_budget());
  CHECK(device.most_array_bytes() == device.array_bytes);
}
