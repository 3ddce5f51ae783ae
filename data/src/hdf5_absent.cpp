/// The HDF5 functions of a build without HDF5: the formats stay listed, using them says how to get them.
#include "formats.hpp"
#include "ntkrob/data/matrix_file.hpp"
#include "part_files.hpp"
#include "state_file.hpp"

namespace ntkrob {
namespace {

[[noreturn]] void fail(const std::string& path) {
  throw NotCompiled(text(
      path, ": this build has no HDF5; use .npz, or configure with -DNTKROB_WITH_HDF5=ON (needs the HDF5 C library)"));
}

}  // namespace

namespace io {

RawDataset read_hdf5(const std::vector<std::string>& inputs, const ReadOptions&) { fail(inputs[0]); }
Catalogue hdf5_catalogue(const std::string& path) { fail(path); }
void write_hdf5(const Dataset&, const std::string& path, const SaveOptions&) { fail(path); }
StateDict hdf5_arrays(const std::string& path, const std::string&) { fail(path); }
std::string hdf5_schema(const std::string& path) { fail(path); }
void save_state_hdf5(const StateDict&, const std::string&, const std::string& path, bool) { fail(path); }
StateDict load_state_hdf5(const std::string& path, const std::string&, std::size_t) { fail(path); }

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
