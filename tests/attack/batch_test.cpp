/// Evaluations of nets give the same bytes for any batch size and any number of workers.
#include "kit/check.hpp"
#include "kit/small_models.hpp"
#include "ntkrob/attack/evaluate.hpp"
#include "ntkrob/model/metrics.hpp"
#include "ntkrob/nn/net.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

namespace {

struct Net28 {
  const char* spec;
  index samples;
};

EvaluateReport judge(const Net28& net28, const Matrix<float>& x, int workers, index batch_rows) {
  const std::unique_ptr<Backend> backend = make_backend("cpu", workers);
  const Net net(net28.spec, {28, 28, 1}, 5, Initialisation::he, 3, *backend);
  EvaluateOptions options;
  options.attacks = {"apgd-ce(iterations=2)", "apgd-t(iterations=2,targets=2)", "fab-t(iterations=1,targets=2)",
                     "square(queries=3)"};
  options.threat = {Norm::linf, 0.02f};
  options.batch_rows = batch_rows;
  options.examples = net28.samples;
  return evaluate(net, x.view(), predictions(all_logits(net, x.view()).view()), {}, options);
}

}  // namespace

TEST_CASE("an evaluation of a net has the same bytes for any batch size and number of workers", "[attack]") {
  for (const Net28& net :
       {Net28{"mlp:300,40", 252}, Net28{"conv(4,3,stride=3)-relu-flatten-dense(40)-relu-dense", 70}}) {
    const Matrix<float> x = kit::uniform_matrix(net.samples, 784, 6);
    const EvaluateReport expected = judge(net, x, 1, 250);
    CHECK(expected.worst_case > 0.05);
    CHECK(expected.worst_case < 0.95);
    for (const auto& [workers, batch] : {std::pair<int, index>{1, 1}, {2, 7}, {3, 64}, {2, 250}}) {
      CAPTURE(net.spec, workers, batch);
      const EvaluateReport report = judge(net, x, workers, batch);
      CHECK(report.margin == expected.margin);
      for (std::size_t a = 0; a < report.attacks.size(); ++a) {
        CAPTURE(report.attacks[a].name);
        CHECK(report.attacks[a].margin == expected.attacks[a].margin);
        CHECK(report.attacks[a].queries == expected.attacks[a].queries);
        CHECK(report.attacks[a].distance == expected.attacks[a].distance);
      }
      NTKROB_CHECK_SAME(kit::compare(report.examples.inputs.view(), expected.examples.inputs.view(), 0));
    }
  }
}
