#include <cmath>
#include <cstring>

#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/optim/optimizer.hpp"

namespace ntkrob {

namespace {

constexpr const char* kNames = "constant, cosine, one-cycle(warmup=0.05), step(every=0.3333,factor=0.1)";
constexpr double kPi = 3.14159265358979323846;

double half_cosine(double progress) { return 0.5 * (1 + std::cos(kPi * progress)); }

}  // namespace

Schedule Schedule::parse(const std::string& text) {
  // "one-cycle" is one name here, while the grammar takes "-" as a separator; "_" keeps all positions.
  std::string readable = text;
  const std::size_t dash = readable.find("one-cycle");
  if (dash != std::string::npos) readable.replace(dash, std::strlen("one-cycle"), "one_cycle");
  const std::vector<SpecItem> items = parse_spec(readable);
  if (items.size() != 1) spec_error(text, 0, ntkrob::text("one schedule expected, one of: ", kNames));
  const SpecItem& item = items.front();
  if (!item.suffix.empty())
    spec_error(text, item.position, ntkrob::text("a schedule has no \":\"; schedules: ", kNames));

  const auto read = [&](const char* first, double* first_value, const char* second, double* second_value) {
    std::size_t positional = 0;
    for (const SpecArgument& argument : item.arguments) {
      const char* key = argument.key.empty() ? (positional++ == 0 ? first : second) : argument.key.c_str();
      double* target = nullptr;
      if (first != nullptr && key != nullptr && std::strcmp(key, first) == 0) target = first_value;
      if (second != nullptr && key != nullptr && std::strcmp(key, second) == 0) target = second_value;
      if (target == nullptr || positional > 2)
        spec_error(text, argument.position, ntkrob::text("unknown parameter; schedules: ", kNames));
      *target = parse_number(argument.value, ntkrob::text("parameter ", key, " of schedule \"", text, "\""));
    }
  };

  Schedule schedule;
  schedule.text_ = text;
  if (item.name == "constant") {
    read(nullptr, nullptr, nullptr, nullptr);
    schedule.kind_ = Kind::constant;
  } else if (item.name == "cosine") {
    read(nullptr, nullptr, nullptr, nullptr);
    schedule.kind_ = Kind::cosine;
  } else if (item.name == "one_cycle" && dash != std::string::npos) {
    schedule.a_ = 0.05;
    read("warmup", &schedule.a_, nullptr, nullptr);
    schedule.kind_ = Kind::one_cycle;
    NTKROB_CHECK(schedule.a_ >= 0 && schedule.a_ < 1, ConfigError, "warmup of schedule \"", text, "\" is ", schedule.a_,
                 ", must be in [0, 1)");
  } else if (item.name == "step") {
    schedule.a_ = 0.3333;
    schedule.b_ = 0.1;
    read("every", &schedule.a_, "factor", &schedule.b_);
    schedule.kind_ = Kind::step;
    NTKROB_CHECK(schedule.a_ > 0 && schedule.a_ <= 1, ConfigError, "every of schedule \"", text, "\" is ", schedule.a_,
                 ", must be in (0, 1]");
    NTKROB_CHECK(schedule.b_ >= 0 && schedule.b_ <= 1, ConfigError, "factor of schedule \"", text, "\" is ",
                 schedule.b_, ", must be in [0, 1]");
  } else {
    spec_error(text, item.position, ntkrob::text("unknown schedule; schedules: ", kNames));
  }
  return schedule;
}

double Schedule::factor(index t, index T) const {
  NTKROB_CHECK(T >= 1 && t >= 0 && t < T, ConfigError, "schedule ", text_, ": step ", t, " of ", T,
               ", must be in [0, T)");
  const double progress = static_cast<double>(t) / static_cast<double>(T);
  switch (kind_) {
    case Kind::constant:
      return 1;
    case Kind::cosine:
      return half_cosine(progress);
    case Kind::one_cycle: {
      const index warm = std::lround(a_ * static_cast<double>(T));
      if (t < warm) return static_cast<double>(t + 1) / static_cast<double>(warm);
      return half_cosine(static_cast<double>(t - warm) / static_cast<double>(T - warm));
    }
    case Kind::step:
      return std::pow(b_, std::floor(static_cast<double>(t) / (a_ * static_cast<double>(T))));
  }
  return 1;
}

std::vector<std::string> schedule_help() {
  return {"constant", "cosine: half a cosine from 1 to 0",
          "one-cycle(warmup=0.05): linear warm-up over this fraction of the steps, then half a cosine to 0",
          "step(every=0.3333,factor=0.1): times factor after each such fraction of the steps"};
}

}  // namespace ntkrob
