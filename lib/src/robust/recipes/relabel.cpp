/// relabel: the given images with the outputs z of a model as targets t, C numbers each.
///
///   centred        t = c (z - mean_k z_k), with c > 0 such that the root mean square of t over the set is that of
///                  centred one-hot targets, sqrt((1 - 1/C) / C): learning rates and weight decay keep their meaning
///   probabilities  t = softmax(z) - 1/C: centred like one-hot targets are, as training with mse expects
///   logits         t = z
///
/// With an attack, z are the outputs at the points that it finds; images and labels stay as they are. Of a model with
/// more classes than the set the first C outputs count. Sources: distillation (Hinton, Vinyals, Dean, arXiv
/// 1503.02531); at adversarial points: Goldblum et al., "Adversarially robust distillation", arXiv 1905.09747.
#include <algorithm>
#include <cmath>

#include "ntkrob/attack/attack.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/model/metrics.hpp"
#include "robust/given.hpp"
#include "robust/per_image.hpp"
#include "robust/recipe_kit.hpp"

namespace ntkrob::robust {
namespace {

const char* const kName = "relabel";

struct RelabelOptions {
  std::string targets = "centred";
  Parsed<AttackOption> attack;
  std::string norm = "linf";
  double eps = 0.1;
  index batch = 1000;
  std::uint64_t seed = 0;

  void validate() const {}
  std::unique_ptr<Recipe> make(const RecipeInput& input) const;
  std::string plan(const RecipeInput& input) const;
};

template <class Options, class Visitor>
void visit_fields(Options& o, Visitor&& visitor) {
  visitor("targets", o.targets,
          "centred | probabilities | logits: outputs minus their mean, scaled to the size of one-hot targets; softmax "
          "minus "
          "1/classes; or as they are",
          among("centred|probabilities|logits"));
  visitor("attack", o.attack,
          "take the outputs where this attack on the model leads, e.g. pgd-10; empty: at the images");
  visitor("norm", o.norm, "linf | l2 | l1: ball of the attack", among("linf|l2|l1"));
  visitor("eps", o.eps, "its radius in pixel units, e.g. 0.1 or 8/255", at_least(0, "pixels"));
  visitor("batch", o.batch, "images of one step", at_least(1, "images"));
  visitor("seed", o.seed, "seed of the attack");
}

class Relabel final : public PerImage {
 public:
  Relabel(const RelabelOptions& options, const RecipeInput& input)
      : PerImage(one_of_each(kName, texts_of(options), input, options.batch,
                             {{"agreement", Column::Kind::fraction, true, true}}, 1)),
        options_(options),
        outputs_(input.data.x.rows, input.data.classes) {
    if (options.attack.empty()) return;
    attack_ = options.attack->attack;
    threat_ = threat_of(input, options.norm, options.eps);
  }

  RecipeSet result() const override {
    require_done();
    RecipeSet set;
    set.images = Matrix<float>(input().data.x);
    set.labels = *input().data.labels;
    set.targets = outputs_;
    set.best_step = steps_done();
    if (options_.targets == "centred") {
      const double c = scale();
      for (index i = 0; i < set.targets.rows(); ++i) {
        const double mean = mean_of(i);
        for (index k = 0; k < set.targets.cols(); ++k)
          set.targets(i, k) = static_cast<float>(c * (outputs_(i, k) - mean));
      }
    }
    if (options_.targets == "probabilities")
      for (index i = 0; i < set.targets.rows(); ++i) to_probabilities(set.targets.row(i), set.targets.cols());
    return set;
  }
  /// The scale c, once it is known.
  std::vector<std::pair<std::string, double>> facts() const override {
    if (!done() || options_.targets != "centred") return {};
    return {{"scale", scale()}};
  }

 protected:
  void make_block(index begin, index n, std::vector<index>& counts) override {
    const Model& model = *input().model;
    const std::vector<int>& labels = *input().data.labels;
    const ConstView2D<float> originals = input().data.x.middle_rows(begin, n);
    Matrix<float> logits(n, model.classes());
    if (attack_) {
      const std::vector<int> of_block(labels.begin() + begin, labels.begin() + begin + n);
      const Matrix<float> targets = centred_one_hot(of_block, model.classes());
      Matrix<float> points(n, originals.cols);
      attack_->perturb(model, {originals, of_block.data(), targets.view(), begin}, threat_, options_.seed, points);
      model.logits(points.view(), logits);
    } else {
      model.logits(originals, logits);
    }
    check_finite_logits(logits.view(), begin);
    for (index i = 0; i < n; ++i) {
      std::copy_n(logits.row(i), outputs_.cols(), outputs_.row(begin + i));
      counts[0] +=
          predicted_class(outputs_.row(begin + i), outputs_.cols()) == labels[static_cast<std::size_t>(begin + i)];
    }
    // What has no scale is refused in the last step, and not when the result is asked for.
    if (begin + n == images() && options_.targets == "centred") scale();
  }
  std::vector<std::optional<double>> values(index images, const std::vector<index>& counts) const override {
    return {static_cast<double>(counts[0]) / static_cast<double>(images)};
  }
  std::vector<std::pair<std::string, Matrix<float>*>> kept() override { return {{"outputs", &outputs_}}; }

 private:
  double mean_of(index i) const {
    double sum = 0;
    for (index k = 0; k < outputs_.cols(); ++k) sum += outputs_(i, k);
    return sum / static_cast<double>(outputs_.cols());
  }
  /// throws: NumericalError where the outputs of every image are all the same
  double scale() const {
    const auto classes = static_cast<double>(outputs_.cols());
    double squares = 0;
    for (index i = 0; i < outputs_.rows(); ++i) {
      const double mean = mean_of(i);
      for (index k = 0; k < outputs_.cols(); ++k) squares += (outputs_(i, k) - mean) * (outputs_(i, k) - mean);
    }
    NTKROB_CHECK(squares > 0, NumericalError, field("targets", "centred"),
                 ": the outputs of the model are the same for all classes, in each of ", outputs_.rows(),
                 " images, and cannot be scaled; ", advice("give a model that tells classes apart"));
    return std::sqrt(static_cast<double>(outputs_.rows()) * (1 - 1 / classes) / squares);
  }
  static void to_probabilities(float* row, index classes) {
    const double most = *std::max_element(row, row + classes);
    double sum = 0;
    for (index k = 0; k < classes; ++k) sum += std::exp(row[k] - most);
    for (index k = 0; k < classes; ++k)
      row[k] = static_cast<float>(std::exp(row[k] - most) / sum - 1 / static_cast<double>(classes));
  }

  RelabelOptions options_;
  std::shared_ptr<const Attack> attack_;  // or null
  ThreatModel threat_;
  Matrix<float> outputs_;  // N x C
};

std::unique_ptr<Recipe> RelabelOptions::make(const RecipeInput& input) const {
  check_input(input, kName, true);
  check_images(input.data);
  check_room(input, set_bytes(input, input.data.x.rows, 2 * input.data.classes), advice("give fewer images"));
  return std::make_unique<Relabel>(*this, input);
}

std::string RelabelOptions::plan(const RecipeInput& input) const {
  const index n = image_count(input);
  std::string passes = "1 pass";
  if (!attack.empty() && input.model != nullptr) {
    const index most = attack->attack->passes(input.model->classes(), threat_of(input, norm, eps));
    passes = most > 0 ? text("at most ", most + 1, " passes") : std::string("the passes of the attack");
  }
  return text("result    ", n, " images, ",
              bytes_text(static_cast<double>(set_bytes(input, n, 2 * input.data.classes))), "; ", steps_of(n, batch),
              " steps; ", passes, " of the model for each image\n");
}

class RelabelRecipe final : public OptionsOf<RelabelOptions> {
 public:
  bool makes_targets() const override { return true; }
};

}  // namespace

RecipeInfo make_relabel() {
  RecipeInfo info;
  info.needs = "images in [0,1] and a model of their shape that knows their classes";
  info.gives = "the same images and labels, with the outputs of the model as targets";
  info.cost = "one forward pass of the model per image, and with an attack its passes";
  info.needs_model = true;
  info.options = fresh_options<RelabelRecipe>;
  return info;
}

}  // namespace ntkrob::robust
