/// NPY, NPZ, IDX, HDF5 and MATLAB files.
#include <hdf5.h>
#include <zlib.h>

#include <cassert>
#include <cstdint>
#include <cstring>
#include <numeric>

#include "cli/run.hpp"
#include "content.hpp"

namespace ntkrob::situations {

namespace {

using cli_test::write_file;

std::uint16_t half(double value) {  // exact for what the situations use: zero and normal numbers of ten bits
  float single = static_cast<float>(value);
  std::uint32_t bits = 0;
  std::memcpy(&bits, &single, 4);
  const int exponent = static_cast<int>(bits >> 23 & 0xff) - 127 + 15;
  if (exponent <= 0) return 0;
  return static_cast<std::uint16_t>((bits >> 31) << 15 | static_cast<std::uint32_t>(exponent) << 10 |
                                    (bits >> 13 & 0x3ff));
}

template <class T>
void append(std::string& out, T value, bool big) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  for (std::size_t i = 0; i < sizeof(T); ++i) out += bytes[big ? sizeof(T) - 1 - i : i];
}

/// The number as bytes of the array's type.
void append_number(std::string& out, const std::string& type, double value) {
  const bool big = type[0] == '>';
  const std::string kind = type.substr(1);
  if (kind == "u1" || kind == "b1") return append(out, static_cast<std::uint8_t>(value), big);
  if (kind == "i1") return append(out, static_cast<std::int8_t>(value), big);
  if (kind == "u2") return append(out, static_cast<std::uint16_t>(value), big);
  if (kind == "i2") return append(out, static_cast<std::int16_t>(value), big);
  if (kind == "i4") return append(out, static_cast<std::int32_t>(value), big);
  if (kind == "u4") return append(out, static_cast<std::uint32_t>(value), big);
  if (kind == "i8") return append(out, static_cast<std::int64_t>(value), big);
  if (kind == "u8") return append(out, static_cast<std::uint64_t>(value), big);
  if (kind == "f2") return append(out, half(value), big);
  if (kind == "f4") return append(out, static_cast<float>(value), big);
  if (kind == "f8") return append(out, value, big);
  assert(false && "unknown type");
}

std::size_t longest(const std::vector<std::string>& texts) {
  std::size_t length = 1;
  for (const std::string& text : texts) length = std::max(length, text.size());
  return length;
}

/// Code points of UTF-8 of one or two bytes per character.
std::vector<std::uint32_t> characters(const std::string& text) {
  std::vector<std::uint32_t> points;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) {
      points.push_back(byte);
    } else {
      points.push_back((byte & 0x1fU) << 6 | (static_cast<unsigned char>(text[i + 1]) & 0x3fU));
      ++i;
    }
  }
  return points;
}

hid_t hdf5_type(const std::string& type) {
  const std::string kind = type.substr(1);
  const bool big = type[0] == '>';
  if (kind == "b1") {  // as h5py writes NumPy's bool
    const hid_t result = H5Tcreate(H5T_ENUM, 1);
    const signed char no = 0, yes = 1;
    H5Tenum_insert(result, "FALSE", &no);
    H5Tenum_insert(result, "TRUE", &yes);
    return result;
  }
  if (kind == "u1") return H5Tcopy(H5T_STD_U8LE);
  if (kind == "i1") return H5Tcopy(H5T_STD_I8LE);
  if (kind == "u2") return H5Tcopy(big ? H5T_STD_U16BE : H5T_STD_U16LE);
  if (kind == "i2") return H5Tcopy(big ? H5T_STD_I16BE : H5T_STD_I16LE);
  if (kind == "i4") return H5Tcopy(big ? H5T_STD_I32BE : H5T_STD_I32LE);
  if (kind == "u4") return H5Tcopy(big ? H5T_STD_U32BE : H5T_STD_U32LE);
  if (kind == "i8") return H5Tcopy(big ? H5T_STD_I64BE : H5T_STD_I64LE);
  if (kind == "u8") return H5Tcopy(big ? H5T_STD_U64BE : H5T_STD_U64LE);
  if (kind == "f4") return H5Tcopy(big ? H5T_IEEE_F32BE : H5T_IEEE_F32LE);
  if (kind == "f8") return H5Tcopy(big ? H5T_IEEE_F64BE : H5T_IEEE_F64LE);
  assert(kind == "f2");
  const hid_t result = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(result, 15, 10, 5, 0, 10);
  H5Tset_size(result, 2);
  H5Tset_ebias(result, 15);
  return result;
}

void write_text_attribute(hid_t object, const char* name, const std::string& value) {
  const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
  H5Tset_size(type, value.size());
  const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  REQUIRE(H5Awrite(attribute, type, value.data()) >= 0);
  H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
}

void write_dataset(hid_t file, const std::string& name, const Array& array, bool reversed) {
  std::vector<hsize_t> extents(array.shape.begin(), array.shape.end());
  if (reversed) extents.assign(array.shape.rbegin(), array.shape.rend());
  const hid_t space = extents.empty() ? H5Screate(H5S_SCALAR)
                                      : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr);
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  hid_t type = -1;
  std::string bytes;
  std::vector<const char*> pointers;
  const void* content = nullptr;
  if (array.type == "<U") {  // h5py writes texts of variable length
    type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    for (const std::string& text : array.texts) pointers.push_back(text.c_str());
    content = pointers.data();
  } else if (array.type == "|S") {
    const std::size_t length = longest(array.texts);
    type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, length);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    for (const std::string& text : array.texts) bytes += text + std::string(length - text.size(), '\0');
    content = bytes.data();
  } else {
    type = hdf5_type(array.type);
    std::vector<int> order(array.shape.size());
    std::iota(order.rbegin(), order.rend(), 0);
    const Array stored = reversed ? transposed(array, order) : array;  // MATLAB's first axis runs fastest
    for (const double value : stored.numbers) append_number(bytes, array.type, value);
    content = bytes.data();
  }
  const hid_t set = H5Dcreate2(file, name.c_str(), type, space, links, H5P_DEFAULT, H5P_DEFAULT);
  REQUIRE(set >= 0);
  if (reversed) write_text_attribute(set, "MATLAB_class", array.type == "<f8" ? "double" : "uint8");
  if (array.count() > 0) REQUIRE(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, content) >= 0);
  H5Dclose(set);
  H5Tclose(type);
  H5Pclose(links);
  H5Sclose(space);
}

void write_attribute(hid_t file, const char* name, hid_t type, const std::vector<double>& values) {
  const hsize_t count = values.size();
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  REQUIRE(H5Awrite(attribute, H5T_NATIVE_DOUBLE, values.data()) >= 0);
  H5Aclose(attribute);
  H5Sclose(space);
}

void write_names(hid_t file, const std::vector<std::string>& names) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  const hsize_t count = names.size();
  std::vector<const char*> pointers;
  for (const std::string& name : names) pointers.push_back(name.c_str());
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const hid_t attribute = H5Acreate2(file, "class_names", type, space, H5P_DEFAULT, H5P_DEFAULT);
  REQUIRE(H5Awrite(attribute, type, pointers.data()) >= 0);
  H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
}

}  // namespace

std::string npy_file(const Array& array) {
  std::size_t length = array.is_text() ? longest(array.texts) : 0;
  if (array.type == "<U") {
    length = 1;
    for (const std::string& text : array.texts) length = std::max(length, characters(text).size());
  }
  std::string type = array.type, shape, data;
  if (array.is_text()) type += std::to_string(length);
  for (const long extent : array.shape) shape += std::to_string(extent) + ", ";
  if (array.shape.size() > 1)
    shape.resize(shape.size() - 2);
  else if (!shape.empty())
    shape.pop_back();
  std::string header = "{'descr': '" + type + "', 'fortran_order': " + (array.fortran ? "True" : "False") +
                       ", 'shape': (" + shape + "), }";
  header += std::string(63 - (header.size() + 10) % 64, ' ') + "\n";
  const std::size_t n = header.size();
  const std::string head =
      std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(n & 0xff) + static_cast<char>(n >> 8);
  if (array.type == "<U") {
    for (const std::string& text : array.texts)
      for (std::size_t i = 0; i < length; ++i)
        append(data, i < characters(text).size() ? characters(text)[i] : 0, false);
  } else if (array.is_text()) {
    for (const std::string& text : array.texts) data += text + std::string(length - text.size(), '\0');
  } else if (array.fortran) {
    std::vector<int> order(array.shape.size());
    std::iota(order.rbegin(), order.rend(), 0);
    for (const double value : transposed(array, order).numbers) append_number(data, array.type, value);
  } else {
    for (const double value : array.numbers) append_number(data, array.type, value);
  }
  return head + header + data;
}

std::string zip_file(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string archive, directory;
  const auto fields = [](std::string& out, std::size_t crc, std::size_t size, std::size_t name) {
    append<std::uint16_t>(out, 20, false);          // version
    append<std::uint32_t>(out, 0, false);           // flags, method 0: stored
    append<std::uint32_t>(out, 0x5a210000, false);  // a fixed date
    append(out, static_cast<std::uint32_t>(crc), false);
    append(out, static_cast<std::uint32_t>(size), false);
    append(out, static_cast<std::uint32_t>(size), false);
    append(out, static_cast<std::uint16_t>(name), false);
    append<std::uint16_t>(out, 0, false);  // no extra field
  };
  for (const auto& [name, content] : members) {
    const auto crc = crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size()));
    const auto offset = static_cast<std::uint32_t>(archive.size());
    archive += "PK\x03\x04";
    fields(archive, crc, content.size(), name.size());
    archive += name + content;
    directory += std::string("PK\x01\x02\x14\x00", 6);
    fields(directory, crc, content.size(), name.size());
    append<std::uint64_t>(directory, 0, false);  // comment, disk, attributes
    append<std::uint16_t>(directory, 0, false);
    append(directory, offset, false);
    directory += name;
  }
  const auto start = static_cast<std::uint32_t>(archive.size());
  archive += directory + std::string("PK\x05\x06\x00\x00\x00\x00", 8);
  append(archive, static_cast<std::uint16_t>(members.size()), false);
  append(archive, static_cast<std::uint16_t>(members.size()), false);
  append(archive, static_cast<std::uint32_t>(directory.size()), false);
  append(archive, start, false);
  append<std::uint16_t>(archive, 0, false);
  return archive;
}

std::string idx_file(const Array& array) {
  const std::string kind = array.type.substr(1);
  const std::string kinds[] = {"u1", "i1", "i2", "i4", "f4", "f8"};
  const char codes[] = {8, 9, 11, 12, 13, 14};
  char code = 0;
  std::string type = kind;
  if (kind == "i8") type = "i4";  // IDX has no wider whole numbers
  if (kind == "b1") type = "u1";
  for (std::size_t i = 0; i < 6; ++i)
    if (kinds[i] == type) code = codes[i];
  REQUIRE(code != 0);
  std::string out{0, 0, code, static_cast<char>(array.shape.size())};
  for (const long extent : array.shape) append(out, static_cast<std::uint32_t>(extent), true);
  for (const double value : array.numbers) append_number(out, ">" + type, value);
  return out;
}

void hdf5_file(const std::string& path, const std::vector<std::pair<std::string, Array>>& arrays,
               const Content& content, bool user_block) {
  const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
  if (user_block) H5Pset_userblock(creation, 512);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, H5P_DEFAULT);
  REQUIRE(file >= 0);
  for (const auto& [name, array] : arrays) write_dataset(file, name, array, user_block);
  if (content.range)
    write_attribute(file, "value_range", H5T_IEEE_F32LE, {content.range->first, content.range->second});
  if (!content.class_names.empty()) write_names(file, content.class_names);
  H5Pclose(creation);
  REQUIRE(H5Fclose(file) >= 0);
  if (!user_block) return;
  std::string bytes = cli_test::read_file(path);
  std::string text = "MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2024 HDF5 schema 1.00 .";
  text.resize(124, ' ');
  text += std::string("\x00\x02IM", 4);
  bytes.replace(0, text.size(), text);
  write_file(path, bytes);
}

}  // namespace ntkrob::situations
