/// ntkrob import: the weights that a device has trained, as a model file.
#include <iostream>

#include "command.hpp"
#include "ntkrob/jobs/export.hpp"

namespace ntkrob::cli {

namespace {

void import_weights(const ImportJob& job, Session& session) {
  const Net net = open_import(job, session);
  if (!session.globals.dry_run) return run_import(job, net, session);
  std::cout << "would write " << printable_line(job.output) << ": " << net.spec() << ", " << net.parameter_count()
            << " parameters\n";
}

}  // namespace

Command make_import() {
  auto p = std::make_shared<ImportJob>();
  Command command;
  command.options.add_positional("WEIGHTS", p->weights, "weights written by ntkrob::micro").required = true;
  command.options.add_output(p->output, Use::writes_state, "the net: HDF5, or NPZ where it ends in .npz");
  command.examples = {"ntkrob import weights.nkw -o device.h5", "ntkrob evaluate device.h5 --data mnist.h5 --eps 0.1"};
  command.run = [p](Session& session) { import_weights(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
