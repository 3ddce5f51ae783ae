/// ntkrob synth: the built-in data set.
#include <iostream>

#include "command.hpp"
#include "ntkrob/jobs/show.hpp"

namespace ntkrob::cli {

namespace {

void synth(const SynthJob& job, Session& session) {
  if (!session.globals.dry_run) return run_synth(job, session);
  check_synth(job, session);
  std::cout << "would write " << printable_line(job.output) << ": strokes, " << job.train << " training and "
            << job.test << " test images of 28 x 28 x 1, seed " << session.settings.seed << "\n";
}

}  // namespace

Command make_synth() {
  auto p = std::make_shared<SynthJob>();
  Command command;
  Option& set = command.options.add_positional("SET", p->what,
                                               "strokes: handwritten-like digits, 28 x 28 grey, drawn by the library");
  set.required = true;
  set.use = Use::none;
  visit_synth(*p, command.options.bind());
  command.options.add_output(p->output, Use::writes_set, "where to write; the extension chooses the format");
  command.examples = {"ntkrob synth strokes --train 6000 --test 1000 -o strokes.h5",
                      "ntkrob synth strokes --train 500 --test 0 --seed 7 -o small.h5"};
  command.run = [p](Session& session) { synth(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
