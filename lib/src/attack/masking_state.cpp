#include "ntkrob/attack/masking_state.hpp"

#include "ntkrob/base/state_entries.hpp"

namespace ntkrob {

namespace {

/// Options on which the checks depend; only those that the command line has can differ between runs of it.
OptionTexts option_texts(const MaskingOptions& o) {
  std::string curve;
  for (const double radius : o.curve) curve += (curve.empty() ? "" : ",") + shortest(radius);
  return {{"norm", to_string(o.threat.norm)},       {"eps", shortest(o.threat.eps)},
          {"low", shortest(o.threat.low)},          {"high", shortest(o.threat.high)},
          {"seed", std::to_string(o.seed)},         {"check-samples", std::to_string(o.samples)},
          {"check-steps", std::to_string(o.steps)}, {"check-queries", std::to_string(o.queries)},
          {"check-draws", std::to_string(o.draws)}, {"curve", curve.empty() ? "chosen from eps" : curve}};
}

/// One member of every element of a list, as a vector.
template <class Stored, class T, class Member>
void set_members(StateDict& state, const std::string& name, const std::vector<T>& list, Member T::*member) {
  std::vector<Stored> values;
  for (const T& one : list) values.push_back(static_cast<Stored>(one.*member));
  set_vector<Stored>(state, name, values);
}

template <class Stored, class T, class Member>
void get_members(const StateDict& state, const std::string& name, std::vector<T>& list, Member T::*member, Stored low,
                 Stored high) {
  std::vector<Stored> values;
  get_vector<Stored>(state, name, list.size(), values, low, high);
  for (std::size_t k = 0; k < list.size(); ++k) list[k].*member = static_cast<Member>(values[k]);
}

}  // namespace

void save_masking(const MaskingOptions& options, const MaskingProgress& so_far, StateDict& state) {
  const MaskingReport& report = so_far.report;
  set_options(state, "masking/options/", option_texts(options));
  set_index(state, "masking/samples", static_cast<index>(report.rows.size()));
  set_vector<std::int64_t>(state, "masking/rows", report.rows);
  set_vector<std::uint8_t>(state, "masking/gradient_robust", report.gradient_robust);
  set_index(state, "masking/attacked", report.attacked);
  set_index(state, "masking/radii", static_cast<index>(report.curve.size()));
  set_members<double>(state, "masking/curve/eps", report.curve, &CurvePoint::eps);
  set_members<double>(state, "masking/curve/accuracy", report.curve, &CurvePoint::accuracy);
  set_members<double>(state, "masking/curve/noise", report.curve, &CurvePoint::noise);
  set_index(state, "masking/steps", static_cast<index>(report.trace.size()));
  set_members<double>(state, "masking/trace/loss", report.trace, &TraceStep::loss);
  set_members<std::int64_t>(state, "masking/trace/zero_gradients", report.trace, &TraceStep::zero_gradients);
  state.set("masking/gradient", report.gradient);
  state.set("masking/noise", report.noise);
  state.set("masking/square", report.square);
  set_index(state, "masking/risen", so_far.risen);
  state.set("masking/zero_share", so_far.zero_share);
  set_index(state, "masking/square_done", so_far.square_done);
}

bool has_masking(const StateDict& state) { return state.contains("masking/samples"); }

MaskingProgress restore_masking(const StateDict& state, const MaskingOptions& options) {
  constexpr index kMost = 1'000'000;
  constexpr double kHighest = std::numeric_limits<double>::max();
  check_options(state, "masking/options/", option_texts(options), "the interrupted evaluation");
  MaskingProgress progress;
  MaskingReport& report = progress.report;
  const auto n = static_cast<std::size_t>(get_index(state, "masking/samples", kMost));
  get_vector<std::int64_t>(state, "masking/rows", n, report.rows, 0);
  get_vector<std::uint8_t>(state, "masking/gradient_robust", n, report.gradient_robust, 0, 1);
  report.attacked = get_index(state, "masking/attacked", static_cast<index>(n));
  report.curve.resize(static_cast<std::size_t>(get_index(state, "masking/radii", kMost)));
  get_members<double>(state, "masking/curve/eps", report.curve, &CurvePoint::eps, 0.0, kHighest);
  get_members<double>(state, "masking/curve/accuracy", report.curve, &CurvePoint::accuracy, 0.0, 1.0);
  get_members<double>(state, "masking/curve/noise", report.curve, &CurvePoint::noise, 0.0, 1.0);
  report.trace.resize(static_cast<std::size_t>(get_index(state, "masking/steps", options.steps + 1)));
  get_members<double>(state, "masking/trace/loss", report.trace, &TraceStep::loss, 0.0, kHighest);
  get_members<std::int64_t>(state, "masking/trace/zero_gradients", report.trace, &TraceStep::zero_gradients, 0,
                            report.attacked);
  report.gradient = get_number(state, "masking/gradient", 0, 1);
  report.noise = get_number(state, "masking/noise", 0, 1);
  report.square = get_number(state, "masking/square", 0, 1);
  progress.risen = get_index(state, "masking/risen", report.attacked);
  progress.zero_share = get_number(state, "masking/zero_share", 0, 1);
  progress.square_done = get_index(state, "masking/square_done", 1) != 0;
  return progress;
}

}  // namespace ntkrob
