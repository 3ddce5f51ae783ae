/// CW: the smallest l2 perturbation, by Adam on ||delta||^2 - c * (margin loss) in coordinates that keep the box, with
/// a search for the smallest c that still succeeds. Carlini & Wagner, "Towards evaluating the robustness of neural
/// networks", IEEE S&P 2017, arXiv 1608.04644, section VI.A, confidence 0. In linf and l1 it is a heuristic.
#include <algorithm>
#include <cmath>

#include "attack/factory.hpp"
#include "attack/rows.hpp"
#include "attack/search.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/model/metrics.hpp"

namespace ntkrob {

namespace {

struct CwOptions {
  index iterations = 1000;
  index search = 9;
  double c = 1e-3;
  double lr = 0.01;
};

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kAdamTiny = 1e-8;
constexpr double kInside = 0.999999;  // keeps atanh finite on the faces of the box
constexpr double kUnbounded = 1e10;   // of c: no success so far
constexpr double kRaise = 10;         // of c, as long as there is none

/// One sample over the whole search.
struct Trade {
  double c = 0, low = 0, high = kUnbounded;
  double nearest = std::numeric_limits<double>::infinity();  // squared distance of the best adversarial point
  bool succeeded = false;                                    // with this c
};

class Cw : public Attack {
 public:
  Cw(std::string name, CwOptions options) : name_(std::move(name)), options_(options) {}
  std::string name() const override { return name_; }
  AttackNature nature() const override { return AttackNature::gradients; }
  Constants constants() const override {
    return {{"iterations", std::to_string(options_.iterations)},
            {"search", std::to_string(options_.search)},
            {"c", format_number(options_.c)},
            {"lr", format_number(options_.lr)},
            {"confidence", "0"},
            {"distance", "l2"},
            {"result", "a point of the ball, or the nearest adversarial point projected on it"}};
  }

  AttackResult perturb(const Model& model, const AttackBatch& batch, const ThreatModel& threat, std::uint64_t,
                       View2D<float> adversarial) const override {
    check_attack_arguments(model, batch, threat, adversarial);
    BestIterate best(batch, model.classes(), adversarial);
    judge_inputs(model, batch, best);
    if (threat.eps == 0) return best.take(0);
    std::vector<Trade> trades(static_cast<std::size_t>(batch.x.rows));
    for (Trade& trade : trades) trade.c = options_.c;
    Matrix<float> nearest(batch.x);
    index zero_gradients = 0;
    for (index round = 0; round < options_.search; ++round)
      for_track_chunks(best.robust_rows(), 1, [&](std::vector<index> rows) {
        zero_gradients += descend(model, Subset(batch, std::move(rows)), threat, trades, nearest, best);
      });
    judge_nearest(model, batch, threat, trades, nearest, best);
    return best.take(zero_gradients);
  }
  index passes(index, const ThreatModel&) const override { return 2 + options_.search * options_.iterations; }

 private:
  /// One run of Adam with the c of each sample; then the next c.
  index descend(const Model& model, const Subset& subset, const ThreatModel& threat, std::vector<Trade>& trades,
                Matrix<float>& nearest, BestIterate& best) const {
    const AttackBatch part = subset.batch();
    const index n = part.x.rows, d = part.x.cols, classes = model.classes();
    const auto row_of = [&](index k) { return subset.rows[static_cast<std::size_t>(k)]; };
    const auto trade_of = [&](index k) -> Trade& { return trades[static_cast<std::size_t>(row_of(k))]; };
    const double middle = (threat.low + threat.high) / 2.0, half = (threat.high - threat.low) / 2.0;
    Matrix<double> w(n, d), first(n, d), second(n, d);
    Matrix<float> z(part.x), gradient(n, d), logits(n, classes);
    for_rows(model, n, [&](index k) {
      trade_of(k).succeeded = false;
      for (index j = 0; j < d; ++j) w(k, j) = std::atanh(kInside * (part.x(k, j) - middle) / half);
    });
    GradientPass pass(model, part, "margin", 1);
    for (index it = 1; it <= options_.iterations; ++it) {
      for_rows(model, n, [&](index k) {
        for (index j = 0; j < d; ++j)
          z(k, j) = std::min(std::max(static_cast<float>(middle + half * std::tanh(w(k, j))), threat.low), threat.high);
      });
      const double correct1 = 1 - std::pow(kBeta1, static_cast<double>(it));
      const double correct2 = 1 - std::pow(kBeta2, static_cast<double>(it));
      pass.run(z.view(), logits, gradient, [&](index k) {
        if (!best.robust(row_of(k))) return;
        Trade& trade = trade_of(k);
        const bool wrong = predicted_class(logits.row(k), classes) != part.labels[k];
        if (wrong) note(part.x.row(k), z.row(k), d, row_of(k), trade, nearest);
        if (threat.contains(part.x.row(k), z.row(k), d)) {
          best.judge(row_of(k), z.row(k), logits.row(k));
        } else {
          best.spend(row_of(k));
        }
        const double pull = pass.loss(k) < 0 ? trade.c : 0;  // the margin counts until it is crossed
        for (index j = 0; j < d; ++j) {
          const double t = std::tanh(w(k, j));
          const double slope = 2 * (static_cast<double>(z(k, j)) - part.x(k, j)) - pull * gradient(k, j);
          const double g = slope * half * (1 - t * t);
          first(k, j) = kBeta1 * first(k, j) + (1 - kBeta1) * g;
          second(k, j) = kBeta2 * second(k, j) + (1 - kBeta2) * g * g;
          w(k, j) -= options_.lr * (first(k, j) / correct1) / (std::sqrt(second(k, j) / correct2) + kAdamTiny);
        }
      });
    }
    for (index k = 0; k < n; ++k) {
      Trade& trade = trade_of(k);
      (trade.succeeded ? trade.high : trade.low) = trade.c;
      trade.c = trade.high < kUnbounded ? (trade.low + trade.high) / 2 : trade.c * kRaise;
    }
    return pass.zero_gradients();
  }

  static void note(const float* x, const float* z, index d, index row, Trade& trade, Matrix<float>& nearest) {
    trade.succeeded = true;
    const double distance = squared_distance(x, z, d);
    if (!(distance < trade.nearest)) return;
    trade.nearest = distance;
    std::copy_n(z, d, nearest.row(row));
  }

  static void judge_nearest(const Model& model, const AttackBatch& batch, const ThreatModel& threat,
                            const std::vector<Trade>& trades, const Matrix<float>& nearest, BestIterate& best) {
    std::vector<index> rows;
    for (const index row : best.robust_rows())
      if (std::isfinite(trades[static_cast<std::size_t>(row)].nearest)) rows.push_back(row);
    const auto n = static_cast<index>(rows.size());
    Matrix<float> z(n, batch.x.cols), logits(n, model.classes());
    for_rows(model, n, [&](index k) {
      const index row = rows[static_cast<std::size_t>(k)];
      std::copy_n(nearest.row(row), z.cols(), z.row(k));
      threat.project(batch.x.row(row), z.row(k), z.cols());
    });
    checked_logits(model, z.view(), logits, [&](index k) { return batch.sample(rows[static_cast<std::size_t>(k)]); });
    for_rows(model, n, [&](index k) { best.judge(rows[static_cast<std::size_t>(k)], z.row(k), logits.row(k)); });
  }

  std::string name_;
  CwOptions options_;
};

}  // namespace

std::unique_ptr<Attack> make_cw(const AttackSpec& spec) {
  spec.refuse_count();
  CwOptions options;
  OptionReader(spec)
      .integer("iterations", options.iterations, 1, kMostSteps)
      .integer("search", options.search, 1, 1000)
      .number("c", options.c, 0, 1e9)
      .number("lr", options.lr, 0, kNoLimit)
      .finish();
  return std::make_unique<Cw>(spec.full, options);
}

}  // namespace ntkrob
