/// Options of a subcommand, declared once: parsing, help, echo and provenance all read the same list.
///
/// A subcommand binds each option to a field (base/fields.hpp) of a struct, either one by one or by passing bind() as
/// the visitor of a visit_...() function, and adds what belongs to a command line alone. The parser behind it (CLI11)
/// is known to parser.cpp alone.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ntkrob/base/fields.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/files.hpp"

namespace ntkrob::cli {

using namespace jobs;

struct Option {
  enum class Kind { value, flag, positional, list };
  std::string name;        // "eps" for --eps; of a positional the word shown in the help ("DATA")
  std::string short_name;  // "o" for -o, or empty
  std::string help;
  std::string type;  // what the value is, for the help: NUMBER, N, TEXT, FILE ...
  Kind kind = Kind::value;
  bool required = false;
  std::string group;      // heading in the help, or empty
  std::string joiner;     // of a value: may be given several times, the values are joined by this text; empty: once
  std::string separator;  // of a value that is a list in one text ("a,b"): what is between its items; empty: it is none
  std::optional<Use> use;  // absent: by name and type, see use_of()
  std::string not_here;    // of a subcommand with variants: why the one that was chosen has no such option
  std::function<void(const std::vector<std::string>&)> set;  // throws ConfigError naming the option
  std::function<std::string()> get;                          // the current value as text
};

/// Of options without a use: --checkpoint keeps, --json, --html and --log write texts, every other one of type
/// FILE and every positional argument is read; the rest names no file.
Use use_of(const Option& option);

/// The options of one subcommand in the order of its help. Fields must outlive the set.
class OptionSet {
 public:
  /// Adds --name for a field of any type that make_field takes. A name that exists is left as it is (so that --seed of
  /// the global options is not declared twice).
  template <class T>
  Option& add(const std::string& name, T& field, const std::string& help, const About& about = {}) {
    return add(make_field(name, field, help, about));
  }
  Option& add(const Field& field);
  /// -o, --output FILE
  Option& add_output(std::string& field, Use use, const std::string& help);
  /// A positional argument; optional unless required is set.
  Option& add_positional(const std::string& name, std::string& field, const std::string& help);
  /// One or more positional arguments.
  Option& add_positionals(const std::string& name, std::vector<std::string>& field, const std::string& help);

  /// --checkpoint FILE and --resume
  void add_resume(std::string& checkpoint, bool& resume, const std::string& help);
  /// A visitor for visit_...() functions.
  auto bind() {
    return [this](const char* name, auto& field, const std::string& help, const About& about = {}) {
      add(name, field, help, about);
    };
  }

  const std::vector<Option>& all() const { return options_; }
  std::vector<Option>& all() { return options_; }
  const Option* find(const std::string& name) const;
  /// requires: there is one of that name
  Option& at(const std::string& name);

 private:
  Option& insert(Option option);

  std::vector<Option> options_;
};

/// The options about data of others, in a group of their own in the help.
void add_read_options(OptionSet& set, ReadOptions& options);

}  // namespace ntkrob::cli
