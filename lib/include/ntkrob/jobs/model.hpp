/// The model of a job: a net from a file, or a kernel machine on a support set.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ntkrob/base/fields.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/context.hpp"
#include "ntkrob/jobs/machine.hpp"
#include "ntkrob/model/model.hpp"

namespace ntkrob::jobs {

/// A machine, or a net that looks like one: Machine::fit and solve are absent.
using NamedModel = Machine;

/// Whether a job takes a model.
enum class ModelNeed { none, one };

/// net: a file, or empty   machine: without kernel and support: none   who: for messages, "recipe relabel"
///   throws: ConfigError where both or neither are named, where half a machine is, or one though none is needed
void check_model_choice(const std::string& net, const MachineJob& machine, ModelNeed need, const std::string& who);

/// Null where neither is named.   throws: IoError naming the file; as make_machine
NamedModel open_model(const std::string& net, const MachineJob& machine, const ReadOptions& read, Context& context);

/// How a model is named in reports; empty where there is none.
std::string model_text(const std::string& net, const MachineJob& machine);
/// What is given for it, as options: {"model", "net.h5"}, or those of the machine that are not defaults.
OptionTexts model_options(const std::string& net, const MachineJob& machine);

}  // namespace ntkrob::jobs
