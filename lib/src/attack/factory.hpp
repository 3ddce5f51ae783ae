/// What make_attack hands to the functions named in attacks.def.
#pragma once

#include <initializer_list>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ntkrob/attack/attack.hpp"

namespace ntkrob {

constexpr index kMostSteps = 1000000;
constexpr index kMostRestarts = 100000;
constexpr double kNoLimit = std::numeric_limits<double>::max();

/// A spec taken apart: "pgd-20(loss=margin)" has name "pgd", count 20 and one option.
struct AttackSpec {
  std::string full;  // as written, without white space around it
  std::string name;  // the row of attacks.def
  index count = 0;   // the K of "name-K"; 0 where there is none
  std::vector<std::pair<std::string, std::string>> options;

  /// Options of fgsm and pgd. throws: ConfigError unless every option is one of `allowed`; values are checked too.
  AttackOptions read_options(std::initializer_list<const char*> allowed) const;
  /// throws: ConfigError where a count was given to an attack that has none
  void refuse_count() const;
};

using Constants = std::vector<std::pair<std::string, std::string>>;

/// Reads the options of a spec into variables that hold the defaults, one call per option, then finish().
///   throws: ConfigError naming option, value and limits; finish() where an option was not asked for
class OptionReader {
 public:
  explicit OptionReader(const AttackSpec& spec) : spec_(spec) {}
  OptionReader& integer(const char* key, index& value, index low, index high);
  /// A number in (above, high].
  OptionReader& number(const char* key, double& value, double above, double high);
  /// Of a search: iterations, restarts, and targets where it has any.
  OptionReader& search(index& iterations, index& restarts, index* targets);
  OptionReader& choice(const char* key, std::string& value, const std::vector<std::string>& choices);
  void finish() const;

 private:
  /// The text of the option, or null where it is not given.
  const std::string* find(const char* key);
  std::string describe(const char* key) const;

  const AttackSpec& spec_;
  std::vector<std::string> known_;
};

#define NTKROB_ATTACK(name, function, help) std::unique_ptr<Attack> function(const AttackSpec& spec);
#include "attack/attacks.def"
#undef NTKROB_ATTACK

}  // namespace ntkrob
