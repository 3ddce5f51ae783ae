/// adv-kip: class Robustifier (ntkrob/robust/robustifier.hpp) as a recipe. With eps 0 it is KIP.
///
/// Source: Tsilivis, Su, Kempe, "Can we achieve robustness from data alone?", arXiv 2207.11727; KIP: Nguyen, Chen, Lee,
/// arXiv 2011.00050.
#include "ntkrob/krr/machine.hpp"
#include "robust/given.hpp"
#include "robust/recipe_kit.hpp"

namespace ntkrob::robust {
namespace {

const char* const kName = "adv-kip";

std::vector<Column> columns_of_steps() {
  using Kind = Column::Kind;
  return {{"loss", Kind::number, true, true},
          {"adversarial", Kind::fraction, true, true},
          {"eps", Kind::number, true},
          {"lr"},
          {"gradient_norm"},
          {"lambda"},
          {"validation_clean", Kind::fraction, false, true},
          {"validation_robust", Kind::fraction, false, true}};
}

Row row_of(const StepRecord& r) {
  const auto where_validated = [&](double value) { return r.validated ? std::optional<double>(value) : std::nullopt; };
  return {r.step,
          {r.loss, r.adversarial, r.eps, r.lr, r.gradient_norm, r.lambda, where_validated(r.validation_clean),
           where_validated(r.validation_robust)},
          r.seconds};
}

class AdvKip final : public Recipe {
 public:
  AdvKip(const RobustifyOptions& options, const RecipeInput& input)
      : options_(options), robustifier_(options, input.data, *input.backend, input.memory_budget, input.log) {
    rows_.reserve(64);
  }

  const std::vector<Column>& columns() const override { return columns_; }
  const std::vector<Row>& rows() const override { return rows_; }
  index steps() const override { return options_.steps; }
  Row step() override {
    if (rows_.size() == rows_.capacity()) rows_.reserve(2 * rows_.size());  // a step that is done has its row
    rows_.push_back({});
    try {
      rows_.back() = row_of(robustifier_.step());
    } catch (...) {
      rows_.pop_back();
      throw;
    }
    return rows_.back();
  }
  RecipeSet result() const override {
    RobustSet made = robustifier_.result();
    RecipeSet set;
    set.images = std::move(made.images);
    set.labels = std::move(made.labels);
    if (options_.learn_labels) set.targets = std::move(made.targets);
    set.initial_images = std::move(made.initial_images);
    set.best_step = made.best_step;
    return set;
  }
  std::vector<std::pair<std::string, double>> facts() const override {
    return {{"duplicates_dropped", static_cast<double>(robustifier_.duplicates_dropped())}};
  }
  StateDict state() const override {
    StateDict state = robustifier_.state();
    state.set("recipe", std::string(kName));
    return state;
  }
  void restore(const StateDict& state) override {
    state.get<std::string>("format");
    check_same_recipe(state, kName);
    robustifier_.restore(state);
    rows_.clear();
    for (const StepRecord& record : robustifier_.history()) rows_.push_back(row_of(record));
  }

 private:
  RobustifyOptions options_;
  Robustifier robustifier_;
  std::vector<Column> columns_ = columns_of_steps();
  std::vector<Row> rows_;
};

class AdvKipOptions final : public RecipeOptions {
 public:
  std::vector<Field> fields() override {
    FieldCollector collector;
    visit_robustify(options_, collector);
    return std::move(collector.fields);
  }
  void validate() const override { options_.validate(); }
  std::unique_ptr<Recipe> make(const RecipeInput& input) const override {
    validate();
    check_input(input, kName, false);
    if (!input.targets.empty())
      log(input.log, LogLevel::warning,
          text("the targets of the given images are not used: ", kName, " takes their labels alone"));
    return std::make_unique<AdvKip>(options_, input);
  }
  std::string plan(const RecipeInput& input) const override {
    validate();
    const RobustifyOptions& o = options_;
    KernelOptions kernel_options;
    kernel_options.memory_budget = input.memory_budget;
    kernel_options.shape = input.data.shape;
    const Factor factor = parse_factor(o.factor);
    const index d = input.data.shape.size();
    std::string plans;
    std::size_t gram = 0;  // the same for each kernel
    for (const KernelSpec& spec : o.kernel->all) {
      const Kernel kernel(spec, *input.backend, kernel_options);
      plans += block_text("attack", kernel.explain(Verb::grad, o.batch, o.n, d, input.data.classes)) +
               block_text("support", kernel.explain(Verb::grad, o.n, o.n, d, 2 * input.data.classes));
      gram = o.precision == "float64" ? machine_bytes<double>(kernel, o.n, factor)
                                      : machine_bytes<float>(kernel, o.n, factor);
    }
    return text("Gram      ", factor == Factor::refined ? "matrix, float32 factor" : "float64 factor",
                " and inner products: ", bytes_text(static_cast<double>(gram)), " for each kernel\n", plans);
  }
  bool leaves_box() const override { return !options_.clip; }
  bool makes_targets() const override { return options_.learn_labels; }
  index checkpoint_every() const override { return options_.checkpoint_every; }

 private:
  RobustifyOptions options_;
};

}  // namespace

RecipeInfo make_adv_kip() {
  RecipeInfo info;
  info.needs = "images of at least two classes, in [0,1]; no model";
  info.gives =
      "n new images with the classes of those they began as, as balanced as the data allow; with learned labels also "
      "targets; what each image began as";
  info.cost =
      "per step and kernel: a Gram matrix of n images and its factor, attack-steps passes and one derivative over "
      "batch x n "
      "kernel values";
  info.options = fresh_options<AdvKipOptions>;
  return info;
}

}  // namespace ntkrob::robust
