/// What files hold.
#include <algorithm>

#include "ntkrob/data/format.hpp"
#include "ntkrob/data/journal.hpp"
#include "ntkrob/jobs/report.hpp"
#include "ntkrob/model/classes.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob::jobs {

namespace {

Report split_tree(const Dataset& data, const Split& split) {
  const auto [low, high] = split.extremes();
  return {{"n", split.n},
          {"dtype", split.is_bytes() ? "uint8" : "float32"},
          {"min", low},
          {"max", high},
          {"targets", !split.targets.empty()},
          {"class_counts", class_counts(split.labels, data.classes)}};
}

/// Shape and range of an array entry, or null.
template <class T>
void describe_array(const StateDict::Value& value, const char* dtype, Report& json) {
  const auto* array = std::get_if<NdArray<T>>(&value);
  if (array == nullptr) return;
  json["dtype"] = dtype;
  json["shape"] = array->shape;
  constexpr std::size_t kShown = 8;  // short ones (a shape) are shown whole
  const bool left_out =
      array->values.empty() && std::all_of(array->shape.begin(), array->shape.end(), [](index n) { return n > 0; });
  if (array->values.size() <= kShown && !left_out) json["values"] = array->values;
  if (array->values.empty()) return;
  const auto [low, high] = std::minmax_element(array->values.begin(), array->values.end());
  json["min"] = *low;
  json["max"] = *high;
}

Report entry_tree(const StateDict::Value& value) {
  if (const auto* s = std::get_if<std::string>(&value)) return *s;
  if (const auto* i = std::get_if<std::int64_t>(&value)) return *i;
  if (const auto* d = std::get_if<double>(&value)) return *d;
  Report json = Report::object();
  describe_array<float>(value, "float32", json);
  describe_array<double>(value, "float64", json);
  describe_array<std::int64_t>(value, "int64", json);
  describe_array<std::uint8_t>(value, "uint8", json);
  return json;
}

/// The checkpoint of kernel and predict: what its rows are of.
Report journal_report(const std::string& path) {
  Report json{{"file", path}, {"kind", "checkpoint"}, {"schema", "rows of a result"}};
  json["entries"] = Report::object();
  for (const auto& [name, value] : Journal::read_head(path)) json["entries"][name] = value;
  return json;
}

}  // namespace

Report dataset_report(const Dataset& data) {
  Report json;
  const char* kinds[] = {"pictures", "signals", "rows"};
  json["data"] = kinds[static_cast<int>(data.kind())];
  json["shape"] = std::vector<index>{data.shape.height, data.shape.width, data.shape.channels};
  json["classes"] = data.classes;
  json["class_names"] = data.class_names;
  if (!data.feature_names.empty()) json["feature_names"] = data.feature_names;
  if (!data.feature_low.empty())
    json["feature_range"] = std::vector<std::vector<float>>{data.feature_low, data.feature_high};
  json["value_range"] = std::vector<float>{data.value_low, data.value_high};
  if (!data.train.empty()) json["train"] = split_tree(data, data.train);
  if (!data.test.empty()) json["test"] = split_tree(data, data.test);
  return json;
}

Report provenance_report(const Provenance& p) {
  Report json;
  json["library_version"] = p.library_version;
  json["command"] = p.command;
  json["parent"] = p.parent;
  json["parent_checksum"] = p.parent_checksum;
  json["chain"] = p.chain;
  json["reading"] = p.reading;
  json["options"] = Report::object();
  for (const auto& [name, value] : p.options) json["options"][name] = value;
  json["curves"] = Report::object();
  for (const auto& [name, values] : p.curves) json["curves"][name] = values;
  json["initial_images"] = p.initial_images.rows();
  return json;
}

Report state_report(const std::string& kind, const std::string& path, const std::string& schema, StateLimits limits) {
  if (Journal::is_journal(path)) return journal_report(path);
  const StateDict state = load_state(path, schema, limits);
  Report json;
  json["file"] = path;
  json["kind"] = kind;
  json["schema"] = schema;
  std::size_t parameters = 0;
  Report entries = Report::object();
  const std::vector<std::string> names = kind == "model" ? stored_class_names(state) : std::vector<std::string>();
  for (const auto& [name, value] : state.entries()) {
    if (!names.empty() && name.rfind("class_names/", 0) == 0) continue;
    entries[name] = entry_tree(value);
    if (const auto* array = std::get_if<NdArray<float>>(&value))
      if (name.rfind("layers/", 0) == 0) parameters += array->values.size();
  }
  if (kind == "model") json["parameters"] = parameters;
  if (!names.empty()) json["class_names"] = names;
  json["entries"] = entries;
  return json;
}

Report backends_report() {
  Report rows = Report::list();
  for (const BackendState& b : backends())
    rows.push_back(
        {{"name", b.name}, {"description", b.description}, {"available", b.available}, {"reason", b.reason}});
  return rows;
}

Report formats_report() {
  Report rows = Report::list();
  for (const FormatInfo& f : formats())
    rows.push_back({{"name", f.name},
                    {"extensions", f.extensions},
                    {"description", f.description},
                    {"readable", f.readable},
                    {"writable", f.writable}});
  return rows;
}

Report rules_report() {
  Report rows = Report::list();
  for (const ReadingRule& r : reading_rules())
    rows.push_back({{"id", r.id}, {"kind", r.kind}, {"content", r.content}, {"answer", r.answer}, {"words", r.words}});
  return rows;
}

std::string rules_text(const FieldSpelling& spelling) {
  std::string lines, kind;
  for (const ReadingRule& rule : reading_rules(spelling)) {
    if (rule.kind != kind)
      lines += (kind.empty() ? "" : "\n") +
               text("### ", rule.kind, "\n\n| what comes in | answer | what is said, or what to do |\n|---|---|---|\n");
    kind = rule.kind;
    lines += text("| ", rule.content, " | ", rule.answer, " | ", rule.words, " |\n");
  }
  return lines;
}

}  // namespace ntkrob::jobs
