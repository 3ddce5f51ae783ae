#include "ntkrob/attack/masking_state.hpp"

#include "attack/state_entries.hpp"

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
void get_members(const StateDict& state, const std::string& name, std::vector<T>& list, Member T::*member) {
  std::vector<Stored> values;
  get_vector<Stored>(state, name, list.size(), values);
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
  check_options(state, "masking/options/", option_texts(options));
  MaskingProgress progress;
  MaskingReport& report = progress.report;
  const auto n = static_cast<std::size_t>(get_index(state, "masking/samples", kMost));
  get_vector<std::int64_t>(state, "masking/rows", n, report.rows);
  get_vector<std::uint8_t>(state, "masking/gradient_robust", n, report.gradient_robust);
  report.attacked = get_index(state, "masking/attacked", kMost);
  report.curve.resize(static_cast<std::size_t>(get_index(state, "masking/radii", kMost)));
  get_members<double>(state, "masking/curve/eps", report.curve, &CurvePoint::eps);
  get_members<double>(state, "masking/curve/accuracy", report.curve, &CurvePoint::accuracy);
  get_members<double>(state, "masking/curve/noise", report.curve, &CurvePoint::noise);
  report.trace.resize(static_cast<std::size_t>(get_index(state, "masking/steps", kMost + 1)));
  get_members<double>(state, "masking/trace/loss", report.trace, &TraceStep::loss);
  get_members<std::int64_t>(state, "masking/trace/zero_gradients", report.trace, &TraceStep::zero_gradients);
  report.gradient = state.get<double>("masking/gradient");
  report.noise = state.get<double>("masking/noise");
  report.square = state.get<double>("masking/square");
  progress.risen = get_index(state, "masking/risen", kMost);
  progress.zero_share = state.get<double>("masking/zero_share");
  progress.square_done = get_index(state, "masking/square_done", 1) != 0;
  return progress;
}

}  // namespace ntkrob
