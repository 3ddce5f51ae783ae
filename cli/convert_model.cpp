#include "convert_model.hpp"

#include <iostream>

#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/nn/import.hpp"
#include "ntkrob/nn/net.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob::cli {

namespace {

/// "28x28x1" (height, width, channels), or "784" for vectors.
ImageShape parse_shape(const std::string& shape) {
  constexpr index kSideLimit = 1 << 16;
  std::vector<index> sides;
  for (std::size_t at = 0; at <= shape.size();) {
    const std::size_t x = std::min(shape.find('x', at), shape.size());
    sides.push_back(parse_integer(shape.substr(at, x - at), "--input-shape " + shape + ": a side", 1, kSideLimit));
    at = x + 1;
  }
  if (sides.size() == 1) return {1, 1, sides[0]};
  NTKROB_CHECK(sides.size() == 3, ConfigError, "--input-shape is \"", shape,
               "\", must be height x width x channels, e.g. 28x28x1, or one number");
  return {sides[0], sides[1], sides[2]};
}

}  // namespace

void convert_model(const ConvertModelParams& p, const std::string& output, Session& session) {
  const ImageShape shape = parse_shape(p.input_shape);
  check_output(output, session.globals.force);
  TorchImport options;
  options.two_class = p.two_class;
  if (!p.order.empty()) options.order = split_list(p.order, "order");
  TorchModel imported;
  try {
    imported = import_torch(load_arrays(p.weights, p.group), p.spec, shape, options);
  } catch (const IoError& error) {
    const std::string what = error.what();
    throw IoError(what.rfind(p.weights, 0) == 0 ? what : p.weights + ": " + what);
  }
  const Net net(imported.state, session.backend());
  StateDict model = net.state();
  if (!p.classes.empty()) store_class_names(model, split_list(p.classes, "classes"));
  const std::string summary = text(net.parameter_count(), " parameters, input ", shape.height, " x ", shape.width,
                                   " x ", shape.channels, ", ", net.classes(), " classes");
  for (const std::string& note : imported.notes) session.console.note(text("reading ", p.weights, ": ", note));
  if (session.globals.dry_run) {
    std::cout << "would write " << printable_line(output) << ":\n" << net.spec() << "\n" << summary << "\n";
    return;
  }
  model.set("provenance/library_version", std::string(kVersion));
  model.set("provenance/command", session.command_line());
  model.set("provenance/parent", file_name(p.weights));
  for (std::size_t k = 0; k < imported.notes.size(); ++k) model.set(text("provenance/reading/", k), imported.notes[k]);
  save_state(model, kModelSchema, output, session.globals.force);
  session.console.note(text("wrote ", output, ": ", summary));
}

}  // namespace ntkrob::cli
