/// ntkrob show: images of a data set as a grid, one row per class, or pairs of two sets side by side.
#include <algorithm>
#include <iostream>

#include "command.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/image_grid.hpp"
#include "ntkrob/jobs/input.hpp"

namespace ntkrob::cli {

namespace {

struct ShowParams {
  std::string file, second;
  index n = 100;
  std::string split = "train";
  index scale = 0;
  bool initial = false;
  std::string output;
  ReadOptions read;
};

void show(const ShowParams& p, Session& session) {
  NTKROB_CHECK_RANGE("n", p.n, 1, 100'000);
  NTKROB_CHECK_RANGE("scale", p.scale, 0, 64);
  NTKROB_CHECK(p.output.size() > 4 && p.output.substr(p.output.size() - 4) == ".png", ConfigError, "output is ",
               p.output, ", must end in .png");
  NTKROB_CHECK(!(p.initial && !p.second.empty()), ConfigError, "initial: give --initial or a second file, not both");
  check_output(p.output, session.settings.force);
  const std::size_t inputs = p.second.empty() ? 1 : 2;
  const Dataset data = open_input(session, p.file, p.read, inputs);
  Matrix<float> left = data.images(p.split), right;
  if (p.initial) {
    const Matrix<float>& initial = data.provenance.initial_images;
    NTKROB_CHECK(!initial.empty(), ConfigError, "initial: ", p.file,
                 " stores no initial images; only results of ntkrob robustify do");
    NTKROB_CHECK(p.split == "train" && initial.rows() == left.rows() && initial.cols() == left.cols(), ConfigError,
                 "initial: ", p.file, " has ", initial.rows(), " initial images and ", left.rows(), " images in split ",
                 p.split, "; they must be the same in number and shape");
    right = std::move(left);
    left = initial;
  } else if (!p.second.empty()) {
    const Dataset other = open_input(session, p.second, p.read, inputs);
    NTKROB_CHECK(other.shape == data.shape, ShapeError, "images of ", p.file, " are ", data.shape.height, " x ",
                 data.shape.width, " x ", data.shape.channels, ", those of ", p.second, " are ", other.shape.height,
                 " x ", other.shape.width, " x ", other.shape.channels);
    right = other.images(p.split);
  }
  NTKROB_CHECK(data.shape.channels == 1 || data.shape.channels == 3, NotSupported, p.file, ": images have ",
               data.shape.channels, " channels; only 1 (grey) and 3 (RGB) can be drawn");
  const ImageGrid grid = class_grid(left.view(), right.view(), data.split(p.split).labels, data.classes, p.n);
  const int scale = p.scale > 0 ? static_cast<int>(p.scale) : default_scale(data.shape);
  if (session.globals.dry_run) {
    std::cout << "would write " << printable_line(p.output) << ": " << grid.images.rows() << " images, " << grid.per_row
              << " in a row, " << scale << " pixels per pixel\n";
    return;
  }
  write_png_grid(p.output, grid.images.view(), data.shape, grid.per_row, scale, session.settings.force);
  const char* what = right.empty() ? " images" : p.initial ? " pairs original | robust" : " pairs first | second";
  session.console.note(
      text("wrote ", p.output, ": one row per class, ", grid.images.rows() / (right.empty() ? 1 : 2), what));
}

}  // namespace

Command make_show() {
  auto p = std::make_shared<ShowParams>();
  Command command;
  command.options.add_positional("FILE", p->file, "a data set").required = true;
  command.options.add_positional("FILE2", p->second, "a second one: its images are drawn beside those of the first");
  command.options.add("n", p->n, "images in all, spread over the classes");
  command.options.add("split", p->split, "train | test");
  command.options.add("scale", p->scale, "pixels per image pixel; 0: so that it can be looked at");
  command.options.add("initial", p->initial, "draw each image beside the one it was optimised from");
  add_read_options(command.options, p->read);
  command.options.add_output(p->output, Use::writes_picture, "PNG file");
  command.examples = {"ntkrob show strokes.h5 --n 100 -o strokes.png",
                      "ntkrob show robust.h5 --initial --n 60 -o pairs.png",
                      "ntkrob show a.h5 b.h5 --split test -o compare.png"};
  command.run = [p](Session& session) { show(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
