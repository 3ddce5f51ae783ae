/// The HDF5 functions of a build without HDF5: the formats stay listed, using them says how to get them.
#include "formats.hpp"
#include "input_file.hpp"
#include "ntkrob/data/matrix_file.hpp"
#include "part_files.hpp"
#include "state_file.hpp"
#include "whole_sum.hpp"

namespace ntkrob {
namespace {

[[noreturn]] void fail(const std::string& path) {
  throw NotCompiled(text(
      path, ": this build has no HDF5; use .npz, or configure with -DNTKROB_WITH_HDF5=ON (needs the HDF5 C library)"));
}

/// Of a file that is no HDF5 either, the damage is what matters: an NPZ whose beginning changed.
///   throws: as InputFile and verify_whole; IoError; NotCompiled for what is HDF5
[[noreturn]] void fail_reading(const std::string& path) {
  const io::InputFile file(path);
  if (file.head(4) == "\x89HDF") fail(path);
  io::verify_whole(file);
  throw IoError(
      text(path, ": is neither HDF5 nor NPZ (", file.size(), " bytes); it is damaged or cut off, get it again"));
}

}  // namespace

namespace io {

RawDataset read_hdf5(const std::vector<std::string>& inputs, const ReadOptions&) { fail_reading(inputs[0]); }
Catalogue hdf5_catalogue(const std::string& path) { fail_reading(path); }
void write_hdf5(const Dataset&, const std::string& path, const SaveOptions&) { fail(path); }
StateDict hdf5_arrays(const std::string& path, const std::string&, std::size_t) { fail_reading(path); }
std::string hdf5_schema(const std::string& path) { fail_reading(path); }
void save_state_hdf5(const StateDict&, const std::string&, const std::string& path, bool) { fail(path); }
StateDict load_state_hdf5(const std::string& path, const std::string&, const StateLimits&) { fail_reading(path); }

}  // namespace io

void leave_hdf5_open_at_exit() {}

const char* state_extension() { return ".npz"; }

class MatrixFile::Impl {};
MatrixFile::MatrixFile(const StateDict&, const std::string&, const std::vector<MatrixEntry>&, const std::string& path,
                       bool) {
  fail(path);
}
MatrixFile::~MatrixFile() = default;
void MatrixFile::write(std::size_t, index, index, ConstView2D<float>) {}
void MatrixFile::write(std::size_t, index, index, ConstView2D<double>) {}
void MatrixFile::commit() {}

}  // namespace ntkrob
