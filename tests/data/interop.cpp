/// Helper of interop_check.py: writes files for Python to read (write FOLDER), or prints what it reads (read FILE...).
#include <hdf5.h>

#include <cstdio>
#include <cstring>

#include "ntkrob/data/format.hpp"
#include "ntkrob/data/strokes.hpp"

namespace ntkrob {
namespace {

void write_files(const std::string& folder) {
  const Dataset bytes = make_strokes(40, 20, 5);
  save_dataset(bytes, folder + "/bytes.h5", false);
  save_dataset(bytes, folder + "/bytes.npz", false);
  Dataset floats;
  floats.shape = {2, 3, 3};
  floats.classes = 4;
  floats.class_names = {"a", "b", "c", "d"};
  floats.value_low = -1;
  floats.train.n = 2;
  floats.train.pixels = Matrix<float>(2, 18);
  floats.train.targets = Matrix<float>(2, 4);
  floats.train.labels = {1, 0};
  for (index i = 0; i < 36; ++i) floats.train.pixels.data()[i] = -1 + static_cast<float>(i) / 35;
  for (index i = 0; i < 8; ++i) floats.train.targets.data()[i] = static_cast<float>(i) / 8;
  floats.provenance.command = "interop";
  floats.provenance.options = {{"eps", "8/255"}};
  floats.provenance.curves = {{"loss", {3, 2, 1}}};
  save_dataset(floats, folder + "/floats.h5", false);
  save_dataset(floats, folder + "/floats.npz", false);
  StateDict state;
  state.set("spec", std::string("mlp:3"));
  state.set("input_shape", NdArray<std::int64_t>{{3}, {2, 3, 3}});
  state.set("layers/0/type", std::string("dense"));
  state.set("layers/0/w", 1.5);
  state.set("layers/0/weight", NdArray<float>{{2, 2}, {1, 2, 3, 4}});
  state.set("ntk", NdArray<double>{{60, 20}, std::vector<double>(1200, 0.25)});
  save_state(state, "ntkrob.model/1", folder + "/state.h5", false);
}

void print(const std::string& path) {
  const Dataset data = open_dataset({path});
  std::printf("%s %td %td %td %td %td %td", data.checksum().c_str(), data.train.n, data.test.n, data.shape.height,
              data.shape.width, data.shape.channels, data.classes);
  std::printf("\n");
}

}  // namespace
}  // namespace ntkrob

/// Leaves an HDF5 file open at the end of the process: it is written there, or not at all.
void leave_open(const char* path, bool ours) {
  if (ours) ntkrob::leave_hdf5_open_at_exit();
  const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  H5Gclose(H5Gcreate2(file, "written at the end", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

int main(int argc, char** argv) {
  try {
    if (argc < 3) return 2;
    if (std::strcmp(argv[1], "write") == 0) ntkrob::write_files(argv[2]);
    if (std::strcmp(argv[1], "read") == 0)
      for (int i = 2; i < argc; ++i) ntkrob::print(argv[i]);
    if (std::strcmp(argv[1], "leave") == 0) leave_open(argv[2], true);
    if (std::strcmp(argv[1], "close") == 0) leave_open(argv[2], false);
    return 0;
  } catch (const ntkrob::Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return error.exit_code();
  }
}
