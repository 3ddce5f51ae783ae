#include "ntkrob/robust/options.hpp"

#include <utility>

namespace ntkrob {

void RobustifyOptions::validate() const {
  NTKROB_CHECK(!kernel.empty(), ConfigError, field("kernel"), " is empty; ",
               advice("name one, e.g. ", field("kernel", "fc:3")));
  NTKROB_CHECK(!schedule.empty(), ConfigError, field("schedule"), " is empty; ",
               advice("name one, e.g. ", field("schedule", "cosine")));
  if (norm == "linf") NTKROB_CHECK_RANGE("eps", eps, 0.0, 1.0);
  visit_robustify(*this, FieldChecker());
  NTKROB_CHECK(attack_precision == "float32" || precision == "mixed", ConfigError, field("attack-precision"), " is ",
               given(attack_precision), ", which ", field("precision", precision), " does not have; ",
               advice("give ", field("precision", "mixed")));
}

KernelSpecs KernelSpecs::parse(const std::string& text) {
  KernelSpecs specs;
  for (const std::string& one : split_list(text, "kernel", '|')) specs.all.push_back(KernelSpec::parse(one));
  return specs;
}

OptionTexts option_texts(const RobustifyOptions& options) {
  TextCollector collector;
  visit_robustify(options, collector);
  return std::move(collector.texts);
}

}  // namespace ntkrob
