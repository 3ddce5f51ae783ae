/// ntkrob synth: the built-in data set.
#include <iostream>

#include "command.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/data/strokes.hpp"
#include "ntkrob/jobs/input.hpp"

namespace ntkrob::cli {

namespace {

struct SynthParams {
  std::string what;
  index train = 6000;
  index test = 1000;
  std::string output;
};

void synth(const SynthParams& p, Session& session) {
  NTKROB_CHECK(p.what == "strokes", ConfigError, "unknown data set \"", p.what, "\"; there is: strokes");
  constexpr index kMost = 10'000'000;
  NTKROB_CHECK_RANGE("train", p.train, 1, kMost);
  NTKROB_CHECK_RANGE("test", p.test, 0, kMost);
  check_output(p.output, session.settings.force);
  if (session.globals.dry_run) {
    std::cout << "would write " << printable_line(p.output) << ": strokes, " << p.train << " training and " << p.test
              << " test images of 28 x 28 x 1, seed " << session.settings.seed << "\n";
    return;
  }
  const Dataset strokes = make_strokes(p.train, p.test, session.settings.seed);
  save_dataset(strokes, p.output, session.settings.force);
  say_left_out(session, strokes, p.output);
  session.console.note(text("wrote ", p.output, ": ", p.train, " training and ", p.test, " test images"));
}

}  // namespace

Command make_synth() {
  auto p = std::make_shared<SynthParams>();
  Command command;
  Option& set = command.options.add_positional("SET", p->what,
                                               "strokes: handwritten-like digits, 28 x 28 grey, drawn by the library");
  set.required = true;
  set.use = Use::none;
  command.options.add("train", p->train, "training images");
  command.options.add("test", p->test, "test images");
  command.options.add_output(p->output, Use::writes_set, "where to write; the extension chooses the format");
  command.examples = {"ntkrob synth strokes --train 6000 --test 1000 -o strokes.h5",
                      "ntkrob synth strokes --train 500 --test 0 --seed 7 -o small.h5"};
  command.run = [p](Session& session) { synth(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
