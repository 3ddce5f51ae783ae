/// Checkpoints: state() and restore().
#include <cstring>

#include "robust/loop.hpp"

namespace ntkrob::robust {
namespace {

const char* const kFormat = "ntkrob.robustify/1";

/// One line per field of StepRecord; the arrays of a checkpoint are named after them.
template <class Record, class Visitor>
void visit_record(Record& r, Visitor&& visitor) {
  visitor("step", r.step);
  visitor("loss", r.loss);
  visitor("adversarial", r.adversarial);
  visitor("eps", r.eps);
  visitor("lr", r.lr);
  visitor("gradient_norm", r.gradient_norm);
  visitor("lambda", r.lambda);
  visitor("validated", r.validated);
  visitor("validation_clean", r.validation_clean);
  visitor("validation_robust", r.validation_robust);
  visitor("seconds", r.seconds);
}

void save_records(StateDict& state, const std::string& prefix, const std::vector<StepRecord>& records) {
  std::vector<std::pair<std::string, NdArray<double>>> columns;
  for (const StepRecord& record : records) {
    std::size_t k = 0;
    visit_record(record, [&](const char* name, const auto& value) {
      if (columns.size() == k) columns.emplace_back(name, NdArray<double>{{static_cast<index>(records.size())}, {}});
      columns[k++].second.values.push_back(static_cast<double>(value));
    });
  }
  for (auto& column : columns) state.set(prefix + column.first, std::move(column.second));
}

std::vector<StepRecord> load_records(const StateDict& state, const std::string& prefix, index count) {
  std::vector<StepRecord> records(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < records.size(); ++i)
    visit_record(records[i], [&](const char* name, auto& value) {
      const auto& column = state.get<NdArray<double>>(prefix + name).values;
      NTKROB_CHECK(column.size() == records.size(), IoError, "entry \"", prefix, name, "\" has ", column.size(),
                   " values, expected ", count);
      value = static_cast<std::decay_t<decltype(value)>>(column[i]);
    });
  return records;
}

/// FNV-1a over 32-bit words: detects other data, is not meant against forgery.
class Checksum {
 public:
  void add(std::uint32_t word) { hash_ = (hash_ ^ word) * 1099511628211ull; }
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 14695981039346656037ull;
};

void check_options(const StateDict& state, const RobustifyOptions& options) {
  for (const auto& [name, here] : option_texts(options)) {
    if (name == "checkpoint-every") continue;  // does not influence the result
    const std::string& there = state.get<std::string>("options/" + name);
    NTKROB_CHECK(there == here, ConfigError, "the checkpoint was made with --", name, " ", there, ", this run has --",
                 name, " ", here, "; resume with the options of the checkpoint");
  }
}

}  // namespace

template <class R>
const std::string& Loop<R>::data_checksum() const {
  if (!data_checksum_.empty()) return data_checksum_;
  Checksum sum;
  for (index i = 0; i < data_.x.rows; ++i) {
    for (index j = 0; j < data_.x.cols; ++j) {
      std::uint32_t word;
      std::memcpy(&word, &data_.x(i, j), sizeof word);
      sum.add(word);
    }
    sum.add(static_cast<std::uint32_t>((*data_.labels)[static_cast<std::size_t>(i)]));
  }
  data_checksum_ =
      text(data_.x.rows, " x ", data_.x.cols, ", ", data_.classes, " classes, fnv1a:", std::hex, sum.value());
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
void Loop<R>::restore(const StateDict& state) {
  const std::string& format = state.get<std::string>("format");
  NTKROB_CHECK(format == kFormat, IoError, "the checkpoint has format \"", format, "\", expected \"", kFormat, "\"");
  check_options(state, options_);
  const std::string& data = state.get<std::string>("data");
  NTKROB_CHECK(data == data_checksum(), ConfigError, "the checkpoint was made from other training data (", data,
               "; given: ", data_checksum(), "); resume with the data it was made from");

  // All is read before anything is changed: a damaged checkpoint leaves this object as it was.
  const index n = options_.n, d = data_.x.cols, c = data_.classes;
  const index done = static_cast<index>(state.get<std::int64_t>("step"));
  NTKROB_CHECK(done >= 0 && done <= options_.steps, IoError, "the checkpoint is at step ", done, " of ",
               options_.steps);
  Iterate iterate;
  iterate.support = Matrix<R>(n, d);
  iterate.labels = Matrix<R>(n, c);
  state.get_matrix("support", iterate.support.view());
  state.get_matrix("labels", iterate.labels.view());
  if (done > 0 && uses_adam()) iterate.adam.restore(state, "adam", n, d);
  if (done > 0 && options_.learn_labels) iterate.label_adam.restore(state, "label_adam", n, c);
  StepRecord initial;
  if (state.contains("initial/step") || (done > 0 && options_.validation > 0))
    initial = load_records(state, "initial/", 1).front();
  std::vector<StepRecord> history = load_records(state, "history/", done);
  Best best;
  best.step = static_cast<index>(state.get<std::int64_t>("best/step"));
  if (best.step >= 0) {
    best.robust = state.get<double>("best/robust");
    best.clean = state.get<double>("best/clean");
    best.support = Matrix<R>(n, d);
    best.labels = Matrix<R>(n, c);
    state.get_matrix("best/support", best.support.view());
    state.get_matrix("best/labels", best.labels.view());
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
template void Loop<float>::restore(const StateDict&);
template void Loop<double>::restore(const StateDict&);

}  // namespace ntkrob::robust
