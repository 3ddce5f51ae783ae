#include "robust/loop.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <numeric>
#include <type_traits>

#include "ntkrob/attack/attack.hpp"
#include "ntkrob/model/metrics.hpp"

namespace ntkrob::robust {
namespace {

constexpr index kRowsPerTask = 32;  // some 10 us of work for images of 784 pixels

/// Calls rows(first, n) for chunks of the rows [0, n_rows), on the workers.
template <class Rows>
void for_row_chunks(Backend& backend, index n_rows, const Rows& rows) {
  const auto chunk = [&](index k, int) { rows(k * kRowsPerTask, std::min(kRowsPerTask, n_rows - k * kRowsPerTask)); };
  backend.for_each((n_rows + kRowsPerTask - 1) / kRowsPerTask, std::ref(chunk));
}

/// Row sums on the workers, added in the order of the rows. row_sums: scratch
template <class R>
double sum_of_squares(Backend& backend, ConstView2D<R> a, std::vector<double>& row_sums) {
  row_sums.resize(static_cast<std::size_t>(a.rows));
  for_row_chunks(backend, a.rows, [&](index first, index n) {
    for (index i = first; i < first + n; ++i) {
      double row = 0;
      for (index j = 0; j < a.cols; ++j) row += static_cast<double>(a(i, j)) * static_cast<double>(a(i, j));
      row_sums[static_cast<std::size_t>(i)] = row;
    }
  });
  return std::accumulate(row_sums.begin(), row_sums.end(), 0.0);
}

template <class R>
R sign(R v) {
  return static_cast<R>((v > 0) - (v < 0));
}

}  // namespace

template <class R>
Loop<R>::Loop(RobustifyOptions options, TrainingData data, Backend& backend, std::size_t memory_budget, LogSink log)
    : options_(std::move(options)),
      data_(data),
      log_(std::move(log)),
      backend_(backend),
      schedule_(*options_.schedule),
      loss_(make_loss(options_.outer_loss, options_.temperature)),
      split_(split_data(data.x.rows, options_.validation, options_.seed)) {
  if (rough_attack()) {
    const std::string reason = backend.supports_bfloat16();
    NTKROB_CHECK(reason.empty(), NotSupported, field("attack-precision", "bfloat16"), " on backend ",
                 backend.info().name, ": ", reason, "; ", advice("give ", field("attack-precision", "float32")));
  }
  for (const KernelSpec& spec : options_.kernel->all)
    players_.push_back({Kernel(spec, backend, KernelOptions{Output::ntk, memory_budget, data.shape}), {}, false, {}});
  const index pool = static_cast<index>(split_.pool.size());
  NTKROB_CHECK(options_.batch <= pool, ConfigError, field("batch"), " is ", given(options_.batch), ", but only ",
               limit(pool), " training images remain beside ", options_.validation, " for validation; ",
               advice("lower ", field("batch"), " or ", field("validation")));
  keep_every_class(*data_.labels, data_.classes, split_);
  draw_ = draw_support(options_, data_, split_.pool, backend, log_);
  held_out_x_ = gather(data_.x, split_.held_out);
  held_out_labels_ = gather(*data_.labels, split_.held_out);
  held_out_targets_ = centred_one_hot(held_out_labels_, data_.classes);

  const index n = options_.n, d = data_.x.cols, c = data_.classes, b = options_.batch;
  current_.support = Matrix<R>(n, d);
  convert(draw_.images.view(), current_.support.view());
  current_.labels = Matrix<R>(n, c);
  convert(centred_one_hot(draw_.labels, c).view(), current_.labels.view());

  batch_images_.resize(static_cast<std::size_t>(b));
  batch_labels_.resize(static_cast<std::size_t>(b));
  losses_.resize(static_cast<std::size_t>(b));
  batch_x_ = Matrix<float>(b, d);
  batch_targets_ = Matrix<float>(b, c);
  adversarial_ = Matrix<float>(b, d);
  logits_ = Matrix<float>(b, c);
  slope_ = Matrix<float>(b, c);
  outputs_ = Matrix<R>(b, c);
  if (!std::is_same<R, float>::value) adversarial_r_ = Matrix<R>(b, d);
  dsupport_ = Matrix<R>(n, d);
  dlabels_ = Matrix<R>(options_.learn_labels ? n : 0, options_.learn_labels ? c : 0);
  if (players_.size() > 1) {
    dsupport_part_ = dsupport_;
    dlabels_part_ = dlabels_;
  }
}

template <class R>
ThreatModel Loop<R>::threat(double eps) const {
  return ThreatModel::of(options_.norm, eps, data_.x.cols);
}

template <class R>
double Loop<R>::eps_at(index step) const {
  const double ramp_steps = options_.eps_ramp * static_cast<double>(options_.steps);
  const double progress = ramp_steps > 0 ? static_cast<double>(step + 1) / ramp_steps : 1;
  return options_.eps * std::min(1.0, progress);
}

template <class R>
std::unique_ptr<BasicKernelMachine<R>> Loop<R>::fit(const Kernel& kernel, const Iterate& iterate) const {
  Ridge ridge;
  ridge.value = options_.ridge;
  return std::make_unique<Machine>(kernel, data_.shape, iterate.support.view(), iterate.labels.view(), ridge, log_,
                                   parse_factor(options_.factor));
}

template <class R>
std::unique_ptr<Model> Loop<R>::machine(index kernel) const {
  const auto count = static_cast<index>(players_.size());
  NTKROB_CHECK(kernel >= 0 && kernel < count, ConfigError, "kernel number ", kernel, " of ", count);
  return fit(players_[static_cast<std::size_t>(kernel)].kernel, current_);
}

template <class R>
const BasicKernelMachine<R>& Loop<R>::current_machine(Player& player) {
  if (player.fitted) return *player.machine;
  if (player.machine) {
    player.machine->refit(current_.support.view(), current_.labels.view(), log_);
  } else {
    player.machine = fit(player.kernel, current_);
  }
  player.fitted = true;
  return *player.machine;
}

template <class R>
void Loop<R>::forget_fits() {
  for (Player& player : players_) player.fitted = false;
}

template <class R>
std::vector<typename Loop<R>::Player*> Loop<R>::players_of(index step) {
  if (options_.kernel_mix == "sample") {
    const index drawn =
        Rng(options_.seed, "kernel").below(static_cast<std::uint64_t>(step), static_cast<index>(players_.size()));
    return {&players_[static_cast<std::size_t>(drawn)]};
  }
  std::vector<Player*> all;
  for (Player& player : players_) all.push_back(&player);
  return all;
}

template <class R>
const Model& Loop<R>::attacked(Player& player) {
  const Machine& machine = current_machine(player);
  if constexpr (std::is_same<R, float>::value) {
    if (rough_attack()) {
      if (player.rough)
        player.rough->refresh();
      else
        player.rough = std::make_unique<RoughMachine>(machine);
      return *player.rough;
    }
  }
  return machine;
}

template <class R>
StepRecord Loop<R>::step() {
  NTKROB_CHECK(!done(), ConfigError, "all ", options_.steps, " steps are done; ",
               advice("ask for more with ", field("steps")));
  const std::string where = text("outer step ", steps_done() + 1, ": ");
  try {
    return whole_step();
  } catch (const NotPositiveDefinite& error) {
    throw NotPositiveDefinite(where + error.marked());
  } catch (const NonFinite& error) {
    throw NonFinite(where + error.marked() + moved_too_far());
  } catch (const NumericalError& error) {
    throw NumericalError(where + error.marked());
  }
}

template <class R>
std::string Loop<R>::moved_too_far() const {
  // The first step sees the images of the data set; later ones what the steps before have made of them.
  if (steps_done() == 0 || (options_.clip && !options_.learn_labels)) return "";
  if (options_.clip)
    return text("; the labels have moved too far with ", field("label-lr", options_.label_lr), ": ",
                advice("lower it"));
  return text("; the images have moved too far with ", field("lr", options_.lr), " and ", field("clip", "false"), ": ",
              advice("lower the first, or clip"));
}

template <class R>
StepRecord Loop<R>::whole_step() {
  const auto start = std::chrono::steady_clock::now();
  const index t = steps_done();
  if (t == 0 && options_.validation > 0 && !initial_.validated) {
    StepRecord record;
    record.lambda = current_machine(players_.front()).report().lambda;
    if (judge(record)) keep_best(record, current_);
    initial_ = record;
  }

  StepRecord record;
  record.step = t + 1;
  record.eps = eps_at(t);
  const double lr_factor = schedule_.factor(t, options_.steps);
  record.lr = options_.lr * lr_factor;

  draw_batch(t);
  outer_passes(players_of(t), record);

  if (history_.size() == history_.capacity()) history_.reserve(2 * history_.size() + 16);  // no failure after advance()
  advance(record, lr_factor);
  record.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  history_.push_back(record);
  return record;
}

template <class R>
void Loop<R>::advance(StepRecord& record, double lr_factor) {
  const bool judged = validates(record.step);
  const bool may_fail = judged || record.step == 1;  // the first update allocates the moments
  if (may_fail) previous_ = current_;
  try {
    forget_fits();
    update(lr_factor);
    if (judged && judge(record)) keep_best(record, current_);
  } catch (...) {
    if (may_fail) std::swap(current_, previous_);
    forget_fits();
    throw;
  }
}

template <class R>
void Loop<R>::draw_batch(index step) {
  const index pool = static_cast<index>(split_.pool.size());
  for (index i = 0; i < options_.batch; ++i) {
    const index position = step * options_.batch + i, epoch = position / pool;
    if (epoch != epoch_) {
      epoch_order_ = Rng(options_.seed, "batch").fork(static_cast<std::uint64_t>(epoch)).permutation(pool);
      epoch_ = epoch;
    }
    const index image = split_.pool[static_cast<std::size_t>(epoch_order_[static_cast<std::size_t>(position % pool)])];
    batch_images_[static_cast<std::size_t>(i)] = image;
    batch_labels_[static_cast<std::size_t>(i)] = (*data_.labels)[static_cast<std::size_t>(image)];
  }
  for_row_chunks(backend_, options_.batch, [&](index first, index n) {
    for (index i = first; i < first + n; ++i)
      std::copy_n(data_.x.row(batch_images_[static_cast<std::size_t>(i)]), data_.x.cols, batch_x_.row(i));
  });
  batch_targets_ = centred_one_hot(batch_labels_, data_.classes);
}

template <class R>
void Loop<R>::outer_passes(const std::vector<Player*>& players, StepRecord& record) {
  const double share = 1.0 / static_cast<double>(players.size());
  const auto add = [&](ConstView2D<R> part, View2D<R> sum, bool first_part) {
    for_row_chunks(backend_, sum.rows, [&](index first, index n) {
      for (index i = first; i < first + n; ++i)
        for (index j = 0; j < sum.cols; ++j) sum(i, j) = part(i, j) + (first_part ? R(0) : sum(i, j));
    });
  };
  for (Player* player : players) {
    const Machine& machine = current_machine(*player);
    record.lambda += share * machine.report().lambda;
    pgd(attacked(*player), AttackBatch{batch_x_.view(), batch_labels_.data(), batch_targets_.view(), 0},
        threat(record.eps), options_.attack_steps, options_.attack_step, options_.inner_loss, options_.temperature,
        Rng(options_.seed, "attack").fork(static_cast<std::uint64_t>(record.step - 1)), adversarial_.view());
    if (players.size() == 1) {
      outer_pass(machine, share, dsupport_.view(), dlabels_.view(), record);
    } else {
      outer_pass(machine, share, dsupport_part_.view(), dlabels_part_.view(), record);
      add(dsupport_part_.view(), dsupport_.view(), player == players.front());
      add(dlabels_part_.view(), dlabels_.view(), player == players.front());
    }
  }
  const double norm = std::sqrt(sum_of_squares<R>(backend_, dsupport_.view(), row_squares_));
  const double label_norm = std::sqrt(sum_of_squares<R>(backend_, dlabels_.view(), row_squares_));
  NTKROB_CHECK(std::isfinite(norm) && std::isfinite(label_norm), NumericalError, "the outer gradient has norm ", norm,
               " (labels: ", label_norm, "); ", advice("lower ", field("lr"), " or raise ", field("ridge")));
  record.gradient_norm = norm;
}

template <class R>
void Loop<R>::outer_pass(const Machine& machine, double share, View2D<R> dsupport, View2D<R> dlabels,
                         StepRecord& record) {
  const double per_image = 1.0 / static_cast<double>(options_.batch);
  index right = 0;
  const auto cotangent = [&](index first, ConstView2D<R> f, View2D<R> g) {
    const View2D<float> logits = logits_.view().middle_rows(first, f.rows);
    const View2D<float> slope = slope_.view().middle_rows(first, f.rows);
    convert(f, logits);
    loss_->evaluate(logits, batch_labels_.data() + first, batch_targets_.view().middle_rows(first, f.rows),
                    losses_.data() + first, slope);
    for (index i = 0; i < f.rows; ++i) {
      right += predicted_class(logits.row(i), logits.cols) == batch_labels_[static_cast<std::size_t>(first + i)];
      for (index j = 0; j < f.cols; ++j) g(i, j) = static_cast<R>(slope(i, j) * (per_image * share));
    }
  };
  if constexpr (std::is_same<R, float>::value) {
    machine.support_grad(adversarial_.view(), cotangent, outputs_.view(), dsupport, dlabels);
  } else {
    convert(adversarial_.view(), adversarial_r_.view());
    machine.support_grad(adversarial_r_.view(), cotangent, outputs_.view(), dsupport, dlabels);
  }
  double sum = 0;
  for (const double loss : losses_) sum += loss;
  record.loss += sum * per_image * share;
  record.adversarial += static_cast<double>(right) * per_image * share;
  NTKROB_CHECK(std::isfinite(record.loss), NumericalError, "the outer loss is ", record.loss, "; ",
               advice("lower ", field("lr"), " or raise ", field("ridge")));
}

template <class R>
void Loop<R>::update(double lr_factor) {
  const Unstoppable whole(backend_);  // a moment's work; half of it would be neither iterate
  const View2D<R> s = current_.support.view();
  const double lr = options_.lr * lr_factor;
  if (uses_adam()) current_.adam.begin_step(s.rows, s.cols, lr);
  for_row_chunks(backend_, s.rows, [&](index first, index n) {
    const View2D<R> rows = s.middle_rows(first, n);
    const ConstView2D<R> slope = dsupport_.view().middle_rows(first, n);
    if (uses_adam()) {
      current_.adam.step_rows(first, rows, slope);
    } else {
      const R step = static_cast<R>(lr), radius = static_cast<R>(options_.radius);
      for (index i = 0; i < n; ++i)
        for (index j = 0; j < s.cols; ++j) {
          const R origin = static_cast<R>(draw_.images(first + i, j));
          rows(i, j) = std::clamp(rows(i, j) - step * sign(slope(i, j)), origin - radius, origin + radius);
        }
    }
    if (options_.clip)
      for (index i = 0; i < n; ++i)
        for (index j = 0; j < s.cols; ++j) rows(i, j) = std::clamp(rows(i, j), R(0), R(1));
  });
  if (options_.learn_labels)
    current_.label_adam.step(current_.labels.view(), dlabels_.view(), options_.label_lr * lr_factor);
}

template <class R>
RobustSet Loop<R>::result() const {
  const bool validated = best_.step >= 0;
  const Matrix<R>& support = validated ? best_.support : current_.support;
  const Matrix<R>& labels = validated ? best_.labels : current_.labels;
  RobustSet set;
  set.images = Matrix<float>(support.rows(), support.cols());
  convert(support.view(), set.images.view());
  set.targets = Matrix<float>(labels.rows(), labels.cols());
  convert(labels.view(), set.targets.view());
  set.labels = draw_.labels;
  set.initial_images = draw_.images;
  set.best_step = validated ? best_.step : steps_done();
  return set;
}

template class Loop<float>;
template class Loop<double>;

}  // namespace ntkrob::robust
