#include "options.hpp"

#include <charconv>
#include <limits>

#include "ntkrob/base/printable.hpp"
#include "ntkrob/base/spec_text.hpp"

namespace ntkrob::cli {

Bytes parse_bytes(const std::string& text, const std::string& what) {
  std::string digits = text;
  std::uint64_t unit = 1;
  if (!digits.empty()) {
    switch (digits.back()) {
      case 'K':
      case 'k':
        unit = 1 << 10;
        break;
      case 'M':
      case 'm':
        unit = 1 << 20;
        break;
      case 'G':
      case 'g':
        unit = 1 << 30;
        break;
      case 'T':
      case 't':
        unit = std::uint64_t{1} << 40;
        break;
      default:
        break;
    }
    if (unit != 1) digits.pop_back();
  }
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  NTKROB_CHECK(error == std::errc() && end == digits.data() + digits.size(), ConfigError, what, " is \"",
               shortened_line(text, 80),
               "\", must be a number of bytes, with K, M, G or T for powers of 1024: 1500000 or 2G");
  NTKROB_CHECK(unit <= std::numeric_limits<std::size_t>::max(), ConfigError, what, " is \"", shortened_line(text, 80),
               "\", more bytes than this processor can address");
  NTKROB_CHECK(count <= std::numeric_limits<std::size_t>::max() / unit, ConfigError, what, " is \"",
               shortened_line(text, 80), "\", more bytes than this processor can address");
  return {count * static_cast<std::size_t>(unit)};
}

std::string value_text(const std::string& value) { return value; }
std::string value_text(index value) { return std::to_string(value); }
std::string value_text(std::uint64_t value) { return std::to_string(value); }
std::string value_text(double value) { return format_number(value); }
std::string value_text(bool value) { return value ? "true" : "false"; }

namespace {

Option basic(const std::string& name, const std::string& help, const char* type) {
  Option option;
  option.name = name;
  option.help = help;
  option.type = type;
  return option;
}

}  // namespace

Option OptionSet::make(const std::string& name, std::string& field, const std::string& help) {
  Option option = basic(name, help, "TEXT");
  option.set = [&field](const std::vector<std::string>& values) { field = values.front(); };
  option.get = [&field] { return field; };
  return option;
}

Option OptionSet::make(const std::string& name, index& field, const std::string& help) {
  Option option = basic(name, help, "N");
  option.set = [&field, name](const std::vector<std::string>& values) {
    field = parse_integer(values.front(), "--" + name, 0, kMostCounted);
  };
  option.get = [&field] { return value_text(field); };
  return option;
}

Option OptionSet::make(const std::string& name, std::uint64_t& field, const std::string& help) {
  Option option = basic(name, help, "N");
  option.set = [&field, name](const std::vector<std::string>& values) {
    const std::string& text = values.front();
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    NTKROB_CHECK(error == std::errc() && end == text.data() + text.size(), ConfigError, "--", name, " is \"",
                 shortened_line(text, 80), "\", must be a whole number from 0 to 18446744073709551615");
    field = value;
  };
  option.get = [&field] { return value_text(field); };
  return option;
}

Option OptionSet::make(const std::string& name, double& field, const std::string& help) {
  Option option = basic(name, help, "NUMBER");
  option.set = [&field, name](const std::vector<std::string>& values) {
    field = parse_number(values.front(), "--" + name);
  };
  option.get = [&field] { return value_text(field); };
  return option;
}

Option OptionSet::make(const std::string& name, bool& field, const std::string& help) {
  Option option = basic(name, help, "");
  option.kind = Option::Kind::flag;
  option.set = [&field](const std::vector<std::string>& values) { field = values.front() == "true"; };
  option.get = [&field] { return value_text(field); };
  return option;
}

Option OptionSet::make(const std::string& name, Bytes& field, const std::string& help) {
  Option option = basic(name, help, "BYTES");
  option.set = [&field, name](const std::vector<std::string>& values) {
    field = parse_bytes(values.front(), "--" + name);
  };
  option.get = [&field] { return std::to_string(field.value); };
  return option;
}

Option& OptionSet::insert(Option option) {
  for (Option& existing : options_)
    if (existing.name == option.name) return existing;
  options_.push_back(std::move(option));
  return options_.back();
}

Use use_of(const Option& option) {
  if (option.use != Use::automatic) return option.use;
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

std::vector<std::string> split_list(const std::string& text, const std::string& what) {
  std::vector<std::string> items(1);
  int depth = 0;
  for (const char c : text) {
    if (c == '(') ++depth;
    if (c == ')') --depth;
    NTKROB_CHECK(depth >= 0, ConfigError, what, " is \"", shortened_line(text, 80), "\": a \")\" without \"(\"");
    if (c == ',' && depth == 0)
      items.emplace_back();
    else if (c != ' ')
      items.back() += c;
  }
  NTKROB_CHECK(depth == 0, ConfigError, what, " is \"", shortened_line(text, 80), "\": a \"(\" without \")\"");
  for (const std::string& item : items)
    NTKROB_CHECK(!item.empty(), ConfigError, what, " is \"", shortened_line(text, 80),
                 "\": an item between two commas is empty");
  return items;
}

}  // namespace ntkrob::cli
