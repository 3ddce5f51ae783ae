/// Reading and writing data sets and states. The only code that touches files.
///
/// Formats (formats.def): HDF5, IDX(.gz), CIFAR-10/100 binary(.gz), NPZ, CSV, folders of PNG (<dir>/<class>/*.png),
/// recognised by content first, extension second. Every size in a file is checked before memory is allocated. Outputs
/// appear whole or not at all: temporary file beside the target, flush, rename.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "ntkrob/base/error.hpp"
#include "ntkrob/base/state_dict.hpp"
#include "ntkrob/data/dataset.hpp"

namespace ntkrob {

namespace io {
class ReadBudget;
}

/// Files of one array each that make up one data set together: IDX, .npy, NPZ and HDF5 with one array, tables of
/// numbers without labels. Empty: not given.
struct PartFiles {
  std::string train_images, train_labels, test_images, test_labels;
  bool any() const;
};

/// What only the user knows about an input of others. Everything empty: it is recognised, or the reader asks.
struct ReadOptions {
  PartFiles parts;
  std::string x, y, x_test, y_test;  // names of arrays, "train/data"; y of a table: its label column (read_options.hpp)
  std::string drop;                  // columns of a table that are neither label nor feature, "id,subject"
  std::string image_shape;           // of rows: "28x28x1", height x width x channels
  std::string layout;                // order of the axes: NHWC, NCHW, HWCN, NHW, NTC, ND, ...
  std::string value_range;           // "LOW:HIGH", the values of black and white; "columns"; a data set of ntkrob
  std::string label_map;             // "10:0,11:1"
  bool renumber = false;             // the labels that occur become 0 .. k-1, their names are kept
  std::string test_file;             // another input whose images become the test split
  double test_fraction = 0;          // this share of the training split becomes the test split
  std::uint64_t split_seed = 0;
  /// Of another input or a model, with value_range "columns": taken instead of the extremes. feature_source names it.
  std::vector<float> feature_low, feature_high;
  std::string feature_source;

  // How much is held in memory: for programs, not for users.
  /// Images of more bytes stay in their file where it can be read by rows (HDF5), see Split::in_file.
  std::size_t in_memory = SIZE_MAX;
  /// The memory limit of reading one data set, see reading-limits.md; 0: three quarters of this machine's.
  std::size_t memory = 0;
  std::shared_ptr<io::ReadBudget> budget;  // what is left of it: open_dataset sets it for its readers

  /// (name as on the command line, value) of what is set, for provenance.
  std::vector<std::pair<std::string, std::string>> given() const;
  /// Whether something says how arrays are to be read, which a data set of ntkrob says itself.
  bool structural() const;
};

/// Opens any supported file or folder. Single-array files are given in `options.parts`, or recognised by their usual
/// names (train-images..., t10k-labels..., x_train.npy). For CIFAR and CSV several files may be given; a name that
/// contains "test" is the test split. What was recognised or assumed is in Dataset::notes.
/// throws: IoError: one line with the file, the offset or field, the value, the limit, the remedy; ConfigError: options
///         that cannot be, or do not fit the input; ResourceError, before memory is taken: what the file says, or
///         unpacks to, is more than options.memory
Dataset open_dataset(const std::vector<std::string>& inputs, const ReadOptions& options = {});
/// What a format cannot hold of a data set, one line each: "class names", "learned targets"; and what a reader of the
/// file has to be told again, with the option that tells it, marked (base/error.hpp). What is neither named here nor
/// refused by save_dataset is kept.
///   cost: a pass over the pixels for IDX
std::vector<std::string> left_out_by(const Dataset& data, const std::string& path);
/// How a data set is written.
struct SaveOptions {
  bool force = false;                               // replace an existing file
  std::size_t plain_from = std::size_t{256} << 20;  // HDF5: pixels of more bytes are stored as they are, row after row
  /// Called between rows of such pixels; what it throws ends the work, and nothing is left.
  std::function<void(index done, index total)> progress;
};
/// Whether the disk has room for the pixels that save_dataset stores as they are, to know it before other work.
///   throws: ResourceError
void check_room(const Dataset& data, const std::string& path, const SaveOptions& options);
/// Whether a data set can be written under this name: by its extension, and by what this build has.
///   throws: ConfigError naming the extensions; NotCompiled
void check_dataset_name(const std::string& path);
/// Whether the format of this name can hold such a set: its classes, names, learned targets, channels, pixels beyond
/// the value range. To know it before the work, `data` may have no images yet.
///   throws: NotSupported; as check_dataset_name
void check_holds(const Dataset& data, const std::string& path);
/// By extension: .h5/.hdf5, .npz, .png (grid of the training split), or a directory / prefix ending in ".idx" or "/"
/// for IDX.
///   throws: IoError / ResourceError; ConfigError when path exists and force is false
void save_dataset(const Dataset& data, const std::string& path, const SaveOptions& options);
inline void save_dataset(const Dataset& data, const std::string& path, bool force) {
  SaveOptions options;
  options.force = force;
  save_dataset(data, path, options);
}

/// The schema of models.
inline constexpr char kModelSchema[] = "ntkrob.model/1";
/// A StateDict as a file (checkpoints, models), NPZ where the path ends in .npz, else HDF5.
///   schema: names its kind, e.g. kModelSchema
void save_state(const StateDict& state, const std::string& schema, const std::string& path, bool force);
/// The arrays as the bytes of an NPZ file without a schema, as numpy.savez writes one, in their order: for others, and
/// for load_arrays().   throws: ConfigError for a name that ntkrob uses itself, or none
std::string npz_of_arrays(const StateDict& arrays);
/// What states are called that nobody named: ".h5", in a build without HDF5 ".npz".
const char* state_extension();
/// What reading a state may take.
struct StateLimits {
  std::size_t memory =
      0;  // bytes of all its values together, see reading-limits.md; 0: three quarters of this machine's
  /// Where it is set, arrays of more bytes, and those that the memory has no room for, come with their shape alone,
  /// without values: to describe a file beyond memory.
  std::size_t largest_array = SIZE_MAX;
};

/// throws: IoError when the file is not of this schema, or of a newer version of it (says both versions);
/// ResourceError, before
///         memory is taken: the values are more than limits.memory
StateDict load_state(const std::string& path, const std::string& schema, const StateLimits& limits = {});

/// All arrays of an NPZ file, or all entries of one group of an HDF5 file of any kind (names below it with "/"), in the
/// order of the file: as written where that is known, else by name.
///   group: "a/b", empty for the root   memory: as StateLimits::memory
///   throws: IoError naming file and array; ResourceError as load_state
StateDict load_arrays(const std::string& path, const std::string& group = {}, std::size_t memory = 0);

/// One row of formats.def for --help.
struct FormatInfo {
  std::string name, extensions, description;
  bool readable = false, writable = false;
};
std::vector<FormatInfo> formats();

/// One row of reading_rules.def: what all readers do with one kind of content.
struct ReadingRule {
  std::string id, kind, content;
  std::string answer;  // recognised | said | asks | refused
  std::string words;
};
/// spelling: of the options in them, see base/error.hpp
std::vector<ReadingRule> reading_rules(const FieldSpelling& spelling = {});

/// For programs that use the HDF5 library through this component alone, before anything else of it: the library is not
/// closed when the process ends. All files are closed by then, and a library that has met a damaged file would write
/// lines of its own about it. Nothing in a build without HDF5, or once the library has been used.
void leave_hdf5_open_at_exit();

/// What kind of ntkrob file this is ("dataset", "model", "kernel", "checkpoint", "plain") and its schema text.
std::pair<std::string, std::string> identify(const std::string& path);
/// Whether an HDF5 or NPZ file ends in ntkrob's checksum over all its bytes; false of files of others, of those that an
/// earlier ntkrob wrote, and of those that another program changed since: damage of these may go unseen.
///   throws: IoError where there is one that does not fit
bool has_file_checksum(const std::string& path);

/// Grid of images as an 8-bit PNG. images: n x D in [0,1]; columns of `per_row` images; scale: pixels per pixel.
void write_png_grid(const std::string& path, ConstView2D<float> images, ImageShape shape, index per_row, int scale,
                    bool force);
/// One image as the bytes of an 8-bit PNG, for pages that carry their images.   image: shape.size() numbers in [0,1]
///   throws: NotSupported unless there are 1 or 3 channels
std::string png_bytes(const float* image, ImageShape shape);
/// A file as it is. throws: IoError; ResourceError for more than 4 GiB
std::string read_bytes(const std::string& path);
/// A file that people write by hand (configurations, lists): its text, at most `limit` bytes of it. Pipes, sockets and
/// devices are refused without being opened for reading, so that nothing waits and nothing is endless.
///   throws: IoError: not a regular file, not readable, or with a zero byte (no text); ResourceError: more than `limit`
///           bytes
std::string read_small_text_file(const std::string& path, std::size_t limit = std::size_t{1} << 20);
/// A text file (JSON, CSV) or other bytes, whole or not at all.
void write_text(const std::string& path, const std::string& content, bool force);

}  // namespace ntkrob
