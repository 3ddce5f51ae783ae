/// ntkrob import: the weights that a device has trained, as a model file.
#include <iostream>

#include "command.hpp"
#include "device_weights.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob::cli {

namespace {

struct ImportParams {
  std::string weights, output;
};

void import_weights(const ImportParams& p, Session& session) {
  check_output(p.output, session.globals.force);
  const Net net = decode_weights(read_bytes(p.weights), p.weights, session.backend());
  if (session.globals.dry_run) {
    std::cout << "would write " << printable_line(p.output) << ": " << net.spec() << ", " << net.parameter_count()
              << " parameters\n";
    return;
  }
  StateDict state = net.state();
  state.set("provenance/library_version", std::string(kVersion));
  state.set("provenance/command", "ntkrob import " + file_name(p.weights));
  save_state(state, kModelSchema, p.output, session.globals.force);
  session.console.note(text("wrote ", p.output, ": ", net.spec(), ", ", net.parameter_count(), " parameters"));
}

}  // namespace

Command make_import() {
  auto p = std::make_shared<ImportParams>();
  Command command;
  command.options.add_positional("WEIGHTS", p->weights, "weights written by ntkrob::micro").required = true;
  command.options.add_output(p->output, Use::writes_state, "the net: HDF5, or NPZ where it ends in .npz");
  command.examples = {"ntkrob import weights.nkw -o device.h5", "ntkrob evaluate device.h5 --data mnist.h5 --eps 0.1"};
  command.run = [p](Session& session) { import_weights(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
