/// ntkrob info: what a file holds; which backends and formats there are.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "formats_text.hpp"
#include "json_text.hpp"
#include "ntkrob/base/printable.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/data/journal.hpp"
#include "ntkrob/jobs/input.hpp"
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
  bool layers = false;
  std::string json;
  ReadOptions read;
};

std::string backends_text() {
  std::string lines = "Backends, best first:\n";
  for (const BackendState& b : backends()) {
    const std::string pad(b.name.size() < 10 ? 10 - b.name.size() : 1, ' ');
    lines += "  " + b.name + pad + (b.available ? "available      " : "not available  ") + b.description + "\n";
    if (!b.available) lines += std::string(12, ' ') + b.reason + "\n";
  }
  return lines;
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
  NTKROB_CHECK(!p.file.empty() || p.backends || p.formats || p.reading || p.layers, ConfigError,
               "name a FILE, or give --backends, --formats, --layers or --reading (see ntkrob info --help)");
  if (!p.json.empty() && p.json != "-") check_output(p.json, session.settings.force);
  Json report;
  report["schema"] = "ntkrob.info/1";
  std::string lines;
  if (p.backends) {
    report["backends"] = to_json(backends_report());
    lines += backends_text();
  }
  if (p.formats) {
    report["formats"] = to_json(formats_report());
    lines += formats_text();
  }
  if (p.reading) {
    report["rules"] = to_json(rules_report());
    lines += rules_text(spelt_as_flag);
  }
  if (p.layers) {
    report["layers"] = to_json(layers_report());
    lines += layers_text();
  }
  if (!p.file.empty()) {
    const auto [kind, schema] =
        Journal::is_journal(p.file) ? std::pair<std::string, std::string>("checkpoint", "rows") : identify(p.file);
    const bool ours = kind != "plain", summed = ours && (schema == "rows" || has_file_checksum(p.file));
    const char* kNoChecksum =
        "no checksum over the file: an earlier ntkrob wrote it, or another program changed it; damage may go unseen";
    if (kind == "model" || kind == "kernel" || kind == "prediction" || kind == "checkpoint") {
      report["file"] =
          to_json(state_report(kind, p.file, schema, {session.settings.memory.value, session.memory_limit()}));
      lines += state_text(report["file"]) + (summed ? "" : text("note      ", kNoChecksum, "\n"));
    } else {
      const Dataset data = open_input(session, p.file, p.read);
      report["file"] = {{"file", p.file}, {"kind", "dataset"}, {"schema", schema}};
      report["file"].update(to_json(dataset_report(data)));
      const std::string checksum = data.train.empty() ? "" : data.checksum();
      report["file"]["checksum"] = checksum;
      report["file"]["reading"] = spelt(data.notes);
      report["file"]["provenance"] = to_json(provenance_report(data.provenance));
      lines += "dataset   " + p.file + (schema.empty() ? "" : "  (schema " + schema + ")") + "\n" + dataset_text(data);
      for (const std::string& note : spelt(data.notes, spelt_as_flag)) lines += "note      " + note + "\n";
      if (ours && !summed) lines += text("note      ", kNoChecksum, "\n");
      if (!checksum.empty()) lines += "checksum  " + checksum + "\n";
      lines += provenance_text(data.provenance);
    }
    if (ours) report["file"]["file_checksum"] = summed;
  }
  if (!session.readings.empty()) report["reading"] = to_json(readings_report(session));
  if (p.json == "-")
    std::cout << json_text(report);
  else
    std::cout << printable(lines);
  if (!p.json.empty() && p.json != "-") write_text(p.json, json_text(report), session.settings.force);
}

}  // namespace

Command make_info() {
  auto p = std::make_shared<InfoParams>();
  Command command;
  command.options.add_positional("FILE", p->file, "a data set, model, kernel, prediction or checkpoint");
  command.options.add("backends", p->backends, "list the backends, available or not, and why");
  command.options.add("formats", p->formats, "list the file formats");
  command.options.add("layers", p->layers,
                      "print the layers of nets and kernels, and which target has them, in Markdown");
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
