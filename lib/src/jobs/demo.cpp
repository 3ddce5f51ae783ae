#include "ntkrob/jobs/demo.hpp"

#include <algorithm>
#include <filesystem>

#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/data/strokes.hpp"
#include "ntkrob/jobs/evaluate.hpp"
#include "ntkrob/jobs/image_grid.hpp"
#include "ntkrob/jobs/machine.hpp"
#include "ntkrob/jobs/robustify.hpp"
#include "ntkrob/jobs/train.hpp"

namespace ntkrob::jobs {

namespace {

RobustifyJob robustify_job(const DemoJob& p, const std::string& folder, std::uint64_t seed) {
  RobustifyJob job;
  job.data = folder + "strokes.h5";
  job.output = folder + "robust.h5";
  job.log = folder + "robustify.csv";
  job.keeps_state = false;
  const index validation = std::min<index>(500, p.train / 10), batch = std::min<index>(500, p.train - validation);
  const OptionTexts options{{"kernel", p.kernel.text()},
                            {"n", value_text(p.n)},
                            {"steps", value_text(p.steps)},
                            {"eps", value_text(p.eps)},
                            {"validation", value_text(validation)},
                            {"batch", value_text(batch)},
                            {"seed", value_text(seed)}};
  for (const auto& [name, value] : options) job.set(name, value);
  return job;
}

void draw(const std::string& path, ConstView2D<float> left, ConstView2D<float> right, const Dataset& data, bool force) {
  constexpr index kImages = 100;
  const ImageGrid grid =
      class_grid(left, right, data.train.labels, data.classes, right.empty() ? kImages : kImages / 2);
  write_png_grid(path, grid.images.view(), data.shape, grid.per_row, default_scale(data.shape), force);
}

class Demo {
 public:
  Demo(const DemoJob& p, Context& context) : p_(p), context_(context), folder_(p.out + "/") {}

  DemoOutcome run() {
    const Stopwatch watch;
    const bool force = context_.settings.force;
    const std::uint64_t seed = context_.settings.seed;
    heading("1/3  drawing strokes");
    const Dataset strokes = make_strokes(p_.train, p_.test, seed);
    save_dataset(strokes, folder_ + "strokes.h5", force);
    draw(folder_ + "strokes.png", strokes.images("train").view(), {}, strokes, force);

    heading(text("2/3  robustify: ", p_.n, " images, ", p_.steps, " steps, eps ", format_number(p_.eps), ", kernel ",
                 p_.kernel.text()));
    const RobustifyJob job = robustify_job(p_, folder_, seed);
    RobustifyOutcome outcome = run_robustify(job, strokes, context_);
    const Dataset originals = originals_of(outcome.robust, job.output);
    save_dataset(originals, folder_ + "originals.h5", force);
    draw(folder_ + "pairs.png", originals.train.pixels.view(), outcome.robust.train.pixels.view(), originals, force);

    for (const auto& [name, set] : {std::pair<const char*, const Dataset*>{"originals", &originals},
                                    std::pair<const char*, const Dataset*>{"robust", &outcome.robust}}) {
      judge_machine(name, *set, strokes);
      judge_net(name, *set, strokes);
    }
    DemoOutcome demo;
    demo.job = job;
    demo.robustify = std::move(outcome);
    demo.verdicts = std::move(verdicts_);
    demo.seconds = watch.seconds();
    return demo;
  }

 private:
  void heading(const std::string& line) { context_.listener().note(line); }

  void judge(const std::string& model, const std::string& trained_on, std::optional<double> weight_decay,
             const Model& m, const Dataset& strokes) {
    heading(text("3/3  attacking ", model, " trained on ", trained_on));
    EvaluateJob job;
    job.model = model;
    job.data = folder_ + "strokes.h5";
    job.eps = p_.eps;
    job.attacks = p_.attacks;
    job.n = std::min(p_.judge, p_.test);
    job.seed = context_.settings.seed;
    job.checks = "off";
    verdicts_.push_back({model, trained_on, weight_decay, run_evaluate(job, m, nullptr, strokes, context_).report});
  }

  void judge_machine(const std::string& name, const Dataset& set, const Dataset& strokes) {
    MachineJob machine;
    machine.kernel = p_.kernel;
    machine.support = folder_ + name + ".h5";
    judge("kernel " + p_.kernel.text(), name, std::nullopt, *make_machine(machine, set, context_).model, strokes);
  }

  TrainJob train_job(const std::string& name) const {
    TrainJob job;
    job.data = folder_ + name + ".h5";
    job.output = folder_ + "net-" + name + ".h5";
    job.keeps_state = false;
    job.model = p_.model;
    job.train.seed = context_.settings.seed;
    job.train.weight_decay = name == "robust" ? p_.weight_decay : p_.baseline_decay;
    return job;
  }

  void judge_net(const std::string& name, const Dataset& set, const Dataset& strokes) {
    const TrainJob job = train_job(name);
    heading(text("3/3  training ", p_.model, " on ", name, " by plain SGD, weight decay ",
                 format_number(job.train.weight_decay)));
    const TrainOutcome trained = run_train(job, set, Dataset(), context_);
    judge(p_.model, name, job.train.weight_decay, *trained.net, strokes);
  }

  const DemoJob& p_;
  Context& context_;
  std::string folder_;
  std::vector<DemoVerdict> verdicts_;
};

}  // namespace

void check_demo(const DemoJob& job, Context& context) {
  namespace fs = std::filesystem;
  visit_demo(job, FieldChecker());
  robustify_job(job, "", context.settings.seed).options->validate();
  std::error_code error;
  NTKROB_CHECK(!job.out.empty(), ConfigError, field("out"), " is empty; ", advice("give the name of a folder"));
  NTKROB_CHECK(!fs::exists(job.out, error) || fs::is_directory(job.out, error), ConfigError, field("out"), ": ",
               given(job.out), " is no folder; ", advice("name another one"));
  NTKROB_CHECK(context.settings.force || !fs::exists(job.out, error) || fs::is_empty(job.out, error), ConfigError,
               field("out"), ": ", given(job.out), " exists and is not empty; ",
               advice("give ", field("force", "true"), " to overwrite what is in it, or another ", field("out")));
}

DemoOutcome run_demo(const DemoJob& job, Context& context) {
  check_demo(job, context);
  std::error_code error;
  std::filesystem::create_directories(job.out, error);
  NTKROB_CHECK(!error, ResourceError, field("out"), ": cannot make the folder ", job.out, ": ", error.message());
  NTKROB_CHECK(std::filesystem::is_directory(job.out, error), ResourceError, field("out"), ": ", job.out,
               " is no folder");
  return Demo(job, context).run();
}

}  // namespace ntkrob::jobs
