#include "ntkrob/attack/evaluate_state.hpp"

#include "attack/state_entries.hpp"

namespace ntkrob {

namespace {

const char* const kFormat = "ntkrob.evaluation/3";
constexpr index kMostPixels = index{1} << 28;

/// Options on which the report depends, by the names that the command line gives them. batch is among them because
/// progress is counted in batches.
OptionTexts option_texts(const EvaluateOptions& o) {
  std::string attacks;
  for (const std::string& attack : o.attacks) attacks += (attacks.empty() ? "" : ",") + attack;
  return {{"attacks", attacks},
          {"norm", to_string(o.threat.norm)},
          {"eps", shortest(o.threat.eps)},
          {"low", shortest(o.threat.low)},
          {"high", shortest(o.threat.high)},
          {"seed", std::to_string(o.seed)},
          {"batch", std::to_string(o.batch_rows)},
          {"examples", std::to_string(o.examples)}};
}

void save_parts(StateDict& state, const std::string& prefix, const std::vector<AttackPart>& parts) {
  set_index(state, prefix + "parts", static_cast<index>(parts.size()));
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const std::string name = prefix + "part" + std::to_string(p) + "/";
    state.set(name + "name", parts[p].name);
    set_index(state, name + "attacked", parts[p].attacked);
    set_index(state, name + "robust", parts[p].robust);
    set_index(state, name + "zero_gradients", parts[p].zero_gradients);
    state.set(name + "seconds", parts[p].seconds);
  }
}

std::vector<AttackPart> load_parts(const StateDict& state, const std::string& prefix) {
  constexpr index kMostParts = 1000;
  std::vector<AttackPart> parts(static_cast<std::size_t>(get_index(state, prefix + "parts", kMostParts)));
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const std::string name = prefix + "part" + std::to_string(p) + "/";
    parts[p].name = state.get<std::string>(name + "name");
    parts[p].attacked = get_index(state, name + "attacked");
    parts[p].robust = get_index(state, name + "robust");
    parts[p].zero_gradients = get_index(state, name + "zero_gradients");
    parts[p].seconds = state.get<double>(name + "seconds");
  }
  return parts;
}

void save_attack(StateDict& state, const std::string& prefix, const AttackReport& report) {
  set_index(state, prefix + "zero_gradients", report.zero_gradients);
  set_index(state, prefix + "changed", report.changed);
  state.set(prefix + "seconds", report.seconds);
  set_vector<std::uint8_t>(state, prefix + "robust", report.robust);
  set_vector<float>(state, prefix + "margin", report.margin);
  set_vector<std::int64_t>(state, prefix + "predicted", report.predicted);
  set_vector<std::int64_t>(state, prefix + "queries", report.queries);
  set_vector<double>(state, prefix + "distance", report.distance);
  set_vector<std::uint8_t>(state, prefix + "source_robust", report.source_robust);
  save_parts(state, prefix, report.parts);
}

AttackReport load_attack(const StateDict& state, const std::string& prefix, std::size_t n) {
  AttackReport report;
  report.zero_gradients = get_index(state, prefix + "zero_gradients");
  report.changed = get_index(state, prefix + "changed");
  report.seconds = state.get<double>(prefix + "seconds");
  get_vector<std::uint8_t>(state, prefix + "robust", n, report.robust);
  get_vector<float>(state, prefix + "margin", n, report.margin);
  get_vector<std::int64_t>(state, prefix + "predicted", n, report.predicted);
  get_vector<std::int64_t>(state, prefix + "queries", n, report.queries);
  get_vector<double>(state, prefix + "distance", n, report.distance);
  get_vector<std::uint8_t>(state, prefix + "source_robust", state.contains(prefix + "source_robust") ? n : 0,
                           report.source_robust);
  report.parts = load_parts(state, prefix);
  return report;
}

/// The batch that some parts of a sequence are through with.
void save_batch(StateDict& state, const AttackResult& batch, const Matrix<float>& adversarial) {
  set_index(state, "batch/samples", static_cast<index>(batch.robust.size()));
  if (batch.robust.empty()) return;
  set_vector<std::uint8_t>(state, "batch/robust", batch.robust);
  set_vector<float>(state, "batch/margin", batch.margin);
  set_vector<std::int64_t>(state, "batch/queries", batch.queries);
  set_index(state, "batch/zero_gradients", batch.zero_gradients);
  save_parts(state, "batch/", batch.parts);
  set_index(state, "batch/pixels", adversarial.cols());
  state.set_matrix("batch/adversarial", adversarial.view());
}

void load_batch(const StateDict& state, index most, AttackResult& batch, Matrix<float>& adversarial) {
  const index n = get_index(state, "batch/samples", most);
  if (n == 0) return;
  const auto size = static_cast<std::size_t>(n);
  get_vector<std::uint8_t>(state, "batch/robust", size, batch.robust);
  get_vector<float>(state, "batch/margin", size, batch.margin);
  get_vector<std::int64_t>(state, "batch/queries", size, batch.queries);
  batch.zero_gradients = get_index(state, "batch/zero_gradients");
  batch.parts = load_parts(state, "batch/");
  adversarial = Matrix<float>(n, get_index(state, "batch/pixels", kMostPixels));
  state.get_matrix("batch/adversarial", adversarial.view());
}

}  // namespace

StateDict evaluation_state(const EvaluateOptions& options, const EvaluateProgress& progress) {
  const EvaluateReport& so_far = progress.report;
  StateDict state;
  state.set("format", std::string(kFormat));
  set_options(state, "options/", option_texts(options));
  set_index(state, "samples", static_cast<index>(so_far.predicted.size()));
  set_vector<std::int64_t>(state, "predicted", so_far.predicted);
  set_vector<float>(state, "margin", so_far.margin);
  set_vector<std::int64_t>(state, "source_predicted", so_far.source_predicted);
  set_index(state, "attacks", static_cast<index>(so_far.attacks.size()));
  set_index(state, "done", progress.done);
  for (std::size_t a = 0; a < so_far.attacks.size(); ++a)
    save_attack(state, "attack" + std::to_string(a) + "/", so_far.attacks[a]);
  save_batch(state, progress.batch, progress.adversarial);
  const AdversarialExamples& examples = so_far.examples;
  set_index(state, "examples/count", static_cast<index>(examples.samples.size()));
  if (!examples.samples.empty()) {
    set_vector<std::int64_t>(state, "examples/samples", examples.samples);
    set_vector<std::int64_t>(state, "examples/attacks", examples.attacks);
    set_index(state, "examples/pixels", examples.inputs.cols());
    state.set_matrix("examples/inputs", examples.inputs.view());
  }
  return state;
}

EvaluateProgress restore_evaluation(const StateDict& state, const EvaluateOptions& options) {
  const std::string& format = state.get<std::string>("format");
  NTKROB_CHECK(format == kFormat, IoError, "the state has format \"", format, "\", expected \"", kFormat, "\"");
  check_options(state, "options/", option_texts(options));
  EvaluateProgress progress;
  EvaluateReport& report = progress.report;
  const auto n = static_cast<std::size_t>(get_index(state, "samples"));
  get_vector<std::int64_t>(state, "predicted", n, report.predicted);
  get_vector<float>(state, "margin", n, report.margin);
  get_vector<std::int64_t>(state, "source_predicted", state.contains("source_predicted") ? n : 0,
                           report.source_predicted);
  const index attacks = get_index(state, "attacks", static_cast<index>(options.attacks.size()));
  progress.done = get_index(state, "done", static_cast<index>(n));
  for (index a = 0; a < attacks; ++a)
    report.attacks.push_back(load_attack(state, "attack" + std::to_string(a) + "/", n));
  load_batch(state, static_cast<index>(n), progress.batch, progress.adversarial);
  const index kept = get_index(state, "examples/count", static_cast<index>(n));
  if (kept > 0) {
    get_vector<std::int64_t>(state, "examples/samples", static_cast<std::size_t>(kept), report.examples.samples);
    get_vector<std::int64_t>(state, "examples/attacks", static_cast<std::size_t>(kept), report.examples.attacks);
    report.examples.inputs = Matrix<float>(kept, get_index(state, "examples/pixels", kMostPixels));
    state.get_matrix("examples/inputs", report.examples.inputs.view());
  }
  return progress;
}

}  // namespace ntkrob
