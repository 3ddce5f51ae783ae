/// The show job: images of a data set as a grid, one row per class, or pairs of two sets side by side. And synth: the
/// built-in data set.
#pragma once

#include <string>

#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/context.hpp"
#include "ntkrob/jobs/image_grid.hpp"

namespace ntkrob::jobs {

struct ShowJob {
  std::string file, second;  // second: its images are drawn beside those of the first; or empty
  index n = 100;
  std::string split = "train";
  index scale = 0;
  bool initial = false;
  std::string output;
  ReadOptions read;
};

template <class Job, class Visitor>
void visit_show(Job& j, Visitor&& visitor) {
  visitor("n", j.n, "images in all, spread over the classes", within(1, 100'000));
  visitor("split", j.split, "train | test", among("train|test"));
  visitor("scale", j.scale, "pixels per image pixel; 0: so that it can be looked at", within(0, 64));
  visitor("initial", j.initial, "draw each image beside the one it was optimised from");
}

/// What will be drawn.
struct Drawing {
  ImageGrid grid;
  ImageShape shape;
  int scale = 1;
  bool pairs = false;
};

/// throws: ConfigError, ShapeError, NotSupported; as open_input
Drawing open_show(const ShowJob& job, Context& context);
void run_show(const ShowJob& job, const Drawing& drawing, Context& context);

struct SynthJob {
  std::string what;  // strokes
  index train = 6000;
  index test = 1000;
  std::string output;
};

template <class Job, class Visitor>
void visit_synth(Job& j, Visitor&& visitor) {
  visitor("train", j.train, "training images", within(1, 1e7));
  visitor("test", j.test, "test images", within(0, 1e7));
}

/// throws: ConfigError
void check_synth(const SynthJob& job, Context& context);
void run_synth(const SynthJob& job, Context& context);

}  // namespace ntkrob::jobs
