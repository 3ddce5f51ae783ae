/// Checkpoints: state() and restore().
#include <cstring>
#include <limits>
#include <utility>

#include "ntkrob/base/fnv1a.hpp"
#include "ntkrob/base/state_entries.hpp"
#include "robust/given.hpp"
#include "robust/loop.hpp"

namespace ntkrob::robust {
namespace {

const char* const kFormat = "ntkrob.robustify/1";

constexpr double kMost = std::numeric_limits<double>::max();

/// One line per field of StepRecord, with the numbers it may hold; the arrays of a checkpoint are named after them.
template <class Record, class Visitor>
void visit_record(Record& r, Visitor&& visitor) {
  visitor("step", r.step, 0, kMost);
  visitor("loss", r.loss, -kMost, kMost);
  visitor("adversarial", r.adversarial, 0, 1);
  visitor("eps", r.eps, 0, kMost);
  visitor("lr", r.lr, 0, kMost);
  visitor("gradient_norm", r.gradient_norm, 0, kMost);
  visitor("lambda", r.lambda, 0, kMost);
  visitor("validated", r.validated, 0, 1);
  visitor("validation_clean", r.validation_clean, 0, 1);
  visitor("validation_robust", r.validation_robust, 0, 1);
  visitor("seconds", r.seconds, 0, kMost);
}

void save_records(StateDict& state, const std::string& prefix, const std::vector<StepRecord>& records) {
  std::vector<std::pair<std::string, NdArray<double>>> columns;
  for (const StepRecord& record : records) {
    std::size_t k = 0;
    visit_record(record, [&](const char* name, const auto& value, double, double) {
      if (columns.size() == k) columns.emplace_back(name, NdArray<double>{{static_cast<index>(records.size())}, {}});
      columns[k++].second.values.push_back(static_cast<double>(value));
    });
  }
  for (auto& column : columns) state.set(prefix + column.first, std::move(column.second));
}

/// first: the number of the first of these steps
std::vector<StepRecord> load_records(const StateDict& state, const std::string& prefix, index count, index first) {
  std::vector<StepRecord> records(static_cast<std::size_t>(count));
  StepRecord names;
  visit_record(names, [&](const char* name, auto&, double low, double high) {
    std::vector<double> column;
    get_vector<double>(state, prefix + name, records.size(), column, low, high);
    for (std::size_t i = 0; i < records.size(); ++i)
      visit_record(records[i], [&](const char* field, auto& value, double, double) {
        if (std::strcmp(field, name) == 0) value = static_cast<std::decay_t<decltype(value)>>(column[i]);
      });
    for (std::size_t i = 0; i < column.size() && std::strcmp(name, "step") == 0; ++i)
      NTKROB_CHECK(column[i] == static_cast<double>(first) + static_cast<double>(i), IoError, "entry \"", prefix,
                   "step\" has the value ", column[i], " at place ", i, ", must be ", first + static_cast<index>(i));
  });
  return records;
}

/// Moments of the optimiser after `done` steps.
template <class R>
void load_adam(const StateDict& state, const std::string& name, index done, index rows, index cols, Adam<R>& adam) {
  if (done == 0) return;
  get_index(state, name + "/t", done, done);
  get_matrix<R>(state, name + "/m", rows, cols);
  get_matrix<R>(state, name + "/v", rows, cols, 0);
  adam.restore(state, name, rows, cols);
}

/// The record that judge() has kept: the best, of equals the last; null where nothing was validated.
const StepRecord* best_record(const StepRecord& initial, const std::vector<StepRecord>& history) {
  const StepRecord* best = initial.validated ? &initial : nullptr;
  for (const StepRecord& r : history)
    if (r.validated && (best == nullptr || std::make_pair(r.validation_robust, r.validation_clean) >=
                                               std::make_pair(best->validation_robust, best->validation_clean)))
      best = &r;
  return best;
}

}  // namespace

template <class R>
const std::string& Loop<R>::data_checksum() const {
  if (data_checksum_.empty()) data_checksum_ = checksum_text(data_);
  return data_checksum_;
}

template <class R>
StateDict Loop<R>::state() const {
  StateDict state;
  state.set("format", std::string(kFormat));
  for (const auto& [name, value] : option_texts(options_)) state.set("options/" + name, value);
  state.set("data", data_checksum());
  state.set("step", static_cast<std::int64_t>(steps_done()));
  state.set_matrix("support", current_.support.view());
  state.set_matrix("labels", current_.labels.view());
  if (steps_done() > 0 && uses_adam()) current_.adam.save(state, "adam");
  if (steps_done() > 0 && options_.learn_labels) current_.label_adam.save(state, "label_adam");
  if (initial_.validated) save_records(state, "initial/", {initial_});
  if (steps_done() > 0) save_records(state, "history/", history_);
  state.set("best/step", static_cast<std::int64_t>(best_.step));
  if (best_.step >= 0) {
    state.set("best/robust", best_.robust);
    state.set("best/clean", best_.clean);
    state.set_matrix("best/support", best_.support.view());
    state.set_matrix("best/labels", best_.labels.view());
  }
  return state;
}

template <class R>
void Loop<R>::check_validations(const StepRecord& initial, const std::vector<StepRecord>& history) const {
  NTKROB_CHECK(!initial.validated || options_.validation > 0, IoError,
               "entry \"initial/validated\" is 1, this run validates nothing");
  for (const StepRecord& r : history)
    NTKROB_CHECK(r.validated == validates(r.step), IoError, "entry \"history/validated\" is ", r.validated,
                 " for step ", r.step, ", must be ", validates(r.step));
}

template <class R>
void Loop<R>::restore(const StateDict& state) {
  const std::string& format = state.get<std::string>("format");
  NTKROB_CHECK(format == kFormat, IoError, "the checkpoint has format \"", format, "\", expected \"", kFormat, "\"");
  check_same_options(state, option_texts(options_), "checkpoint-every");
  check_same_data(state, data_checksum());

  // All is read before anything is changed: a damaged checkpoint leaves this object as it was.
  const index n = options_.n, d = data_.x.cols, c = data_.classes;
  const index done = get_index(state, "step", options_.steps);
  Iterate iterate;
  // Images of a clipped run are in [0,1] after every step, and at its start as the data are.
  const R low = options_.clip && done > 0 ? R(0) : std::numeric_limits<R>::lowest();
  const R high = options_.clip && done > 0 ? R(1) : std::numeric_limits<R>::max();
  iterate.support = get_matrix<R>(state, "support", n, d, low, high);
  iterate.labels = get_matrix<R>(state, "labels", n, c);
  if (uses_adam()) load_adam(state, "adam", done, n, d, iterate.adam);
  if (options_.learn_labels) load_adam(state, "label_adam", done, n, c, iterate.label_adam);
  StepRecord initial;
  if (state.contains("initial/step") || (done > 0 && options_.validation > 0))
    initial = load_records(state, "initial/", 1, 0).front();
  std::vector<StepRecord> history = load_records(state, "history/", done, 1);
  check_validations(initial, history);
  Best best;
  const StepRecord* judged = best_record(initial, history);
  const index best_step = judged == nullptr ? -1 : judged->step;
  best.step = get_index(state, "best/step", best_step, best_step);
  if (judged != nullptr) {
    best.robust = get_number(state, "best/robust", judged->validation_robust, judged->validation_robust);
    best.clean = get_number(state, "best/clean", judged->validation_clean, judged->validation_clean);
    best.support = get_matrix<R>(state, "best/support", n, d, best.step > 0 ? low : std::numeric_limits<R>::lowest(),
                                 best.step > 0 ? high : std::numeric_limits<R>::max());
    best.labels = get_matrix<R>(state, "best/labels", n, c);
  }

  forget_fits();
  current_ = std::move(iterate);
  history_ = std::move(history);
  initial_ = initial;
  best_ = std::move(best);
}

template const std::string& Loop<float>::data_checksum() const;
template const std::string& Loop<double>::data_checksum() const;
template StateDict Loop<float>::state() const;
template StateDict Loop<double>::state() const;
template void Loop<float>::check_validations(const StepRecord&, const std::vector<StepRecord>&) const;
template void Loop<double>::check_validations(const StepRecord&, const std::vector<StepRecord>&) const;
template void Loop<float>::restore(const StateDict&);
template void Loop<double>::restore(const StateDict&);

}  // namespace ntkrob::robust
