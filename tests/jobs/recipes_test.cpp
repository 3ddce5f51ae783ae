/// The contract of a run, over every row of recipes.def: what the job adds to the recipe (files, checkpoint,
/// provenance) depends on options and data alone. Nothing here names a recipe.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "jobs/folder.hpp"
#include "kit/check.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/data/strokes.hpp"
#include "ntkrob/jobs/robustify.hpp"
#include "robust/recipe_bench.hpp"

namespace ntkrob::jobs {

namespace {

/// Asks for an end when a step is done.
struct Asker : Listener {
  Stop stop;
  index at = 0;
  void on_progress(const std::string&, index done, index) override {
    if (done == at) stop.request();
  }
};

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

struct Bench {
  const Folder folder{"recipes"};
  const Dataset data = make_strokes(60, 0, 3);

  RobustifyJob job(const RecipeInfo& info) const {
    RobustifyJob job(info.name);
    for (const Field& field : job.options->fields())
      for (const auto& [name, value] : small_values())
        if (name == field.name) field.set(value);
    job.data = folder / "strokes.h5";
    if (info.needs_model) {
      job.machine.kernel = "fc:1";
      job.machine.support = support();
      job.machine.ridge = 1e-2;
    }
    job.output = folder / (std::string("set") + state_extension());
    return job;
  }
  std::string support() const {
    const std::string path = folder / (std::string("support") + state_extension());
    if (!std::filesystem::exists(path)) save_dataset(data, path, false);
    return path;
  }
};

}  // namespace

TEST_CASE("every recipe: twice, with 1, 2, 3 threads, and stopped after any step and resumed: the same bytes",
          "[jobs]") {
  const Bench bench;
  for (const RecipeInfo& info : recipes()) {
    INFO(info.name);
    const RobustifyJob job = bench.job(info);
    std::string whole;
    index steps = 0;
    for (const index threads : {2, 2, 1, 3}) {
      Context context;
      context.settings.threads = threads;
      context.settings.force = true;
      const RobustifyOutcome outcome = run_robustify(job, bench.data, context);
      steps = static_cast<index>(outcome.rows.size());
      const std::string bytes = bytes_of(job.output);
      if (whole.empty()) whole = bytes;
      CHECK(bytes == whole);
      CHECK_FALSE(std::filesystem::exists(job.checkpoint_path()));
    }
    REQUIRE(steps >= 2);  // else nothing can be cut
    for (index at = 1; at < steps; ++at) {
      INFO("stopped after step " << at << " of " << steps);
      Asker asker;
      asker.at = at;
      Context context(asker);
      context.stop = &asker.stop;
      context.settings.force = true;
      std::filesystem::remove(job.output);
      CHECK_THROWS_AS(run_robustify(job, bench.data, context), Interrupted);
      CHECK_FALSE(std::filesystem::exists(job.output));
      REQUIRE(std::filesystem::exists(job.checkpoint_path()));
      asker.stop.clear();
      asker.at = 0;
      RobustifyJob again = job;
      again.resume = true;
      CHECK(run_robustify(again, bench.data, context).resumed_at == at);
      CHECK(bytes_of(job.output) == whole);
    }
  }
}

TEST_CASE("every recipe: provenance says all that made the set, and the chain of its parents", "[jobs]") {
  const Bench bench;
  for (const RecipeInfo& info : recipes()) {
    INFO(info.name);
    RobustifyJob job = bench.job(info);
    Context context;
    context.settings.force = true;
    const Dataset made = run_robustify(job, bench.data, context).robust;
    const Provenance& p = made.provenance;
    const auto option = [&](const std::string& name) {
      for (const auto& [key, value] : p.options)
        if (key == name) return value;
      return std::string("absent");
    };
    CHECK(option("recipe") == info.name);
    for (const auto& [name, value] : job.options->texts()) {
      CHECK(option(name) == value);
      CHECK_THAT(p.command, Catch::Contains(name));
    }
    CHECK(p.parent == "strokes.h5");
    CHECK(p.parent_checksum == bench.data.checksum());
    CHECK_FALSE(p.library_version.empty());
    CHECK(p.chain.empty());

    // The output of one is the input of another.
    job.data = job.output;
    job.output = bench.folder / (std::string("next") + state_extension());
    for (const Field& field : job.options->fields())
      if (field.name == "n" || field.name == "validation" || field.name == "batch")
        field.set(field.name == "validation" ? "0" : "10");
    // NPZ has no place for provenance, and says so.
    const bool kept = std::string(state_extension()) == ".h5";
    const Dataset stored = kept ? open_dataset({job.data}, {}) : made;
    const Dataset next = run_robustify(job, stored, context).robust;
    CHECK(next.provenance.chain == std::vector<std::string>{p.command});
    if (!kept) continue;
    const Dataset again = open_dataset({job.output}, {});
    CHECK(again.provenance.command == next.provenance.command);
    CHECK(again.provenance.chain == next.provenance.chain);
  }
}

TEST_CASE("every recipe: a run of another recipe is not gone on with, and options of others are no options", "[jobs]") {
  const Bench bench;
  const RecipeInfo* before = &recipes().back();
  for (const RecipeInfo& info : recipes()) {
    INFO(before->name << ", then " << info.name);
    Asker asker;
    asker.at = 1;
    Context context(asker);
    context.stop = &asker.stop;
    context.settings.force = true;
    const RobustifyJob first = bench.job(*before);
    CHECK_THROWS_AS(run_robustify(first, bench.data, context), Interrupted);
    asker.stop.clear();
    RobustifyJob second = bench.job(info);
    second.resume = true;
    try {
      run_robustify(second, bench.data, context);
      FAIL("went on with the run of another recipe");
    } catch (const Error& error) {
      CHECK_THAT(error.what(), Catch::Contains(before->name));
    }
    CHECK_THROWS_AS(second.set("no-such-option", "1"), ConfigError);
    before = &info;
  }
}

TEST_CASE("a recipe that needs a model refuses none and half a one, another one refuses any", "[jobs]") {
  const Bench bench;
  for (const RecipeInfo& info : recipes()) {
    INFO(info.name);
    Context context;
    RobustifyJob job = bench.job(info);
    job.machine = MachineJob();
    if (info.needs_model) {
      CHECK_THROWS_AS(check_robustify(job, context), ConfigError);
      job.machine.kernel = "fc:1";
      CHECK_THROWS_AS(check_robustify(job, context), ConfigError);
    } else {
      CHECK_NOTHROW(check_robustify(job, context));
      job.model = "net.h5";
      CHECK_THROWS_AS(check_robustify(job, context), ConfigError);
    }
  }
}

}  // namespace ntkrob::jobs
