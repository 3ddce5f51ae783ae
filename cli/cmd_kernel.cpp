/// ntkrob kernel: kernel matrices of data files, and their largest eigenvalues.
#include <iostream>

#include "command.hpp"
#include "ntkrob/jobs/input.hpp"
#include "ntkrob/jobs/kernel.hpp"
#include "ntkrob/kernel/spec.hpp"
#include "ntkrob/krr/gradient_flow.hpp"

namespace ntkrob::cli {

namespace {

void print(const KernelOutcome& outcome) {
  for (const auto& [name, top] : outcome.spectra) {
    std::vector<std::vector<std::string>> rows{{name, "eigenvalue", "error bound"}};
    for (std::size_t k = 0; k < top.values.size(); ++k)
      rows.push_back({std::to_string(k + 1), number_text(top.values[k]), number_text(top.bounds[k])});
    std::cout << table_text(rows);
    if (name == "ntk")
      std::cout << "largest stable learning rate  "
                << number_text(largest_learning_rate(top.values.front(), outcome.rows, outcome.classes)) << "  ("
                << number_text(largest_learning_rate(top.values.front(), outcome.rows, outcome.classes, 0.9))
                << " with momentum 0.9) of descent on the sum of squares / 2 n classes\n";
  }
}

void kernel_matrix(const KernelJob& p, Session& session) {
  check_kernel(p, session);
  KernelInput in = open_kernel(p, session);
  if (session.globals.dry_run || session.globals.explain) std::cout << kernel_plan(p, in, session);
  if (session.globals.dry_run) return;
  const KernelOutcome outcome = run_kernel(p, std::move(in), session);
  print(outcome);
  if (!p.output.empty())
    session.console.note(
        text("wrote ", p.output, ": ", outcome.rows, " x ", outcome.columns, ", in ", duration_text(outcome.seconds)));
}

}  // namespace

Command make_kernel() {
  auto p = std::make_shared<KernelJob>();
  Command command;
  OptionSet& set = command.options;
  set.add_positional("A", p->a, "images of the rows").required = true;
  set.add_positional("B", p->b, "images of the columns; default: A (then the result is symmetric)");
  visit_kernel(*p, set.bind());
  add_read_options(set, p->read);
  set.add_output(p->output, Use::none, "HDF5 file with datasets \"ntk\" and \"nngp\"").required = false;
  set.add_resume(p->checkpoint, p->resume, "finished rows, for --resume; default: <output>.ckpt");
  command.examples = {"ntkrob kernel --kernel fc:3 mnist.h5 --n 2000 -o K.h5",
                      "ntkrob kernel --kernel fc:2 a.h5 b.h5 --nngp --precision float64 -o K.h5",
                      "ntkrob kernel --kernel 'dense(w=1.4,b=0)-relu-dense' a.h5 --dry-run -o K.h5",
                      "ntkrob kernel --kernel fc:2 mnist.h5 --eigenvalues 10"};
  command.files = [p]() -> std::vector<FileUse> {
    if (p->output.empty()) return {};
    // Eigenvalues are a state, a matrix is written in place, and its rows are kept.
    if (p->eigenvalues > 0) return {{"--output", p->output, Use::writes_state}};
    std::vector<FileUse> files{{"--output", p->output, Use::writes_hdf5}};
    if (p->checkpoint.empty()) files.push_back({"the checkpoint of --output", p->checkpoint_path(), Use::keeps});
    return files;
  };
  command.notes = [] { return list_text("Kernels:", kernel_spec_help()); };
  command.run = [p](Session& session) { kernel_matrix(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
