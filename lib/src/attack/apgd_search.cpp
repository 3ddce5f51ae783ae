#include "attack/apgd_search.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "attack/rows.hpp"
#include "ntkrob/base/multiversion.hpp"

namespace ntkrob {

namespace {

constexpr double kMomentum = 0.75;  // share of the new step; the rest repeats the last one
constexpr double kFirstStep = 2;    // in eps
// Checkpoints, as shares of the iterations: the first window, by how much windows shrink, and the shortest.
constexpr double kFirstWindow = 0.22, kWindowShrink = 0.03, kLastWindow = 0.06;
// l1: first step in eps, window, share of the components in the first steps, and how the step goes down and how far.
constexpr double kSparseFirstStep = 1, kSparseWindow = 0.04, kFirstShare = 0.2, kShareDivisor = 1.5;
constexpr double kSparseReduction = 1.5, kSparseLeastStep = 0.1, kSparser = 0.95;

index share_of(double share, index iterations) {
  // The small addend makes 0.06 * 100 the 6 it is on paper.
  return std::max<index>(static_cast<index>(share * static_cast<double>(iterations) + 1e-9), 1);
}

NTKROB_MULTIVERSION void momentum_step_linf(const float* x, const float* g, float* z, float* old, index d, float step,
                                            float share, const ThreatModel& threat) {
  const float eps = threat.eps, low = threat.low, high = threat.high;
  for (index j = 0; j < d; ++j) {
    const float least = std::max(x[j] - eps, low), most = std::min(x[j] + eps, high);
    const float here = z[j];
    const float sign = static_cast<float>((g[j] > 0) - (g[j] < 0));
    const float moved = std::min(std::max(here + step * sign, least), most);
    const float mixed = here + (moved - here) * share + (here - old[j]) * (1 - share);
    old[j] = here;
    z[j] = std::min(std::max(mixed, least), most);
  }
}

void momentum_step_l2(const float* x, const float* g, float* z, float* old, index d, float step, float share,
                      const ThreatModel& threat) {
  std::vector<float> moved(z, z + d);
  threat.ascend(g, moved.data(), d, step);
  threat.project(x, moved.data(), d);
  for (index j = 0; j < d; ++j) {
    const float here = z[j];
    z[j] = here + (moved[static_cast<std::size_t>(j)] - here) * share + (here - old[j]) * (1 - share);
    old[j] = here;
  }
  threat.project(x, z, d);
}

index support_size(const float* x, const float* z, index d) {
  index count = 0;
  for (index j = 0; j < d; ++j) count += x[j] != z[j];
  return count;
}

/// What a track remembers beside its points.
struct State {
  double step = 0;
  double loss = 0, best_loss = 0, loss_at_check = 0;
  index increases = 0;  // since the last checkpoint
  bool reduced = true;  // whether the last checkpoint halved the step
  double share = 0;     // l1: of the components, in the next step
  double support = 0;   // l1: components changed at the last checkpoint
};

class Stage {
 public:
  Stage(const Model& model, const Tracks& tracks, const ThreatModel& threat, const ApgdSettings& settings,
        index iterations, BestIterate* best, View2D<float> z)
      : model_(model),
        tracks_(tracks),
        threat_(threat),
        settings_(settings),
        iterations_(iterations),
        best_(best),
        z_(z),
        old_(ConstView2D<float>(z)),
        top_(ConstView2D<float>(z)),
        gradient_(z.rows, z.cols),
        top_gradient_(z.rows, z.cols),
        logits_(z.rows, model.classes()),
        states_(static_cast<std::size_t>(z.rows)),
        active_(static_cast<std::size_t>(z.rows)),
        cross_entropy_(make_loss("ce")),
        pass_(
            model, z.rows,
            [this](index first, ConstView2D<float> logits, double* loss, View2D<float> cotangent) {
              evaluate(first, logits, loss, cotangent);
            },
            [this](index k) { return tracks_.batch.sample(id(k)); }) {
    std::iota(active_.begin(), active_.end(), index{0});
  }

  /// continued: the start points are results of another stage, so that l1 knows how sparse they are.
  void run(bool continued) {
    const bool sparse = threat_.norm == Norm::l1;
    const double first_step = (sparse ? kSparseFirstStep : kFirstStep) * threat_.eps;
    for (index k = 0; k < z_.rows; ++k) {
      State& s = states_[static_cast<std::size_t>(k)];
      s.step = first_step;
      s.support =
          continued ? static_cast<double>(support_size(x(k), z_.row(k), z_.cols)) : static_cast<double>(z_.cols);
      s.share = continued ? s.support / static_cast<double>(z_.cols) / kShareDivisor : kFirstShare;
    }
    index window = share_of(sparse ? kSparseWindow : kFirstWindow, iterations_), since = 0;
    for (index t = 0; t <= iterations_ && !active_.empty(); ++t) {
      const bool last = t == iterations_, check = t > 0 && ++since == window;
      if (last && best_ != nullptr) {
        judge_last();
        return;
      }
      gradients([&](index k) { advance(k, t, check ? window : 0, last); });
      if (best_ != nullptr) drop_broken(*best_, tracks_.group, active_, z_);
      if (!check) continue;
      since = 0;
      if (!sparse) window = std::max(window - share_of(kWindowShrink, iterations_), share_of(kLastWindow, iterations_));
    }
  }

  /// The best points of all tracks become z.
  void take_best() { convert(top_.view(), z_); }
  index zero_gradients() const { return pass_.zero_gradients(); }

 private:
  index id(index k) const { return active_[static_cast<std::size_t>(k)]; }
  const float* x(index track) const { return tracks_.batch.x.row(track); }
  index active_rows() const { return static_cast<index>(active_.size()); }

  void evaluate(index first, ConstView2D<float> logits, double* loss, View2D<float> cotangent) const {
    for (index i = 0; i < logits.rows; ++i) {
      const index track = id(first + i);
      const int* label = tracks_.batch.labels + track;
      if (settings_.loss == nullptr) {
        cross_entropy_->evaluate(logits.middle_rows(i, 1), label, {}, loss + i, cotangent.middle_rows(i, 1));
      } else {
        loss[i] = settings_.loss(logits.row(i), logits.cols, *label, tracks_.rivals[track], cotangent.row(i));
      }
    }
  }

  /// Gradients at the active points, averaged over eot passes, then row(k) for all of them.
  template <class Row>
  void gradients(const Row& row) {
    const index n = active_rows();
    const View2D<float> z = z_.middle_rows(0, n), logits = logits_.view().middle_rows(0, n);
    const View2D<float> gradient = gradient_.view().middle_rows(0, n);
    if (settings_.eot == 1) return pass_.run(z, logits, gradient, row);
    Matrix<float> sum(n, z.cols);
    for (index e = 0; e < settings_.eot; ++e)
      pass_.run(z, logits, gradient, [&](index k) {
        for (index j = 0; j < z.cols; ++j) sum(k, j) += gradient(k, j);
        if (best_ != nullptr && e > 0) best_->spend(id(k));
      });
    for_rows(model_, n, [&](index k) {
      for (index j = 0; j < z.cols; ++j) gradient(k, j) = sum(k, j) / static_cast<float>(settings_.eot);
      row(k);
    });
  }

  /// Judges point t of active row k, does the book-keeping and takes the next step. window: of the checkpoint, or 0.
  void advance(index k, index t, index window, bool last) {
    const index track = id(k), d = z_.cols;
    State& s = states_[static_cast<std::size_t>(track)];
    float *z = z_.row(k), *g = gradient_.row(k), *top = top_.row(track), *top_g = top_gradient_.row(track);
    if (best_ != nullptr) {
      best_->judge(track, z, logits_.row(k));
      if (!best_->robust(track)) return;
    }
    const double loss = pass_.loss(k);
    if (t == 0) s.best_loss = s.loss = s.loss_at_check = loss;
    if (t == 0 || loss > s.best_loss) {
      s.best_loss = loss;
      std::copy_n(z, d, top);
      std::copy_n(g, d, top_g);
    }
    s.increases += loss > s.loss;
    s.loss = loss;
    if (last) return;
    if (window > 0 && (threat_.norm == Norm::l1 ? check_sparse(s, track) : check(s, window))) {
      std::copy_n(top, d, z);
      std::copy_n(top_g, d, g);
    }
    if (threat_.norm == Norm::l1) {
      const double count = static_cast<double>(d) - std::floor((1 - s.share) * static_cast<double>(d));
      add_sparse_signs(g, z, d, s.step, static_cast<index>(count));
      threat_.project(x(track), z, d);
      return;
    }
    const auto step = static_cast<float>(s.step);
    const float share = t == 0 ? 1.0f : static_cast<float>(kMomentum);
    const auto move = threat_.norm == Norm::linf ? &momentum_step_linf : &momentum_step_l2;
    move(x(track), g, z, old_.row(track), d, step, share, threat_);
  }

  /// Halves the step where the loss has not risen often enough, or not at all since a checkpoint that left the step as
  /// it was. True: go back to the best point.
  bool check(State& s, index window) const {
    const bool oscillates = static_cast<double>(s.increases) <= settings_.rho * static_cast<double>(window);
    const bool stuck = !s.reduced && s.loss_at_check >= s.best_loss;
    s.reduced = oscillates || stuck;
    s.loss_at_check = s.best_loss;
    s.increases = 0;
    if (s.reduced) s.step /= 2;
    return s.reduced;
  }

  /// l1: sparser steps follow a sparser best point; while it gets sparser the step is long, then it falls.
  bool check_sparse(State& s, index track) const {
    const auto support = static_cast<double>(support_size(x(track), top_.row(track), z_.cols));
    const bool sparser = support < kSparser * s.support;
    s.share = support / static_cast<double>(z_.cols) / kShareDivisor;
    s.support = support;
    const double longest = kSparseFirstStep * threat_.eps;
    s.step = sparser ? longest : std::max(s.step / kSparseReduction, kSparseLeastStep * longest);
    return sparser;
  }

  void judge_last() {
    const index n = active_rows();
    const View2D<float> logits = logits_.view().middle_rows(0, n);
    checked_logits(model_, z_.middle_rows(0, n), logits, [&](index k) { return tracks_.batch.sample(id(k)); });
    for_rows(model_, n, [&](index k) { best_->judge(id(k), z_.row(k), logits.row(k)); });
  }

  const Model& model_;
  const Tracks& tracks_;
  const ThreatModel& threat_;
  const ApgdSettings& settings_;
  index iterations_;
  BestIterate* best_;
  View2D<float> z_;         // the active points, together
  Matrix<float> old_;       // per track: the point before z
  Matrix<float> top_;       // per track: the point with the largest loss, and the gradient there
  Matrix<float> gradient_;  // of the active points
  Matrix<float> top_gradient_;
  Matrix<float> logits_;  // of the active points
  std::vector<State> states_;
  std::vector<index> active_;  // tracks that go on, in order
  std::unique_ptr<Loss> cross_entropy_;
  GradientPass pass_;
};

}  // namespace

index apgd_search(const Model& model, const Tracks& tracks, const ThreatModel& threat, const ApgdSettings& settings,
                  View2D<float> z, BestIterate& best) {
  index zero_gradients = 0, left = settings.iterations;
  const std::size_t stages = settings.radii.size();
  for (std::size_t k = 0; k < stages; ++k) {
    const bool last = k + 1 == stages;
    ThreatModel ball = threat;
    ball.eps = static_cast<float>(settings.radii[k] * threat.eps);
    // 30 %, 30 % and the rest of the iterations, in the published schedule of three balls.
    const index iterations =
        last ? left : std::min(left, static_cast<index>(std::ceil(0.3 * static_cast<double>(settings.iterations))));
    left -= iterations;
    if (k > 0) for_rows(model, z.rows, [&](index i) { ball.project(tracks.batch.x.row(i), z.row(i), z.cols); });
    Stage stage(model, tracks, ball, settings, iterations, last ? &best : nullptr, z);
    stage.run(k > 0 || stages > 1);
    if (!last) stage.take_best();
    zero_gradients += stage.zero_gradients();
  }
  return zero_gradients;
}

}  // namespace ntkrob
