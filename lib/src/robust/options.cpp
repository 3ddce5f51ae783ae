#include "ntkrob/robust/options.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/kernel/spec.hpp"
#include "ntkrob/optim/optimizer.hpp"

namespace ntkrob {
namespace {

constexpr double kHalfPi = 1.57079632679489662;

void check_choice(const char* name, const std::string& value, const std::vector<std::string>& allowed) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return;
  std::string list;
  for (const std::string& a : allowed) list += (list.empty() ? "" : " | ") + a;
  throw ConfigError(text(name, " is \"", value, "\", must be ", list));
}

void check_count(const char* name, index value, index low, index high = kMostCounted) {
  NTKROB_CHECK_RANGE(name, value, low, high);
}

/// NaN fails every comparison, so it is refused here too.
void check_positive(const char* name, double value) {
  NTKROB_CHECK(value > 0 && value <= std::numeric_limits<float>::max(), ConfigError, name, " is ", value,
               ", must be positive and finite");
}

std::string to_text(const std::string& value) { return value; }
std::string to_text(bool value) { return value ? "true" : "false"; }
std::string to_text(double value) { return format_number(value); }
std::string to_text(index value) { return std::to_string(value); }
std::string to_text(std::uint64_t value) { return std::to_string(value); }

}  // namespace

void RobustifyOptions::validate() const {
  for (const std::string& spec : split_kernels(kernel)) KernelSpec::parse(spec);
  check_choice("--kernel-mix", kernel_mix, {"average", "sample"});
  check_choice("--precision", precision, {"mixed", "float64"});
  check_count("--n", n, 1);
  check_choice("--init", init, {"data", "noise"});
  check_choice("--norm", norm, {"linf", "l2"});
  // How large an l2 radius may be depends on the image size: ThreatModel::validate knows it.
  if (norm == "linf")
    NTKROB_CHECK_RANGE("--eps", eps, 0.0, 1.0);
  else
    NTKROB_CHECK(eps >= 0 && std::isfinite(eps), ConfigError, "--eps is ", eps, ", must be finite and at least 0");
  check_count("--steps", steps, 1);
  check_count("--batch", batch, 1);
  check_count("--attack-steps", attack_steps, 1);
  NTKROB_CHECK(attack_step >= 0 && std::isfinite(attack_step), ConfigError, "--attack-step is ", attack_step,
               ", must be finite and at least 0 (0: 2.5 eps / attack-steps)");
  check_choice("--inner-loss", inner_loss, {"ce", "mse", "margin"});
  check_choice("--attack-precision", attack_precision, {"float32", "bfloat16"});
  NTKROB_CHECK(attack_precision == "float32" || precision == "mixed", ConfigError, "--attack-precision is ",
               attack_precision, ", which --precision ", precision, " does not have; give --precision mixed");
  check_choice("--outer-loss", outer_loss, {"mse", "ce"});
  check_positive("--temperature", temperature);
  check_choice("--optimizer", optimizer, {"adam", "signed"});
  check_positive("--lr", lr);
  Schedule::parse(schedule);
  NTKROB_CHECK(radius > 0 && radius <= 1, ConfigError, "--radius is ", radius, ", must be in (0, 1]");
  check_positive("--label-lr", label_lr);
  NTKROB_CHECK_RANGE("--eps-ramp", eps_ramp, 0.0, 1.0);
  NTKROB_CHECK_RANGE("--ridge", ridge, 0.0, 1.0);
  check_choice("--factor", factor, {"float64", "refined"});
  NTKROB_CHECK_RANGE("--duplicate-angle", duplicate_angle, 0.0, kHalfPi);
  check_count("--validation", validation, 0);
  check_count("--validate-every", validate_every, 1);
  check_count("--checkpoint-every", checkpoint_every, 1);
}

std::vector<std::string> split_kernels(const std::string& kernels) { return split_list(kernels, "--kernel", '|'); }

std::vector<std::pair<std::string, std::string>> option_texts(const RobustifyOptions& options) {
  std::vector<std::pair<std::string, std::string>> texts;
  visit_robustify(options,
                  [&](const char* name, const auto& value, const char*) { texts.emplace_back(name, to_text(value)); });
  return texts;
}

}  // namespace ntkrob
