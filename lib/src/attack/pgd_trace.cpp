#include "attack/pgd_trace.hpp"

#include "attack/search.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/model/metrics.hpp"

namespace ntkrob {

PgdTrace trace_pgd(const Model& model, const AttackBatch& batch, const ThreatModel& threat, index steps,
                   const std::string& loss, const Rng& rng) {
  const index n = batch.x.rows, d = batch.x.cols, classes = model.classes();
  const auto step = static_cast<float>(2.5 * threat.eps / static_cast<double>(steps));
  const std::unique_ptr<Loss> traced = make_loss(loss);
  GradientPass pass(model, batch, loss, 1);
  Matrix<float> z(batch.x), worst(batch.x), logits(n, classes), gradient(n, d);
  BestIterate best(batch, classes, worst);
  std::vector<double> values(static_cast<std::size_t>(n)), first(values), last(values);
  std::vector<float> first_margin(static_cast<std::size_t>(n)), last_margin(first_margin);
  PgdTrace trace;

  for_rows(model, n, [&](index i) {
    threat.random_start(batch.x.row(i), z.row(i), d, rng.fork(static_cast<std::uint64_t>(batch.sample(i))));
  });
  const auto look = [&](index i, index t) {
    const auto k = static_cast<std::size_t>(i);
    best.judge(i, z.row(i), logits.row(i));
    traced->evaluate_checked(logits.view().middle_rows(i, 1), batch.labels + i, {}, &values[k], {});
    const int y = batch.labels[i];
    last_margin[k] = logits(i, y) - logits(i, strongest_rival(logits.row(i), classes, y));
    if (t == 0) first[k] = values[k], first_margin[k] = last_margin[k];
  };
  const auto remember = [&](index zeros) {
    TraceStep now;
    now.zero_gradients = zeros;
    for (const double value : values) now.loss += value;
    if (n > 0) now.loss /= static_cast<double>(n);
    trace.steps.push_back(now);
  };
  for (index t = 0; t < steps; ++t) {
    const index before = pass.zero_gradients();
    pass.run(z.view(), logits, gradient, [&](index i) {
      look(i, t);
      threat.ascend(gradient.row(i), z.row(i), d, step);
      threat.project(batch.x.row(i), z.row(i), d);
    });
    remember(pass.zero_gradients() - before);
  }
  checked_logits(model, z.view(), logits, [&](index i) { return batch.sample(i); });
  for_rows(model, n, [&](index i) { look(i, steps); });
  remember(0);
  // Cross-entropy of a confident model can be 0 in float64 at both ends; then the margin tells.
  for (std::size_t k = 0; k < values.size(); ++k)
    trace.risen += values[k] > first[k] || (values[k] == first[k] && last_margin[k] < first_margin[k]);
  trace.robust = best.take(0).robust;
  return trace;
}

}  // namespace ntkrob
