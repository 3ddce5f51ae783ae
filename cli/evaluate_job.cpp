#include "evaluate_job.hpp"

#include <nlohmann/json.hpp>

#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob::cli {

EvaluateReport run_evaluate(const EvaluateJob& job, const Model& model, const Dataset& data, Session& session) {
  NTKROB_CHECK(model.input_shape() == data.shape, ShapeError, "the model ", job.model, " takes images of ",
               model.input_shape().height, " x ", model.input_shape().width, " x ", model.input_shape().channels,
               ", those of ", job.data, " are ", data.shape.height, " x ", data.shape.width, " x ",
               data.shape.channels);
  const Split& split = data.split(job.split);
  NTKROB_CHECK(!split.empty(), ConfigError, "split: ", job.data, " has no ", job.split, " split");
  NTKROB_CHECK(data.classes <= model.classes(), ShapeError, job.data, " has ", data.classes, " classes, the model ",
               job.model, " only ", model.classes());
  NTKROB_CHECK(job.n <= split.n, ConfigError, "n is ", job.n, ", but split ", job.split, " of ", job.data, " has only ",
               split.n, " samples");
  NTKROB_CHECK_RANGE("batch", job.batch, 1, 1'000'000);
  const index n = job.n == 0 ? split.n : job.n;

  EvaluateOptions options;
  options.attacks = split_list(job.attacks, "attacks");
  options.threat.norm = parse_norm(job.norm);
  options.threat.eps = static_cast<float>(job.eps);
  options.seed = job.seed;
  options.batch_rows = job.batch;
  const InterruptScope interrupt;
  const Stopwatch watch;
  options.progress = [&](const std::string& attack, index done, index total) {
    session.console.progress(text(attack, ": ", done, " of ", total, " samples, ", duration_text(watch.seconds())),
                             done, total);
    NTKROB_CHECK(!InterruptScope::requested(), Interrupted, "interrupted during ", attack, "; nothing was written");
  };
  const Matrix<float> images = data.images(job.split);
  const std::vector<int> labels(split.labels.begin(), split.labels.begin() + n);
  const Matrix<float> targets = centred_one_hot(labels, model.classes());
  return evaluate(model, images.view().middle_rows(0, n), labels, targets.view(), options);
}

nlohmann::ordered_json evaluate_json(const EvaluateJob& job, const EvaluateReport& report, const Dataset& data) {
  using Json = nlohmann::ordered_json;
  const std::vector<std::string> names = split_list(job.attacks, "attacks");
  Json json;
  json["schema"] = "ntkrob.evaluate/1";
  json["version"] = kVersion;
  json["model"] = job.model;
  json["data"] = job.data;
  json["split"] = job.split;
  json["n"] = report.predicted.size();
  json["norm"] = job.norm;
  json["eps"] = job.eps;
  json["seed"] = job.seed;
  json["accuracy"] = {{"clean", report.clean}};
  for (std::size_t a = 0; a < report.attacks.size(); ++a) json["accuracy"][names[a]] = report.attacks[a].accuracy;
  json["worst_case"] = report.worst_case;
  json["eps0"] = report.eps0;
  json["attacks"] = Json::object();
  for (std::size_t a = 0; a < report.attacks.size(); ++a) {
    const AttackReport& attack = report.attacks[a];
    Json constants = Json::object();
    for (const auto& [key, value] : attack.constants) constants[key] = value;
    json["attacks"][names[a]] = {{"name", attack.name},
                                 {"constants", constants},
                                 {"mean_margin", attack.mean_margin},
                                 {"zero_gradients", attack.zero_gradients},
                                 {"changed", attack.changed},
                                 {"seconds", attack.seconds}};
    for (const AttackPart& part : attack.parts)
      json["attacks"][names[a]]["parts"].push_back({{"name", part.name},
                                                    {"attacked", part.attacked},
                                                    {"robust", part.robust},
                                                    {"zero_gradients", part.zero_gradients},
                                                    {"seconds", part.seconds}});
  }
  json["samples"] = Json::array();
  const std::vector<int>& labels = data.split(job.split).labels;
  for (std::size_t i = 0; i < report.predicted.size(); ++i) {
    Json sample{{"index", i}, {"label", labels[i]}, {"predicted", report.predicted[i]}};
    for (std::size_t a = 0; a < report.attacks.size(); ++a)
      sample["attacks"][names[a]] = {{"robust", report.attacks[a].robust[i] != 0},
                                     {"margin", report.attacks[a].margin[i]},
                                     {"queries", report.attacks[a].queries[i]}};
    json["samples"].push_back(std::move(sample));
  }
  return json;
}

std::string evaluate_text(const EvaluateJob& job, const EvaluateReport& report) {
  const auto number = [](double value, const char* format) {
    char out[40];
    std::snprintf(out, sizeof out, format, value);
    return std::string(out);
  };
  const std::vector<std::string> names = split_list(job.attacks, "attacks");
  std::vector<std::vector<std::string>> rows{{"attack", "accuracy", "mean margin", "zero gradients", "seconds"}};
  for (std::size_t a = 0; a < report.attacks.size(); ++a) {
    const AttackReport& r = report.attacks[a];
    rows.push_back({names[a], percent_text(r.accuracy), number(r.mean_margin, "%.4f"), std::to_string(r.zero_gradients),
                    number(r.seconds, "%.1f")});
    for (const AttackPart& part : r.parts)
      rows.push_back({"  then " + part.name, text(part.robust, " of ", part.attacked), "",
                      std::to_string(part.zero_gradients), number(part.seconds, "%.1f")});
  }
  return text("model     ", job.model, "\ndata      ", job.data, ", ", report.predicted.size(), " samples of split ",
              job.split, "\nthreat    ", job.norm, ", eps ", format_number(job.eps), "\n\n", table_text(rows),
              "\nclean       ", percent_text(report.clean), "\nworst case  ", percent_text(report.worst_case),
              "  (right under every attack of the list)\nself test   accuracy at eps 0 is ", percent_text(report.eps0),
              ", equal to clean\n");
}

}  // namespace ntkrob::cli
