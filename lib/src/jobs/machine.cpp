#include "ntkrob/jobs/machine.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <type_traits>

#include "ntkrob/model/classes.hpp"
#include "ntkrob/model/loss.hpp"

namespace ntkrob::jobs {

namespace {

Kernel make_kernel(const MachineJob& job, const Dataset& support, Context& context) {
  KernelOptions options;
  options.memory_budget = context.settings.memory.value;
  options.shape = support.shape;
  return Kernel(*job.kernel, context.backend(), options);
}

SolveOptions solve_options(const MachineJob& job, const Context& context) {
  SolveOptions options;
  options.rank = job.rank;
  options.tolerance = job.tolerance;
  options.max_iterations = job.iterations;
  options.seed = context.settings.seed;
  return options;
}

std::string scientific(double value) {
  char out[40];
  std::snprintf(out, sizeof out, "%.1e", value);
  return out;
}

/// Shows where a solve stands. Residuals fall by about the same factor in every iteration, which gives the time left.
class SolveDisplay {
 public:
  SolveDisplay(Context& context, double tolerance) : context_(context), goal_(std::log(tolerance)) {}

  void operator()(const SolveProgress& p) {
    if (!p.iterating) return show(text("solve: preconditioner, ", percent_text(p.fraction)), 0.05 * p.fraction);
    if (began_ < 0) began_ = watch_.seconds();
    const double share = std::clamp(p.residual >= 1 ? 0.0 : std::log(p.residual) / goal_, 0.0, 1.0);
    std::string left;
    if (p.iteration >= 3 && share > 0)
      left = text(", about ", duration_text((watch_.seconds() - began_) * (1 - share) / share), " left");
    show(text("solve: iteration ", p.iteration + 1, ", residual ", scientific(p.residual), " of ",
              scientific(std::exp(goal_)), ", ", duration_text(watch_.seconds()), left),
         0.05 + 0.9 * share);
  }

 private:
  /// A line of a log per tenth of the way; at a terminal the open line is kept true in between.
  void show(const std::string& line, double share) {
    constexpr index kParts = 10;
    const auto part = static_cast<index>(share * kParts);
    if (part > shown_) {
      context_.listener().progress(line, part, kParts);
      shown_ = part;
    } else if (watch_.seconds() > refreshed_ + 0.2) {
      context_.listener().refresh(line);
      refreshed_ = watch_.seconds();
    }
  }

  Context& context_;
  Stopwatch watch_;
  double goal_;
  double began_ = -1, refreshed_ = 0;
  index shown_ = 0;
};

std::string solve_text(const SolveReport& r) {
  const double worst = *std::max_element(r.residual.begin(), r.residual.end());
  return text("solved in ", r.iterations, r.iterations == 1 ? " iteration" : " iterations",
              r.restarts > 0 ? text(" and ", r.restarts, " restarts") : std::string(), " with rank ", r.rank,
              ": relative residual ", scientific(worst), ", ridge ", scientific(r.lambda / r.trace_over_n),
              " of trace/n, predictions within ", scientific(r.prediction_bound), " of the exact solution");
}

std::string fit_text(const FitReport& r) {
  if (r.factor == Factor::float64) return "solved with a float64 factor";
  return text("solved with a float32 factor, refined in ", r.iterations,
              r.iterations == 1 ? " iteration" : " iterations", ", ridge ", scientific(r.lambda / r.trace_over_n),
              " of trace/n");
}

/// R: the precision of the machine.
template <class R>
Machine fit(const MachineJob& job, Kernel kernel, const Dataset& support, Context& context) {
  const std::vector<index> rows =
      choose_images(support_choice(job, context.settings.seed), support, context.listener());
  const Matrix<float> images = chosen_images(support, "train", rows);
  const Matrix<float> labels = rows_of(support_labels(support).view(), rows);
  Matrix<R> converted_images, converted_labels;  // unused where R is float
  const auto in_precision = [](const Matrix<float>& m, Matrix<R>& converted) -> ConstView2D<R> {
    if constexpr (std::is_same<R, float>::value) {
      return m.view();
    } else {
      converted = Matrix<R>(m.rows(), m.cols());
      convert(m.view(), converted.view());
      return converted.view();
    }
  };
  const ConstView2D<R> s = in_precision(images, converted_images), y = in_precision(labels, converted_labels);
  Ridge ridge;
  ridge.value = job.ridge;
  Machine machine;
  machine.fitted_classes =
      static_cast<index>(classes_present(class_counts(labels_of(support.train, rows), support.classes)).size());
  if (job.solver == "direct") {
    const Factor factor = parse_factor(job.factor);
    auto fitted =
        std::make_unique<BasicKernelMachine<R>>(std::move(kernel), support.shape, s, y, ridge, context.log(), factor);
    if (factor == Factor::refined) {
      context.listener().note(fit_text(fitted->report()));
      machine.fit = fitted->report();
    }
    machine.model = std::move(fitted);
    return machine;
  }
  SolveOptions options = solve_options(job, context);
  options.progress = SolveDisplay(context, job.tolerance);
  auto solved = std::make_unique<BasicIterativeMachine<R>>(std::move(kernel), support.shape, s, y, ridge, options);
  context.listener().note(solve_text(solved->report()));
  machine.solve = solved->report();
  machine.model = std::move(solved);
  return machine;
}

}  // namespace

void check_machine(const MachineJob& job) {
  visit_machine(job, FieldChecker());
  NTKROB_CHECK(job.solver == "direct" || job.factor == "float64", ConfigError, field("factor"), " ", job.factor,
               " needs ", field("solver", "direct"));
  const MachineJob defaults;
  NTKROB_CHECK(job.solver == "cg" || (job.rank == defaults.rank && job.tolerance == defaults.tolerance &&
                                      job.iterations == defaults.iterations),
               ConfigError, field("rank"), ", ", field("tolerance"), " and ", field("iterations"), " need ",
               field("solver", "cg"));
  NTKROB_CHECK(!job.balanced || job.n > 0, ConfigError, field("balanced-support", "true"), " needs ",
               field("n-support"), ", the number of images to choose");
}

index support_size(const MachineJob& job, const Dataset& support) {
  NTKROB_CHECK(job.n <= support.train.n, ConfigError, field("n-support"), " is ", given(job.n), ", but ", job.support,
               " has only ", limit(support.train.n), " training images");
  return job.n == 0 ? support.train.n : job.n;
}

ImageChoice support_choice(const MachineJob& job, std::uint64_t seed) {
  ImageChoice choice;
  choice.file = job.support;
  choice.n = job.n;
  choice.balanced = job.balanced;
  choice.seed = seed;
  choice.stream = "support/balanced";
  choice.n_option = "n-support";
  choice.balanced_option = "balanced-support";
  return choice;
}

Matrix<float> support_labels(const Dataset& support) {
  return support.train.targets.empty() ? centred_one_hot(support.train.labels, support.classes) : support.train.targets;
}

std::string explain_machine(const MachineJob& job, const Dataset& support, Context& context) {
  const Kernel kernel = make_kernel(job, support, context);
  const index n = support_size(job, support);
  if (job.solver == "direct")
    return text(
        "solver     direct: a ", job.factor == "refined" ? "float32 factor and the float64 matrix" : "float64 factor",
        " of ", n, " x ", n, ", ",
        bytes_text((job.factor == "refined" ? 12.0 : 8.0) * static_cast<double>(n) * static_cast<double>(n)), "\n");
  const auto options = solve_options(job, context);
  const SolvePlan plan = job.precision == "float64" ? plan_solve<double>(kernel, n, support.classes, options)
                                                    : plan_solve<float>(kernel, n, support.classes, options);
  return text("solver     cg: rank ", plan.rank, ", ", bytes_text(static_cast<double>(plan.bytes)),
              " beside the images; an iteration forms ", plan.pairs, " kernel values\n");
}

Machine make_machine(const MachineJob& job, const Dataset& support, Context& context) {
  check_machine(job);
  Kernel kernel = make_kernel(job, support, context);
  return job.precision == "float64" ? fit<double>(job, std::move(kernel), support, context)
                                    : fit<float>(job, std::move(kernel), support, context);
}

}  // namespace ntkrob::jobs
