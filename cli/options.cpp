#include "options.hpp"

#include "ntkrob/jobs/input.hpp"

namespace ntkrob::cli {

namespace {

Option basic(const std::string& name, const std::string& help, const char* type) {
  Option option;
  option.name = name;
  option.help = help;
  option.type = type;
  return option;
}

}  // namespace

Option& OptionSet::add(const Field& field) {
  static const char* const kTypes[] = {"TEXT", "N", "N", "NUMBER", "", "BYTES"};
  Option option = basic(field.name, field.help, kTypes[static_cast<int>(field.type)]);
  if (field.type == Field::Type::flag) option.kind = Option::Kind::flag;
  option.set = [set = field.set](const std::vector<std::string>& values) { set(values.front()); };
  option.get = field.get;
  return insert(std::move(option));
}

Option& OptionSet::insert(Option option) {
  for (Option& existing : options_)
    if (existing.name == option.name) return existing;
  options_.push_back(std::move(option));
  return options_.back();
}

Use use_of(const Option& option) {
  if (option.use) return *option.use;
  if (option.kind == Option::Kind::positional || option.kind == Option::Kind::list) return Use::reads;
  if (option.name == "checkpoint") return Use::keeps;
  if (option.name == "json" || option.name == "html" || option.name == "log") return Use::writes_text;
  if (option.name == "config" || option.name == "value-range") return Use::reads;
  return option.type == "FILE" ? Use::reads : Use::none;
}

Option& OptionSet::add_output(std::string& field, Use use, const std::string& help) {
  Option& option = add("output", field, help);
  option.use = use;
  option.short_name = "o";
  option.type = "FILE";
  option.required = true;
  return option;
}

Option& OptionSet::add_positional(const std::string& name, std::string& field, const std::string& help) {
  Option& option = add(name, field, help);
  option.kind = Option::Kind::positional;
  return option;
}

Option& OptionSet::add_positionals(const std::string& name, std::vector<std::string>& field, const std::string& help) {
  Option option = basic(name, help, "");
  option.kind = Option::Kind::list;
  option.set = [&field](const std::vector<std::string>& values) { field = values; };
  option.get = [&field] {
    std::string all;
    for (const std::string& one : field) all += (all.empty() ? "" : " ") + one;
    return all;
  };
  return insert(std::move(option));
}

const Option* OptionSet::find(const std::string& name) const {
  for (const Option& option : options_)
    if (option.name == name) return &option;
  return nullptr;
}

Option& OptionSet::at(const std::string& name) {
  for (Option& option : options_)
    if (option.name == name) return option;
  throw ConfigError("there is no option " + name);
}

void OptionSet::add_resume(std::string& checkpoint, bool& resume, const std::string& help) {
  add("checkpoint", checkpoint, help).type = "FILE";
  add("resume", resume, "go on from the checkpoint, to the same bytes; needs the same options");
}

void add_read_options(OptionSet& set, ReadOptions& options) {
  jobs::visit_read(options, [&](const char* name, auto& field, const std::string& help, const About& about = {}) {
    Option& option = set.add(name, field, help, about);
    option.group = "Reading data of others";
    if (option.name == "test-file") option.type = "FILE";
    if (option.name == "drop" || option.name == "label-map") option.separator = ",";
  });
}

}  // namespace ntkrob::cli
