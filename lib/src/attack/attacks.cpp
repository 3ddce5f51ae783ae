#include <algorithm>

#include "attack/factory.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/model/loss.hpp"

namespace ntkrob {

namespace {

using Factory = std::unique_ptr<Attack> (*)(const AttackSpec&);

struct Row {
  const char* name;
  Factory make;
  const char* help;
};

constexpr Row kRows[] = {
#define NTKROB_ATTACK(name, function, help) {name, function, help},
#include "attack/attacks.def"
#undef NTKROB_ATTACK
};

std::string known_names() {
  std::string names;
  for (const Row& row : kRows) names += (names.empty() ? "" : ", ") + std::string(row.name);
  return names + ", pgd-K";
}

std::string trim(const std::string& s) {
  const std::size_t begin = s.find_first_not_of(" \t");
  if (begin == std::string::npos) return "";
  return s.substr(begin, s.find_last_not_of(" \t") - begin + 1);
}

/// The row named exactly so, or the row of which `name` is "row-K".
const Row& find_row(const std::string& full, const std::string& name, index* count) {
  for (const Row& row : kRows)
    if (name == row.name) return row;
  const std::size_t dash = name.rfind('-');
  if (dash != std::string::npos)
    for (const Row& row : kRows)
      if (name.compare(0, dash, row.name) == 0) {
        *count =
            parse_integer(name.substr(dash + 1), text("the number of steps in attack \"", full, "\""), 1, kMostSteps);
        return row;
      }
  throw ConfigError(text("unknown attack \"", full, "\"; the attacks are: ", known_names()));
}

}  // namespace

const std::string* OptionReader::find(const char* key) {
  known_.emplace_back(key);
  for (const auto& [name, value] : spec_.options)
    if (name == key) return &value;
  return nullptr;
}

std::string OptionReader::describe(const char* key) const {
  return text("option ", key, " of attack \"", spec_.full, "\"");
}

OptionReader& OptionReader::integer(const char* key, index& value, index low, index high) {
  if (const std::string* given = find(key)) value = parse_integer(*given, describe(key), low, high);
  return *this;
}

OptionReader& OptionReader::number(const char* key, double& value, double above, double high) {
  if (const std::string* given = find(key)) {
    value = parse_number(*given, describe(key));
    NTKROB_CHECK(value > above && value <= high, ConfigError, describe(key), " is ", *given, ", must be above ", above,
                 high < kNoLimit ? text(" and at most ", high) : std::string(), "; leave it out for the default");
  }
  return *this;
}

OptionReader& OptionReader::search(index& iterations, index& restarts, index* targets) {
  integer("iterations", iterations, 1, kMostSteps).integer("restarts", restarts, 1, kMostRestarts);
  return targets == nullptr ? *this : integer("targets", *targets, 1, kMostSteps);
}

OptionReader& OptionReader::choice(const char* key, std::string& value, const std::vector<std::string>& choices) {
  if (const std::string* given = find(key)) {
    std::string names;
    for (const std::string& one : choices) names += (names.empty() ? "" : ", ") + one;
    const bool known = std::find(choices.begin(), choices.end(), *given) != choices.end();
    NTKROB_CHECK(known, ConfigError, describe(key), " is \"", *given, "\", must be one of: ", names);
    value = *given;
  }
  return *this;
}

void OptionReader::finish() const {
  for (const auto& option : spec_.options) {
    if (std::find(known_.begin(), known_.end(), option.first) != known_.end()) continue;
    std::string names;
    for (const std::string& one : known_) names += (names.empty() ? "" : ", ") + one;
    throw ConfigError(text("attack \"", spec_.full, "\" has no option \"", option.first, "\"; the options of ",
                           spec_.name, " are: ", names.empty() ? "none" : names));
  }
}

AttackOptions AttackSpec::read_options(std::initializer_list<const char*> allowed) const {
  AttackOptions result;
  OptionReader reader(*this);
  std::string start = "random";
  for (const std::string key : allowed) {
    if (key == "loss") reader.choice("loss", result.loss, loss_names());
    if (key == "temperature") reader.number("temperature", result.temperature, 0, kNoLimit);
    if (key == "restarts") reader.integer("restarts", result.restarts, 1, kMostRestarts);
    if (key == "step") reader.number("step", result.step, 0, kNoLimit);
    if (key == "start") reader.choice("start", start, {"random", "x"});
  }
  reader.finish();
  result.random_start = start == "random";
  NTKROB_CHECK(result.random_start || result.restarts == 1, ConfigError, "attack \"", full,
               "\": with start=x all restarts are the same; take start=random or restarts=1");
  return result;
}

void AttackSpec::refuse_count() const {
  NTKROB_CHECK(count == 0, ConfigError, "attack \"", full, "\": ", name, " has no number of steps; write ", name);
}

std::unique_ptr<Attack> make_attack(const std::string& spec) {
  AttackSpec result;
  result.full = trim(spec);
  const std::size_t open = std::min(result.full.find('('), result.full.size());
  const std::string name = trim(result.full.substr(0, open));
  const Row& row = find_row(result.full, name, &result.count);
  result.name = row.name;
  if (open < result.full.size()) {
    // The grammar takes "-" as a separator; with "_" in its place the name is one item and all positions hold.
    std::string readable = result.full;
    std::replace(readable.begin(), readable.begin() + static_cast<std::ptrdiff_t>(open), '-', '_');
    const std::vector<SpecItem> items = parse_spec(readable);
    if (items.size() != 1 || !items.front().suffix.empty())
      spec_error(result.full, open, "one attack expected, name(option=value,...)");
    for (const SpecArgument& argument : items.front().arguments) {
      if (argument.key.empty()) spec_error(result.full, argument.position, "attack options are written option=value");
      result.options.emplace_back(argument.key, argument.value);
    }
  }
  return row.make(result);
}

bool has_part(const Attack& attack, AttackNature nature) {
  const std::vector<const Attack*> parts = attack.parts();
  return attack.nature() == nature ||
         std::any_of(parts.begin(), parts.end(), [&](const Attack* part) { return has_part(*part, nature); });
}

std::vector<std::pair<std::string, std::string>> attack_help() {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Row& row : kRows) rows.emplace_back(row.name, row.help);
  return rows;
}

}  // namespace ntkrob
