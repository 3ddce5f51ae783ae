/// The table of file formats. A format is one file format_<id>.cpp with the functions declared here, and one line in
/// formats.def.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ntkrob/data/dataset.hpp"
#include "ntkrob/data/format.hpp"
#include "raw_array.hpp"

namespace ntkrob::io {

/// An input path and the first bytes of its content (unpacked); empty head for folders.
struct Probe {
  std::string path, head;
  bool folder = false;
};

using Recogniser = bool (*)(const Probe& probe);
using Reader = RawDataset (*)(const std::vector<std::string>& inputs, const ReadOptions& options);
using Writer = void (*)(const Dataset& data, const std::string& path, const SaveOptions& options);

struct Format {
  const char* id;
  const char* extensions;
  Recogniser recognise;
  Reader read;
  Writer write;
  const char* description;
};

constexpr Writer no_writer = nullptr;
#define NTKROB_FORMAT(id, extensions, reader, writer, description) \
  bool recognise_##id(const Probe& probe);                         \
  RawDataset reader(const std::vector<std::string>& inputs, const ReadOptions& options);
#include "formats.def"
#undef NTKROB_FORMAT
void write_hdf5(const Dataset& data, const std::string& path, const SaveOptions& options);
void write_npz(const Dataset& data, const std::string& path, const SaveOptions& options);
void write_idx(const Dataset& data, const std::string& path, const SaveOptions& options);
void write_png(const Dataset& data, const std::string& path, const SaveOptions& options);
/// Whether the format can hold such a set. throws: NotSupported
void check_idx(const Dataset& data, const std::string& path);
void check_png(const Dataset& data, const std::string& path);

/// For load_arrays.
StateDict npz_arrays(const std::string& path, std::size_t memory);
StateDict hdf5_arrays(const std::string& path, const std::string& group, std::size_t memory);

const std::vector<Format>& format_table();

/// The path and its first bytes. throws: IoError
Probe probe_of(const std::string& path);
/// throws: ConfigError where options say what a file of ntkrob says itself
void refuse_structural(const RawDataset& raw, const ReadOptions& options);
/// throws: ConfigError where options about arrays are given for a format that has none
void expect_no_array_names(const ReadOptions& options, const std::string& path, const char* format);

/// True when the name says that this is the test split.
bool names_test_split(const std::string& path);
/// Whether a format can say what the pixels are.
///   throws: NotSupported: pixels beyond the value range (data.beyond_range), which only HDF5 and NPZ tell their
///   readers
void check_values_fit(const Dataset& data, const std::string& path);
/// Names of features of more bytes than this do not fit an attribute of HDF5.
constexpr std::size_t kMostNameBytes = 60000;
/// Images in the grid that write_png makes.
constexpr index kMostShown = 400;
/// [N,H,W,C], or [N,D] for data that are no images.
std::vector<std::size_t> stored_shape(const Dataset& data, index n);
/// Bytes of the pixels of a split as they are stored.
std::size_t pixel_bytes(const Dataset& data, const Split& split);
/// Of both splits, those that HDF5 stores as they are.
std::size_t plain_bytes(const Dataset& data, const SaveOptions& options);
/// The schema attribute of an HDF5 file, empty when it has none. throws: IoError
std::string hdf5_schema(const std::string& path);

}  // namespace ntkrob::io
