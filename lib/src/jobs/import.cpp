#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/export.hpp"
#include "ntkrob/jobs/model.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob::jobs {

Net open_import(const ImportJob& job, Context& context) {
  check_output(job.output, context.settings.force);
  return decode_weights(read_bytes(job.weights), job.weights, context.backend());
}

void run_import(const ImportJob& job, const Net& net, Context& context) {
  StateDict state = net.state();
  state.set("provenance/library_version", std::string(kVersion));
  state.set("provenance/command", "ntkrob import " + file_name(job.weights));
  save_state(state, kModelSchema, job.output, context.settings.force);
  context.listener().note(text("wrote ", job.output, ": ", net.spec(), ", ", net.parameter_count(), " parameters"));
}

}  // namespace ntkrob::jobs
