#include "hdf5_seeds.hpp"

#include <hdf5.h>

#include <cstdint>
#include <vector>

#include "ntkrob/base/error.hpp"

namespace ntkrob::fuzz {
namespace {

/// An identifier of the library, and how it is given back.
class Id {
 public:
  Id(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {
    NTKROB_CHECK(id >= 0, IoError, "a seed of HDF5 cannot be made; is the folder of the fuzz targets writable?");
  }
  ~Id() { close_(id_); }
  Id(const Id&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

hid_t create(const std::string& path) {
  const Id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
  return H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
}

hid_t space_of(const std::vector<hsize_t>& shape) {
  return shape.empty() ? H5Screate(H5S_SCALAR)
                       : H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
}

hid_t text_type(std::size_t n) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, n);
  return type;
}

void add(hid_t place, const char* name, hid_t type, const std::vector<hsize_t>& shape, const void* values,
         bool packed = false) {
  const Id space(space_of(shape), H5Sclose), properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  if (packed) {
    std::vector<hsize_t> chunk = shape;
    chunk[0] = 1;
    H5Pset_chunk(properties, static_cast<int>(chunk.size()), chunk.data());
    H5Pset_shuffle(properties);
    H5Pset_deflate(properties, 4);
  }
  const Id set(H5Dcreate2(place, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT), H5Dclose);
  H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
}

void add_attribute(hid_t place, const char* name, hid_t type, const std::vector<hsize_t>& shape, const void* values) {
  const Id space(space_of(shape), H5Sclose);
  const Id attribute(H5Acreate2(place, name, type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  H5Awrite(attribute, type, values);
}

}  // namespace

void write_old_set(const std::string& path) {
  const Id file(create(path), H5Fclose);
  std::uint8_t bytes[4 * 4 * 4];
  float numbers[4 * 4 * 4];
  for (int k = 0; k < 64; ++k) {
    bytes[k] = static_cast<std::uint8_t>(4 * k);
    numbers[k] = static_cast<float>(k) / 63;
  }
  const std::int64_t labels[] = {0, 1, 2, 1};
  const char* const texts[] = {"ant", "cat", "dog", "cat"};
  const Id variable(text_type(H5T_VARIABLE), H5Tclose),
      group(H5Gcreate2(file, "test", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
  add(file, "x_train", H5T_STD_U8LE, {4, 4, 4}, bytes);
  add(file, "y_train", variable, {4}, texts);
  add(group, "x_test", H5T_NATIVE_FLOAT, {4, 4, 4}, numbers, true);
  add(group, "y_test", H5T_NATIVE_INT64, {4}, labels);
  add_attribute(file, "class_names", variable, {3}, texts);
}

void write_old_state(const std::string& path) {
  const Id file(create(path), H5Fclose);
  const std::string schema = "ntkrob.model/1";
  const Id schema_type(text_type(schema.size()), H5Tclose), short_type(text_type(3), H5Tclose);
  const std::int64_t number = 7;
  const double real = 0.5, doubles[] = {1, 2, 3};
  const float floats[] = {1, 2, 3, 4};
  add_attribute(file, "ntkrob_schema", schema_type, {}, schema.data());
  add_attribute(file, "text", short_type, {}, "a\nb");
  add_attribute(file, "number", H5T_NATIVE_INT64, {}, &number);
  add_attribute(file, "real", H5T_NATIVE_DOUBLE, {}, &real);
  add(file, "f4", H5T_NATIVE_FLOAT, {2, 2}, floats);
  add(file, "f8", H5T_NATIVE_DOUBLE, {3}, doubles, true);
}

}  // namespace ntkrob::fuzz
