#include "ntkrob/attack/evaluate_state.hpp"

#include <charconv>

namespace ntkrob {

namespace {

const char* const kFormat = "ntkrob.evaluation/1";

/// The shortest text that names this float32 and no other.
std::string shortest(float value) {
  char out[32];
  return {out, std::to_chars(out, out + sizeof out, value).ptr};
}

/// Options on which the report depends, by the names that the command line gives them. batch is among them because
/// progress is counted in batches.
std::vector<std::pair<std::string, std::string>> option_texts(const EvaluateOptions& o) {
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

template <class Stored, class T>
void set_vector(StateDict& state, const std::string& name, const std::vector<T>& values) {
  if (values.empty()) return;
  state.set(name, NdArray<Stored>{{static_cast<index>(values.size())}, {values.begin(), values.end()}});
}

/// An absent entry is an empty vector.
template <class Stored, class T>
void get_vector(const StateDict& state, const std::string& name, std::size_t size, std::vector<T>& values) {
  values.clear();
  if (size == 0) return;
  const std::vector<Stored>& stored = state.get<NdArray<Stored>>(name).values;
  NTKROB_CHECK(stored.size() == size, IoError, "entry \"", name, "\" has ", stored.size(), " values, expected ", size);
  values.reserve(size);
  for (const Stored value : stored) values.push_back(static_cast<T>(value));
}

index get_index(const StateDict& state, const std::string& name, index high) {
  const std::int64_t value = state.get<std::int64_t>(name);
  NTKROB_CHECK(value >= 0 && value <= high, IoError, "entry \"", name, "\" is ", value, ", must be from 0 to ", high);
  return static_cast<index>(value);
}

void save_attack(StateDict& state, const std::string& prefix, const AttackReport& report) {
  state.set(prefix + "zero_gradients", static_cast<std::int64_t>(report.zero_gradients));
  state.set(prefix + "changed", static_cast<std::int64_t>(report.changed));
  state.set(prefix + "seconds", report.seconds);
  set_vector<std::uint8_t>(state, prefix + "robust", report.robust);
  set_vector<float>(state, prefix + "margin", report.margin);
  set_vector<std::int64_t>(state, prefix + "queries", report.queries);
  set_vector<double>(state, prefix + "distance", report.distance);
  set_vector<std::uint8_t>(state, prefix + "source_robust", report.source_robust);
  state.set(prefix + "parts", static_cast<std::int64_t>(report.parts.size()));
  for (std::size_t p = 0; p < report.parts.size(); ++p) {
    const AttackPart& part = report.parts[p];
    const std::string name = prefix + "part" + std::to_string(p) + "/";
    state.set(name + "name", part.name);
    state.set(name + "attacked", static_cast<std::int64_t>(part.attacked));
    state.set(name + "robust", static_cast<std::int64_t>(part.robust));
    state.set(name + "zero_gradients", static_cast<std::int64_t>(part.zero_gradients));
    state.set(name + "seconds", part.seconds);
  }
}

AttackReport load_attack(const StateDict& state, const std::string& prefix, std::size_t n) {
  constexpr index kMost = index{1} << 60, kMostParts = 1000;
  AttackReport report;
  report.zero_gradients = get_index(state, prefix + "zero_gradients", kMost);
  report.changed = get_index(state, prefix + "changed", kMost);
  report.seconds = state.get<double>(prefix + "seconds");
  get_vector<std::uint8_t>(state, prefix + "robust", n, report.robust);
  get_vector<float>(state, prefix + "margin", n, report.margin);
  get_vector<std::int64_t>(state, prefix + "queries", n, report.queries);
  get_vector<double>(state, prefix + "distance", n, report.distance);
  get_vector<std::uint8_t>(state, prefix + "source_robust", state.contains(prefix + "source_robust") ? n : 0,
                           report.source_robust);
  const index parts = get_index(state, prefix + "parts", kMostParts);
  for (index p = 0; p < parts; ++p) {
    const std::string name = prefix + "part" + std::to_string(p) + "/";
    AttackPart part;
    part.name = state.get<std::string>(name + "name");
    part.attacked = get_index(state, name + "attacked", kMost);
    part.robust = get_index(state, name + "robust", kMost);
    part.zero_gradients = get_index(state, name + "zero_gradients", kMost);
    part.seconds = state.get<double>(name + "seconds");
    report.parts.push_back(std::move(part));
  }
  return report;
}

}  // namespace

StateDict evaluation_state(const EvaluateOptions& options, const EvaluateReport& so_far, index done) {
  StateDict state;
  state.set("format", std::string(kFormat));
  for (const auto& [name, value] : option_texts(options)) state.set("options/" + name, value);
  state.set("samples", static_cast<std::int64_t>(so_far.predicted.size()));
  set_vector<std::int64_t>(state, "predicted", so_far.predicted);
  set_vector<float>(state, "margin", so_far.margin);
  set_vector<std::int64_t>(state, "source_predicted", so_far.source_predicted);
  state.set("attacks", static_cast<std::int64_t>(so_far.attacks.size()));
  state.set("done", static_cast<std::int64_t>(done));
  for (std::size_t a = 0; a < so_far.attacks.size(); ++a)
    save_attack(state, "attack" + std::to_string(a) + "/", so_far.attacks[a]);
  const AdversarialExamples& examples = so_far.examples;
  state.set("examples/count", static_cast<std::int64_t>(examples.samples.size()));
  if (!examples.samples.empty()) {
    set_vector<std::int64_t>(state, "examples/samples", examples.samples);
    set_vector<std::int64_t>(state, "examples/attacks", examples.attacks);
    state.set("examples/pixels", static_cast<std::int64_t>(examples.inputs.cols()));
    state.set_matrix("examples/inputs", examples.inputs.view());
  }
  return state;
}

EvaluateProgress restore_evaluation(const StateDict& state, const EvaluateOptions& options) {
  constexpr index kMost = index{1} << 40;
  const std::string& format = state.get<std::string>("format");
  NTKROB_CHECK(format == kFormat, IoError, "the state has format \"", format, "\", expected \"", kFormat, "\"");
  for (const auto& [name, here] : option_texts(options)) {
    const std::string& there = state.get<std::string>("options/" + name);
    NTKROB_CHECK(there == here, ConfigError, "the interrupted evaluation had --", name, " ", there, ", this one has --",
                 name, " ", here, "; resume with the options it was started with");
  }
  EvaluateProgress progress;
  EvaluateReport& report = progress.report;
  const auto n = static_cast<std::size_t>(get_index(state, "samples", kMost));
  get_vector<std::int64_t>(state, "predicted", n, report.predicted);
  get_vector<float>(state, "margin", n, report.margin);
  get_vector<std::int64_t>(state, "source_predicted", state.contains("source_predicted") ? n : 0,
                           report.source_predicted);
  const index attacks = get_index(state, "attacks", static_cast<index>(options.attacks.size()));
  progress.done = get_index(state, "done", static_cast<index>(n));
  for (index a = 0; a < attacks; ++a)
    report.attacks.push_back(load_attack(state, "attack" + std::to_string(a) + "/", n));
  const index kept = get_index(state, "examples/count", static_cast<index>(n));
  if (kept > 0) {
    get_vector<std::int64_t>(state, "examples/samples", static_cast<std::size_t>(kept), report.examples.samples);
    get_vector<std::int64_t>(state, "examples/attacks", static_cast<std::size_t>(kept), report.examples.attacks);
    report.examples.inputs = Matrix<float>(kept, get_index(state, "examples/pixels", kMost));
    state.get_matrix("examples/inputs", report.examples.inputs.view());
  }
  return progress;
}

}  // namespace ntkrob
