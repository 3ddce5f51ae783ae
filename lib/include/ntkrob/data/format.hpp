/// Reading and writing data sets and states. The only code that touches files.
///
/// Formats (formats.def): HDF5, IDX(.gz), CIFAR-10/100 binary(.gz), NPZ, CSV, folders of PNG (<dir>/<class>/*.png), recognised
/// by content first, extension second. Every size in a file is checked before memory is allocated. Outputs appear whole or not
/// at all: temporary file beside the target, flush, rename.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ntkrob/base/state_dict.hpp"
#include "ntkrob/data/dataset.hpp"

namespace ntkrob {

/// Files that make up one data set when a format keeps images and labels apart (IDX). Empty: not given.
struct IdxFiles {
  std::string train_images, train_labels, test_images, test_labels;
};

/// Opens any supported file or folder. For IDX either `idx` names the files or `inputs` are recognised by their usual names
/// (train-images..., t10k-labels...). For CIFAR several batch files may be given; a name containing "test" is the test split.
/// throws: IoError: one line with the file, the offset or field, the value, the limit
Dataset open_dataset(const std::vector<std::string>& inputs, const IdxFiles& idx = {});
/// By extension: .h5/.hdf5, .npz, .png (grid of the training split), or a directory / prefix ending in ".idx" or "/" for IDX.
/// throws: IoError / ResourceError; ConfigError when path exists and force is false
void save_dataset(const Dataset& data, const std::string& path, bool force);

/// A StateDict as a file (checkpoints, models), NPZ where the path ends in .npz, else HDF5. schema names its kind, e.g. "ntkrob.model/1".
void save_state(const StateDict& state, const std::string& schema, const std::string& path, bool force);
/// What states are called that nobody named: ".h5", in a build without HDF5 ".npz".
const char* state_extension();
/// throws: IoError when the file is not of this schema, or of a newer version of it (says both versions)
/// largest_array: arrays of more bytes come with their shape alone, without values (to describe a file beyond memory)
StateDict load_state(const std::string& path, const std::string& schema, std::size_t largest_array = SIZE_MAX);

/// All arrays of an NPZ file, or all entries of one group of an HDF5 file of any kind (group: "a/b", empty for the root;
/// names below it with "/"), in the order of the file: as written where that is known, else by name.
/// throws: IoError naming file and array
StateDict load_arrays(const std::string& path, const std::string& group = {});

/// One row of formats.def for --help.
struct FormatInfo {
  std::string name, extensions, description;
  bool readable = false, writable = false;
};
std::vector<FormatInfo> formats();

/// What kind of ntkrob file this is ("dataset", "model", "kernel", "checkpoint", "plain") and its schema text.
std::pair<std::string, std::string> identify(const std::string& path);

/// Grid of images as an 8-bit PNG. images: n x D in [0,1]; columns of `per_row` images; scale: pixels per pixel.
void write_png_grid(const std::string& path, ConstView2D<float> images, ImageShape shape, index per_row, int scale,
                    bool force);
/// One image as the bytes of an 8-bit PNG, for pages that carry their images.   image: shape.size() numbers in [0,1]
///   throws: NotSupported unless there are 1 or 3 channels
std::string png_bytes(const float* image, ImageShape shape);
/// A file as it is. throws: IoError; ResourceError for more than 4 GiB
std::string read_bytes(const std::string& path);
/// A text file (JSON, CSV) or other bytes, whole or not at all.
void write_text(const std::string& path, const std::string& content, bool force);

}  // namespace ntkrob
