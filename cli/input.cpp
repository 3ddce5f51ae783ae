#include "input.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ntkrob::cli {

namespace {

void keep(Session& session, const std::string& name, const Dataset& data, const ReadOptions& options) {
  const auto same = [&](const auto& reading) { return reading.first == name; };
  if (std::any_of(session.readings.begin(), session.readings.end(), same)) return;
  session.readings.emplace_back(name, data.notes);
  if (!options.given().empty()) session.readings.back().second.push_back("read with" + read_arguments(options));
  for (const std::string& clause : data.notes) {
    // Clauses that begin with the file name it once.
    const std::string line = clause.rfind(name, 0) == 0 ? clause : name + ": " + clause;
    session.console.note("reading " + line);
  }
}

}  // namespace

void add_read_options(OptionSet& set, ReadOptions& options) {
  visit_read(options, [&](const char* name, auto& field, const char* help) {
    Option& option = set.add(name, field, help);
    option.group = "Reading data of others";
    if (option.name == "test-file") option.type = "FILE";
  });
}

Dataset open_input(Session& session, const std::string& path, const ReadOptions& options, std::size_t inputs) {
  ReadOptions used = options;
  if (inputs > 1 && !options.given().empty() && identify(path).first == "dataset") used = ReadOptions();
  Dataset data = open_dataset({path}, used);
  keep(session, path, data, used);
  return data;
}

Dataset open_inputs(Session& session, const std::vector<std::string>& paths, const ReadOptions& options) {
  Dataset data = open_dataset(paths, options);
  const PartFiles& parts = options.parts;
  keep(session,
       !paths.empty()               ? paths.front()
       : parts.train_images.empty() ? parts.test_images
                                    : parts.train_images,
       data, options);
  return data;
}

nlohmann::ordered_json readings_json(const Session& session) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [name, clauses] : session.readings) json[name] = clauses;
  return json;
}

std::vector<std::string> reading_record(const Dataset& data, const ReadOptions& options, const std::string& path) {
  std::vector<std::string> record = data.provenance.reading;  // of the parent's parents
  const std::string folder = path.substr(0, path.size() - file_name(path).size());
  for (std::string clause : data.notes) {
    for (std::size_t at; !folder.empty() && (at = clause.find(folder)) != std::string::npos;)
      clause.erase(at, folder.size());
    record.push_back(clause);
  }
  const std::string arguments = read_arguments(options);
  if (!arguments.empty()) record.push_back("read with" + arguments);
  return record;
}

std::string read_arguments(const ReadOptions& options) {
  std::string line;
  for (const auto& [name, value] : options.given()) line += " --" + name + (value == "true" ? "" : " " + value);
  return line;
}

}  // namespace ntkrob::cli
