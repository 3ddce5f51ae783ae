/// What make_attack hands to the functions named in attacks.def.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ntkrob/attack/attack.hpp"

namespace ntkrob {

/// A spec taken apart: "pgd-20(loss=margin)" has name "pgd", count 20 and one option.
struct AttackSpec {
  std::string full;  // as written, without white space around it
  std::string name;  // the row of attacks.def
  index count = 0;   // the K of "name-K"; 0 where there is none
  std::vector<std::pair<std::string, std::string>> options;

  /// throws: ConfigError unless every option is one of `allowed`; values are checked too.
  AttackOptions read_options(std::initializer_list<const char*> allowed) const;
  /// throws: ConfigError where a count was given to an attack that has none
  void refuse_count() const;
};

#define NTKROB_ATTACK(name, function, help) std::unique_ptr<Attack> function(const AttackSpec& spec);
#include "attack/attacks.def"
#undef NTKROB_ATTACK

}  // namespace ntkrob
