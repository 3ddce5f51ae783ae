/// Options of a subcommand, declared once: parsing, help, echo and provenance all read the same list.
///
/// A subcommand binds each option to a field of its params struct, either one by one or by passing bind() as the
/// visitor of a visit_...() function. The parser behind it (CLI11) is known to parser.cpp alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "ntkrob/base/view.hpp"

namespace ntkrob::cli {

/// A number of bytes: "1500000", "512M", "2G" (powers of 1024). 0: the library's default.
struct Bytes {
  std::size_t value = 0;
};
/// throws: ConfigError naming `what`
Bytes parse_bytes(const std::string& text, const std::string& what);

/// What a command does with the file that an option names.
enum class Use {
  automatic,  // by name and type, see use_of()
  none,
  reads,  // a file or a folder
  writes_set,    // a data set, in the format of the extension
  writes_state,  // a net or a prediction: HDF5 or NPZ
  writes_hdf5,   // HDF5 alone
  writes_picture,
  writes_block,  // bytes for a device, a header or ONNX
  writes_text,   // a report, a page, a log
  keeps          // a checkpoint: read, replaced and removed
};

struct Option {
  enum class Kind { value, flag, positional, list };
  std::string name;        // "eps" for --eps; of a positional the word shown in the help ("DATA")
  std::string short_name;  // "o" for -o, or empty
  std::string help;
  std::string type;  // what the value is, for the help: NUMBER, N, TEXT, FILE ...
  Kind kind = Kind::value;
  bool required = false;
  std::string group;   // heading in the help, or empty
  std::string joiner;  // of a value: may be given several times, the values are joined by this text; empty: once
  std::string separator;  // of a value that is a list in one text ("a,b"): what is between its items; empty: it is none
  Use use = Use::automatic;
  std::function<void(const std::vector<std::string>&)> set;  // throws ConfigError naming the option
  std::function<std::string()> get;                          // the current value as text
};

/// Of options whose use is automatic: --checkpoint keeps, --json, --html and --log write texts, every other one of type
/// FILE and every positional argument is read; the rest names no file.
Use use_of(const Option& option);

/// The options of one subcommand in the order of its help. Fields must outlive the set.
class OptionSet {
 public:
  /// Adds --name for a field of type std::string, index, std::uint64_t, double, bool or Bytes. A name that exists is
  /// left as it is (so that --seed of the global options is not declared twice).
  template <class T>
  Option& add(const std::string& name, T& field, const std::string& help) {
    return insert(make(name, field, help));
  }
  /// -o, --output FILE
  Option& add_output(std::string& field, Use use, const std::string& help);
  /// A positional argument; optional unless required is set.
  Option& add_positional(const std::string& name, std::string& field, const std::string& help);
  /// One or more positional arguments.
  Option& add_positionals(const std::string& name, std::vector<std::string>& field, const std::string& help);

  /// A visitor for visit_...() functions.
  auto bind() {
    return [this](const char* name, auto& field, const char* help) { add(name, field, help); };
  }

  const std::vector<Option>& all() const { return options_; }
  const Option* find(const std::string& name) const;

 private:
  static Option make(const std::string& name, std::string& field, const std::string& help);
  static Option make(const std::string& name, index& field, const std::string& help);
  static Option make(const std::string& name, std::uint64_t& field, const std::string& help);
  static Option make(const std::string& name, double& field, const std::string& help);
  static Option make(const std::string& name, bool& field, const std::string& help);
  static Option make(const std::string& name, Bytes& field, const std::string& help);
  Option& insert(Option option);

  std::vector<Option> options_;
};

/// (name, value as text) of every field of a params struct; visit is its visit_...() function.
using OptionTexts = std::vector<std::pair<std::string, std::string>>;
std::string value_text(const std::string& value);
std::string value_text(index value);
std::string value_text(std::uint64_t value);
std::string value_text(double value);
std::string value_text(bool value);

/// Collects the fields a visit_...() function shows it.
struct TextCollector {
  OptionTexts texts;
  template <class T>
  void operator()(const char* name, const T& field, const char*) {
    texts.emplace_back(name, value_text(field));
  }
};

}  // namespace ntkrob::cli
