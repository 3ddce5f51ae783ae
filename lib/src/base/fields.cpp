#include "ntkrob/base/fields.hpp"

#include <charconv>
#include <cmath>

namespace ntkrob {

namespace {

template <class T>
Field bound(const std::string& name, T& field, const std::string& help, const About& about, Field::Type type) {
  Field made;
  made.name = name;
  made.help = help;
  made.type = type;
  made.about = about;
  made.get = [&field] { return value_text(field); };
  return made;
}

/// The lowest and the highest count that is allowed.
std::pair<index, index> counts_of(const About& about) {
  return {about.low > 0 ? static_cast<index>(about.low) : 0,
          about.high < static_cast<double>(kMostCounted) ? static_cast<index>(about.high) : kMostCounted};
}

/// "a|b|c" as "a, b or c".
std::string alternatives(const std::string& values) {
  const std::size_t last = values.rfind('|');
  std::string list;
  for (std::size_t k = 0; k < values.size(); ++k)
    list += values[k] != '|' ? std::string(1, values[k]) : std::string(k == last ? " or " : ", ");
  return list;
}

std::uint64_t parse_seed(const std::string& text, const std::string& name) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  NTKROB_CHECK(error == std::errc() && end == text.data() + text.size(), ConfigError, field(name), " is \"",
               given(shortened_line(text, 80)), "\", must be ", limit("a whole number from 0 to 18446744073709551615"));
  return value;
}

}  // namespace

Bytes parse_bytes(const std::string& text, const std::string& what) {
  std::string digits = text;
  std::uint64_t unit = 1;
  const std::string units = "KMGT";
  if (!digits.empty()) {
    const char last = digits.back() >= 'a' ? static_cast<char>(digits.back() - 'a' + 'A') : digits.back();
    if (const std::size_t at = units.find(last); at != std::string::npos) {
      unit = std::uint64_t{1} << (10 * (at + 1));
      digits.pop_back();
    }
  }
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  NTKROB_CHECK(error == std::errc() && end == digits.data() + digits.size(), ConfigError, field(what), " is \"",
               given(shortened_line(text, 80)), "\", must be ",
               limit("a number of bytes, with K, M, G or T for powers of 1024"), ": 1500000 or 2G");
  NTKROB_CHECK(unit <= std::numeric_limits<std::size_t>::max(), ConfigError, field(what), " is \"",
               given(shortened_line(text, 80)), "\", more bytes than this processor can address");
  NTKROB_CHECK(count <= std::numeric_limits<std::size_t>::max() / unit, ConfigError, field(what), " is \"",
               given(shortened_line(text, 80)), "\", more bytes than this processor can address");
  return {count * static_cast<std::size_t>(unit)};
}

About among(const std::string& values) {
  About about;
  about.values = values;
  return about;
}

About within(double low, double high, const std::string& unit) {
  About about;
  about.low = low;
  about.high = high;
  about.unit = unit;
  return about;
}

About at_least(double low, const std::string& unit) {
  return within(low, std::numeric_limits<double>::infinity(), unit);
}

About positive(const std::string& unit) {
  About about = at_least(0, unit);
  about.low_open = true;
  return about;
}

About below(double low, double high, const std::string& unit) {
  About about = within(low, high, unit);
  about.high_open = true;
  return about;
}

About between(double low, double high, const std::string& unit) {
  About about = below(low, high, unit);
  about.low_open = true;
  return about;
}

std::string value_text(const std::string& value) { return value; }
std::string value_text(index value) { return std::to_string(value); }
std::string value_text(std::uint64_t value) { return std::to_string(value); }
std::string value_text(double value) { return format_number(value); }
std::string value_text(bool value) { return value ? "true" : "false"; }
std::string value_text(Bytes value) { return std::to_string(value.value); }

Field make_field(const std::string& name, std::string& field, const std::string& help, const About& about) {
  Field made = bound(name, field, help, about, Field::Type::text);
  made.set = [&field, name, about](const std::string& text) {
    FieldChecker()(name.c_str(), text, "", about);
    field = text;
  };
  return made;
}

Field make_field(const std::string& name, index& field, const std::string& help, const About& about) {
  Field made = bound(name, field, help, about, Field::Type::count);
  const auto [low, high] = counts_of(about);
  made.set = [&field, name, low = low, high = high](const std::string& text) {
    field = parse_integer(text, name, low, high);
  };
  return made;
}

Field make_field(const std::string& name, std::uint64_t& field, const std::string& help, const About& about) {
  Field made = bound(name, field, help, about, Field::Type::seed);
  made.set = [&field, name](const std::string& text) { field = parse_seed(text, name); };
  return made;
}

Field make_field(const std::string& name, double& field, const std::string& help, const About& about) {
  Field made = bound(name, field, help, about, Field::Type::number);
  made.set = [&field, name, about](const std::string& text) {
    const double value = parse_number(text, name);
    FieldChecker()(name.c_str(), value, "", about);
    field = value;
  };
  return made;
}

Field make_field(const std::string& name, bool& field, const std::string& help, const About& about) {
  Field made = bound(name, field, help, about, Field::Type::flag);
  made.set = [&field, name](const std::string& text) {
    NTKROB_CHECK(text == "true" || text == "false", ConfigError, ntkrob::field(name), " is \"",
                 given(shortened_line(text, 80)), "\", must be ", limit("true or false"));
    field = text == "true";
  };
  return made;
}

Field make_field(const std::string& name, Bytes& field, const std::string& help, const About& about) {
  Field made = bound(name, field, help, about, Field::Type::bytes);
  made.set = [&field, name](const std::string& text) { field = parse_bytes(text, name); };
  return made;
}

void FieldChecker::operator()(const char* name, const std::string& value, const std::string&,
                              const About& about) const {
  if (about.values.empty()) return;
  for (const std::string& one : split_list(about.values, name, '|'))
    if (one == value) return;
  throw ConfigError(
      text(field(name), " is \"", given(shortened_line(value, 80)), "\", must be ", limit(alternatives(about.values))));
}

void FieldChecker::operator()(const char* name, double value, const std::string&, const About& about) const {
  const bool bounded = std::isfinite(about.low) && std::isfinite(about.high);
  if (bounded && !about.low_open && !about.high_open) {
    NTKROB_CHECK_RANGE(name, value, about.low, about.high);
    return;
  }
  const bool inside = std::isfinite(value) && (about.high_open ? value < about.high : value <= about.high) &&
                      (about.low_open ? value > about.low : value >= about.low);
  if (bounded)
    NTKROB_CHECK(inside, ConfigError, field(name), " is ", given(value), ", must be ",
                 limit("in ", about.low_open ? "(" : "[", about.low, ", ", about.high, about.high_open ? ")" : "]"));
  else if (about.low_open && about.low == 0)
    NTKROB_CHECK(inside && value <= std::numeric_limits<float>::max(), ConfigError, field(name), " is ", given(value),
                 ", must be ", limit("positive and at most ", std::numeric_limits<float>::max()));
  else if (std::isfinite(about.low))
    NTKROB_CHECK(inside, ConfigError, field(name), " is ", given(value), ", must be ",
                 limit("finite and at least ", about.low));
  else
    NTKROB_CHECK(std::isfinite(value), ConfigError, field(name), " is ", given(value), ", must be ", limit("finite"));
}

void FieldChecker::operator()(const char* name, index value, const std::string&, const About& about) const {
  const auto [low, high] = counts_of(about);
  NTKROB_CHECK_RANGE(name, value, low, high);
}

}  // namespace ntkrob
