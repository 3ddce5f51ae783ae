/// The table of rules, made from layers.def.
#pragma once

#include "net/reading.hpp"

namespace ntkrob::net {

struct Rule {
  Kind kind;
  const char* name;
  const char* description;
  void (*read)(const Reading& r, Layer& layer);
  std::string (*limit)(const Reading& r);
};
/// The rule of an item, by its name or another word for it; null where there is none.
const Rule* find_rule(const std::string& name);
/// "avgpool, conv, ...", and the words that are no layers of their own.
std::string layer_names();

}  // namespace ntkrob::net
