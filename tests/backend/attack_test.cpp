// Attacks on models whose backend keeps the points: the same points as with a host loop on that backend, and
// few bytes cross. Backends without arrays of their own have nothing to show here.
#include "ntkrob/attack/attack.hpp"

#include <algorithm>
#include <cstdio>
#include <string>

#include "kit/check.hpp"
#include "kit/small_models.hpp"
#include "ntkrob/krr/machine.hpp"
#include "ntkrob/model/forwarding.hpp"
#include "ntkrob/model/metrics.hpp"
#include "ntkrob/nn/net.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

namespace {

constexpr index kN = 37, kD = 60, kClasses = 3, kSupport = 21;

/// A model whose attacks keep their points in host memory.
class Host final : public ForwardingModel {
 public:
  using ForwardingModel::ForwardingModel;
  std::unique_ptr<Iterates> iterates(ConstView2D<float>) const override { return nullptr; }
};

struct Problem {
  explicit Problem(Backend& backend, index d = kD)
      : machine(Kernel(KernelSpec::parse("fc:2"), backend), ImageShape{1, 1, d},
                kit::uniform_matrix(kSupport, d, 1).view(), kit::uniform_matrix(kSupport, kClasses, 2, -1, 1).view()),
        x(kit::uniform_matrix(kN, d, 3)),
        labels(predictions(all_logits(machine, x.view()).view())) {
    for (index k = 0; k < x.size(); k += 3) x.data()[k] = k % 2 == 0 ? 0.0f : 1.0f;
    labels = predictions(all_logits(machine, x.view()).view());
  }
  AttackBatch batch() const { return {x.view(), labels.data(), {}, 0}; }
  KernelMachine machine;
  Matrix<float> x;
  std::vector<int> labels;
};

void check_same(const Model& model, const Model& host, const Problem& problem, const ThreatModel& threat) {
  CAPTURE(to_string(threat.norm));
  for (const char* spec : {"fgsm", "pgd-3(restarts=2)"}) {
    CAPTURE(spec);
    Matrix<float> expected(kN, kD), found(kN, kD);
    const AttackResult there = make_attack(spec)->perturb(host, problem.batch(), threat, 9, expected);
    const AttackResult here = make_attack(spec)->perturb(model, problem.batch(), threat, 9, found);
    NTKROB_CHECK_SAME(kit::compare(found.view(), expected.view(), 0));
    CHECK(here.robust == there.robust);
    CHECK(here.margin == there.margin);
    CHECK(here.queries == there.queries);
    CHECK(here.zero_gradients == there.zero_gradients);
    for (index i = 0; i < kN; ++i) CHECK(threat.contains(problem.x.row(i), found.row(i), kD));
  }
  Matrix<float> expected(kN, kD), found(kN, kD), part(5, kD);
  pgd(host, problem.batch(), threat, 4, 0, "ce", 1, Rng(2, "test"), expected);
  pgd(model, problem.batch(), threat, 4, 0, "ce", 1, Rng(2, "test"), found);
  NTKROB_CHECK_SAME(kit::compare(found.view(), expected.view(), 0));
  // A row does not depend on the rows beside it.
  const ConstView2D<float> rows = problem.x.view();
  pgd(model, {rows.middle_rows(11, 5), problem.labels.data() + 11, {}, 11}, threat, 4, 0, "ce", 1, Rng(2, "test"),
      part);
  NTKROB_CHECK_SAME(kit::compare(part.view(), found.view().middle_rows(11, 5), 0));
}

/// The bytes copied so far, to the device and back together.
double copied(const Backend& backend) {
  const std::string account = backend.account();
  unsigned long long to_device = 0, back = 0;
  REQUIRE(std::sscanf(account.c_str(), "copied %llu bytes to the device and %llu back", &to_device, &back) == 2);
  return static_cast<double>(to_device) + static_cast<double>(back);
}

/// Calls test(backend) for every backend of this machine that keeps points.
template <class Test>
void for_each_keeper(const Test& test) {
  for (const BackendState& state : backends()) {
    if (!state.available) continue;
    const auto backend = make_backend(state.name, 2);
    if (backend->steps() == nullptr) continue;
    CAPTURE(state.name);
    test(*backend);
  }
}

}  // namespace

TEST_CASE("attacks find the same points on a device as with a host loop around it", "[backend]") {
  for_each_keeper([](Backend& backend) {
    Problem problem(backend);
    const Net net("mlp:16", {1, 1, kD}, kClasses, Initialisation::he, 4, backend);
    for (const Model* model : {static_cast<const Model*>(&problem.machine), static_cast<const Model*>(&net)}) {
      INFO((model == &net ? "net" : "machine"));
      REQUIRE(model->iterates(problem.x.view()) != nullptr);
      const Host host(*model);
      problem.labels = predictions(all_logits(host, problem.x.view()).view());
      for (const ThreatModel& threat :
           {ThreatModel{Norm::linf, 0.1f}, ThreatModel{Norm::l2, 0.7f}, ThreatModel{Norm::l1, 3.0f}})
        check_same(*model, host, problem, threat);
    }
  });
}

TEST_CASE("the bytes copied per step of an attack on a device do not depend on the size of the images", "[backend]") {
  for_each_keeper([](Backend& backend) {
    const auto per_step = [&](index d) {
      const Problem problem(backend, d);
      const auto bytes = [&](index steps) {
        Matrix<float> z(kN, d);
        const double before = copied(backend);
        pgd(problem.machine, problem.batch(), {Norm::linf, 0.1f}, steps, 0.01, "ce", 1, Rng(2, "test"), z);
        return copied(backend) - before;
      };
      bytes(1);  // grows scratch memory
      return (bytes(9) - bytes(1)) / 8;
    };
    const double small = per_step(kD), large = per_step(8 * kD), points = sizeof(float) * kN * 8 * kD;
    INFO(small << " and " << large << " bytes per step, the larger points have " << points);
    CHECK(small == large);
    // Down: logits, and squares of the points for their sample table. Up: cotangents, that table, the coefficients.
    CHECK(large >= sizeof(float) * 2 * kN * kClasses);
    CHECK(large < 0.1 * points);
  });
}
