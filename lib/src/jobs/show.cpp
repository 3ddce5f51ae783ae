#include "ntkrob/jobs/show.hpp"

#include "ntkrob/data/strokes.hpp"
#include "ntkrob/jobs/input.hpp"

namespace ntkrob::jobs {

Drawing open_show(const ShowJob& p, Context& context) {
  visit_show(p, FieldChecker());
  NTKROB_CHECK(p.output.size() > 4 && p.output.substr(p.output.size() - 4) == ".png", ConfigError, field("output"),
               " is ", given(p.output), ", must end in .png");
  NTKROB_CHECK(!(p.initial && !p.second.empty()), ConfigError, field("initial"),
               ": give this or a second file, not both");
  check_output(p.output, context.settings.force);
  const std::size_t inputs = p.second.empty() ? 1 : 2;
  const Dataset data = open_input(context, p.file, p.read, inputs);
  Matrix<float> left = data.images(p.split), right;
  if (p.initial) {
    const Matrix<float>& initial = data.provenance.initial_images;
    NTKROB_CHECK(!initial.empty(), ConfigError, field("initial"), ": ", p.file,
                 " stores no initial images; only results of ntkrob robustify do");
    NTKROB_CHECK(p.split == "train" && initial.rows() == left.rows() && initial.cols() == left.cols(), ConfigError,
                 field("initial"), ": ", p.file, " has ", initial.rows(), " initial images and ", left.rows(),
                 " images in split ", p.split, "; they must be the same in number and shape");
    right = std::move(left);
    left = initial;
  } else if (!p.second.empty()) {
    const Dataset other = open_input(context, p.second, p.read, inputs);
    NTKROB_CHECK(other.shape == data.shape, ShapeError, "images of ", p.file, " are ", data.shape.height, " x ",
                 data.shape.width, " x ", data.shape.channels, ", those of ", p.second, " are ", other.shape.height,
                 " x ", other.shape.width, " x ", other.shape.channels);
    right = other.images(p.split);
  }
  NTKROB_CHECK(data.shape.channels == 1 || data.shape.channels == 3, NotSupported, p.file, ": images have ",
               data.shape.channels, " channels; only 1 (grey) and 3 (RGB) can be drawn");
  Drawing drawing;
  drawing.pairs = !right.empty();
  drawing.grid = class_grid(left.view(), right.view(), data.split(p.split).labels, data.classes, p.n);
  drawing.shape = data.shape;
  drawing.scale = p.scale > 0 ? static_cast<int>(p.scale) : default_scale(data.shape);
  return drawing;
}

void run_show(const ShowJob& p, const Drawing& drawing, Context& context) {
  write_png_grid(p.output, drawing.grid.images.view(), drawing.shape, drawing.grid.per_row, drawing.scale,
                 context.settings.force);
  const char* what = !drawing.pairs ? " images" : p.initial ? " pairs original | robust" : " pairs first | second";
  context.listener().note(
      text("wrote ", p.output, ": one row per class, ", drawing.grid.images.rows() / (drawing.pairs ? 2 : 1), what));
}

void check_synth(const SynthJob& p, Context& context) {
  NTKROB_CHECK(p.what == "strokes", ConfigError, "unknown data set \"", p.what, "\"; there is: strokes");
  visit_synth(p, FieldChecker());
  check_output(p.output, context.settings.force);
}

void run_synth(const SynthJob& p, Context& context) {
  check_synth(p, context);
  const Dataset strokes = make_strokes(p.train, p.test, context.settings.seed);
  save_dataset(strokes, p.output, context.settings.force);
  say_left_out(context, strokes, p.output);
  context.listener().note(
      text("wrote ", written_files(p.output), ": ", p.train, " training and ", p.test, " test images"));
}

}  // namespace ntkrob::jobs
