#include "ntkrob/robust/options.hpp"

#include <utility>

#include "ntkrob/kernel/spec.hpp"
#include "ntkrob/optim/optimizer.hpp"

namespace ntkrob {

void RobustifyOptions::validate() const {
  for (const std::string& spec : split_kernels(kernel)) KernelSpec::parse(spec);
  if (norm == "linf") NTKROB_CHECK_RANGE("eps", eps, 0.0, 1.0);
  visit_robustify(*this, FieldChecker());
  Schedule::parse(schedule);
  NTKROB_CHECK(attack_precision == "float32" || precision == "mixed", ConfigError, field("attack-precision"), " is ",
               given(attack_precision), ", which ", field("precision", precision), " does not have; ",
               advice("give ", field("precision", "mixed")));
}

std::vector<std::string> split_kernels(const std::string& kernels) { return split_list(kernels, "kernel", '|'); }

OptionTexts option_texts(const RobustifyOptions& options) {
  TextCollector collector;
  visit_robustify(options, collector);
  return std::move(collector.texts);
}

}  // namespace ntkrob
