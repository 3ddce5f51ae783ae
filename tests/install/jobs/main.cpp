// robustify with a checkpoint, stopped from another thread and resumed; train; evaluate by AutoAttack; rows of a
// report.
#include <cstdio>
#include <fstream>
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
  job.data = "strokes";
  job.output = "robust.npz";
  job.checkpoint = "robust.ckpt.npz";
  for (const auto& [name, value] : OptionTexts{{"n", "20"}, {"steps", "3000"}, {"batch", "40"}, {"validation", "0"}})
    job.set(name, value);
  std::thread asker([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    stop.request();
  });
  try {
    jobs::run_robustify(job, strokes, context);
  } catch (const Interrupted& interrupted) {
    std::printf("%s\n", interrupted.what());
    job.resume = true;
  }
  asker.join();
  stop.clear();
  const jobs::RobustifyOutcome robust = jobs::run_robustify(job, strokes, context);
  jobs::TrainJob train;
  train.model = "mlp:16";
  const jobs::TrainOutcome net = jobs::run_train(train, robust.robust, strokes, context);
  jobs::EvaluateJob judge;
  judge.attacks = "clean,autoattack";
  judge.checks = "off";
  const jobs::EvaluateOutcome verdict = jobs::run_evaluate(judge, *net.net, nullptr, strokes, context);
  std::ofstream rows("report.csv");
  for (const AttackReport& attack : verdict.report.attacks) rows << attack.name << "," << attack.accuracy << "\n";
  std::printf("resumed after step %td of %zu; AutoAttack leaves %.1f %%\n", robust.resumed_at, robust.rows.size(),
              100 * verdict.report.worst_case);
  return robust.resumed_at > 0 && rows.good() ? 0 : 1;
}
