/// The file of verdicts computed by others' code, reference/autoattack_reference.h5 under NTKROB_SHARED_DIR. Tests that
/// need it say so and pass where it is absent.
#pragma once

#include <hdf5.h>

#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "kit/check.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob::reference {

inline const char* const kFile = NTKROB_SHARED_DIR "/reference/autoattack_reference.h5";

/// False, with a line that says so, where the file is absent.
inline bool present() {
  if (std::ifstream(kFile)) return true;
  std::cout << "skipped: " << kFile << " is absent\n";
  return false;
}

/// One open HDF5 file, whole data sets and attributes only.
class Hdf5File {
 public:
  explicit Hdf5File(const char* path) : id_(H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT)) { REQUIRE(id_ >= 0); }
  ~Hdf5File() { H5Fclose(id_); }
  Hdf5File(const Hdf5File&) = delete;
  Hdf5File& operator=(const Hdf5File&) = delete;

  /// The first dimension becomes the rows, the others together the columns.
  Matrix<float> matrix(const std::string& name) const {
    const hid_t set = open(name);
    const hid_t space = H5Dget_space(set);
    hsize_t dims[8] = {};
    const int rank = H5Sget_simple_extent_dims(space, dims, nullptr);
    index cols = 1;
    for (int k = 1; k < rank; ++k) cols *= static_cast<index>(dims[k]);
    Matrix<float> m(static_cast<index>(dims[0]), cols);
    INFO(name);
    REQUIRE(H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, m.data()) >= 0);
    H5Sclose(space);
    H5Dclose(set);
    return m;
  }
  std::vector<int> integers(const std::string& name, index n) const {
    const hid_t set = open(name);
    std::vector<int> values(static_cast<std::size_t>(n));
    INFO(name);
    REQUIRE(H5Dread(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
    H5Dclose(set);
    return values;
  }
  double number(const std::string& group, const std::string& name) const {
    const hid_t attribute = H5Aopen_by_name(id_, group.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT);
    double value = 0;
    REQUIRE(H5Aread(attribute, H5T_NATIVE_DOUBLE, &value) >= 0);
    H5Aclose(attribute);
    return value;
  }

 private:
  hid_t open(const std::string& name) const {
    const hid_t set = H5Dopen2(id_, name.c_str(), H5P_DEFAULT);
    INFO(name);
    REQUIRE(set >= 0);
    return set;
  }
  hid_t id_;
};

}  // namespace ntkrob::reference
