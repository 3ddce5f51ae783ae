#include "ntkrob/attack/evaluate_state.hpp"

#include <algorithm>
#include <memory>

#include "ntkrob/base/state_entries.hpp"

namespace ntkrob {

namespace {

const char* const kFormat = "ntkrob.evaluation/3";

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

/// What is known of an attack of the list before it has run.
struct Listed {
  std::vector<std::string> parts;  // names of the parts of a sequence, and their natures
  std::vector<AttackNature> natures;
  bool transfer = false;
};
Listed listed(const std::string& spec) {
  const std::unique_ptr<Attack> attack = make_listed_attack(spec);
  Listed result;
  for (const Attack* part : attack->parts()) {
    result.parts.push_back(part->name());
    result.natures.push_back(part->nature());
  }
  result.transfer = !transfer_spec(spec).empty();
  return result;
}

/// The first `count` parts of a sequence, on at most n samples.
std::vector<AttackPart> load_parts(const StateDict& state, const std::string& prefix, const Listed& attack,
                                   index at_most, std::size_t n) {
  const auto most = static_cast<index>(n);
  std::vector<AttackPart> parts(static_cast<std::size_t>(get_index(state, prefix + "parts", at_most)));
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const std::string name = prefix + "part" + std::to_string(p) + "/";
    parts[p].name = state.get<std::string>(name + "name");
    NTKROB_CHECK(parts[p].name == attack.parts[p], IoError, "entry \"", name, "name\" is \"", parts[p].name,
                 "\", must be \"", attack.parts[p], "\"");
    parts[p].nature = attack.natures[p];
    // A part attacks what the parts before it have left.
    const index left = p == 0 ? most : parts[p - 1].robust;
    parts[p].attacked = get_index(state, name + "attacked", left, p == 0 ? 0 : left);
    parts[p].robust = get_index(state, name + "robust", parts[p].attacked);
    parts[p].zero_gradients = get_index(state, name + "zero_gradients");
    parts[p].seconds = get_number(state, name + "seconds", 0);
  }
  return parts;
}

/// Steps whose gradient was 0, of a sequence those of its parts; every one is a pass.
index load_zero_gradients(const StateDict& state, const std::string& name, const std::vector<AttackPart>& parts,
                          const std::vector<int>& queries) {
  index passes = 0, sum = 0;
  for (const int q : queries) passes += q;
  for (const AttackPart& part : parts) {
    NTKROB_CHECK(part.zero_gradients <= passes - sum, IoError, "entry \"", name, "\": its parts have more than the ",
                 passes, " passes there were");
    sum += part.zero_gradients;
  }
  return parts.empty() ? get_index(state, name, passes) : get_index(state, name, sum, sum);
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

AttackReport load_attack(const StateDict& state, const std::string& prefix, std::size_t n, double eps,
                         const Listed& attack) {
  AttackReport report;
  report.changed = get_index(state, prefix + "changed", static_cast<index>(n));
  report.seconds = get_number(state, prefix + "seconds", 0);
  get_vector<std::uint8_t>(state, prefix + "robust", n, report.robust, 0, 1);
  get_vector<float>(state, prefix + "margin", n, report.margin);
  get_vector<std::int64_t>(state, prefix + "predicted", n, report.predicted, 0);
  get_vector<std::int64_t>(state, prefix + "queries", n, report.queries, 0);
  get_vector<double>(state, prefix + "distance", n, report.distance, 0, 1.01 * eps + 1e-6);
  get_vector<std::uint8_t>(state, prefix + "source_robust", attack.transfer ? n : 0, report.source_robust, 0, 1);
  report.parts = load_parts(state, prefix, attack, static_cast<index>(attack.parts.size()), n);
  NTKROB_CHECK(report.parts.empty() || report.parts.size() == attack.parts.size(), IoError, "entry \"", prefix,
               "parts\" is ", report.parts.size(), ", must be 0 or ", attack.parts.size());
  report.zero_gradients = load_zero_gradients(state, prefix + "zero_gradients", report.parts, report.queries);
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

void load_batch(const StateDict& state, const Listed& attack, index most, float low, float high, AttackResult& batch,
                Matrix<float>& adversarial) {
  const index n = get_index(state, "batch/samples", attack.parts.empty() ? 0 : most);
  if (n == 0) return;
  const auto size = static_cast<std::size_t>(n);
  get_vector<std::uint8_t>(state, "batch/robust", size, batch.robust, 0, 1);
  get_vector<float>(state, "batch/margin", size, batch.margin);
  get_vector<std::int64_t>(state, "batch/queries", size, batch.queries, 0);
  // With all parts the batch would be in the report.
  batch.parts = load_parts(state, "batch/", attack, static_cast<index>(attack.parts.size()) - 1, size);
  NTKROB_CHECK(!batch.parts.empty(), IoError, "entry \"batch/parts\" is 0, must be at least 1");
  const auto left = static_cast<index>(std::count(batch.robust.begin(), batch.robust.end(), char{1}));
  NTKROB_CHECK(batch.parts.back().robust == left, IoError, "entry \"batch/robust\" has ", left,
               " samples that are left, the last part of \"batch/parts\" has ", batch.parts.back().robust);
  batch.zero_gradients = load_zero_gradients(state, "batch/zero_gradients", batch.parts, batch.queries);
  adversarial = get_matrix<float>(state, "batch/adversarial", n, get_index(state, "batch/pixels"), low, high);
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
  check_options(state, "options/", option_texts(options), "the interrupted evaluation");
  EvaluateProgress progress;
  EvaluateReport& report = progress.report;
  const auto n = static_cast<std::size_t>(get_index(state, "samples"));
  get_vector<std::int64_t>(state, "predicted", n, report.predicted);
  get_vector<float>(state, "margin", n, report.margin);
  get_vector<std::int64_t>(state, "source_predicted", state.contains("source_predicted") ? n : 0,
                           report.source_predicted);
  const index attacks = get_index(state, "attacks", static_cast<index>(options.attacks.size()));
  progress.done = get_index(state, "done", attacks == 0 ? 0 : static_cast<index>(n));
  Listed last;
  for (index a = 0; a < attacks; ++a) {
    last = listed(options.attacks[static_cast<std::size_t>(a)]);
    report.attacks.push_back(load_attack(state, "attack" + std::to_string(a) + "/", n, options.threat.eps, last));
  }
  const float low = options.threat.low, high = options.threat.high;
  load_batch(state, last, static_cast<index>(n) - progress.done, low, high, progress.batch, progress.adversarial);
  const index kept = get_index(state, "examples/count", std::min(options.examples, static_cast<index>(n)));
  if (kept > 0) {
    const auto count = static_cast<std::size_t>(kept);
    AdversarialExamples& examples = report.examples;
    get_vector<std::int64_t>(state, "examples/samples", count, examples.samples, 0, static_cast<std::int64_t>(n) - 1);
    get_vector<std::int64_t>(state, "examples/attacks", count, examples.attacks, -1, attacks - 1);
    examples.inputs = get_matrix<float>(state, "examples/inputs", kept, get_index(state, "examples/pixels"), low, high);
  }
  return progress;
}

}  // namespace ntkrob
