#include <algorithm>
#include <cmath>

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

constexpr index kMostSteps = 1000000;

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

AttackOptions AttackSpec::read_options(std::initializer_list<const char*> allowed) const {
  AttackOptions result;
  for (const auto& [key, value] : options) {
    const bool known = std::any_of(allowed.begin(), allowed.end(), [&k = key](const char* one) { return k == one; });
    if (!known) {
      std::string names;
      for (const char* one : allowed) names += (names.empty() ? "" : ", ") + std::string(one);
      throw ConfigError(text("attack \"", full, "\" has no option \"", key, "\"; the options of ", name,
                             " are: ", names.empty() ? "none" : names));
    }
    const std::string what = text("option ", key, " of attack \"", full, "\"");
    if (key == "loss") {
      make_loss(value);
      result.loss = value;
    } else if (key == "temperature") {
      result.temperature = parse_number(value, what);
      NTKROB_CHECK(result.temperature > 0, ConfigError, what, " is ", value, ", must be above 0");
    } else if (key == "restarts") {
      result.restarts = parse_integer(value, what, 1, 100000);
    } else if (key == "step") {
      result.step = parse_number(value, what);
      NTKROB_CHECK(result.step > 0, ConfigError, what, " is ", value,
                   ", must be above 0; leave it out for the default");
    } else if (key == "start") {
      NTKROB_CHECK(value == "random" || value == "x", ConfigError, what, " is \"", value, "\", must be random or x");
      result.random_start = value == "random";
    }
  }
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

std::vector<std::string> split_attack_list(const std::string& list) {
  std::vector<std::string> items;
  std::string item;
  int depth = 0;
  const auto finish = [&] {
    item = trim(item);
    NTKROB_CHECK(!item.empty(), ConfigError, "the list of attacks \"", list,
                 "\" has an empty item; the attacks are: ", known_names());
    items.push_back(item);
    item.clear();
  };
  for (const char c : list) {
    depth += (c == '(') - (c == ')');
    NTKROB_CHECK(depth >= 0, ConfigError, "the list of attacks \"", list, "\" has a \")\" without \"(\"");
    if (c == ',' && depth == 0) {
      finish();
    } else {
      item += c;
    }
  }
  NTKROB_CHECK(depth == 0, ConfigError, "the list of attacks \"", list, "\" has a \"(\" without \")\"");
  finish();
  return items;
}

std::vector<std::pair<std::string, std::string>> attack_help() {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Row& row : kRows) rows.emplace_back(row.name, row.help);
  return rows;
}

}  // namespace ntkrob
