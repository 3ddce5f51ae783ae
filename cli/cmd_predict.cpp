/// ntkrob predict: what infinitely wide nets trained on a support set predict, and how sure they are.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <iostream>
#include <limits>

#include "command.hpp"
#include "input.hpp"
#include "machine_job.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/krr/gradient_flow.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/model/metrics.hpp"
#include "ntkrob/version.hpp"
#include "report/class_report.hpp"
#include "row_checkpoint.hpp"

namespace ntkrob::cli {

namespace {

struct PredictParams {
  MachineJob machine{"fc:3", "", 0, "mixed"};
  std::string data, output;
  std::string split = "test";
  std::string time = "inf";
  std::string posterior = "ntk";
  bool variance = false;
  bool balanced = false;
  index n = 0;
  ReadOptions read;
  std::string checkpoint;
  bool resume = false;

  double end() const {
    if (time == "inf") return std::numeric_limits<double>::infinity();
    const double t = parse_number(time, "--time");
    NTKROB_CHECK(t >= 0, ConfigError, "time is ", time, ", must be at least 0, or inf");
    return t;
  }
};

struct Outcome {
  Matrix<double> mean;
  std::vector<double> variance;  // empty: not asked for
  double learning_rate = 0;      // the largest stable one; 0: eigenvalues were not needed
};

CheckpointOptions checkpoint_options(const PredictParams& p) {
  const bool kept = p.checkpoint.empty() && !p.output.empty();
  return {"predict", kept ? p.output + ".ckpt" : p.checkpoint, p.resume, std::isfinite(p.end())};
}

/// All that the predictions depend on.
OptionTexts identity(const PredictParams& p, const Dataset& support, const Dataset& data, const Session& session) {
  const bool drawn = p.balanced || p.machine.balanced;
  return {{"--kernel", KernelSpec::parse(p.machine.kernel).to_string()},
          {"--posterior", p.posterior},
          {"--time", p.time},
          {"--ridge", value_text(p.machine.ridge)},
          {"--precision", p.machine.precision},
          {"--variance", value_text(p.variance)},
          {"--n-support", value_text(p.machine.n)},
          {"--balanced-support", value_text(p.machine.balanced)},
          {"--split", p.split},
          {"--n", value_text(p.n)},
          {"--balanced", value_text(p.balanced)},
          {"--seed", drawn ? value_text(session.globals.seed) : std::string("any")},
          {"a support set of checksum", support.checksum()},
          {"data of checksum", data.checksum()}};
}

template <class R>
Outcome predict_all(const PredictParams& p, const Kernel& kernel, ConstView2D<float> support, ConstView2D<float> labels,
                    ConstView2D<float> images, const OptionTexts& job, Session& session) {
  const auto converted = [](ConstView2D<float> m) {
    Matrix<R> result(m.rows, m.cols);
    convert(m, result.view());
    return result;
  };
  const double time = p.end();
  BasicGradientFlow<R> flow(kernel, converted(support).view(), converted(labels).view(), {p.machine.ridge},
                            session.console.sink());
  Outcome outcome;
  outcome.mean = Matrix<double>(images.rows, labels.cols);
  if (p.variance) outcome.variance.resize(static_cast<std::size_t>(images.rows));
  const Matrix<R> x = converted(images);
  // A part: rows of the mean, and their variances.
  RowCheckpoint checkpoint(checkpoint_options(p), job, images.rows, session);
  const auto mean_bytes = [&](index rows) { return static_cast<std::size_t>(rows * labels.cols) * sizeof(double); };
  const auto variance_bytes = [&](index rows) {
    return p.variance ? static_cast<std::size_t>(rows) * sizeof(double) : std::size_t{0};
  };
  if (p.resume) {
    checkpoint.load([&](index, index rows) { return mean_bytes(rows) + variance_bytes(rows); },
                    [&](index first, index rows, const std::vector<char>& bytes) {
                      std::memcpy(outcome.mean.row(first), bytes.data(), mean_bytes(rows));
                      if (p.variance)
                        std::memcpy(outcome.variance.data() + first, bytes.data() + mean_bytes(rows),
                                    variance_bytes(rows));
                    });
    session.console.note(text("resumed with ", checkpoint.finished(), " of ", images.rows, " images"));
  }
  constexpr index kRows = 256;
  for (index i = 0; i < images.rows;) {
    const auto [first, rows] = checkpoint.missing(i);
    const index m = std::min(kRows, rows);
    if (m == 0) break;
    const Stopwatch watch;
    flow.predict(x.view().middle_rows(first, m), time, outcome.mean.view().middle_rows(first, m),
                 p.variance ? outcome.variance.data() + first : nullptr);
    std::vector<std::pair<const void*, std::size_t>> blocks{{outcome.mean.row(first), mean_bytes(m)}};
    if (p.variance) blocks.emplace_back(outcome.variance.data() + first, variance_bytes(m));
    checkpoint.append(first, m, blocks, watch.seconds());
    i = first + m;
    session.console.progress(text("predicted ", i, " of ", images.rows, " images"), i, images.rows);
  }
  if (std::isfinite(time))
    outcome.learning_rate = largest_learning_rate(flow.eigenvalues().back(), support.rows, labels.cols);
  return outcome;
}

/// Accuracy where the classes are known, and means over the images.
void report(const PredictParams& p, const Outcome& outcome, const std::vector<int>& labels, index classes,
            const std::vector<std::string>& class_names) {
  Matrix<float> logits(outcome.mean.rows(), outcome.mean.cols());
  convert(outcome.mean.view(), logits.view());
  const std::vector<int> predicted = predictions(logits.view());
  const Matrix<float> targets = centred_one_hot(labels, classes);
  index right = 0;
  double squares = 0, sum = 0;
  for (index i = 0; i < logits.rows(); ++i) {
    right += predicted[static_cast<std::size_t>(i)] == labels[static_cast<std::size_t>(i)];
    for (index j = 0; j < classes; ++j) squares += std::pow(outcome.mean(i, j) - static_cast<double>(targets(i, j)), 2);
  }
  for (const double v : outcome.variance) sum += v;
  const auto n = static_cast<double>(logits.rows());
  std::cout << "kernel    " << p.machine.kernel << ", " << p.posterior << ", time " << p.time << "\n"
            << "accuracy  " << percent_text(static_cast<double>(right) / n) << " of " << logits.rows() << " images\n"
            << "error     " << number_text(squares / (n * static_cast<double>(classes))) << " mean square\n";
  if (!outcome.variance.empty()) std::cout << "variance  " << number_text(sum / n) << " on average\n";
  if (outcome.learning_rate > 0)
    std::cout << "largest stable learning rate  " << number_text(outcome.learning_rate)
              << (p.posterior == "ntk" ? "" : " of the last layer") << "\n";
  std::cout << "\n" << class_table(class_report(labels, predicted, classes, class_names));
}

ImageChoice image_choice(const PredictParams& p, std::uint64_t seed) {
  ImageChoice choice;
  choice.file = p.data;
  choice.split = p.split;
  choice.n = p.n;
  choice.balanced = p.balanced;
  choice.seed = seed;
  choice.stream = "predict/balanced";
  return choice;
}

void check(const PredictParams& p, Session& session) {
  p.end();
  NTKROB_CHECK(p.posterior == "ntk" || p.posterior == "nngp", ConfigError, "posterior is \"", p.posterior,
               "\", must be ntk or nngp");
  NTKROB_CHECK(p.machine.precision == "mixed" || p.machine.precision == "float64", ConfigError, "precision is \"",
               p.machine.precision, "\", must be mixed or float64");
  NTKROB_CHECK_RANGE("ridge", p.machine.ridge, 0.0, 1e6);
  if (!p.output.empty()) check_output(p.output, session.globals.force);
  Checkpoint::check(checkpoint_options(p), session);
}

void predict(const PredictParams& p, Session& session) {
  check(p, session);
  const KernelSpec spec = KernelSpec::parse(p.machine.kernel);
  const std::size_t inputs = p.machine.support == p.data ? 1 : 2;
  const Dataset support = open_input(session, p.machine.support, p.read, inputs);
  Dataset data = open_input(session, p.data, p.read, inputs);
  NTKROB_CHECK(support.shape == data.shape, ShapeError, "images of ", p.machine.support, " have ", support.shape.size(),
               " pixels, those of ", p.data, " ", data.shape.size());
  const std::vector<index> support_rows =
      choose_images(support_choice(p.machine, session.globals.seed), support, session.console);
  const std::vector<index> rows = choose_images(image_choice(p, session.globals.seed), data, session.console);
  const auto n_support = static_cast<index>(support_rows.size()), n = static_cast<index>(rows.size());
  match_classes(data, p.data, support.class_names, p.machine.support, session.console);
  NTKROB_CHECK(data.classes <= support.classes, ShapeError, p.data, " has ", data.classes, " classes, ",
               p.machine.support, " only ", support.classes);
  KernelOptions options;
  options.output = p.posterior == "ntk" ? Output::ntk : Output::nngp;
  options.memory_budget = session.globals.memory.value;
  options.shape = data.shape;
  const Kernel kernel(spec, session.backend(), options);
  if (session.globals.dry_run || session.globals.explain)
    std::cout << "support   " << p.machine.support << ", " << n_support << " images\ndata      " << p.data << ", split "
              << p.split << ", " << n << " images\n"
              << session.backend_text()
              << block_text("plan", kernel.explain(Verb::matrix, n, n_support, data.shape.size(), 0));
  if (session.globals.dry_run) return;

  const Matrix<float> x = chosen_images(support, "train", support_rows), z = chosen_images(data, p.split, rows);
  const Matrix<float> y = rows_of(support_labels(support).view(), support_rows);
  const auto run = p.machine.precision == "mixed" ? predict_all<float> : predict_all<double>;
  const Outcome outcome = run(p, kernel, x.view(), y.view(), z.view(), identity(p, support, data, session), session);
  report(p, outcome, labels_of(data.split(p.split), rows), support.classes, data.class_names);
  if (p.output.empty()) return Checkpoint(checkpoint_options(p), session).finish();
  StateDict state;
  state.set("spec", spec.to_string());
  state.set("posterior", p.posterior);
  state.set("time", p.time);
  state.set("ridge", p.machine.ridge);
  state.set("precision", p.machine.precision);
  state.set("support", file_name(p.machine.support));
  state.set("n_support", static_cast<std::int64_t>(n_support));
  state.set("data", file_name(p.data));
  state.set("split", p.split);
  state.set("library_version", std::string(kVersion));
  if (p.balanced) state.set("rows", NdArray<std::int64_t>{{n}, {rows.begin(), rows.end()}});
  if (p.machine.balanced)
    state.set("support_rows", NdArray<std::int64_t>{{n_support}, {support_rows.begin(), support_rows.end()}});
  state.set_matrix("mean", outcome.mean.view());
  if (p.variance) state.set("variance", NdArray<double>{{n}, outcome.variance});
  save_state(state, "ntkrob.prediction/1", p.output, session.globals.force);
  Checkpoint(checkpoint_options(p), session).finish();
  session.console.note(text("wrote ", p.output));
}

}  // namespace

Command make_predict() {
  auto p = std::make_shared<PredictParams>();
  Command command;
  OptionSet& set = command.options;
  set.add("kernel", p->machine.kernel, "kernel spec, see below");
  Option& support = set.add("support", p->machine.support, "what the nets are trained on: its training split");
  support.type = "FILE";
  support.required = true;
  set.add("n-support", p->machine.n, "only the first N images of it; 0: all");
  set.add("balanced-support", p->machine.balanced, "draw these N by seed, the same number of each class");
  Option& data = set.add("data", p->data, "what to predict");
  data.type = "FILE";
  data.required = true;
  set.add("split", p->split, "train | test");
  set.add("n", p->n, "predict the first N images; 0: all");
  set.add("balanced", p->balanced,
          "draw these N by seed, the same number of each class; the file then has their \"rows\"");
  set.add("time", p->time,
          "learning rate times steps of full-batch descent on the sum of squares / 2 n classes; or inf");
  set.add("posterior", p->posterior,
          "ntk: all layers are trained | nngp: the last one; at time inf the Bayesian posterior");
  set.add("variance", p->variance, "the variance over initialisations too");
  set.add("ridge", p->machine.ridge, "ridge relative to trace / n; for nngp the variance of the noise");
  set.add("precision", p->machine.precision, "mixed | float64, of kernel values");
  add_read_options(set, p->read);
  set.add_output(p->output, Use::writes_state, "HDF5 file with datasets \"mean\" [n,classes] and \"variance\" [n]")
      .required = false;
  set.add("checkpoint", p->checkpoint,
          "finished predictions, for --resume; default: <output>.ckpt, else none. The factor of the Gram matrix is not "
          "kept")
      .type = "FILE";
  set.add("resume", p->resume, "go on from the checkpoint, to the same bytes; needs the same options");
  command.examples = {"ntkrob predict --kernel fc:3 --support mnist.h5 --n-support 1000 --data mnist.h5 -o P.h5",
                      "ntkrob predict --kernel fc:2 --support robust.h5 --data mnist.h5 --time 1000",
                      "ntkrob predict --posterior nngp --ridge 0.01 --variance --support a.h5 --data b.h5 -o P.h5"};
  command.files = [p]() -> std::vector<FileUse> {
    if (!p->checkpoint.empty() || p->output.empty()) return {};
    return {{"the checkpoint of --output", p->output + ".ckpt", Use::keeps}};
  };
  command.notes = [] { return list_text("Kernels:", kernel_spec_help()); };
  command.run = [p](Session& session) { predict(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
