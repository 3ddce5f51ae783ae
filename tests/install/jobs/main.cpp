// robustify with a checkpoint, stopped from another thread and resumed; train; evaluate by AutoAttack; rows of a
// report.
#include <cstdio>
#include <thread>

#include "ntkrob/data/strokes.hpp"
#include "ntkrob/jobs/evaluate.hpp"
#include "ntkrob/jobs/robustify.hpp"
#include "ntkrob/jobs/train.hpp"

using namespace ntkrob;

int main() {
  jobs::Context context;
  Stop stop;
  context.stop = &stop;
  context.settings.force = true;
  const Dataset strokes = make_strokes(300, 40, 0);
  jobs::RobustifyJob job("adv-kip");
  job.output = "robust.npz";
  job.checkpoint = "robust.ckpt.npz";
  for (const auto& [name, value] : OptionTexts{{"n", "20"}, {"steps", "3000"}, {"batch", "40"}, {"validation", "0"}})
    job.set(name, value);
  std::thread asker([&] { std::this_thread::sleep_for(std::chrono::milliseconds(400)), stop.request(); });
  try {
    jobs::run_robustify(job, strokes, context);
  } catch (const Interrupted&) {
    job.resume = true;
  }
  asker.join();
  stop.clear();
  const jobs::RobustifyOutcome robust = jobs::run_robustify(job, strokes, context);
  const jobs::TrainOutcome net = jobs::run_train(jobs::TrainJob(), robust.robust, strokes, context);
  jobs::EvaluateJob judge;
  judge.attacks = "clean,autoattack";
  const jobs::EvaluateOutcome verdict = jobs::run_evaluate(judge, *net.net, nullptr, strokes, context);
  for (const AttackReport& row : verdict.report.attacks) std::printf("%s,%.3f\n", row.name.c_str(), row.accuracy);
  return robust.resumed_at > 0 && robust.rows.size() == 3000 && verdict.checked ? 0 : 1;
}
