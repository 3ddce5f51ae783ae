#include "ntkrob/nn/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "nn/batches.hpp"
#include "nn/blocks.hpp"
#include "nn/gradients.hpp"
#include "nn/kept_parameters.hpp"
#include "nn/trainer_checks.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/base/state_entries.hpp"
#include "ntkrob/model/metrics.hpp"

namespace ntkrob {
namespace {

/// Fraction of rows whose largest logit (the first of equals) is the label's.
double batch_accuracy(ConstView2D<float> logits, const int* labels) {
  index right = 0;
  for (index i = 0; i < logits.rows; ++i) {
    const float* row = logits.row(i);
    right += std::max_element(row, row + logits.cols) - row == labels[i];
  }
  return static_cast<double>(right) / static_cast<double>(logits.rows);
}

}  // namespace

void TrainOptions::validate() const {
  visit_train(*this, FieldChecker());
  if (epochs == 0) NTKROB_CHECK_RANGE("steps", steps, 1, 1'000'000'000);
  NTKROB_CHECK(label_smoothing == 0 || loss == "ce", ConfigError, field("label-smoothing"), " is ",
               given(label_smoothing), ", but ", field("loss"), " is ", loss, "; it is of ", limit("ce"), ": ",
               advice("take ", field("loss", "ce"), ", or leave ", field("label-smoothing"), " out"));
  for (const auto& [name, value] : {std::pair("validate-every", validate_every), std::pair("patience", patience)})
    NTKROB_CHECK(value == 0 || validation > 0, ConfigError, field(name), " is ", given(value),
                 ", but no images are held out; ", advice("name their number with ", field("validation")));
  NTKROB_CHECK(!schedule.empty(), ConfigError, field("schedule"), " is empty; ",
               advice("name one, e.g. ", field("schedule", "cosine")));
}

/// One training at a time, with the batch of the current step: views of the whole set, or of buffers.
class Trainer::Impl {
 public:
  Impl(Net& net, ConstView2D<float> x, const Targets& targets, const TrainOptions& options, BatchAttack attack)
      : net_(net),
        x_(x),
        targets_(targets),
        options_(options),
        attack_(std::move(attack)),
        loss_(make_loss(options.loss)),
        schedule_(*options.schedule),
        use_targets_(nn::needs_targets(options.loss)),
        device_(trains_on_host(options) ? nullptr : net.device()),
        need_images_(device_ == nullptr || attack_ || options.augmentation.any()),
        batches_(x.rows, options.validation, options.batch, options.seed),
        steps_(options.epochs > 0 ? options.epochs * batches_.per_epoch() : options.steps),
        lr_(options.lr),
        logits_(batches_.size(), net.classes()),
        losses_(static_cast<std::size_t>(batches_.size())),
        batch_x_(x),
        batch_labels_(targets.labels.data()) {
    const index n = batches_.size(), classes = net.classes();
    if (use_targets_) batch_targets_ = targets.values.view();
    if (gathers()) {
      if (need_images_) x_buffer_ = Matrix<float>(n, x.cols);
      batch_x_ = x_buffer_.view();
      label_buffer_.resize(static_cast<std::size_t>(n));
      batch_labels_ = label_buffer_.data();
      if (use_targets_) {
        target_buffer_ = Matrix<float>(n, classes);
        batch_targets_ = target_buffer_.view();
      }
    }
    if (attack_) adversarial_ = Matrix<float>(n, x.cols);
    mean_loss_ = [this, n](index first, ConstView2D<float> f, View2D<float> cotangent) {
      loss_->evaluate(f, batch_labels_ + first,
                      use_targets_ ? batch_targets_.middle_rows(first, f.rows) : batch_targets_, losses_.data() + first,
                      cotangent);
      if (options_.label_smoothing > 0) smooth(f, first, cotangent);
      const float scale = 1.0f / static_cast<float>(n);
      for (index i = 0; i < cotangent.rows; ++i)
        for (index j = 0; j < cotangent.cols; ++j) cotangent(i, j) *= scale;
    };
    if (options.ema > 0) average_ = std::as_const(net).layers();
    if (!batches_.held_out().empty()) hold_out();
    start();
  }

  TrainStep step() {
    NTKROB_CHECK(done_ < steps(), ConfigError, "train: all ", steps(), " steps are done; ",
                 advice("ask for more with ", field("steps")));
    look_for_stop(net_.backend().stop());
    const index* const rows = batches_.full() ? nullptr : batches_.rows(done_);
    if (gathers()) gather(rows);
    if (options_.augmentation.any())
      augment(options_.augmentation, net_.input_shape(), augmentation_.fork(static_cast<std::uint64_t>(done_)),
              net_.backend(), x_buffer_.view());
    if (attack_) attack_(net_, batch_x_, batch_labels_, done_ + 1, adversarial_.view());
    lr_ = options_.lr * schedule_.factor(done_, steps_);
    try {
      const ConstView2D<float> input = attack_ ? ConstView2D<float>(adversarial_.view()) : batch_x_;
      gradients_->compute(rows, need_images_ ? input : ConstView2D<float>(), mean_loss_, logits_.view(),
                          random_.fork(static_cast<std::uint64_t>(done_)));
    } catch (const NonFinite& e) {
      nn::diverged(e.what(), done_ + 1, steps_, lr_, options_);
    }
    double total = 0;
    for (const double value : losses_) total += value;
    const double mean = total / static_cast<double>(losses_.size());
    if (!std::isfinite(mean)) nn::diverged(text("the loss is ", mean), done_ + 1, steps_, lr_, options_);
    const double accuracy = batch_accuracy(logits_.view(), batch_labels_);
    if (!validates(done_ + 1)) {
      descend();
      return {done_, steps_, mean, accuracy, {}};
    }
    const StateDict before = state();
    try {
      descend();
      validate();
    } catch (...) {  // stopped, or logits that are not finite: as if the step had not been
      restore(before);
      throw;
    }
    return {done_, steps_, mean, accuracy, validation_};
  }

  void finish() {
    gradients_.reset();  // a device brings the parameters back
    if (best_.step > 0)
      nn::copy_numbers(best_.layers, net_.layers());
    else if (!average_.empty())
      nn::copy_numbers(average_, net_.layers());
    nn::check_parameters(net_, done_, lr_, options_);
  }
  Selection selection() const { return {best_.step, best_.accuracy, ended_}; }

  index steps() const { return ended_ ? done_ : steps_; }
  index steps_done() const { return done_; }

  StateDict state() const {
    const Net& net = net_;
    std::vector<LayerParameters> velocities = nn::shaped_like(net);
    if (done_ > 0) gradients_->get_velocities(velocities);
    StateDict state;
    state.set("format", std::string(kFormat));
    set_index(state, "step", done_);
    for (std::size_t l = 0; l < velocities.size(); ++l) {
      if (velocities[l].weight.empty()) continue;
      const LayerParameters& layer = net.layers()[l];
      state.set_matrix(entry("parameters", l, "weight"), layer.weight.view());
      state.set_matrix(entry("parameters", l, "bias"), layer.bias.view());
      if (!layer.statistics.empty()) state.set_matrix(entry("parameters", l, "statistics"), layer.statistics.view());
      state.set_matrix(entry("velocity", l, "weight"), velocities[l].weight.view());
      state.set_matrix(entry("velocity", l, "bias"), velocities[l].bias.view());
    }
    nn::store(state, "average", average_);
    if (batches_.held_out().empty()) return state;
    set_index(state, "best/step", best_.step);
    set_index(state, "best/ended", ended_);
    state.set("best/accuracy", best_.accuracy);
    state.set("best/loss", best_.loss);
    if (best_.step > 0) nn::store(state, "best", best_.layers);
    return state;
  }

  void restore(const StateDict& state) {
    const std::string& format = state.get<std::string>("format");
    NTKROB_CHECK(format == kFormat, IoError, "the state has format \"", format, "\", expected \"", kFormat, "\"");
    // All is read before anything is changed.
    const index done = get_index(state, "step", steps_);
    std::vector<LayerParameters> parameters = nn::shaped_like(net_), velocities = nn::shaped_like(net_);
    for (std::size_t l = 0; l < parameters.size(); ++l)
      for (const auto& [kind, layer] : {std::pair("parameters", &parameters[l]), std::pair("velocity", &velocities[l])})
        for (const auto& [part, values] : {std::pair("weight", &layer->weight), std::pair("bias", &layer->bias)})
          if (!values->empty())
            *values = get_matrix<float>(state, entry(kind, l, part), values->rows(), values->cols());
    for (std::size_t l = 0; l < parameters.size(); ++l)
      if (Matrix<float>& s = parameters[l].statistics; !s.empty())
        s = get_matrix<float>(state, entry("parameters", l, "statistics"), s.rows(), s.cols());
    std::vector<LayerParameters> average = average_;
    nn::load(state, "average", average);
    Best best;
    bool ended = false;
    if (!batches_.held_out().empty()) {
      best.step = get_index(state, "best/step", done);
      ended = get_index(state, "best/ended", 1) == 1;
      best.accuracy = get_number(state, "best/accuracy", 0, 1);
      best.loss = get_number(state, "best/loss", 0);
      if (best.step > 0) nn::load(state, "best", best.layers = nn::shaped_like(net_));
    }
    gradients_.reset();
    nn::copy_numbers(parameters, net_.layers());
    start();
    gradients_->set_velocities(velocities);
    average_ = std::move(average);
    best_ = std::move(best);
    ended_ = ended;
    done_ = done;
  }

 private:
  static constexpr char kFormat[] = "ntkrob.training/1";
  static std::string entry(const char* kind, std::size_t layer, const char* part) {
    return text(kind, "/", layer, "/", part);
  }

  /// What needs the numbers of every step beside the update itself.
  static bool trains_on_host(const TrainOptions& options) {
    return options.ema > 0 || options.clip_norm > 0 || options.parameterisation == "ntk";
  }

  void start() {
    const Sgd<float>::Options sgd{options_.momentum, options_.weight_decay};
    if (device_ != nullptr)
      gradients_ = std::make_unique<nn::DeviceGradients>(*device_, need_images_ ? ConstView2D<float>() : x_, sgd);
    else
      gradients_ = std::make_unique<nn::HostGradients>(
          net_, sgd, nn::GradientRules{options_.clip_norm, options_.parameterisation == "ntk"});
  }

  void descend() {
    gradients_->descend(lr_);
    ++done_;
    if (!average_.empty()) nn::move_average(average_, std::as_const(net_).layers(), options_.ema, done_);
  }

  /// A batch is a copy of rows, or the whole set where it lies.
  bool gathers() const { return !batches_.full() || options_.augmentation.any(); }

  /// Targets (1 - s) one-hot + s / C: s (f_y - mean f) more than the cross-entropy with the label.
  void smooth(ConstView2D<float> f, index first, View2D<float> cotangent) {
    const double s = options_.label_smoothing, classes = static_cast<double>(f.cols);
    for (index i = 0; i < f.rows; ++i) {
      double sum = 0;
      for (index j = 0; j < f.cols; ++j) {
        sum += f(i, j);
        cotangent(i, j) -= static_cast<float>(s / classes);
      }
      const int y = batch_labels_[first + i];
      cotangent(i, y) += static_cast<float>(s);
      losses_[static_cast<std::size_t>(first + i)] += s * (f(i, y) - sum / classes);
    }
  }

  void hold_out() {
    const std::vector<index>& rows = batches_.held_out();
    held_out_x_ = Matrix<float>(static_cast<index>(rows.size()), x_.cols);
    for (std::size_t k = 0; k < rows.size(); ++k) {
      std::copy_n(x_.row(rows[k]), x_.cols, held_out_x_.row(static_cast<index>(k)));
      held_out_labels_.push_back(targets_.labels[static_cast<std::size_t>(rows[k])]);
    }
  }

  bool validates(index step) const {
    if (batches_.held_out().empty()) return false;
    const index every = options_.validate_every > 0 ? options_.validate_every : batches_.per_epoch();
    return step % every == 0 || step == steps_;
  }

  /// Judges the net after done_ steps, that of averaged weights where those are the result.
  void validate() {
    const Swapped averaged(*this);
    const Matrix<float> logits = all_logits(net_, held_out_x_.view());
    check_finite_logits(logits.view(), 0);
    std::vector<double> losses(held_out_labels_.size());
    make_loss("ce")->evaluate(logits.view(), held_out_labels_.data(), {}, losses.data(), {});
    double loss = 0;
    for (const double one : losses) loss += one / static_cast<double>(losses.size());
    validation_ = batch_accuracy(logits.view(), held_out_labels_.data());
    if (best_.step == 0 || validation_ > best_.accuracy || (validation_ == best_.accuracy && loss < best_.loss)) {
      if (best_.layers.empty()) best_.layers = nn::shaped_like(net_);
      nn::copy_numbers(std::as_const(net_).layers(), best_.layers);
      best_.step = done_;
      best_.accuracy = validation_;
      best_.loss = loss;
    }
    const index every = options_.validate_every > 0 ? options_.validate_every : batches_.per_epoch();
    ended_ = options_.patience > 0 && done_ - best_.step >= options_.patience * every;
  }

  /// While it exists the net has the averaged weights, where there are any.
  class Swapped {
   public:
    explicit Swapped(Impl& impl) : impl_(impl) { swap(); }
    ~Swapped() { swap(); }
    Swapped(const Swapped&) = delete;
    Swapped& operator=(const Swapped&) = delete;

   private:
    void swap() {
      if (!impl_.average_.empty()) nn::swap_numbers(impl_.average_, impl_.net_.layers());
    }
    Impl& impl_;
  };

  struct Best {
    index step = 0;  // 0: nothing was judged yet
    double accuracy = 0, loss = 0;
    std::vector<LayerParameters> layers;
  };

  void gather(const index* rows) {
    nn::for_blocks(net_.backend(), batches_.size(), nn::rows_per_block(x_.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i) {
        const index row = rows == nullptr ? i : rows[i];
        if (need_images_) std::copy_n(x_.row(row), x_.cols, x_buffer_.row(i));
        label_buffer_[static_cast<std::size_t>(i)] = targets_.labels[static_cast<std::size_t>(row)];
        if (use_targets_) std::copy_n(targets_.values.row(row), net_.classes(), target_buffer_.row(i));
      }
    });
  }

  Net& net_;
  ConstView2D<float> x_;
  const Targets& targets_;
  const TrainOptions options_;
  const BatchAttack attack_;
  const Rng random_{options_.seed, "dropout"}, augmentation_{options_.seed, "augmentation"};
  const std::unique_ptr<Loss> loss_;
  const Schedule schedule_;
  const bool use_targets_;
  nn::OnDevice* const device_;  // or null
  const bool need_images_;      // of every batch, on the host
  nn::Batches batches_;
  const index steps_;
  index done_ = 0;
  bool ended_ = false;  // before all steps
  double lr_;
  Matrix<float> x_buffer_, target_buffer_, adversarial_, logits_;
  std::vector<int> label_buffer_;
  std::vector<double> losses_;
  ConstView2D<float> batch_x_, batch_targets_;
  const int* batch_labels_;
  CotangentFn mean_loss_;
  std::vector<LayerParameters> average_;  // empty: none is made
  Matrix<float> held_out_x_;
  std::vector<int> held_out_labels_;
  double validation_ = 0;
  Best best_;
  std::unique_ptr<nn::Gradients> gradients_;
};

Trainer::Trainer(Net& net, ConstView2D<float> x, const Targets& targets, const TrainOptions& options,
                 BatchAttack attack) {
  options.validate();
  nn::check_data(net, x, targets, options);
  impl_ = std::make_unique<Impl>(net, x, targets, options, std::move(attack));
}
Trainer::~Trainer() = default;
index Trainer::steps() const { return impl_->steps(); }
index Trainer::steps_done() const { return impl_->steps_done(); }
TrainStep Trainer::step() { return impl_->step(); }
void Trainer::finish() { impl_->finish(); }
Selection Trainer::selection() const { return impl_->selection(); }
StateDict Trainer::state() const { return impl_->state(); }
void Trainer::restore(const StateDict& state) { impl_->restore(state); }

void train(Net& net, ConstView2D<float> x, const Targets& targets, const TrainOptions& options,
           const std::function<bool(const TrainStep&)>& on_step, const BatchAttack& attack) {
  Trainer trainer(net, x, targets, options, attack);
  while (!trainer.done()) {
    const TrainStep step = trainer.step();
    if (on_step && !on_step(step)) break;
  }
  trainer.finish();
}

}  // namespace ntkrob
