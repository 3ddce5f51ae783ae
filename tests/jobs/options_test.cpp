// What holds for the options of every job, as their descriptions say it.
#include <cmath>

#include "kit/check.hpp"
#include "ntkrob/jobs/convert.hpp"
#include "ntkrob/jobs/demo.hpp"
#include "ntkrob/jobs/evaluate.hpp"
#include "ntkrob/jobs/export.hpp"
#include "ntkrob/jobs/input.hpp"
#include "ntkrob/jobs/kernel.hpp"
#include "ntkrob/jobs/machine.hpp"
#include "ntkrob/jobs/predict.hpp"
#include "ntkrob/jobs/robustify.hpp"
#include "ntkrob/jobs/show.hpp"
#include "ntkrob/jobs/train.hpp"

using namespace ntkrob;
using namespace ntkrob::jobs;

namespace {

/// Calls walk(job, field) for every field of every job.
template <class Walk>
void for_all_fields(const Walk& walk) {
  const auto each = [&](const std::string& job, std::vector<Field> fields) {
    for (Field& field : fields) walk(job, field);
  };
  const auto collected = [](const auto& visit) {
    FieldCollector collector;
    visit(collector);
    return collector.fields;
  };
  TrainJob train;
  EvaluateJob evaluate;
  MachineJob machine;
  PredictJob predict;
  KernelJob kernel;
  DemoJob demo;
  ShowJob show;
  SynthJob synth;
  ExportJob exported;
  ConvertModel convert;
  ReadOptions read;
  Settings settings;
  each("train", collected([&](auto& v) { visit_train_job(train, v); }));
  each("evaluate", collected([&](auto& v) { visit_evaluate(evaluate, v); }));
  each("machine", collected([&](auto& v) { visit_machine(machine, v); }));
  each("predict", collected([&](auto& v) { visit_predict(predict, v); }));
  each("kernel", collected([&](auto& v) { visit_kernel(kernel, v); }));
  each("demo", collected([&](auto& v) { visit_demo(demo, v); }));
  each("show", collected([&](auto& v) { visit_show(show, v); }));
  each("synth", collected([&](auto& v) { visit_synth(synth, v); }));
  each("export", collected([&](auto& v) { visit_export(exported, v); }));
  each("convert", collected([&](auto& v) { visit_convert_model(convert, v); }));
  each("reading", collected([&](auto& v) { visit_read(read, v); }));
  each("settings", collected([&](auto& v) { visit_settings(settings, v); }));
  for (const RecipeInfo& info : recipes()) {
    RobustifyJob job(info.name);
    each("recipe " + info.name, job.options->fields());
  }
}

/// A number that a field does not take, as text; empty where there is none.
std::string outside(const Field& field) {
  const About& about = field.about;
  if (!about.values.empty()) return "none-of-these";
  if (field.type == Field::Type::count) return about.low > 0 ? value_text(static_cast<double>(about.low) - 1) : "-1";
  if (field.type != Field::Type::number) return {};
  if (std::isfinite(about.low)) return value_text(about.low - 1);
  return std::isfinite(about.high) ? value_text(about.high + 1) : std::string();
}

}  // namespace

TEST_CASE("every number of every job has a range", "[jobs]") {
  for_all_fields([](const std::string& job, const Field& field) {
    INFO(job << ", " << field.name);
    if (field.type != Field::Type::number) return;
    CHECK((std::isfinite(field.about.low) || std::isfinite(field.about.high)));
  });
}

TEST_CASE("every field takes its default, and refuses what its description does not allow by its name", "[jobs]") {
  for_all_fields([](const std::string& job, const Field& field) {
    INFO(job << ", " << field.name << " is \"" << field.get() << "\"");
    const std::string usual = field.get();
    CHECK_NOTHROW(field.set(usual));
    CHECK(field.get() == usual);
    const std::string bad = outside(field);
    if (bad.empty()) return;
    try {
      field.set(bad);
      FAIL("took " << bad);
    } catch (const ConfigError& error) {
      CHECK(error.field() == field.name);
      CHECK(field.get() == usual);
    }
  });
}

TEST_CASE("names and texts of fields are as parsers need them", "[jobs]") {
  for_all_fields([](const std::string& job, const Field& field) {
    INFO(job << ", " << field.name);
    CHECK(field.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos);
    CHECK(field.help != "");
  });
}
