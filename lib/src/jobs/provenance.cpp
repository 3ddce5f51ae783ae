#include "jobs/provenance.hpp"

#include <algorithm>

#include "ntkrob/jobs/context.hpp"
#include "ntkrob/jobs/input.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob::jobs {

Provenance made_from(const Dataset& parent, const std::string& file, const ReadOptions& read) {
  Provenance p;
  p.library_version = kVersion;
  p.parent = file_name(file);
  p.reading = reading_record(parent, read, file);
  p.parent_checksum = parent.checksum();
  p.chain = parent.provenance.chain;
  if (!parent.provenance.command.empty()) p.chain.push_back(parent.provenance.command);
  return p;
}

std::string canonical_command(const std::string& job, const std::string& data, const OptionTexts& options,
                              const ReadOptions& read) {
  const std::string dashes = "--";
  std::string line = "ntkrob " + job + " " + file_name(data);
  for (const auto& [name, value] : options) {
    if (name == "kernel" && !value.empty()) {
      for (const std::string& spec : split_list(value, name, '|')) line += " " + dashes + name + " " + spec;
    } else if (value == "true" || value == "false") {
      line += " " + dashes + (value == "true" ? "" : "no-") + name;
    } else {
      line += " " + dashes + name + (value.empty() ? std::string("=") : " " + value);
    }
  }
  return line + read_arguments(read);
}

std::vector<std::pair<std::string, std::vector<double>>> curves_of(const std::vector<Column>& columns,
                                                                   const std::vector<Row>& rows) {
  std::vector<std::pair<std::string, std::vector<double>>> curves;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (!columns[c].curve) continue;
    std::vector<double> steps, values;
    for (const Row& row : rows)
      if (row.values[c]) {
        steps.push_back(static_cast<double>(row.step));
        values.push_back(*row.values[c]);
      }
    if (values.empty()) continue;
    const std::string name = columns[c].name, where = name.substr(0, name.find('_')) + "_step";
    const bool known = std::any_of(curves.begin(), curves.end(), [&](const auto& one) { return one.first == where; });
    if (values.size() < rows.size() && !known) curves.emplace_back(where, steps);
    curves.emplace_back(name, values);
  }
  return curves;
}

}  // namespace ntkrob::jobs
