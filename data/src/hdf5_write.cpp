#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "atomic_file.hpp"
#include "hdf5_file.hpp"
#include "packing.hpp"
#include "whole_sum.hpp"

namespace ntkrob::io {
namespace {

/// Arrays below this are stored plainly: chunk index and filter would cost more than they save.
constexpr std::size_t kCompressFromBytes = 4096;
constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr unsigned kDeflateLevel = 4;

[[noreturn]] void fail(const std::string& name) {
  throw ResourceError(text("cannot write ", name, " (HDF5: ", hdf5_reason(), "); is there enough memory?"));
}

void check(bool good, const std::string& name) {
  if (!good) fail(name);
}

/// Creation order is kept so that groups list as they were written (layer 10 after layer 9), and time stamps are left
/// out so that equal content gives equal bytes.
Handle group_properties(hid_t kind) {
  Handle properties(H5Pcreate(kind), H5Pclose);
  check(H5Pset_link_creation_order(properties, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED) >= 0 &&
            H5Pset_attr_creation_order(properties, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED) >= 0 &&
            H5Pset_obj_track_times(properties, false) >= 0,
        "group properties");
  return properties;
}

void write_attribute(hid_t object, const std::string& name, hid_t stored, hid_t memory, hid_t space,
                     const void* values) {
  NTKROB_CHECK(H5Aexists(object, name.c_str()) <= 0, ConfigError, "attribute ", name, " is given twice");
  Handle attribute(H5Acreate2(object, name.c_str(), stored, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  check(attribute.valid() && H5Awrite(attribute, memory, values) >= 0, "attribute " + name);
}

/// Texts have a fixed length: HDF5 keeps variable-length ones in a heap without checksum, and its reader of a damaged
/// heap writes past its buffers.
Handle text_type(std::size_t n_bytes) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  check(H5Tset_size(type, std::max<std::size_t>(1, n_bytes)) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0 &&
            H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0,
        "text type");
  return type;
}

void check_text(const std::string& name, const std::string& value) {
  NTKROB_CHECK(value.find('\0') == std::string::npos, ConfigError, "text ", name,
               " contains a zero byte, which HDF5 text cannot hold");
}

Handle scalar() { return {H5Screate(H5S_SCALAR), H5Sclose}; }

Handle line(std::size_t n) {
  const hsize_t extent = n;
  return {H5Screate_simple(1, &extent, nullptr), H5Sclose};
}

}  // namespace

MemoryFile::MemoryFile() {
  constexpr std::size_t kGrowth = std::size_t{4} << 20;
  H5FD_file_image_callbacks_t callbacks{};
  callbacks.image_malloc = [](std::size_t n_bytes, H5FD_file_image_op_t, void*) { return std::calloc(1, n_bytes); };
  callbacks.image_memcpy = [](void* target, const void* source, std::size_t n_bytes, H5FD_file_image_op_t, void*) {
    return std::memcpy(target, source, n_bytes);
  };
  callbacks.image_realloc = [](void* block, std::size_t n_bytes, H5FD_file_image_op_t, void* self) {
    auto* file = static_cast<MemoryFile*>(self);
    void* grown = std::realloc(block, n_bytes);
    if (grown == nullptr) return grown;
    // Gaps that are never written must not hold old memory: equal content gives equal bytes.
    if (n_bytes > file->n_allocated_)
      std::memset(static_cast<char*>(grown) + file->n_allocated_, 0, n_bytes - file->n_allocated_);
    file->n_allocated_ = n_bytes;
    return grown;
  };
  callbacks.image_free = [](void* block, H5FD_file_image_op_t operation, void* self) -> herr_t {
    auto* file = static_cast<MemoryFile*>(self);
    if (operation == H5FD_FILE_IMAGE_OP_FILE_CLOSE && file->image_ == nullptr)
      file->image_ = static_cast<char*>(block);  // kept: this is the finished file
    else
      std::free(block);
    return 0;
  };
  callbacks.udata_copy = [](void* self) { return self; };
  callbacks.udata_free = [](void*) -> herr_t { return 0; };
  callbacks.udata = this;
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  // From this format version on all metadata carry checksums, so damage is found instead of read.
  check(H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0 &&
            H5Pset_fapl_core(access, kGrowth, /*backing_store=*/false) >= 0 &&
            H5Pset_file_image_callbacks(access, &callbacks) >= 0,
        "file properties");
  Handle properties = group_properties(H5P_FILE_CREATE);
  file_ = Handle(H5Fcreate("ntkrob-in-memory", H5F_ACC_TRUNC, properties, access), H5Fclose);
  check(file_.valid(), "a file in memory");
}

MemoryFile::~MemoryFile() {
  file_.close();
  std::free(image_);
}

void MemoryFile::save(const std::string& path, bool force) {
  // Superblock of version 2 and 3: the file's length stands in bytes 28 .. 35.
  constexpr std::size_t kLengthOffset = 28;
  check(file_.close() && image_ != nullptr && n_allocated_ >= kLengthOffset + 8, "a file in memory");
  std::uint64_t n_bytes = 0;
  for (std::size_t i = 8; i-- > 0;) n_bytes = n_bytes << 8 | static_cast<unsigned char>(image_[kLengthOffset + i]);
  check(n_bytes <= n_allocated_, "a file in memory");
  const std::string sum = whole_sum(n_bytes, crc32(0, image_, n_bytes));
  AtomicFile out(path, force);
  out.write(image_, n_bytes);
  out.write(sum.data(), sum.size());
  out.commit();
}

Handle create_on_disk(const std::string& path) {
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  check(H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0, "file properties");
  Handle properties = group_properties(H5P_FILE_CREATE);
  Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, properties, access), H5Fclose);
  check(file.valid(), path);
  return file;
}

std::size_t place_dataset(hid_t group, const std::string& name, hid_t type, const std::vector<std::size_t>& shape) {
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  Handle space(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), H5Sclose);
  Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  check(space.valid() && H5Pset_obj_track_times(properties, false) >= 0 &&
            H5Pset_layout(properties, H5D_CONTIGUOUS) >= 0 &&
            H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY) >= 0 &&
            H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER) >= 0,
        "dataset " + name);
  Handle dataset(H5Dcreate2(group, name.c_str(), type, space, H5P_DEFAULT, properties, H5P_DEFAULT), H5Dclose);
  check(dataset.valid(), "dataset " + name);
  const haddr_t offset = H5Dget_offset(dataset);
  check(offset != HADDR_UNDEF && dataset.close(), "dataset " + name);
  return static_cast<std::size_t>(offset);
}

Handle create_group(hid_t parent, const std::string& name) {
  Handle properties = group_properties(H5P_GROUP_CREATE);
  Handle group(H5Gcreate2(parent, name.c_str(), H5P_DEFAULT, properties, H5P_DEFAULT), H5Gclose);
  check(group.valid(), "group " + name);
  return group;
}

void write_dataset(hid_t group, const std::string& name, hid_t stored_type, hid_t memory_type,
                   const std::vector<std::size_t>& shape, const void* values, Packing packing) {
  NTKROB_CHECK(H5Lexists(group, name.c_str(), H5P_DEFAULT) <= 0, ConfigError, "dataset ", name, " is given twice");
  const std::size_t count = product(shape, name);
  const std::size_t n_bytes = checked_mul(count, H5Tget_size(stored_type), "HDF5 dataset");
  std::vector<hsize_t> extents(shape.begin(), shape.end());
  Handle space = shape.empty()
                     ? scalar()
                     : Handle(H5Screate_simple(static_cast<int>(shape.size()), extents.data(), nullptr), H5Sclose);
  Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  bool good = space.valid() && H5Pset_obj_track_times(properties, false) >= 0 &&
              H5Pset_attr_creation_order(properties, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED) >= 0;
  if (!shape.empty() && n_bytes >= kCompressFromBytes && packing == Packing::packed) {
    // Whole leading slices of about kChunkBytes; a single slice that is larger is cut along its own first extents.
    std::vector<hsize_t> chunk(extents);
    std::size_t chunk_bytes = n_bytes;
    for (std::size_t d = 0; d < chunk.size() && chunk_bytes > kChunkBytes; ++d) {
      const std::size_t slice = chunk_bytes / chunk[d];
      chunk[d] = std::max<hsize_t>(1, kChunkBytes / std::max<std::size_t>(1, slice));
      chunk_bytes = slice * chunk[d];
    }
    good = good && H5Pset_chunk(properties, static_cast<int>(chunk.size()), chunk.data()) >= 0 &&
           H5Pset_shuffle(properties) >= 0 && H5Pset_deflate(properties, kDeflateLevel) >= 0 &&
           H5Pset_fletcher32(properties) >= 0;
  }
  check(good, "dataset " + name);
  Handle dataset(H5Dcreate2(group, name.c_str(), stored_type, space, H5P_DEFAULT, properties, H5P_DEFAULT), H5Dclose);
  check(dataset.valid(), "dataset " + name);
  check(count == 0 || H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0, "dataset " + name);
  check(dataset.close(), "dataset " + name);
}

void write_text_attribute(hid_t object, const std::string& name, const std::string& value) {
  check_text(name, value);
  const Handle type = text_type(value.size());
  write_attribute(object, name, type, type, scalar(), value.c_str());
}

void write_texts_attribute(hid_t object, const std::string& name, const std::vector<std::string>& values) {
  std::size_t width = 1;
  for (const std::string& value : values) {
    check_text(name, value);
    width = std::max(width, value.size());
  }
  std::string padded;
  for (std::string value : values) {
    value.resize(width, '\0');
    padded += value;
  }
  const Handle type = text_type(width);
  write_attribute(object, name, type, type, line(values.size()), padded.data());
}

void write_number_attribute(hid_t object, const std::string& name, double value) {
  write_attribute(object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, scalar(), &value);
}

void write_numbers_attribute(hid_t object, const std::string& name, const std::vector<double>& values) {
  write_attribute(object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, line(values.size()), values.data());
}

void write_integer_attribute(hid_t object, const std::string& name, std::int64_t value) {
  write_attribute(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, scalar(), &value);
}

void write_integers_attribute(hid_t object, const std::string& name, const std::vector<std::int64_t>& values) {
  write_attribute(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, line(values.size()), values.data());
}

}  // namespace ntkrob::io
