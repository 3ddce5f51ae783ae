/// ntkrob demo: the whole job on the built-in data, with the jobs behind the other subcommands.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "command.hpp"
#include "evaluate_job.hpp"
#include "image_grid.hpp"
#include "interrupt.hpp"
#include "json_text.hpp"
#include "machine_job.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/data/strokes.hpp"
#include "ntkrob/version.hpp"
#include "robustify_job.hpp"
#include "train_job.hpp"

namespace ntkrob::cli {

namespace {

using Json = nlohmann::ordered_json;

struct DemoParams {
  std::string out = "ntkrob-demo";
  index train = 6000;
  index test = 1000;
  index n = 500;
  index steps = 200;
  double eps = 0.1;
  std::string kernel = "fc:3";
  std::string model = "cnn:small";
  double weight_decay = 0.005;
  double baseline_decay = 0.005;
  index judge = 500;
  std::string attacks = "clean,pgd-40,autoattack";
};

template <class Params, class Visitor>
void visit_demo(Params& p, Visitor&& visitor) {
  visitor("out", p.out, "folder for the results");
  visitor("train", p.train, "training images to draw");
  visitor("test", p.test, "test images to draw");
  visitor("n", p.n, "images of the robust set");
  visitor("steps", p.steps, "outer steps");
  visitor("eps", p.eps, "linf radius, in the optimisation and in the attacks");
  visitor("kernel", p.kernel, "kernel spec");
  visitor("model", p.model, "net to train");
  visitor("weight-decay", p.weight_decay, "L2 penalty of the net on robust images");
  visitor("baseline-decay", p.baseline_decay,
          "L2 penalty of the net on originals; default: their best of 0, 0.001, 0.005, 0.02");
  visitor("judge", p.judge, "test images to attack");
  visitor("attacks", p.attacks, "attacks to judge by");
}

/// One judged model: which, trained on what and with which decay, and the outcome.
struct Verdict {
  std::string model, trained_on;
  std::optional<double> weight_decay;  // of a net
  EvaluateReport report;
};

RobustifyJob robustify_job(const DemoParams& p, const std::string& folder, std::uint64_t seed) {
  RobustifyJob job;
  job.data = folder + "strokes.h5";
  job.output = folder + "robust.h5";
  job.log = folder + "robustify.csv";
  job.keeps_state = false;
  job.options.kernel = p.kernel;
  job.options.n = p.n;
  job.options.steps = p.steps;
  job.options.eps = p.eps;
  job.options.validation = std::min(job.options.validation, p.train / 10);
  job.options.batch = std::min(job.options.batch, p.train - job.options.validation);
  job.options.seed = seed;
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
  Demo(const DemoParams& p, Session& session) : p_(p), session_(session), folder_(p.out + "/") {}

  void run() {
    const Stopwatch watch;
    const bool force = session_.globals.force;
    const std::uint64_t seed = session_.globals.seed;
    heading("1/3  drawing strokes");
    const Dataset strokes = make_strokes(p_.train, p_.test, seed);
    save_dataset(strokes, folder_ + "strokes.h5", force);
    draw(folder_ + "strokes.png", strokes.images("train").view(), {}, strokes, force);

    heading(text("2/3  robustify: ", p_.n, " images, ", p_.steps, " steps, eps ", format_number(p_.eps), ", kernel ",
                 p_.kernel));
    const RobustifyJob job = robustify_job(p_, folder_, seed);
    const RobustifyOutcome outcome = run_robustify(job, strokes, session_);
    const Dataset originals = originals_of(outcome.robust, job.output);
    save_dataset(originals, folder_ + "originals.h5", force);
    draw(folder_ + "pairs.png", originals.train.pixels.view(), outcome.robust.train.pixels.view(), originals, force);

    for (const auto& [name, set] : {std::pair<const char*, const Dataset*>{"originals", &originals},
                                    std::pair<const char*, const Dataset*>{"robust", &outcome.robust}}) {
      judge_machine(name, *set, strokes);
      judge_net(name, *set, strokes);
    }
    report(robustify_json(job, outcome, session_), watch.seconds());
  }

 private:
  void heading(const std::string& line) { session_.console.note(line); }

  void judge(const std::string& model, const std::string& trained_on, std::optional<double> weight_decay,
             const Model& m, const Dataset& strokes) {
    heading(text("3/3  attacking ", model, " trained on ", trained_on));
    EvaluateJob job;
    job.model = model;
    job.data = folder_ + "strokes.h5";
    job.eps = p_.eps;
    job.attacks = p_.attacks;
    job.n = std::min(p_.judge, p_.test);
    job.seed = session_.globals.seed;
    job.checks = "off";
    verdicts_.push_back({model, trained_on, weight_decay, run_evaluate(job, m, nullptr, strokes, session_).report});
  }

  void judge_machine(const std::string& name, const Dataset& set, const Dataset& strokes) {
    MachineJob machine;
    machine.kernel = p_.kernel;
    machine.support = folder_ + name + ".h5";
    judge("kernel " + p_.kernel, name, std::nullopt, *make_machine(machine, set, session_).model, strokes);
  }

  TrainJob train_job(const std::string& name) const {
    TrainJob job;
    job.data = folder_ + name + ".h5";
    job.model = p_.model;
    job.train.seed = session_.globals.seed;
    job.train.weight_decay = name == "robust" ? p_.weight_decay : p_.baseline_decay;
    return job;
  }

  void judge_net(const std::string& name, const Dataset& set, const Dataset& strokes) {
    const TrainJob job = train_job(name);
    heading(text("3/3  training ", p_.model, " on ", name, " by plain SGD, weight decay ",
                 format_number(job.train.weight_decay)));
    const TrainOutcome trained = run_train(job, set, Dataset(), session_);
    save_state(model_state(job, trained, set), kModelSchema, folder_ + "net-" + name + ".h5", session_.globals.force);
    judge(p_.model, name, job.train.weight_decay, *trained.net, strokes);
  }

  void report(const Json& robustify, double seconds) {
    const std::vector<std::string> names = split_list(p_.attacks, "attacks");
    std::vector<std::vector<std::string>> rows{{"model", "trained on", "decay"}};
    rows[0].insert(rows[0].end(), names.begin(), names.end());
    rows[0].push_back("worst case");
    Json json;
    json["schema"] = "ntkrob.demo/1";
    json["version"] = kVersion;
    json["norm"] = "linf";
    json["eps"] = p_.eps;
    json["seed"] = session_.globals.seed;
    json["test_images"] = std::min(p_.judge, p_.test);
    for (const Verdict& v : verdicts_) {
      rows.push_back({v.model, text(p_.n, " ", v.trained_on), v.weight_decay ? format_number(*v.weight_decay) : "-"});
      Json model{{"model", v.model}, {"trained_on", v.trained_on}};
      if (v.weight_decay) model["weight_decay"] = *v.weight_decay;
      for (std::size_t a = 0; a < names.size(); ++a) {
        rows.back().push_back(percent_text(v.report.attacks[a].accuracy));
        model["accuracy"][names[a]] = v.report.attacks[a].accuracy;
      }
      rows.back().push_back(percent_text(v.report.worst_case));
      model["worst_case"] = v.report.worst_case;
      model["eps0"] = v.report.eps0;
      json["models"].push_back(model);
    }
    json["robustify"] = robustify;
    json["seconds"] = seconds;
    write_text(folder_ + "demo.json", json_text(json), session_.globals.force);
    std::cout << "\nAccuracy on " << std::min(p_.judge, p_.test) << " test images, linf, eps " << format_number(p_.eps)
              << "\n\n"
              << table_text(rows) << "\nAn upper bound of the true robustness: other attacks may leave less.\n"
              << "decay: weight decay of a net; its default on robust images is that of train, on originals the best\n"
              << "of 0, 0.001, 0.005 and 0.02 for them.\n"
              << "In " << p_.out
              << ": pairs.png (originals beside robust images), strokes.png, robust.h5, originals.h5,\n"
              << "net-originals.h5, net-robust.h5, robustify.csv, demo.json. Time: " << duration_text(seconds) << "\n";
  }

  const DemoParams& p_;
  Session& session_;
  std::string folder_;
  std::vector<Verdict> verdicts_;
};

void demo(const DemoParams& p, Session& session) {
  namespace fs = std::filesystem;
  NTKROB_CHECK_RANGE("train", p.train, 10, 10'000'000);
  NTKROB_CHECK_RANGE("test", p.test, 10, 10'000'000);
  NTKROB_CHECK_RANGE("judge", p.judge, 1, 10'000'000);
  robustify_job(p, "", session.globals.seed).options.validate();
  NTKROB_CHECK_RANGE("weight-decay", p.weight_decay, 0.0, 1e3);
  NTKROB_CHECK_RANGE("baseline-decay", p.baseline_decay, 0.0, 1e3);
  std::error_code error;
  NTKROB_CHECK(session.globals.force || !fs::exists(p.out, error) || fs::is_empty(p.out, error), ConfigError,
               "out: ", p.out, " exists and is not empty; give --force to overwrite what is in it, or another --out");
  if (session.globals.dry_run || session.globals.explain) {
    TextCollector collector;
    visit_demo(p, collector);
    std::cout << "options\n" << options_text(collector.texts) << session.backend_text();
  }
  if (session.globals.dry_run) return;
  set_last_words(text("interrupted; finished files stay in ", p.out,
                      ", the demo itself starts anew: ", session.command_line({"--force"}), " --force"));
  fs::create_directories(p.out, error);
  NTKROB_CHECK(!error, ResourceError, "out: cannot make the folder ", p.out, ": ", error.message());
  NTKROB_CHECK(fs::is_directory(p.out, error), ResourceError, "out: ", p.out, " is no folder");
  Demo(p, session).run();
}

}  // namespace

Command make_demo() {
  auto p = std::make_shared<DemoParams>();
  Command command;
  visit_demo(*p, command.options.bind());
  command.options.add("attacks", p->attacks, "").separator = ",";
  command.examples = {"ntkrob demo", "ntkrob demo --out demo05 --eps 0.05",
                      "ntkrob demo --n 100 --steps 40 --judge 200"};
  command.run = [p](Session& session) { demo(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
