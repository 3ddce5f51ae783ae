/// ntkrob show: images of a data set as a grid, one row per class, or pairs of two sets side by side.
#include <iostream>

#include "command.hpp"
#include "ntkrob/jobs/show.hpp"

namespace ntkrob::cli {

namespace {

void show(const ShowJob& job, Session& session) {
  const Drawing drawing = open_show(job, session);
  if (!session.globals.dry_run) return run_show(job, drawing, session);
  std::cout << "would write " << printable_line(job.output) << ": " << drawing.grid.images.rows() << " images, "
            << drawing.grid.per_row << " in a row, " << drawing.scale << " pixels per pixel\n";
}

}  // namespace

Command make_show() {
  auto p = std::make_shared<ShowJob>();
  Command command;
  command.options.add_positional("FILE", p->file, "a data set").required = true;
  command.options.add_positional("FILE2", p->second, "a second one: its images are drawn beside those of the first");
  visit_show(*p, command.options.bind());
  add_read_options(command.options, p->read);
  command.options.add_output(p->output, Use::writes_picture, "PNG file");
  command.examples = {"ntkrob show strokes.h5 --n 100 -o strokes.png",
                      "ntkrob show robust.h5 --initial --n 60 -o pairs.png",
                      "ntkrob show a.h5 b.h5 --split test -o compare.png"};
  command.run = [p](Session& session) { show(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
