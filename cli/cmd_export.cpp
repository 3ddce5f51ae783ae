/// ntkrob export: a data set as one block of bytes for a device that trains on it, or a net for those that only run it.
#include <iostream>

#include "command.hpp"
#include "ntkrob/jobs/export.hpp"
#include "ntkrob/jobs/input.hpp"

namespace ntkrob::cli {

namespace {

void export_file(ExportJob& job, Session& session) {
  const ExportBlock block = open_export(job, session);
  if (!session.globals.dry_run) return run_export(job, block, session);
  std::cout << "would write " << printable_line(job.output) << ": " << block.what << "\n";
}

}  // namespace

Command make_export() {
  auto p = std::make_shared<ExportJob>();
  Command command;
  OptionSet& set = command.options;
  set.add_positional("FILE", p->input, "data in any supported format, for example a robust set; or a net").required =
      true;
  visit_export(*p, set.bind());
  set.at("calibrate").type = "FILE";
  add_read_options(set, p->read);
  set.add_output(p->output, Use::writes_block,
                 "a C++ header where it ends in .hpp or .h, of nets ONNX in .onnx and PyTorch's weights in .npz, else "
                 "the bare bytes");
  command.examples = {"ntkrob export robust.h5 -o robust_set.hpp",
                      "ntkrob export robust.h5 --downsample 2 --per-class 50 --budget 128K -o robust.nkd",
                      "ntkrob export net.h5 -o trained_net.hpp",
                      "ntkrob export net.h5 --int8 --calibrate robust.h5 -o net.nkq",
                      "ntkrob export net.h5 -o net.onnx",
                      "ntkrob export net.h5 -o weights.npz"};
  command.run = [p](Session& session) { export_file(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
