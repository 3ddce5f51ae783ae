/// Options as data: one description of each, read by parsers, help texts, configuration files, records of provenance,
/// checks and bindings of other languages.
///
/// A struct of options has a visit function that calls visitor(name, field, help, about) for every field, in the order
/// of its help; `about` may be left out:
///
///     template <class Options, class Visitor>
///     void visit_fields(Options& o, Visitor&& visitor) {
///       visitor("norm", o.norm, "ball of the attack", among("linf|l2"));
///       visitor("eps", o.eps, "its radius, e.g. 0.1 or 8/255", at_least(0, "pixels"));
///     }
///
/// Names are words with "-" between them; defaults are what a fresh struct holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "ntkrob/base/error.hpp"
#include "ntkrob/base/parsed.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// A number of bytes: "1500000", "512M", "2G" (powers of 1024). 0: the library's default.
struct Bytes {
  std::size_t value = 0;
};
/// throws: ConfigError naming `what`
Bytes parse_bytes(const std::string& text, const std::string& what);

/// What an option takes, beside its type.
struct About {
  std::string values;  // "linf|l2": the texts that are allowed; empty: any that its reader takes
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
  bool low_open = false, high_open = false;  // low, high itself is out
  std::string unit;                          // "pixels" (in [0,1]), "radians", "images", ... ; empty: a plain number
};
About among(const std::string& values);
About within(double low, double high, const std::string& unit = "");
About at_least(double low, const std::string& unit = "");
/// Above 0.
About positive(const std::string& unit = "");
/// In [low, high).
About below(double low, double high, const std::string& unit = "");
/// In (low, high).
About between(double low, double high, const std::string& unit = "");

/// (name, value as text) of options, in their order.
using OptionTexts = std::vector<std::pair<std::string, std::string>>;
/// Numbers read back to the same bits; "true" and "false".
std::string value_text(const std::string& value);
std::string value_text(index value);
std::string value_text(std::uint64_t value);
std::string value_text(double value);
std::string value_text(bool value);
std::string value_text(Bytes value);

/// One option, bound to a field of a struct, which must outlive it.
struct Field {
  enum class Type { text, count, seed, number, flag, bytes };
  std::string name, help;
  Type type = Type::text;
  About about;
  /// throws: ConfigError about the field: no such number, not one of the values, out of range; the field is then as
  /// before
  std::function<void(const std::string& text)> set;
  std::function<std::string()> get;
};
Field make_field(const std::string& name, std::string& field, const std::string& help, const About& about = {});
Field make_field(const std::string& name, index& field, const std::string& help, const About& about = {});
Field make_field(const std::string& name, std::uint64_t& field, const std::string& help, const About& about = {});
Field make_field(const std::string& name, double& field, const std::string& help, const About& about = {});
Field make_field(const std::string& name, bool& field, const std::string& help, const About& about = {});
Field make_field(const std::string& name, Bytes& field, const std::string& help, const About& about = {});
/// An option of type text whose reader is T::parse; what that refuses is about the field.
template <class T>
Field make_field(const std::string& name, Parsed<T>& field, const std::string& help, const About& about = {}) {
  Field made;
  made.name = name;
  made.help = help;
  made.about = about;
  made.set = [&field, name](const std::string& text) {
    try {
      field = Parsed<T>(text);
    } catch (const ConfigError& error) {
      if (!error.field().empty()) throw;
      throw ConfigError(ntkrob::text(ntkrob::field(name), ": ", error.marked()));
    }
  };
  made.get = [&field] { return field.text(); };
  return made;
}

/// A visitor that binds every field it is shown.
struct FieldCollector {
  std::vector<Field> fields;
  template <class T>
  void operator()(const char* name, T& field, const std::string& help, const About& about = {}) {
    fields.push_back(make_field(name, field, help, about));
  }
};

/// A visitor that writes down every value it is shown.
struct TextCollector {
  OptionTexts texts;
  template <class T>
  void operator()(const char* name, const T& field, const std::string&, const About& = {}) {
    texts.emplace_back(name, value_text(field));
  }
};

/// A visitor that refuses values that `about` does not allow.   throws: ConfigError about the first one
struct FieldChecker {
  void operator()(const char* name, const std::string& value, const std::string& help, const About& about = {}) const;
  void operator()(const char* name, double value, const std::string& help, const About& about = {}) const;
  void operator()(const char* name, index value, const std::string& help, const About& about = {}) const;
  template <class Other>
  void operator()(const char*, const Other&, const std::string&, const About& = {}) const {}
};

}  // namespace ntkrob
