#include "ntkrob/base/spec_arguments.hpp"

#include <algorithm>
#include <cmath>

namespace ntkrob {

SpecArguments::SpecArguments(const std::string& source, const SpecItem& item, std::vector<std::string> known,
                             std::size_t n_positional)
    : source_(source), item_(item) {
  std::size_t position = 0;
  for (const SpecArgument& argument : item.arguments) {
    const bool positional = argument.key.empty();
    const auto name =
        positional ? known.begin() + static_cast<std::ptrdiff_t>(position < n_positional ? position++ : known.size())
                   : std::find(known.begin(), known.end(), argument.key);
    if (name == known.end()) {
      std::string list;
      for (const std::string& k : known) list += (list.empty() ? "" : ", ") + k;
      spec_error(source, argument.position,
                 text(item.name, " has no parameter \"", positional ? argument.value : argument.key, "\"; it has ",
                      list.empty() ? "none" : list));
    }
    if (std::find(names_.begin(), names_.end(), *name) != names_.end())
      spec_error(source, argument.position, text(item.name, " ", *name, " is given twice"));
    names_.push_back(*name);
  }
}

const SpecArgument* SpecArguments::find(const std::string& name) const {
  const auto at = std::find(names_.begin(), names_.end(), name);
  return at == names_.end() ? nullptr : &item_.arguments[static_cast<std::size_t>(at - names_.begin())];
}

index SpecArguments::integer(const std::string& name, index fallback, index low, index high) const {
  const SpecArgument* argument = find(name);
  if (argument == nullptr) return fallback;
  try {
    return parse_integer(argument->value, text(item_.name, " ", name), low, high);
  } catch (const ConfigError& error) {
    spec_error(source_, argument->position, error.what());
  }
}

double SpecArguments::number(const std::string& name, double fallback, double low, double high, bool whole) const {
  const SpecArgument* argument = find(name);
  if (argument == nullptr) return fallback;
  double value = 0;
  try {
    value = parse_number(argument->value, text(item_.name, " ", name));
  } catch (const ConfigError& error) {
    spec_error(source_, argument->position, error.what());
  }
  if (!(value >= low && value <= high) && !(value == 0 && low == 0))
    spec_error(source_, argument->position,
               text(item_.name, " ", name, " is ", value, ", must be in [", low, ", ", high, "]"));
  if (whole && value != std::floor(value))
    spec_error(source_, argument->position, text(item_.name, " ", name, " is ", value, ", must be a whole number"));
  return value;
}

std::size_t SpecArguments::choice(const std::string& name, std::size_t fallback,
                                  const std::vector<std::string>& values) const {
  const SpecArgument* argument = find(name);
  if (argument == nullptr) return fallback;
  const auto at = std::find(values.begin(), values.end(), argument->value);
  if (at == values.end()) {
    std::string list;
    for (const std::string& value : values) list += (list.empty() ? "" : ", ") + value;
    spec_error(source_, argument->position,
               text(item_.name, " ", name, " is \"", argument->value, "\", must be one of ", list));
  }
  return static_cast<std::size_t>(at - values.begin());
}

}  // namespace ntkrob
