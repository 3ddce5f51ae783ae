/// Reports of jobs as trees of names and values: what the command writes as JSON, and other languages as their own
/// dictionaries. Names keep the order in which they were set. Numbers are finite.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "ntkrob/data/dataset.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/class_report.hpp"
#include "ntkrob/jobs/context.hpp"
#include "ntkrob/jobs/demo.hpp"
#include "ntkrob/jobs/evaluate.hpp"
#include "ntkrob/jobs/machine.hpp"
#include "ntkrob/jobs/robustify.hpp"
#include "ntkrob/jobs/train.hpp"

namespace ntkrob::jobs {

class Report {
 public:
  using Member = std::pair<std::string, Report>;
  using Members = std::vector<Member>;
  using List = std::vector<Report>;
  using Value = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, List, Members>;

  /// Nothing: null.
  Report();
  // Not inline: GCC 12 warns of strings in other alternatives of the variant, which are never read.
  Report(const Report&);
  Report(Report&&) noexcept;
  Report& operator=(const Report&);
  Report& operator=(Report&&) noexcept;
  ~Report();
  Report(const char* text) : value_(std::string(text)) {}
  Report(std::string text) : value_(std::move(text)) {}
  template <class T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
  Report(T number) : value_(of_number(number)) {}
  template <class T>
  Report(const std::vector<T>& items) {
    List list;
    for (const auto& item : items) list.emplace_back(Report(item));
    value_ = std::move(list);
  }
  /// {{"name", value}, ...}
  Report(std::initializer_list<Member> members) : value_(Members(members)) {}

  static Report list() { return of(List()); }
  static Report object() { return of(Members()); }

  const Value& value() const { return value_; }
  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  /// The member of that name, which is made where there is none; a report that is null becomes an object.
  Report& operator[](const std::string& name);
  /// At the end of a list; a report that is null becomes one.
  Report& push_back(Report item);
  /// Takes over all members of another object.
  void update(const Report& other);

 private:
  static Report of(Value value) {
    Report report;
    report.value_ = std::move(value);
    return report;
  }
  template <class T>
  static Value of_number(T number) {
    if constexpr (std::is_same_v<T, bool>) return Value(number);
    if constexpr (std::is_floating_point_v<T>) return Value(static_cast<double>(number));
    if constexpr (std::is_unsigned_v<T> && !std::is_same_v<T, bool>) return Value(static_cast<std::uint64_t>(number));
    if constexpr (std::is_signed_v<T> && std::is_integral_v<T>) return Value(static_cast<std::int64_t>(number));
  }
  Value value_;
};

/// Schema "ntkrob.evaluate/1". The same for the same job, model and data, whatever the number of threads and however
/// often it was interrupted, but for the entries "seconds".
Report evaluate_report(const EvaluateJob& job, const EvaluateOutcome& outcome);
/// The float32 net beside the int8 one.
Report float32_report(const EvaluateOutcome& float32);
/// What a reader must know about the list of attacks before the numbers, or empty: that it is a preset for development,
/// or that it has no AutoAttack.
std::string attack_note(const EvaluateJob& job, const EvaluateOutcome& outcome);
/// Schema "ntkrob.robustify/1".
Report robustify_report(const RobustifyJob& job, const RobustifyOutcome& outcome, Context& context);
/// Schema "ntkrob.train/1".
Report train_report(const TrainJob& job, const TrainOutcome& outcome, Context& context);
/// Schema "ntkrob.demo/1".
Report demo_report(const DemoJob& job, const DemoOutcome& outcome, Context& context);
/// How a machine was solved; null where there is nothing to say.
Report solve_report(const Machine& machine);
/// {"file": ["clause", ...], ...} of all inputs so far.
Report readings_report(const Context& context);
/// [{"class", "name" (where it has one), "n", "clean", "worst_case" (under attack)}]: shares in [0,1], null without
/// samples
Report per_class_report(const ClassReport& report);
/// {"clean": [[n]], "worst_case": [[n]]}: rows are true classes, columns predictions. Null for more than 1000 classes,
/// which the entry "note" says: count from the samples.
Report confusion_report(const ClassReport& report);

/// What a data set holds, and how it came to be.
Report dataset_report(const Dataset& data);
Report provenance_report(const Provenance& provenance);
/// Shapes, element type, value range, class counts; several lines.
std::string dataset_text(const Dataset& data);
/// What made the data set, or "" where nothing is recorded.
std::string provenance_text(const Provenance& provenance);
/// What this build has: backends, formats, and how readers decide.
Report backends_report();
Report formats_report();
Report rules_report();
/// Every layer of nets and kernels, and what there is of it: kernel, cpu, cuda, micro, int8, onnx, torch.
Report layers_report();
/// The same as the table of lib/doc/nets.md.
std::string layers_text();
/// The same rules as the tables of lib/doc/reading.md.   spelling: of the options in them, see base/error.hpp
std::string rules_text(const FieldSpelling& spelling = {});

/// The entries of a model, kernel, prediction or checkpoint; arrays beyond the limits by their shape.
///   kind, schema: as identify() says   throws: as load_state
Report state_report(const std::string& kind, const std::string& path, const std::string& schema, StateLimits limits);

}  // namespace ntkrob::jobs
