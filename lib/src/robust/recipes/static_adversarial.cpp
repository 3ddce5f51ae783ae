/// static-adversarial: adversarial examples of a model in place of the images, found once and never again.
///
/// The warning example of the shelf. With the right labels (labels=kept) plain training on such a set is known to be
/// worse than nothing: the perturbation is a function of the label, and a learner reads the label from it instead of
/// from the image. With labels=random every example is pushed towards a class drawn at random and gets that label: the
/// set D_rand of Ilyas, Santurkar, Tsipras, Engstrom, Tran, Madry, "Adversarial examples are not bugs, they are
/// features", NeurIPS 2019, arXiv 1905.02175, section 3.2, which teaches the non-robust features of the model: accuracy
/// without robustness.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ntkrob/attack/attack.hpp"
#include "ntkrob/model/classes.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/model/metrics.hpp"
#include "robust/given.hpp"
#include "robust/per_image.hpp"
#include "robust/recipe_kit.hpp"

namespace ntkrob::robust {
namespace {

const char* const kName = "static-adversarial";

/// The constants of a PGD attack that goes towards a class.
struct Towards {
  index steps = 0;
  double step = 0;  // 0: the default
  std::string loss;
  double temperature = 1;
};

struct StaticAdversarialOptions {
  Parsed<AttackOption> attack = "pgd-40";
  std::string norm = "linf";
  double eps = 0.1;
  std::string labels = "kept";
  index batch = 500;
  std::uint64_t seed = 0;

  void validate() const {
    NTKROB_CHECK(!attack.empty(), ConfigError, field("attack"), " is empty; ",
                 advice("give ", field("attack", "pgd-40")));
    if (labels == "random") towards();
  }
  /// throws: ConfigError about the field "attack" unless it is PGD with one random start
  Towards towards() const;
  std::unique_ptr<Recipe> make(const RecipeInput& input) const;
  std::string plan(const RecipeInput& input) const;
};

template <class Options, class Visitor>
void visit_fields(Options& o, Visitor&& visitor) {
  visitor("attack", o.attack, "what finds the examples, e.g. pgd-40; with random labels pgd or pgd-K");
  visitor("norm", o.norm, "linf | l2 | l1: ball of the attack", among("linf|l2|l1"));
  visitor("eps", o.eps, "its radius in pixel units, e.g. 0.1 or 8/255", at_least(0, "pixels"));
  visitor(
      "labels", o.labels,
      "kept: right labels, which the examples leak, so that training on them is worse than nothing | random: pushed "
      "towards a random class, and labelled with it",
      among("kept|random"));
  visitor("batch", o.batch, "images of one step", at_least(1, "images"));
  visitor("seed", o.seed, "seed of the attack and of the random classes");
}

/// A model whose input gradients are turned round: an attack that goes away from a class goes towards it.
class Reversed final : public Model {
 public:
  explicit Reversed(const Model& model) : model_(model) {}
  ImageShape input_shape() const override { return model_.input_shape(); }
  index classes() const override { return model_.classes(); }
  void logits(ConstView2D<float> x, View2D<float> out) const override { model_.logits(x, out); }
  void input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const override {
    model_.input_grad(x, cotangent, dx);
    turn(dx);
  }
  void logits_and_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                       View2D<float> dx) const override {
    model_.logits_and_grad(x, cotangent, out, dx);
    turn(dx);
  }
  void for_each(index n, const std::function<void(index task)>& task) const override { model_.for_each(n, task); }

 private:
  static void turn(View2D<float> dx) {
    for (index i = 0; i < dx.rows; ++i)
      for (index j = 0; j < dx.cols; ++j) dx(i, j) = -dx(i, j);
  }
  const Model& model_;
};

Towards StaticAdversarialOptions::towards() const {
  const std::shared_ptr<const Attack> made = attack->attack;
  const std::string name = made->name().substr(0, std::min(made->name().find('('), made->name().size()));
  NTKROB_CHECK(name == "pgd" || name.rfind("pgd-", 0) == 0, ConfigError, field("attack"), " is ", given(attack.text()),
               ", and with ", field("labels", "random"), " must be ", limit("pgd or pgd-K"),
               ", which can be pushed towards a class; ", advice("give ", field("attack", "pgd-40")));
  Towards result;
  std::string restarts, start;
  for (const auto& [key, value] : made->constants()) {
    if (key == "steps") result.steps = parse_integer(value, "attack", 1, kMostCounted);
    if (key == "step" && value.find("eps") == std::string::npos) result.step = parse_number(value, "attack");
    if (key == "loss") result.loss = value;
    if (key == "temperature") result.temperature = parse_number(value, "attack");
    if (key == "restarts") restarts = value;
    if (key == "start") start = value;
  }
  NTKROB_CHECK(restarts == "1" && start == "random", ConfigError, field("attack"), " is ", given(attack.text()),
               ", and with ", field("labels", "random"), " takes ", limit("one random start"), "; ",
               advice("leave out restarts and start"));
  return result;
}

class StaticAdversarial final : public PerImage {
 public:
  StaticAdversarial(const StaticAdversarialOptions& options, const RecipeInput& input)
      : PerImage(one_of_each(
            kName, texts_of(options), input, options.batch,
            {{"robust", Column::Kind::fraction, true, true}, {"fooled", Column::Kind::fraction, true, true}}, 2)),
        options_(options),
        attack_(options.attack->attack),
        threat_(threat_of(input, options.norm, options.eps)),
        present_(classes_present(class_counts(*input.data.labels, input.data.classes))),
        made_(input.data.x.rows, input.data.x.cols) {
    if (random()) towards_ = options.towards();
  }

  RecipeSet result() const override {
    require_done();
    RecipeSet set;
    set.images = made_;
    set.labels = labels_of(0, images());
    if (!random() && !input().targets.empty()) set.targets = Matrix<float>(input().targets);
    set.best_step = steps_done();
    return set;
  }

 protected:
  void make_block(index begin, index n, std::vector<index>& counts) override {
    const Model& model = *input().model;
    const ConstView2D<float> originals = input().data.x.middle_rows(begin, n);
    const View2D<float> points = made_.view().middle_rows(begin, n);
    const std::vector<int> labels = labels_of(begin, n);
    const Matrix<float> targets = centred_one_hot(labels, model.classes());
    const AttackBatch batch{originals, labels.data(), targets.view(), begin};
    if (random())
      pgd(Reversed(model), batch, threat_, towards_.steps, towards_.step, towards_.loss, towards_.temperature,
          Rng(options_.seed, "static-adversarial/attack"), points);
    else
      attack_->perturb(model, batch, threat_, options_.seed, points);
    Matrix<float> logits(n, model.classes());
    model.logits(points, logits);
    check_finite_logits(logits.view(), begin);
    for (index i = 0; i < n; ++i) {
      const int predicted = predicted_class(logits.row(i), logits.cols());
      counts[0] += predicted == (*input().data.labels)[static_cast<std::size_t>(begin + i)];
      counts[1] += random() && predicted == labels[static_cast<std::size_t>(i)];
    }
  }
  std::vector<std::optional<double>> values(index images, const std::vector<index>& counts) const override {
    const auto share = [&](std::size_t k) { return static_cast<double>(counts[k]) / static_cast<double>(images); };
    return {share(0), random() ? std::optional<double>(share(1)) : std::nullopt};
  }
  std::vector<std::pair<std::string, Matrix<float>*>> kept() override { return {{"images", &made_}}; }
  std::pair<float, float> kept_range() const override { return {0.0f, 1.0f}; }

 private:
  bool random() const { return options_.labels == "random"; }
  /// Labels of the result: those given, or classes drawn uniformly among those that have images, the right one too.
  std::vector<int> labels_of(index begin, index n) const {
    const auto first = input().data.labels->begin() + begin;
    if (!random()) return {first, first + n};
    const Rng rng(options_.seed, "static-adversarial/labels");
    std::vector<int> labels;
    for (index i = begin; i < begin + n; ++i) {
      const index drawn = rng.below(static_cast<std::uint64_t>(i), static_cast<index>(present_.size()));
      labels.push_back(static_cast<int>(present_[static_cast<std::size_t>(drawn)]));
    }
    return labels;
  }

  StaticAdversarialOptions options_;
  std::shared_ptr<const Attack> attack_;
  ThreatModel threat_;
  Towards towards_;             // with random labels
  std::vector<index> present_;  // classes with images
  Matrix<float> made_;          // N x D
};

std::unique_ptr<Recipe> StaticAdversarialOptions::make(const RecipeInput& input) const {
  check_input(input, kName, true);
  check_images(input.data);
  check_several_classes(input.data);
  const std::size_t bytes = set_bytes(input, input.data.x.rows, input.targets.cols);
  check_room(input, checked_mul(bytes, 2, "the result"), advice("give fewer images"));
  if (labels == "random" && !input.targets.empty())
    log(input.log, LogLevel::warning,
        text("the targets of the given images are left out: the labels of ", kName, " are drawn at random"));
  if (labels == "kept")
    log(input.log, LogLevel::warning,
        "adversarial examples with their right labels leak them: plain training on such a set is known to be worse "
        "than "
        "on the images as they are");
  return std::make_unique<StaticAdversarial>(*this, input);
}

std::string StaticAdversarialOptions::plan(const RecipeInput& input) const {
  const index n = image_count(input);
  std::string passes = "the passes of the attack and 1";
  if (input.model != nullptr) {
    const index most = attack->attack->passes(input.model->classes(), threat_of(input, norm, eps));
    if (most > 0) passes = text("at most ", most + 1, " passes");
  }
  return text("result    ", n, " images, ", bytes_text(static_cast<double>(set_bytes(input, n, input.targets.cols))),
              ", held twice at the end; ", steps_of(n, batch), " steps; ", passes, " of the model for each image\n");
}

}  // namespace

RecipeInfo make_static_adversarial() {
  RecipeInfo info;
  info.needs = "images of at least two classes, in [0,1], and a model of their shape that knows their classes";
  info.gives =
      "adversarial examples of the model, in [0,1] and in the ball of the attack. labels=kept: right labels, known to "
      "be "
      "worse than nothing, since the examples leak them (a warning, no remedy). labels=random: labels of the classes "
      "that "
      "they were pushed towards, which teach accuracy without robustness";
  info.cost = "the passes of the attack, forward and backward, for each image: 41 for pgd-40";
  info.needs_model = true;
  info.options = fresh_options<OptionsOf<StaticAdversarialOptions>>;
  return info;
}

}  // namespace ntkrob::robust
