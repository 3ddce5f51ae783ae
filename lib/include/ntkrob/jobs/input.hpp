/// Opening data: the options that only the user can know, and what the reader recognised, said to everybody.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/data/dataset.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/context.hpp"

namespace ntkrob::jobs {

/// The fields of ReadOptions, named as on the command line; parts are options of convert.
template <class Options, class Visitor>
void visit_read(Options& o, Visitor&& visitor) {
  visitor("x", o.x, "array of the training images, e.g. train/data");
  visitor("y", o.y, "array of the training labels; of a table the label column: its name, number, first or last");
  visitor("x-test", o.x_test, "array of the test images");
  visitor("y-test", o.y_test, "array of the test labels");
  visitor("drop", o.drop, "columns of a table that are no features: names or numbers, separated by commas");
  visitor("image-shape", o.image_shape, "rows are pictures of height x width x channels, e.g. 28x28x1");
  visitor("layout", o.layout, "order of the axes: NHWC, NCHW, HWCN, NHW, NTC (signals), ND (rows), ...");
  visitor("value-range", o.value_range,
          "LOW:HIGH, the values of black and white; columns: each feature by its extremes; or a data set with ranges");
  visitor("label-map", o.label_map, "other labels, FROM:TO separated by commas, e.g. 10:0");
  visitor("renumber", o.renumber, "number the labels that occur from 0 and keep their names");
  visitor("test-file", o.test_file, "another input whose images become the test split");
  visitor("test-fraction", o.test_fraction, "make a test split of this share of the training split", below(0, 1));
  visitor("split-seed", o.split_seed, "seed of test-fraction");
}

/// Opens an input, notes what was recognised and keeps it in context.readings. `inputs` counts the
/// inputs of the command: where there are several, one that ntkrob wrote is read as it says and the options are for the
/// others.
///   throws: as open_dataset
Dataset open_input(Context& context, const std::string& path, const ReadOptions& options, std::size_t inputs = 1);
/// The same for the inputs of convert: several files, or parts named by options.
Dataset open_inputs(Context& context, const std::vector<std::string>& paths, const ReadOptions& options);

/// Names and ranges of features that a model was trained with: inputs opened later must agree, and are scaled by them
/// where value-range is "columns".
void adopt_features(Context& context, const StateDict& model, const std::string& file);
/// Stores them with a model.
void store_features(StateDict& model, const Dataset& data);

/// The files that a data set of this name becomes, for notes: of "x.idx" several.
std::string written_files(const std::string& path);
/// Names what the format of an output drops of a set that was written.
void say_left_out(Context& context, const Dataset& data, const std::string& path);

/// What was recognised of a data set and its parents, and the options that it was read with, for provenance: without
/// folders.
std::vector<std::string> reading_record(const Dataset& data, const ReadOptions& options, const std::string& path);
/// " --value-range 0:16 ..." for canonical commands.
std::string read_arguments(const ReadOptions& options);

}  // namespace ntkrob::jobs
