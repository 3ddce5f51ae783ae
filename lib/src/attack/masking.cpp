#include "ntkrob/attack/masking.hpp"

#include <algorithm>
#include <cmath>

#include "attack/masking_threshold.hpp"
#include "attack/pgd_trace.hpp"
#include "attack/search.hpp"
#include "ntkrob/model/metrics.hpp"

namespace ntkrob {

namespace {

using Outcome = MaskingCheck::Outcome;

// Thresholds. Shares are of 100 samples by default, so that 0.02 is two of them: what chance does to a sound model.
constexpr double kMostZeroGradients = 0.01;
constexpr double kMostNotRisen = 0.1;
constexpr double kMostCurveRise = 0.05;  // from one radius to a larger one
constexpr double kMostAtCover = 0.05;    // accuracy where every input may become every other
constexpr double kMostProbabilities = 0.5;
constexpr double kSumTolerance = 1e-3;

/// The samples that are looked at.
struct Sample {
  Matrix<float> x;
  std::vector<int> labels;
};

Sample take(ConstView2D<float> x, const std::vector<int>& labels, std::vector<index> rows) {
  const AttackBatch all{x, labels.data(), {}};
  Subset subset(all, std::move(rows));
  return {std::move(subset.x), std::move(subset.labels)};
}

ThreatModel at_radius(ThreatModel threat, double eps, index d) {
  threat.eps = static_cast<float>(eps);
  if (threat.eps > covering_radius(threat, d)) threat.eps = std::nextafter(threat.eps, 0.0f);
  return threat;
}

/// The radii of the curve, increasing: those asked for, the one of the threat model and the largest.
std::vector<double> radii_of(const MaskingOptions& options, index d) {
  std::vector<double> radii = options.curve.empty() ? default_curve(options.threat, d) : options.curve;
  radii.push_back(options.threat.eps);
  radii.push_back(covering_radius(options.threat, d));
  std::sort(radii.begin(), radii.end());
  radii.erase(std::unique(radii.begin(), radii.end()), radii.end());
  return radii;
}

class Checker {
 public:
  Checker(const Model& model, ConstView2D<float> x, const std::vector<int>& labels, const MaskingOptions& options)
      : model_(model), options_(options), rng_(options.seed, "attack/masking") {
    const index n = std::min(options.samples, x.rows);
    std::vector<index> rows;
    for (index k = 0; k < n; ++k) rows.push_back(k * x.rows / n);
    report_.rows = rows;
    Sample looked_at = take(x, labels, rows);
    check_outputs(looked_at.x);

    rows.clear();
    for (index i = 0; i < n; ++i)
      if (predicted_[static_cast<std::size_t>(i)] == looked_at.labels[static_cast<std::size_t>(i)]) rows.push_back(i);
    right_ = take(looked_at.x, looked_at.labels, rows);
    right_rows_ = std::move(rows);
    report_.gradient_robust.assign(static_cast<std::size_t>(n), 0);
    report_.samples = n;
    report_.attacked = right_.x.rows();
    report_.clean = share(report_.attacked);
    if (options.resume != nullptr) adopt(*options.resume);
  }

  MaskingReport run() {
    measure_curve();
    check_gradients();
    check_black_box();
    check_curve();
    return std::move(report_);
  }

 private:
  void adopt(const MaskingProgress& earlier) {
    const MaskingReport& was = earlier.report;
    NTKROB_CHECK(
        was.rows == report_.rows && was.attacked == report_.attacked &&
            was.gradient_robust.size() == report_.gradient_robust.size(),
        ConfigError,
        "the interrupted masking checks were about another model or other data: samples or predictions differ; "
        "start anew, or give the model and the data they were started with");
    // The stages follow from the radii that are done, and each leaves what the next one needs.
    const std::vector<double> radii = radii_of(options_, right_.x.cols());
    const double own = options_.threat.eps;
    const CurvePoint* at_own = nullptr;
    for (std::size_t k = 0; k < was.curve.size(); ++k) {
      NTKROB_CHECK(k < radii.size() && was.curve[k].eps == radii[k], IoError,
                   "entry \"masking/curve/eps\" has the value ", was.curve[k].eps, " at place ", k, ", must be ",
                   k < radii.size() ? text(radii[k]) : text("absent: there are ", radii.size(), " radii"));
      if (was.curve[k].eps == own) at_own = &was.curve[k];
    }
    NTKROB_CHECK(at_own == nullptr || (was.gradient == at_own->accuracy && was.noise == at_own->noise), IoError,
                 "entries \"masking/gradient\" and \"masking/noise\" are ", was.gradient, " and ", was.noise,
                 ", the curve has ", at_own == nullptr ? 0 : at_own->accuracy, " and ",
                 at_own == nullptr ? 0 : at_own->noise, " at this radius");
    const index traced = at_own != nullptr && attackable() ? options_.steps + 1 : 0;
    NTKROB_CHECK(static_cast<index>(was.trace.size()) == traced, IoError, "entry \"masking/steps\" is ",
                 was.trace.size(), ", must be ", traced);
    const auto survivors =
        static_cast<index>(std::count(was.gradient_robust.begin(), was.gradient_robust.end(), char{1}));
    for (std::size_t i = 0, r = 0; i < was.gradient_robust.size(); ++i) {
      const bool right = r < right_rows_.size() && right_rows_[r] == static_cast<index>(i);
      NTKROB_CHECK(right || was.gradient_robust[i] == 0, IoError, "entry \"masking/gradient_robust\" is 1 at place ", i,
                   ", whose sample is wrong on the clean input");
      r += right;
    }
    NTKROB_CHECK(traced == 0 ? survivors == 0 : share(survivors) == was.gradient, IoError,
                 "entry \"masking/gradient_robust\" has ", survivors, " survivors, \"masking/gradient\" is ",
                 was.gradient);
    NTKROB_CHECK(!earlier.square_done || (was.curve.size() == radii.size() && attackable()), IoError,
                 "entry \"masking/square_done\" is 1, must be 0 before the curve is done");
    NTKROB_CHECK(earlier.square_done || was.square == 0, IoError, "entry \"masking/square\" is ", was.square,
                 ", must be 0 before Square has run");
    NTKROB_CHECK(traced > 0 || (earlier.risen == 0 && earlier.zero_share == 0), IoError,
                 "entries \"masking/risen\" and \"masking/zero_share\" are ", earlier.risen, " and ",
                 earlier.zero_share, ", must be 0 before this radius is done");
    report_.curve = was.curve;
    report_.trace = was.trace;
    report_.gradient_robust = was.gradient_robust;
    report_.gradient = was.gradient;
    report_.noise = was.noise;
    report_.square = was.square;
    progress_.risen = earlier.risen;
    progress_.zero_share = earlier.zero_share;
    progress_.square_done = earlier.square_done;
  }

  double share(index count) const { return static_cast<double>(count) / static_cast<double>(report_.samples); }

  void add(const char* name, bool ran, double value, double threshold, const char* measures, const char* passed,
           const char* alarm) {
    MaskingCheck check;
    check.name = name;
    check.value = value;
    check.threshold = threshold;
    check.measures = measures;
    check.outcome = !ran ? Outcome::skipped : value > threshold ? Outcome::alarm : Outcome::passed;
    check.meaning = !ran                               ? "Not run: there is no right prediction to attack, or eps is 0."
                    : check.outcome == Outcome::passed ? passed
                                                       : alarm;
    report_.checks.push_back(std::move(check));
  }
  bool attackable() const { return report_.attacked > 0 && options_.threat.eps > 0; }

  /// One step is done. Steps are the radii and Square.
  void tell(const std::string& what) const {
    if (options_.checkpoint) options_.checkpoint(progress_);
    const auto radii = static_cast<index>(report_.curve.size()),
               all = static_cast<index>(radii_of(options_, right_.x.cols()).size());
    if (options_.progress) options_.progress(what, radii + progress_.square_done, all + attackable());
  }

  void check_outputs(const Matrix<float>& x) {
    Matrix<float> logits(x.rows(), model_.classes()), again(x.rows(), model_.classes());
    model_.logits(x, logits);
    model_.logits(x, again);
    check_finite_logits(again.view(), 0);
    predicted_ = predictions(logits.view());
    double difference = 0;
    index probabilities = 0;
    for (index i = 0; i < logits.rows(); ++i) {
      double sum = 0;
      bool inside = true;
      for (index k = 0; k < logits.cols(); ++k) {
        difference = std::max(difference, std::abs(static_cast<double>(logits(i, k)) - again(i, k)));
        sum += logits(i, k);
        inside = inside && logits(i, k) >= 0 && logits(i, k) <= 1;
      }
      probabilities += inside && std::abs(sum - 1) < kSumTolerance;
    }
    add("fixed-output", true, difference, 0, "largest difference of two passes over the same inputs",
        "The output does not change from pass to pass.",
        "The output is random: gradients and verdicts are random too, and one pass proves nothing; judge by autoattack "
        "(version=rand) and by the mean over many passes.");
    add("logits", true, static_cast<double>(probabilities) / static_cast<double>(std::max<index>(1, logits.rows())),
        kMostProbabilities, "share of rows that are probabilities: numbers in [0,1] with sum 1",
        "The output is not a row of probabilities.",
        "The output looks like probabilities: a softmax inside the model flattens the gradients of confident "
        "predictions; hand out the logits before it.");
  }

  /// The gradient attacks at one radius: who survives both.
  std::vector<char> search(const ThreatModel& threat, bool main) {
    std::vector<char> robust(static_cast<std::size_t>(report_.attacked), 1);
    index zeros[2] = {0, 0};
    const char* const losses[2] = {"ce", "margin"};
    for (index begin = 0; begin < report_.attacked; begin += options_.batch_rows) {
      const index n = std::min(options_.batch_rows, report_.attacked - begin);
      const AttackBatch batch{right_.x.view().middle_rows(begin, n), right_.labels.data() + begin, {}, begin};
      for (int l = 0; l < 2; ++l) {
        const PgdTrace trace = trace_pgd(model_, batch, threat, options_.steps, losses[l], rng_.fork(l));
        for (index i = 0; i < n; ++i)
          robust[static_cast<std::size_t>(begin + i)] &= trace.robust[static_cast<std::size_t>(i)];
        for (const TraceStep& step : trace.steps) zeros[l] += step.zero_gradients;
        if (!main || l != 0) continue;
        progress_.risen += trace.risen;
        report_.trace.resize(trace.steps.size());
        const double weight = static_cast<double>(n) / static_cast<double>(report_.attacked);
        for (std::size_t t = 0; t < trace.steps.size(); ++t) {
          report_.trace[t].loss += weight * trace.steps[t].loss;
          report_.trace[t].zero_gradients += trace.steps[t].zero_gradients;
        }
      }
    }
    // Steps along a hundredth of the components leave much to be found in l1; APGD's sparse steps find it.
    if (threat.norm == Norm::l1)
      for (const char* name : {"apgd-ce", "apgd-dlr"}) {
        const std::vector<char> left =
            survivors(text(name, "(iterations=", options_.steps, ",restarts=1,schedule=single)"), threat);
        for (std::size_t i = 0; i < robust.size(); ++i) robust[i] &= left[i];
      }
    if (main)
      progress_.zero_share = static_cast<double>(std::max(zeros[0], zeros[1])) /
                             static_cast<double>(std::max<index>(1, report_.attacked * options_.steps));
    return robust;
  }

  /// Who survives an attack, by its spec.
  std::vector<char> survivors(const std::string& spec, const ThreatModel& threat) const {
    const std::unique_ptr<Attack> attack = make_attack(spec);
    std::vector<char> robust;
    for (index begin = 0; begin < report_.attacked; begin += options_.batch_rows) {
      const index n = std::min(options_.batch_rows, report_.attacked - begin);
      const AttackBatch batch{right_.x.view().middle_rows(begin, n), right_.labels.data() + begin, {}, begin};
      Matrix<float> adversarial(n, right_.x.cols());
      const AttackResult result = attack->perturb(model_, batch, threat, options_.seed, adversarial);
      robust.insert(robust.end(), result.robust.begin(), result.robust.end());
    }
    return robust;
  }
  double accuracy(const std::vector<char>& robust) const {
    return share(std::count(robust.begin(), robust.end(), char{1}));
  }

  void measure_curve() {
    const index d = right_.x.cols();
    const double own = options_.threat.eps;
    const std::vector<double> radii = radii_of(options_, d);
    for (std::size_t k = report_.curve.size(); k < radii.size(); ++k) {
      const double eps = radii[k];
      CurvePoint point{eps, report_.clean, report_.clean};
      if (eps > 0) {
        const ThreatModel threat = at_radius(options_.threat, eps, d);
        const std::vector<char> robust = search(threat, eps == own);
        point.accuracy = accuracy(robust);
        if (eps == own)
          for (std::size_t r = 0; r < robust.size(); ++r)
            report_.gradient_robust[static_cast<std::size_t>(right_rows_[r])] = robust[r];
        point.noise = accuracy(survivors(text("noise-uniform(draws=", options_.draws, ")"), threat));
      }
      if (eps == own) report_.gradient = point.accuracy, report_.noise = point.noise;
      report_.curve.push_back(point);
      tell("accuracy over eps");
    }
  }

  void check_gradients() {
    add("zero-gradients", attackable(), progress_.zero_share, kMostZeroGradients,
        "share of the steps of PGD whose gradient was exactly 0, on cross-entropy or the margin, whichever is more",
        "Gradients do not vanish.",
        "Gradients vanish, by rounding, quantisation or logits so large that cross-entropy is flat: attacks on such a "
        "loss do not move, and that they fail means nothing.");
    add("loss-rises", attackable(),
        1 - static_cast<double>(progress_.risen) / static_cast<double>(std::max<index>(1, report_.attacked)),
        kMostNotRisen, "share of the samples whose cross-entropy was not larger after PGD than at its random start",
        "The loss rises along the attack.",
        "The attack does not raise the loss that it climbs: the gradient does not point uphill, or the loss is flat.");
  }

  void check_black_box() {
    if (attackable() && !progress_.square_done) {
      report_.square = accuracy(survivors(text("square(queries=", options_.queries, ")"), options_.threat));
      progress_.square_done = true;
      tell("square");
    }
    add("noise-weaker", attackable(), report_.gradient - report_.noise, kMostBehind,
        "accuracy under gradient attacks minus accuracy under random noise of the same size",
        "Gradient attacks break at least what random noise breaks.",
        "Random noise breaks more than gradient attacks: they are lost, not the noise strong.");
    add("square-weaker", attackable(), report_.gradient - report_.square, kMostBehind,
        "accuracy under gradient attacks minus accuracy under Square, which uses no gradients",
        "Gradient attacks break at least what a search without gradients breaks.",
        "A search without gradients breaks more than gradient attacks: the gradients mislead.");
  }

  void check_curve() {
    double rise = 0;
    for (std::size_t k = 1; k < report_.curve.size(); ++k)
      rise = std::max(rise, report_.curve[k].accuracy - report_.curve[k - 1].accuracy);
    add("curve-falls", report_.attacked > 0, rise, kMostCurveRise,
        "largest rise of robust accuracy from one radius to a larger one", "Larger radii break more.",
        "A larger radius breaks less, although it allows all that a smaller one does: the attack fails for other "
        "reasons "
        "than robustness.");
    add("curve-reaches-0", report_.attacked > 0, report_.curve.back().accuracy, kMostAtCover,
        "accuracy where the ball covers the box, so that any input may become any other",
        "No robustness is left where none is possible.",
        "Samples survive a radius at which robustness is impossible: the attack fails, and so it may have at the "
        "smaller radius.");
  }

  const Model& model_;
  const MaskingOptions& options_;
  Rng rng_;
  Sample right_;                   // the samples that are right on the clean inputs ...
  std::vector<index> right_rows_;  // ... and which of those looked at they are
  std::vector<int> predicted_;
  MaskingProgress progress_;
  MaskingReport& report_ = progress_.report;
};

}  // namespace

double covering_radius(const ThreatModel& threat, index d) {
  const double width = static_cast<double>(threat.high) - static_cast<double>(threat.low);
  const auto n = static_cast<double>(d);
  return threat.norm == Norm::linf ? width : threat.norm == Norm::l2 ? width * std::sqrt(n) : width * n;
}

std::vector<double> default_curve(const ThreatModel& threat, index d) {
  const double cover = covering_radius(threat, d), eps = threat.eps;
  std::vector<double> radii{0};
  for (const double factor : {0.5, 1.0, 1.5, 2.0, 3.0, 4.0})
    if (eps > 0 && factor * eps < cover / 2) radii.push_back(factor * eps);
  if (eps > radii.back()) radii.push_back(eps);
  for (const double radius : {cover / 2, cover})
    if (radius > radii.back()) radii.push_back(radius);
  return radii;
}

MaskingCost masking_cost(const MaskingOptions& options, index d) {
  const index attacks = options.threat.norm == Norm::l1 ? 4 : 2;
  return {static_cast<index>(radii_of(options, d).size()), attacks * (options.steps + 2) + options.draws + 1,
          options.queries + 2};
}

MaskingReport check_masking(const Model& model, ConstView2D<float> x, const std::vector<int>& labels,
                            const MaskingOptions& options) {
  NTKROB_CHECK(x.rows > 0, ConfigError, "masking checks: there are 0 samples, must be 1 or more");
  NTKROB_CHECK(x.cols == model.input_shape().size(), ShapeError, "masking checks: inputs have ", x.cols,
               " numbers, the model takes ", model.input_shape().size());
  check_labels(labels, x.rows, model.classes());
  options.threat.validate(x.cols);
  NTKROB_CHECK_RANGE("samples of the masking checks", options.samples, 1, 1'000'000);
  NTKROB_CHECK_RANGE("steps of the masking checks", options.steps, 1, 1'000'000);
  NTKROB_CHECK_RANGE("batch_rows of the masking checks", options.batch_rows, 1, 1'000'000);
  for (const double eps : options.curve)
    NTKROB_CHECK(eps >= 0 && eps <= covering_radius(options.threat, x.cols), ConfigError, "the radius ", eps,
                 " of the curve must be from 0 to ", covering_radius(options.threat, x.cols),
                 ", where the ball covers the box; radii are in units of pixels scaled to [0,1]");
  return Checker(model, x, labels, options).run();
}

}  // namespace ntkrob
