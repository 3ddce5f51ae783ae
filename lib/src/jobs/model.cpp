#include "ntkrob/jobs/model.hpp"

#include "ntkrob/jobs/input.hpp"
#include "ntkrob/nn/net.hpp"

namespace ntkrob::jobs {

void check_model_choice(const std::string& net, const MachineJob& machine, ModelNeed need, const std::string& who) {
  const bool has_machine = !machine.kernel.empty() || !machine.support.empty();
  if (need == ModelNeed::none) {
    NTKROB_CHECK(net.empty() && !has_machine, ConfigError, who, " takes no model; leave ",
                 net.empty() ? field("support") : field("model"), " out");
    return;
  }
  NTKROB_CHECK(net.empty() || !has_machine, ConfigError, who, " takes one model: ", field("model"), " ", given(net),
               ", or the kernel machine of ", field("kernel"), " and ", field("support"), ", not both");
  NTKROB_CHECK(net.empty() == has_machine, ConfigError, who, " needs a model: name a net by ", field("model"),
               ", or a kernel machine by ", field("kernel"), " and ", field("support"));
  NTKROB_CHECK(!has_machine || !machine.kernel.empty(), ConfigError, field("support"), " needs ", field("kernel"));
  NTKROB_CHECK(!has_machine || !machine.support.empty(), ConfigError, field("kernel"), " needs ", field("support"));
  NTKROB_CHECK(has_machine || (machine.n == 0 && !machine.balanced), ConfigError, field("n-support"), " and ",
               field("balanced-support"), " are about kernel machines; give ", field("kernel"), " and ",
               field("support"));
  if (has_machine) check_machine(machine);
}

NamedModel open_model(const std::string& net, const MachineJob& machine, const ReadOptions& read, Context& context) {
  NamedModel made;
  if (!net.empty()) {
    const StateDict state = load_state(net, kModelSchema, {context.settings.memory.value});
    try {
      made.model = std::make_unique<Net>(state, context.backend());
    } catch (const IoError& e) {
      throw IoError(text(net, ": ", e.marked()));
    }
    made.class_names = stored_class_names(state);
    return made;
  }
  if (machine.kernel.empty()) return made;
  const Dataset support = open_input(context, machine.support, read, 2);
  made = make_machine(machine, support, context);
  made.class_names = support.class_names;
  return made;
}

std::string model_text(const std::string& net, const MachineJob& machine) {
  if (machine.kernel.empty()) return net;
  return text("kernel ", machine.kernel.text(), " on ", machine.support,
              machine.n > 0 ? text(", ", machine.n, " images", machine.balanced ? ", balanced by class" : "") : "");
}

OptionTexts model_options(const std::string& net, const MachineJob& machine) {
  if (!net.empty()) return {{"model", file_name(net)}};
  if (machine.kernel.empty()) return {};
  TextCollector given, defaults;
  visit_machine(machine, given);
  const MachineJob usual;
  visit_machine(usual, defaults);
  OptionTexts texts;
  for (std::size_t k = 0; k < given.texts.size(); ++k)
    if (given.texts[k] != defaults.texts[k])
      texts.emplace_back(given.texts[k].first,
                         given.texts[k].first == "support" ? file_name(machine.support) : given.texts[k].second);
  return texts;
}

}  // namespace ntkrob::jobs
