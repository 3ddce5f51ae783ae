#include "ntkrob/jobs/robustify.hpp"

#include <algorithm>
#include <cstdlib>

#include "jobs/provenance.hpp"
#include "ntkrob/jobs/image_choice.hpp"
#include "ntkrob/jobs/input.hpp"
#include "ntkrob/jobs/model.hpp"
#include "ntkrob/jobs/run.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob::jobs {

namespace {

/// The recipe as the driver sees it.
class RecipeSteps final : public Stepped {
 public:
  explicit RecipeSteps(Recipe& recipe) : recipe_(recipe) {}
  const std::vector<Column>& columns() const override { return recipe_.columns(); }
  index steps() const override { return recipe_.steps(); }
  index steps_done() const override { return recipe_.steps_done(); }
  Row step() override { return recipe_.step(); }
  StateDict state() const override { return recipe_.state(); }
  void restore(const StateDict& state) override { recipe_.restore(state); }

 private:
  Recipe& recipe_;
};

OptionTexts all_options(const RobustifyJob& job) {
  OptionTexts texts{{"recipe", job.recipe}};
  for (auto& one : job.options->texts()) texts.push_back(std::move(one));
  for (auto& one : model_options(job.model, job.machine)) texts.push_back(std::move(one));
  return texts;
}

/// What a set holds beside its images.
Dataset frame_of(const Dataset& data) {
  Dataset frame;
  frame.shape = data.shape;
  frame.classes = data.classes;
  frame.class_names = data.class_names;
  frame.feature_names = data.feature_names;
  frame.feature_low = data.feature_low;
  frame.feature_high = data.feature_high;
  return frame;
}

/// What is known of the result before the work, to see whether its format can hold it.
Dataset like_result(const RobustifyJob& job, const Dataset& data) {
  Dataset like;
  like.shape = data.shape;
  like.classes = data.classes;
  like.class_names = data.class_names;
  like.beyond_range = job.options->leaves_box();
  if (job.options->makes_targets() || !data.train.targets.empty()) like.train.targets = Matrix<float>(1, data.classes);
  return like;
}

Dataset make_result(const RobustifyJob& job, const Dataset& data, const Recipe& recipe, Context& context,
                    RobustifyOutcome& outcome) {
  RecipeSet set = recipe.result();
  outcome.best_step = set.best_step;
  outcome.facts = recipe.facts();
  Dataset robust = frame_of(data);
  robust.beyond_range = job.options->leaves_box();
  robust.train.n = set.images.rows();
  robust.train.pixels = std::move(set.images);
  robust.train.labels = std::move(set.labels);
  robust.train.targets = std::move(set.targets);

  Provenance& p = robust.provenance;
  p = made_from(data, job.data, job.read);
  p.options = all_options(job);
  p.command = canonical_command("robustify", job.data, p.options, job.read);
  p.options.emplace_back("backend", context.backend().info().name);
  p.options.emplace_back("best-step", std::to_string(set.best_step));
  p.curves = curves_of(recipe.columns(), recipe.rows());
  p.initial_images = std::move(set.initial_images);
  return robust;
}

RecipeInput input_of(const Dataset& data, const Matrix<float>& images, const Model* model, Context& context) {
  RecipeInput input;
  input.data = {images.view(), &data.train.labels, data.classes, data.shape, &data.class_names};
  input.targets = data.train.targets.view();
  input.model = model;
  input.backend = &context.backend();
  input.memory_budget = context.settings.memory.value;
  input.log = context.log();
  return input;
}

RunOptions run_options(const RobustifyJob& job) {
  return {"robustify", job.checkpoint_path(), job.resume, job.log, job.options->checkpoint_every()};
}

}  // namespace

RobustifyJob::RobustifyJob(const std::string& name) : recipe(name), options(find_recipe(name).options()) {}

void RobustifyJob::set(const std::string& name, const std::string& value) {
  for (const Field& one : options->fields())
    if (one.name == name) return one.set(value);
  throw ConfigError(text("recipe ", recipe, " has no option ", field(name)));
}

std::string RobustifyJob::get(const std::string& name) const {
  for (const Field& one : options->fields())
    if (one.name == name) return one.get();
  throw ConfigError(text("recipe ", recipe, " has no option ", field(name)));
}

std::string RobustifyJob::checkpoint_path() const {
  if (!keeps_state) return {};
  return checkpoint.empty() ? output + ".ckpt" + state_extension() : checkpoint;
}

void check_robustify(const RobustifyJob& job, Context& context) {
  job.options->validate();
  const RecipeInfo& info = find_recipe(job.recipe);
  check_model_choice(job.model, job.machine, info.needs_model ? ModelNeed::one : ModelNeed::none,
                     "recipe " + job.recipe);
  const bool force = context.settings.force;
  check_output(job.output, force);
  if (!job.log.empty()) check_output(job.log, force || job.resume);
  Run::check(run_options(job), context);
}

RobustifyOutcome run_robustify(const RobustifyJob& job, const Dataset& data, Context& context) {
  check_robustify(job, context);
  check_two_classes(data, job.data);
  check_holds(like_result(job, data), job.output);
  const Matrix<float> images = data.images("train");
  const NamedModel model = open_model(job.model, job.machine, job.read, context);
  const RecipeInput input = input_of(data, images, model.model.get(), context);
  const std::unique_ptr<Recipe> recipe = job.options->make(input);
  RobustifyOutcome outcome;
  const Stopwatch watch;
  Run run(run_options(job), context);
  RecipeSteps steps(*recipe);
  outcome.resumed_at = run.steps(steps);
  outcome.columns = recipe->columns();
  outcome.rows = recipe->rows();
  outcome.robust = make_result(job, data, *recipe, context, outcome);
  outcome.seconds = watch.seconds();
  save_dataset(outcome.robust, job.output, context.settings.force);
  run.finish();
  say_left_out(context, outcome.robust, job.output);
  return outcome;
}

Dataset originals_of(const Dataset& robust, const std::string& file) {
  const Matrix<float>& initial = robust.provenance.initial_images;
  NTKROB_CHECK(!initial.empty() && initial.rows() == robust.train.n, ConfigError, field("initial"), ": ", file,
               " stores ", initial.rows(), " initial images for ", robust.train.n,
               " training images; only results of ntkrob robustify have them");
  Dataset originals = frame_of(robust);
  originals.train.n = robust.train.n;
  originals.train.pixels = initial;
  originals.train.labels = robust.train.labels;
  return originals;
}

std::optional<Threat> optimised_against(const Dataset& data) {
  const Provenance& p = data.provenance;
  if (p.command.rfind("ntkrob robustify ", 0) != 0) return std::nullopt;
  Threat threat;
  for (const auto& [name, value] : p.options) {
    if (name == "recipe" && value != "adv-kip") return std::nullopt;
    if (name == "norm") threat.norm = value;
    if (name == "eps") threat.eps = std::strtod(value.c_str(), nullptr);
  }
  if (threat.norm.empty() || !(threat.eps > 0)) return std::nullopt;
  return threat;
}

std::string robustify_plan(const RobustifyJob& job, const Dataset& data, Context& context) {
  check_two_classes(data, job.data);
  const Matrix<float> none;
  RecipeInput input = input_of(data, none, nullptr, context);
  return "options\n" + options_text(all_options(job)) +
         text("data      ", job.data, ": ", data.train.n, " images, ", data.shape.size(), " pixels, ", data.classes,
              " classes\n") +
         backend_text(context) + job.options->plan(input);
}

}  // namespace ntkrob::jobs
