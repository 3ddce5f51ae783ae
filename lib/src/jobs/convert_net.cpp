#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/exchange/import.hpp"
#include "ntkrob/jobs/convert.hpp"
#include "ntkrob/jobs/model.hpp"
#include "ntkrob/nn/net.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob::jobs {

namespace {

/// "28x28x1" (height, width, channels), or "784" for vectors.
ImageShape parse_shape(const std::string& shape) {
  constexpr index kSideLimit = 1 << 16;
  std::vector<index> sides;
  for (std::size_t at = 0; at <= shape.size();) {
    const std::size_t x = std::min(shape.find('x', at), shape.size());
    sides.push_back(parse_integer(shape.substr(at, x - at), "input-shape " + shape + ": a side", 1, kSideLimit));
    at = x + 1;
  }
  if (sides.size() == 1) return {1, 1, sides[0]};
  NTKROB_CHECK(sides.size() == 3, ConfigError, field("input-shape"), " is \"", shape,
               "\", must be height x width x channels, e.g. 28x28x1, or one number");
  return {sides[0], sides[1], sides[2]};
}

}  // namespace

std::string net_summary(const Net& net) {
  const ImageShape shape = net.input_shape();
  return text(net.parameter_count(), " parameters, input ", shape.height, " x ", shape.width, " x ", shape.channels,
              ", ", net.classes(), " classes");
}

Net open_convert_net(const ConvertJob& job, StateDict& model, Context& context) {
  const ConvertModel& p = job.model;
  TorchImport options;
  options.two_class = p.two_class;
  if (!p.order.empty()) options.order = split_list(p.order, "order");
  TorchModel imported;
  try {
    imported = import_torch(load_arrays(p.weights, p.group, context.settings.memory.value), p.spec,
                            parse_shape(p.input_shape), options);
  } catch (const IoError& error) {
    const std::string what = error.what();
    throw IoError(what.rfind(p.weights, 0) == 0 ? error.marked() : p.weights + ": " + error.marked());
  }
  Net net(imported.state, context.backend());
  model = net.state();
  if (!p.classes.empty()) store_class_names(model, split_list(p.classes, "classes"));
  for (const std::string& note : imported.notes) context.listener().note(text("reading ", p.weights, ": ", note));
  model.set("provenance/parent", file_name(p.weights));
  for (std::size_t k = 0; k < imported.notes.size(); ++k)
    model.set(text("provenance/reading/", k), spelt(imported.notes[k]));
  return net;
}

void run_convert_net(const ConvertJob& job, StateDict model, const Net& net, const std::string& command,
                     Context& context) {
  model.set("provenance/library_version", std::string(kVersion));
  model.set("provenance/command", command);
  save_state(model, kModelSchema, job.output, context.settings.force);
  context.listener().note(text("wrote ", job.output, ": ", net_summary(net)));
}

}  // namespace ntkrob::jobs
