/// ntkrob predict: what infinitely wide nets trained on a support set predict, and how sure they are.
#include <iostream>
#include <numeric>

#include "command.hpp"
#include "ntkrob/jobs/input.hpp"
#include "ntkrob/jobs/predict.hpp"
#include "ntkrob/kernel/spec.hpp"
#include "ntkrob/model/metrics.hpp"
#include "report/class_text.hpp"

namespace ntkrob::cli {

namespace {

/// Accuracy where the classes are known, and means over the images.
void report(const PredictJob& p, const PredictInput& in, const PredictOutcome& outcome) {
  const index classes = in.support.classes;
  Matrix<float> logits(outcome.mean.rows(), outcome.mean.cols());
  convert(outcome.mean.view(), logits.view());
  const ClassReport report = class_report(outcome.labels, predictions(logits.view()), classes, in.data.class_names);
  std::cout << "kernel    " << p.machine.kernel.text() << ", " << p.posterior << ", time " << p.time << "\n"
            << "accuracy  " << percent_text(report.accuracy()) << " of " << logits.rows() << " images\n"
            << "error     " << number_text(outcome.mean_square) << " mean square\n";
  if (!outcome.variance.empty()) {
    const double sum = std::accumulate(outcome.variance.begin(), outcome.variance.end(), 0.0);
    std::cout << "variance  " << number_text(sum / static_cast<double>(outcome.variance.size())) << " on average\n";
  }
  if (outcome.learning_rate > 0)
    std::cout << "largest stable learning rate  " << number_text(outcome.learning_rate)
              << (p.posterior == "ntk" ? "" : " of the last layer") << "\n";
  std::cout << "\n" << class_table(report);
}

void predict(const PredictJob& p, Session& session) {
  check_predict(p, session);
  const PredictInput in = open_predict(p, session);
  if (session.globals.dry_run || session.globals.explain) std::cout << predict_plan(p, in, session);
  if (session.globals.dry_run) return;
  report(p, in, run_predict(p, in, session));
  if (!p.output.empty()) session.console.note(text("wrote ", p.output));
}

}  // namespace

Command make_predict() {
  auto p = std::make_shared<PredictJob>();
  Command command;
  OptionSet& set = command.options;
  visit_predict(*p, set.bind());
  for (const char* name : {"support", "data"}) {
    Option& file = set.at(name);
    file.type = "FILE";
    file.required = true;
  }
  add_read_options(set, p->read);
  set.add_output(p->output, Use::writes_state, "HDF5 file with datasets \"mean\" [n,classes] and \"variance\" [n]")
      .required = false;
  set.add_resume(p->checkpoint, p->resume,
                 "finished predictions, for --resume; default: <output>.ckpt, else none. The factor of the Gram matrix "
                 "is not kept");
  command.examples = {"ntkrob predict --kernel fc:3 --support mnist.h5 --n-support 1000 --data mnist.h5 -o P.h5",
                      "ntkrob predict --kernel fc:2 --support robust.h5 --data mnist.h5 --time 1000",
                      "ntkrob predict --posterior nngp --ridge 0.01 --variance --support a.h5 --data b.h5 -o P.h5"};
  command.files = [p]() -> std::vector<FileUse> {
    if (!p->checkpoint.empty() || p->output.empty()) return {};
    return {{"the checkpoint of --output", p->checkpoint_path(), Use::keeps}};
  };
  command.notes = [] { return list_text("Kernels:", kernel_spec_help()); };
  command.run = [p](Session& session) { predict(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
