/// ntkrob robustify: a recipe of the shelf on a data file.
#include <algorithm>
#include <iostream>
#include <map>

#include "command.hpp"
#include "json_text.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/input.hpp"
#include "ntkrob/jobs/robustify.hpp"
#include "ntkrob/kernel/spec.hpp"
#include "ntkrob/optim/optimizer.hpp"

namespace ntkrob::cli {

namespace {

struct RobustifyParams {
  RobustifyJob job;
  std::string recipe = job.recipe;  // as it was given
  std::string json;

  /// The options of the recipe in use: its own, and those of the model that it needs.
  std::vector<Field> fields() {
    std::vector<Field> fields = job.options->fields();
    if (!find_recipe(job.recipe).needs_model) return fields;
    FieldCollector model;
    model("model", job.model, "the net whose outputs or examples are wanted; or a kernel machine:");
    visit_machine(job.machine, model);
    for (Field& field : model.fields) {
      const auto same = [&](const Field& one) { return one.name == field.name; };
      if (std::none_of(fields.begin(), fields.end(), same)) fields.push_back(std::move(field));
    }
    return fields;
  }
  /// Takes another recipe, with its defaults.
  void choose(const std::string& name) {
    RobustifyJob other(name);
    job.recipe = other.recipe;
    job.options = other.options;
  }
};

std::string shelf_text() {
  std::string lines;
  for (const RecipeInfo& info : recipes())
    lines += info.name + "\n  " + info.summary + "\n  needs  " + info.needs + "\n  gives  " + info.gives +
             "\n  cost   " + info.cost + "\n";
  return lines;
}

/// The options of all recipes, each once; choose_recipe() binds those of the recipe in use.
void add_recipe_options(RobustifyParams& p, OptionSet& set) {
  for (const RecipeInfo& info : recipes()) {
    p.choose(info.name);
    for (const Field& field : p.fields()) {
      const bool there = set.find(field.name) != nullptr;
      Option& option = set.add(field);
      if (there) continue;
      option.not_here = "no option of this recipe";
      if (field.name == "kernel") option.joiner = "|";
      if (field.name == "model" || field.name == "support") option.type = "FILE";
    }
  }
}

void choose_recipe(RobustifyParams& p, OptionSet& set) {
  p.choose(p.recipe);
  std::string names;
  for (const Field& field : p.fields()) {
    Option& option = set.at(field.name);
    option.not_here.clear();
    option.help = field.help;
    option.get = field.get;
    option.set = [apply = field.set](const std::vector<std::string>& values) { apply(values.front()); };
    names += (names.empty() ? "" : ", ") + field.name;
  }
  for (Option& option : set.all())
    if (!option.not_here.empty())
      option.not_here = "is no option of recipe " + p.recipe + ", which has " + names + " (see --recipe list)";
}

void robustify(RobustifyParams& p, Session& session) {
  RobustifyJob& job = p.job;
  const std::size_t dot = job.output.rfind('.');
  NTKROB_CHECK(dot == std::string::npos || job.output.substr(dot) != ".png", ConfigError, field("output"), ": ",
               job.output, ": a picture has no labels and is no robust set; write .h5, and draw it by ntkrob show");
  if (!p.json.empty()) check_output(p.json, session.settings.force);
  check_robustify(job, session);
  const Dataset data = open_input(session, job.data, job.read, find_recipe(job.recipe).needs_model ? 2 : 1);
  if (session.globals.dry_run || session.globals.explain) std::cout << robustify_plan(job, data, session);
  if (session.globals.dry_run) return;
  const RobustifyOutcome outcome = run_robustify(job, data, session);
  if (!p.json.empty()) write_text(p.json, json_text(robustify_report(job, outcome, session)), session.settings.force);
  for (const auto& [name, value] : outcome.facts)
    if (name == "duplicates_dropped" && value > 0)
      session.console.note(text("replaced ", value, " near-duplicates in the initial draw"));
  session.console.note(text("wrote ", written_files(job.output), ": ", outcome.robust.train.n,
                            " images, the set of step ", outcome.best_step, " of ", outcome.rows.size(), ", in ",
                            duration_text(outcome.seconds)));
}

}  // namespace

Command make_robustify() {
  auto p = std::make_shared<RobustifyParams>();
  Command command;
  OptionSet& set = command.options;
  set.add_positional("DATA", p->job.data, "training data in any supported format").required = true;
  set.add("recipe", p->recipe, "how the set is made; list: print the shelf. Each recipe has its own options and help");
  add_recipe_options(*p, set);
  add_read_options(set, p->job.read);
  set.add_output(p->job.output, Use::writes_set, "the robust set, HDF5");
  set.add("log", p->job.log, "write metrics of every step to this CSV file").type = "FILE";
  set.add("json", p->json, "write a report to FILE").type = "FILE";
  set.add_resume(p->job.checkpoint, p->job.resume, "checkpoint file; default: <output>.ckpt.h5");
  command.examples = {
      "ntkrob robustify mnist.h5 --kernel fc:3 --n 1000 --eps 0.1 --steps 200 -o robust.h5",
      "ntkrob robustify cifar10.h5 --eps 8/255 --batch 250 --log run.csv -o robust.h5",
      "ntkrob robustify mnist.h5 --kernel fc:1 --kernel fc:3 --eps 0.1 -o robust.h5      one set for both kernels",
      "ntkrob robustify mnist.h5 --eps 0.1 -o robust.h5 --resume          after Ctrl-C, with the same options",
      "ntkrob robustify mnist.h5 --recipe sign-mix --eps 0.3 -o signs.h5          model-free, in seconds",
      "ntkrob robustify robust.h5 --recipe relabel --model net.h5 -o labelled.h5"};
  command.choose = [p](OptionSet& options, const Arguments& given) {
    if (const Given* recipe = given.find("recipe")) p->recipe = recipe->values.front();
    if (p->recipe == "list" && !given.help) {
      std::cout << shelf_text();
      return true;
    }
    if (p->recipe == "list") p->recipe = "adv-kip";
    choose_recipe(*p, options);
    return false;
  };
  command.files = [p]() -> std::vector<FileUse> {
    if (!p->job.checkpoint.empty()) return {};
    return {{"the checkpoint of --output", p->job.checkpoint_path(), Use::keeps}};
  };
  command.notes = [] {
    std::vector<std::pair<std::string, std::string>> shelf;
    for (const RecipeInfo& info : recipes()) shelf.emplace_back(info.name, info.summary);
    return list_text("Recipes (--recipe NAME --help shows the options of one):", shelf) + "\n" +
           list_text("Kernels:", kernel_spec_help()) + "\n" + list_text("Schedules:", schedule_help());
  };
  command.run = [p](Session& session) { robustify(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
