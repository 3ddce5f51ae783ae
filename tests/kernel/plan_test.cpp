#include "kernel/inputs.hpp"
#include "kit/check.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

TEST_CASE("a plan stays inside its budget and shrinks tiles to do so", "[kernel]") {
  struct Row {
    Verb verb;
    index n, m, r;
  };
  for (const Row& c : {Row{Verb::matrix, 5000, 5000, 0}, Row{Verb::apply, 1000, 5000, 10},
                       Row{Verb::grad, 1000, 5000, 10}, Row{Verb::grad, 1, 1, 1}, Row{Verb::grad, 100000, 60000, 10}})
    for (const std::size_t budget : {std::size_t(1) << 30, std::size_t(64) << 20}) {
      const KernelPlan plan = plan_tiles(c.verb, c.n, c.m, 784, c.r, 4, 2, budget);
      CHECK(plan.scratch_bytes <= budget);
      CHECK(plan.scratch_bytes == plan.shared_bytes + 2 * plan.scratch_bytes_per_worker);
      CHECK(plan.tile_rows >= 1);
      CHECK(plan.tiles * plan.tile_rows * plan.tile_cols >= c.n * c.m);
    }
  CHECK(plan_tiles(Verb::grad, 100000, 60000, 784, 10, 4, 2, std::size_t(16) << 20).tile_rows <
        plan_tiles(Verb::grad, 100000, 60000, 784, 10, 4, 2, std::size_t(1) << 30).tile_rows);
}

TEST_CASE("a budget below one tile is refused with the bytes needed", "[kernel]") {
  try {
    plan_tiles(Verb::grad, 1000, 5000, 784, 10, 4, 2, 1000);
    FAIL("accepted");
  } catch (const ResourceError& error) {
    CHECK_THAT(error.what(), Catch::Matchers::Contains("1000 bytes") && Catch::Matchers::Contains("needs"));
    CHECK(error.exit_code() == 5);
  }
}

TEST_CASE("tight budgets change the tiles, not the result beyond rounding", "[kernel]") {
  const auto backend = make_backend("cpu", 2);
  const Matrix<double> x = kit::uniform_matrix<double>(200, 20, 1), y = kit::uniform_matrix<double>(700, 20, 2),
                       v = kit::uniform_matrix<double>(700, 3, 3, -1, 1),
                       u = kit::uniform_matrix<double>(200, 3, 4, -1, 1);
  Matrix<double> wide(200, 3), narrow(200, 3), wide_dx(200, 20), narrow_dx(200, 20);
  const KernelSpec spec = KernelSpec::parse("fc:2");
  const Kernel roomy(spec, *backend), tight(spec, *backend, {Output::ntk, 300000});
  roomy.apply(x.view(), y.view(), Pairing::cross, v.view(), wide.view());
  tight.apply(x.view(), y.view(), Pairing::cross, v.view(), narrow.view());
  NTKROB_CHECK_SAME(kit::compare(narrow.view(), wide.view(), 1e-12 * kit::largest(wide)));
  roomy.grad(x.view(), y.view(), Pairing::cross, u.view(), v.view(), wide_dx.view());
  tight.grad(x.view(), y.view(), Pairing::cross, u.view(), v.view(), narrow_dx.view());
  NTKROB_CHECK_SAME(kit::compare(narrow_dx.view(), wide_dx.view(), 1e-12 * kit::largest(wide_dx)));
}

TEST_CASE("explain names backend, tile shape and bytes", "[kernel]") {
  const auto backend = make_backend("cpu", 1);
  const std::string text = Kernel(KernelSpec::parse("fc:3"), *backend).explain(Verb::grad, 1000, 5000, 784, 10);
  using Catch::Matchers::Contains;
  CHECK_THAT(text, Contains("fc:3") && Contains("cpu") && Contains("tiles of") && Contains("bytes"));
}
