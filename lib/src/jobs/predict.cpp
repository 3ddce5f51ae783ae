#include "ntkrob/jobs/predict.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "jobs/row_checkpoint.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/input.hpp"
#include "ntkrob/jobs/machine.hpp"
#include "ntkrob/krr/gradient_flow.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/model/metrics.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob::jobs {

namespace {

CheckpointOptions checkpoint_options(const PredictJob& p) {
  return {"predict", p.checkpoint_path(), p.resume, std::isfinite(p.end())};
}

/// All that the predictions depend on.
OptionTexts identity(const PredictJob& p, const Dataset& support, const Dataset& data, const Context& context) {
  const bool drawn = p.balanced || p.machine.balanced;
  return {{"kernel", p.machine.kernel->to_string()},
          {"posterior", p.posterior},
          {"time", p.time},
          {"ridge", value_text(p.machine.ridge)},
          {"precision", p.machine.precision},
          {"variance", value_text(p.variance)},
          {"n-support", value_text(p.machine.n)},
          {"balanced-support", value_text(p.machine.balanced)},
          {"split", p.split},
          {"n", value_text(p.n)},
          {"balanced", value_text(p.balanced)},
          {"seed", drawn ? value_text(context.settings.seed) : std::string("any")},
          {"a support set of checksum", support.checksum()},
          {"data of checksum", data.checksum()}};
}

template <class R>
PredictOutcome predict_all(const PredictJob& p, const Kernel& kernel, ConstView2D<float> support,
                           ConstView2D<float> labels, ConstView2D<float> images, const OptionTexts& job,
                           Context& context) {
  const auto converted = [](ConstView2D<float> m) {
    Matrix<R> result(m.rows, m.cols);
    convert(m, result.view());
    return result;
  };
  const double time = p.end();
  BasicGradientFlow<R> flow(kernel, converted(support).view(), converted(labels).view(), {p.machine.ridge},
                            context.log());
  PredictOutcome outcome;
  outcome.mean = Matrix<double>(images.rows, labels.cols);
  if (p.variance) outcome.variance.resize(static_cast<std::size_t>(images.rows));
  const Matrix<R> x = converted(images);
  // A part: rows of the mean, and their variances.
  RowCheckpoint checkpoint(checkpoint_options(p), job, images.rows, context);
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
    context.listener().note(text("resumed with ", checkpoint.finished(), " of ", images.rows, " images"));
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
    context.listener().progress(text("predicted ", i, " of ", images.rows, " images"), i, images.rows);
  }
  if (std::isfinite(time))
    outcome.learning_rate = largest_learning_rate(flow.eigenvalues().back(), support.rows, labels.cols);
  return outcome;
}

ImageChoice image_choice(const PredictJob& p, std::uint64_t seed) {
  ImageChoice choice;
  choice.file = p.data;
  choice.split = p.split;
  choice.n = p.n;
  choice.balanced = p.balanced;
  choice.seed = seed;
  choice.stream = "predict/balanced";
  return choice;
}

/// Between the means and centred one-hot labels.
double mean_square(ConstView2D<double> mean, const std::vector<int>& labels) {
  const Matrix<float> targets = centred_one_hot(labels, mean.cols);
  double squares = 0;
  for (index i = 0; i < mean.rows; ++i)
    for (index j = 0; j < mean.cols; ++j) squares += std::pow(mean(i, j) - static_cast<double>(targets(i, j)), 2);
  return squares / (static_cast<double>(mean.rows) * static_cast<double>(mean.cols));
}

Kernel make_kernel(const PredictJob& p, const PredictInput& in, Context& context) {
  KernelOptions options;
  options.output = p.posterior == "ntk" ? Output::ntk : Output::nngp;
  options.memory_budget = context.settings.memory.value;
  options.shape = in.data.shape;
  return Kernel(*p.machine.kernel, context.backend(), options);
}

void write_prediction(const PredictJob& p, const PredictInput& in, const PredictOutcome& outcome,
                      const std::string& spec, Context& context) {
  const auto n_support = static_cast<index>(in.support_rows.size()), n = static_cast<index>(in.rows.size());
  StateDict state;
  state.set("spec", spec);
  state.set("posterior", p.posterior);
  state.set("time", p.time);
  state.set("ridge", p.machine.ridge);
  state.set("precision", p.machine.precision);
  state.set("support", file_name(p.machine.support));
  state.set("n_support", static_cast<std::int64_t>(n_support));
  state.set("data", file_name(p.data));
  state.set("split", p.split);
  state.set("library_version", std::string(kVersion));
  if (p.balanced) state.set("rows", NdArray<std::int64_t>{{n}, {in.rows.begin(), in.rows.end()}});
  if (p.machine.balanced)
    state.set("support_rows", NdArray<std::int64_t>{{n_support}, {in.support_rows.begin(), in.support_rows.end()}});
  state.set_matrix("mean", outcome.mean.view());
  if (p.variance) state.set("variance", NdArray<double>{{n}, outcome.variance});
  save_state(state, "ntkrob.prediction/1", p.output, context.settings.force);
}

}  // namespace

double PredictJob::end() const {
  if (time == "inf") return std::numeric_limits<double>::infinity();
  const double t = parse_number(time, "time");
  NTKROB_CHECK(t >= 0, ConfigError, field("time"), " is ", given(time), ", must be ", limit("at least 0, or inf"));
  return t;
}

std::string PredictJob::checkpoint_path() const {
  return checkpoint.empty() && !output.empty() ? output + ".ckpt" : checkpoint;
}

void check_predict(const PredictJob& job, Context& context) {
  job.end();
  visit_predict(job, FieldChecker());
  if (!job.output.empty()) check_output(job.output, context.settings.force);
  Checkpoint::check(checkpoint_options(job), context);
}

PredictInput open_predict(const PredictJob& job, Context& context) {
  const std::size_t inputs = job.machine.support == job.data ? 1 : 2;
  PredictInput in;
  in.support = open_input(context, job.machine.support, job.read, inputs);
  in.data = open_input(context, job.data, job.read, inputs);
  NTKROB_CHECK(in.support.shape == in.data.shape, ShapeError, "images of ", job.machine.support, " have ",
               in.support.shape.size(), " pixels, those of ", job.data, " ", in.data.shape.size());
  in.support_rows = choose_images(support_choice(job.machine, context.settings.seed), in.support, context.listener());
  in.rows = choose_images(image_choice(job, context.settings.seed), in.data, context.listener());
  match_classes(in.data, job.data, in.support.class_names, job.machine.support, context.listener());
  NTKROB_CHECK(in.data.classes <= in.support.classes, ShapeError, job.data, " has ", in.data.classes, " classes, ",
               job.machine.support, " only ", in.support.classes);
  return in;
}

std::string predict_plan(const PredictJob& job, const PredictInput& in, Context& context) {
  const auto n_support = static_cast<index>(in.support_rows.size()), n = static_cast<index>(in.rows.size());
  return text("support   ", job.machine.support, ", ", n_support, " images\ndata      ", job.data, ", split ",
              job.split, ", ", n, " images\n") +
         backend_text(context) +
         block_text("plan", make_kernel(job, in, context).explain(Verb::matrix, n, n_support, in.data.shape.size(), 0));
}

PredictOutcome run_predict(const PredictJob& job, const PredictInput& in, Context& context) {
  const StopScope scope(context, false);
  const Kernel kernel = make_kernel(job, in, context);
  const Matrix<float> x = chosen_images(in.support, "train", in.support_rows);
  const Matrix<float> z = chosen_images(in.data, job.split, in.rows);
  const Matrix<float> y = rows_of(support_labels(in.support).view(), in.support_rows);
  const auto run = job.machine.precision == "mixed" ? predict_all<float> : predict_all<double>;
  PredictOutcome outcome =
      run(job, kernel, x.view(), y.view(), z.view(), identity(job, in.support, in.data, context), context);
  outcome.labels = labels_of(in.data.split(job.split), in.rows);
  outcome.mean_square = mean_square(outcome.mean.view(), outcome.labels);
  if (!job.output.empty()) write_prediction(job, in, outcome, kernel.spec().to_string(), context);
  Checkpoint(checkpoint_options(job), context).finish();
  return outcome;
}

}  // namespace ntkrob::jobs
