/// ntkrob info: what a file holds; which backends and formats there are.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "dataset_text.hpp"
#include "input.hpp"
#include "json_text.hpp"
#include "ntkrob/base/printable.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/nn/net.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob::cli {

namespace {

using Json = nlohmann::ordered_json;

struct InfoParams {
  std::string file;
  bool backends = false;
  bool formats = false;
  bool reading = false;
  std::string json;
  ReadOptions read;
};

Json backends_json() {
  Json rows = Json::array();
  for (const BackendState& b : backends())
    rows.push_back(
        {{"name", b.name}, {"description", b.description}, {"available", b.available}, {"reason", b.reason}});
  return rows;
}

std::string backends_text() {
  std::string lines = "Backends, best first:\n";
  for (const BackendState& b : backends()) {
    const std::string pad(b.name.size() < 10 ? 10 - b.name.size() : 1, ' ');
    lines += "  " + b.name + pad + (b.available ? "available      " : "not available  ") + b.description + "\n";
    if (!b.available) lines += std::string(12, ' ') + b.reason + "\n";
  }
  return lines;
}

Json formats_json() {
  Json rows = Json::array();
  for (const FormatInfo& f : formats())
    rows.push_back({{"name", f.name},
                    {"extensions", f.extensions},
                    {"description", f.description},
                    {"readable", f.readable},
                    {"writable", f.writable}});
  return rows;
}

/// The rows of lib/doc/reading.md.
std::string rules_text() {
  std::string lines, kind;
  for (const ReadingRule& rule : reading_rules()) {
    if (rule.kind != kind)
      lines += (kind.empty() ? "" : "\n") +
               text("### ", rule.kind, "\n\n| what comes in | answer | what is said, or what to do |\n|---|---|---|\n");
    kind = rule.kind;
    lines += text("| ", rule.content, " | ", rule.answer, " | ", rule.words, " |\n");
  }
  return lines;
}

Json rules_json() {
  Json rows = Json::array();
  for (const ReadingRule& r : reading_rules())
    rows.push_back({{"id", r.id}, {"kind", r.kind}, {"content", r.content}, {"answer", r.answer}, {"words", r.words}});
  return rows;
}

/// Shape and range of an array entry, or null.
template <class T>
void describe_array(const StateDict::Value& value, const char* dtype, Json& json) {
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

Json entry_json(const StateDict::Value& value) {
  if (const auto* s = std::get_if<std::string>(&value)) return *s;
  if (const auto* i = std::get_if<std::int64_t>(&value)) return *i;
  if (const auto* d = std::get_if<double>(&value)) return *d;
  Json json = Json::object();
  describe_array<float>(value, "float32", json);
  describe_array<double>(value, "float64", json);
  describe_array<std::int64_t>(value, "int64", json);
  describe_array<std::uint8_t>(value, "uint8", json);
  return json;
}

std::string entry_text(const Json& entry) {
  if (entry.is_string()) return entry.get<std::string>();
  if (!entry.is_object()) return entry.dump();
  if (entry.contains("values")) return entry["values"].dump();
  std::string line = entry["dtype"].get<std::string>() + " ";
  for (std::size_t i = 0; i < entry["shape"].size(); ++i) line += (i == 0 ? "" : " x ") + entry["shape"][i].dump();
  if (entry.contains("min")) line += "  from " + entry["min"].dump() + " to " + entry["max"].dump();
  return line;
}

/// A model, kernel, prediction or checkpoint: its entries, and for a model its parameter count.
/// Arrays that do not fit are described by their shape.
Json state_json(const std::string& kind, const std::string& path, const std::string& schema, StateLimits limits) {
  const StateDict state = load_state(path, schema, limits);
  Json json;
  json["file"] = path;
  json["kind"] = kind;
  json["schema"] = schema;
  std::size_t parameters = 0;
  Json entries = Json::object();
  const std::vector<std::string> names = kind == "model" ? stored_class_names(state) : std::vector<std::string>();
  for (const auto& [name, value] : state.entries()) {
    if (!names.empty() && name.rfind("class_names/", 0) == 0) continue;
    entries[name] = entry_json(value);
    if (const auto* array = std::get_if<NdArray<float>>(&value))
      if (name.rfind("layers/", 0) == 0) parameters += array->values.size();
  }
  if (kind == "model") json["parameters"] = parameters;
  if (!names.empty()) json["class_names"] = names;
  json["entries"] = entries;
  return json;
}

std::string state_text(const Json& json) {
  std::string lines = json["kind"].get<std::string>() + "  " + json["file"].get<std::string>() + "  (schema " +
                      json["schema"].get<std::string>() + ")\n";
  if (json.contains("parameters")) lines += "parameters  " + json["parameters"].dump() + "\n";
  if (json.contains("class_names")) {
    lines += "classes     ";
    for (std::size_t k = 0; k < json["class_names"].size(); ++k)
      lines += (k == 0 ? "" : ", ") + printable_line(json["class_names"][k].get<std::string>());
    lines += "\n";
  }
  OptionTexts entries;
  for (const auto& [name, entry] : json["entries"].items()) entries.emplace_back(name, entry_text(entry));
  return lines + options_text(entries);
}

void info(const InfoParams& p, Session& session) {
  NTKROB_CHECK(!p.file.empty() || p.backends || p.formats || p.reading, ConfigError,
               "name a FILE, or give --backends, --formats or --reading (see ntkrob info --help)");
  if (!p.json.empty() && p.json != "-") check_output(p.json, session.globals.force);
  Json report;
  report["schema"] = "ntkrob.info/1";
  std::string lines;
  if (p.backends) {
    report["backends"] = backends_json();
    lines += backends_text();
  }
  if (p.formats) {
    report["formats"] = formats_json();
    lines += formats_text();
  }
  if (p.reading) {
    report["rules"] = rules_json();
    lines += rules_text();
  }
  if (!p.file.empty()) {
    const auto [kind, schema] = identify(p.file);
    const bool ours = kind != "plain", summed = ours && has_file_checksum(p.file);
    const char* kNoChecksum =
        "no checksum over the file: an earlier ntkrob wrote it, or another program changed it; damage may go unseen";
    if (kind == "model" || kind == "kernel" || kind == "prediction" || kind == "checkpoint") {
      report["file"] = state_json(kind, p.file, schema, {session.globals.memory.value, session.memory_limit()});
      lines += state_text(report["file"]) + (summed ? "" : text("note      ", kNoChecksum, "\n"));
    } else {
      const Dataset data = open_input(session, p.file, p.read);
      report["file"] = {{"file", p.file}, {"kind", "dataset"}, {"schema", schema}};
      report["file"].update(dataset_json(data));
      const std::string checksum = data.train.empty() ? "" : data.checksum();
      report["file"]["checksum"] = checksum;
      report["file"]["reading"] = data.notes;
      report["file"]["provenance"] = provenance_json(data.provenance);
      lines += "dataset   " + p.file + (schema.empty() ? "" : "  (schema " + schema + ")") + "\n" + dataset_text(data);
      for (const std::string& note : data.notes) lines += "note      " + note + "\n";
      if (ours && !summed) lines += text("note      ", kNoChecksum, "\n");
      if (!checksum.empty()) lines += "checksum  " + checksum + "\n";
      lines += provenance_text(data.provenance);
    }
    if (ours) report["file"]["file_checksum"] = summed;
  }
  if (!session.readings.empty()) report["reading"] = readings_json(session);
  if (p.json == "-")
    std::cout << json_text(report);
  else
    std::cout << printable(lines);
  if (!p.json.empty() && p.json != "-") write_text(p.json, json_text(report), session.globals.force);
}

}  // namespace

Command make_info() {
  auto p = std::make_shared<InfoParams>();
  Command command;
  command.options.add_positional("FILE", p->file, "a data set, model, kernel, prediction or checkpoint");
  command.options.add("backends", p->backends, "list the backends, available or not, and why");
  command.options.add("formats", p->formats, "list the file formats");
  command.options.add("reading", p->reading, "print what readers recognise, ask and refuse, as a table in Markdown");
  command.options.add("json", p->json, "write the report to FILE; - prints it").use = Use::none;
  add_read_options(command.options, p->read);
  command.files = [p]() -> std::vector<FileUse> {
    if (p->json.empty() || p->json == "-") return {};
    return {{"--json", p->json, Use::writes_text}};
  };
  command.examples = {"ntkrob info robust.h5", "ntkrob info net.h5 --json -", "ntkrob info --backends"};
  command.run = [p](Session& session) { info(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
