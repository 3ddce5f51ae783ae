#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "hdf5_file.hpp"
#include "hdf5_screen.hpp"
#include "narrow.hpp"
#include "scan.hpp"

namespace ntkrob::io {
namespace {

constexpr std::size_t kMaxAttributeBytes = std::size_t{64} << 20;

Stored::Type classify(hid_t type, const std::string& where) {
  switch (H5Tget_class(type)) {
    case H5T_STRING:
      return Stored::Type::text;
    case H5T_ENUM:  // h5py's booleans
    case H5T_INTEGER: {
      const std::size_t size = H5Tget_size(type);
      NTKROB_CHECK(size >= 1 && size <= 8, IoError, where, ": integers of ", size, " bytes; 1 to 8 are supported");
      return size == 1 && H5Tget_class(type) == H5T_INTEGER && H5Tget_sign(type) == H5T_SGN_NONE
                 ? Stored::Type::byte
                 : Stored::Type::integer;
    }
    case H5T_FLOAT: {
      const std::size_t size = H5Tget_size(type);
      NTKROB_CHECK(size >= 1 && size <= 16, IoError, where, ": floating-point numbers of ", size, " bytes");
      return size <= 4 ? Stored::Type::float32 : Stored::Type::float64;
    }
    default:
      throw IoError(text(where, ": neither numbers nor text; store whole or floating-point numbers"));
  }
}

void take_extents(hid_t space, const std::string& where, Stored& stored) {
  const H5S_class_t kind = H5Sget_simple_extent_type(space);
  if (kind == H5S_SCALAR) return;
  const int rank = H5Sget_simple_extent_ndims(space);
  NTKROB_CHECK(kind == H5S_SIMPLE && rank >= 0 && rank <= H5S_MAX_RANK, IoError, where, ": has no data");
  std::vector<hsize_t> extents(static_cast<std::size_t>(rank));
  if (rank > 0 && H5Sget_simple_extent_dims(space, extents.data(), nullptr) < 0) fail(where, "cannot read the shape");
  stored.shape.assign(extents.begin(), extents.end());
  stored.count = product(stored.shape, where);
}

std::size_t memory_size(Stored::Type type) {
  switch (type) {
    case Stored::Type::byte:
      return 1;
    case Stored::Type::float32:
      return 4;
    default:
      return 8;
  }
}

/// Integer arrays are read as 64-bit; an enum only converts to integers through its base type.
///   read(memory type, target): reads them; negative where it fails
template <class Read>
std::vector<std::int64_t> int_values(hid_t type, std::size_t count, const std::string& where, const Read& read_as) {
  std::vector<std::int64_t> values(count);
  if (count == 0) return values;
  const auto read = [&](hid_t memory_type, void* target) {
    if (read_as(memory_type, target) < 0) fail(where, "cannot read");
  };
  if (H5Tget_class(type) != H5T_ENUM) {
    read(H5T_NATIVE_INT64, values.data());
    return values;
  }
  Handle base(H5Tget_super(type), H5Tclose);
  const std::size_t size = base.valid() ? H5Tget_size(type) : 0;
  NTKROB_CHECK(size >= 1 && size <= 8, IoError, where, ": an enumeration of ", size, " bytes");
  // Read as stored, in the room for the wider numbers, and widened in place.
  std::vector<std::int64_t> room(count);
  read(type, room.data());
  if (H5Tconvert(base, H5T_NATIVE_INT64, count, room.data(), nullptr, H5P_DEFAULT) < 0) fail(where, "cannot read");
  return room;
}

/// Names of the values of an enumeration; none for h5py's booleans.
std::map<std::int64_t, std::string> members_of(hid_t type, const std::string& where) {
  std::map<std::int64_t, std::string> members;
  Handle base(H5Tget_super(type), H5Tclose);
  const int n = H5Tget_nmembers(type);
  for (int i = 0; i < n; ++i) {
    std::int64_t value = 0;
    char* name = H5Tget_member_name(type, static_cast<unsigned>(i));
    if (name == nullptr || H5Tget_member_value(type, static_cast<unsigned>(i), &value) < 0 ||
        H5Tconvert(base, H5T_NATIVE_INT64, 1, &value, nullptr, H5P_DEFAULT) < 0) {
      H5free_memory(name);
      fail(where, "cannot read the members of an enumeration");
    }
    members[value] = name;
    H5free_memory(name);
  }
  const bool boolean = members.size() == 2 && members.count(0) == 1 && members[0] == "FALSE" && members[1] == "TRUE";
  if (boolean) members.clear();
  return members;
}

Handle open_attribute(hid_t object, const std::string& name, const std::string& where) {
  Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose);
  if (!attribute.valid()) fail(where, "cannot open attribute " + name);
  return attribute;
}

/// Bytes of a chunk in memory, 0 of what has none.
std::size_t chunk_bytes(hid_t properties, std::size_t number_bytes, const std::string& where) {
  std::vector<hsize_t> chunk(H5S_MAX_RANK);
  if (H5Pget_layout(properties) != H5D_CHUNKED) return 0;
  const int rank = H5Pget_chunk(properties, H5S_MAX_RANK, chunk.data());
  if (rank < 0) fail(where, "cannot read its chunks");
  return checked_mul(product({chunk.begin(), chunk.begin() + rank}, where), number_bytes, "HDF5 chunk");
}

/// What the file stores of a dataset, in bytes. The library adds up what headers and chunks claim, and takes that much
/// memory for a chunk before it looks; no more than the file itself can be true.
std::size_t stored_bytes(hid_t dataset, const std::string& where) {
  const std::size_t in_file = H5Dget_storage_size(dataset);
  Handle file(H5Iget_file_id(dataset), H5Fclose);
  hsize_t file_bytes = 0;
  if (!file.valid() || H5Fget_filesize(file, &file_bytes) < 0) fail(where, "cannot ask for the size of its file");
  NTKROB_CHECK(in_file <= file_bytes, IoError, where, ": claims to store ", in_file, " bytes, in a file of ",
               file_bytes, "; the file is damaged, get it again");
  return in_file;
}

/// Parts that nobody wrote read as zeros: black images of class 0.
void check_written(hid_t dataset, hid_t properties, const Stored& stored, std::size_t in_file,
                   const std::string& where) {
  if (stored.count == 0 || stored.shape.empty()) return;
  const char* remedy = "; store only the rows that were filled";
  if (H5Pget_layout(properties) == H5D_CONTIGUOUS)
    NTKROB_CHECK(in_file > 0, IoError, where, ": was made but never written", remedy);
  if (H5Pget_layout(properties) != H5D_CHUNKED) return;
  std::vector<hsize_t> chunk(stored.shape.size());
  if (H5Pget_chunk(properties, static_cast<int>(chunk.size()), chunk.data()) < 0) fail(where, "cannot read its chunks");
  hsize_t expected = 1, found = 0;
  bool whole_rows = true;
  for (std::size_t d = 0; d < chunk.size(); ++d) {
    expected *= (stored.shape[d] + chunk[d] - 1) / chunk[d];
    whole_rows = whole_rows && (d == 0 || chunk[d] >= stored.shape[d]);
  }
  Handle space(H5Dget_space(dataset), H5Sclose);
  if (H5Dget_num_chunks(dataset, space, &found) < 0) fail(where, "cannot count its chunks");
  NTKROB_CHECK(found >= expected, IoError, where, ": of ", stored.shape[0], " rows only ",
               whole_rows ? text(std::min<hsize_t>(found * chunk[0], stored.shape[0]))
                          : text(found, " of ", expected, " chunks"),
               " were ever written", remedy);
}

}  // namespace

Stored inspect_dataset(hid_t dataset, const std::string& where) {
  NTKROB_CHECK(H5Iget_type(dataset) == H5I_DATASET, IoError, where, ": is not a dataset");
  Handle properties(H5Dget_create_plist(dataset), H5Pclose);
  if (!properties.valid()) fail(where, "cannot read its description");
  // Before its shape: to tell that of a virtual dataset, the library opens the files that it is made of.
  NTKROB_CHECK(H5Pget_layout(properties) != H5D_VIRTUAL && H5Pget_external_count(properties) == 0, IoError, where,
               ": its data lie in another file; copy them into this one");
  Handle type(H5Dget_type(dataset), H5Tclose), space(H5Dget_space(dataset), H5Sclose);
  if (!type.valid() || !space.valid()) fail(where, "cannot read its description");
  Stored stored;
  stored.type = classify(type, where);
  take_extents(space, where, stored);
  const std::size_t claimed = stored.count * std::max<std::size_t>(1, H5Tget_size(type));
  const std::size_t in_file = stored_bytes(dataset, where);
  // Without chunks all is stored or nothing is; the library reads behind the end of what a damaged header stores less
  // of.
  const H5D_layout_t layout = H5Pget_layout(properties);
  if (layout == H5D_COMPACT || (layout == H5D_CONTIGUOUS && in_file > 0))
    NTKROB_CHECK(claimed <= in_file, IoError, where, ": the shape needs ", claimed, " bytes, but the file stores ",
                 in_file, "; the file is damaged, get it again");
  const int n_filters = H5Pget_nfilters(properties);
  for (int i = 0; i < n_filters; ++i) {
    char name[64] = "";
    unsigned flags = 0;
    std::size_t n_values = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(properties, static_cast<unsigned>(i), &flags, &n_values, nullptr, sizeof name, name, nullptr);
    NTKROB_CHECK(filter >= 0 && H5Zfilter_avail(filter) > 0, IoError, where, ": packed with filter ", filter, " \"",
                 name, "\", which this HDF5 library does not have; store it with gzip");
  }
  const std::size_t bound = n_filters > 0 ? checked_mul(in_file, kMaxInflation, "HDF5 dataset") : in_file;
  // The library unpacks a chunk as a whole, however little of it belongs to the array.
  const std::size_t unpacked = std::max(claimed, chunk_bytes(properties, H5Tget_size(type), where));
  if (stored.count > 0 && unpacked > bound) current_file().trust(dataset, unpacked, in_file, where);
  check_written(dataset, properties, stored, in_file, where);
  return stored;
}

namespace {

void check_all_chunks(hid_t dataset, const std::string& where) {
  Handle space(H5Dget_space(dataset), H5Sclose);
  Stored stored;
  take_extents(space, where, stored);
  if (!stored.shape.empty() && stored.count > 0) check_chunks(dataset, 0, stored.shape[0], where);
}

}  // namespace

void read_dataset(hid_t dataset, hid_t memory_type, void* target, const std::string& where) {
  check_all_chunks(dataset, where);
  if (H5Dread(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, target) < 0) fail(where, "cannot read the values");
}

std::vector<std::int64_t> read_integers(hid_t dataset, const Stored& stored, const std::string& where) {
  check_all_chunks(dataset, where);
  Handle type(H5Dget_type(dataset), H5Tclose);
  return int_values(type, stored.count, where, [&](hid_t memory_type, void* target) {
    return H5Dread(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, target);
  });
}

bool has_attribute(hid_t object, const char* name) { return H5Aexists(object, name) > 0; }

Stored inspect_attribute(hid_t object, const std::string& name, const std::string& where) {
  Handle attribute = open_attribute(object, name, where);
  Handle type(H5Aget_type(attribute), H5Tclose), space(H5Aget_space(attribute), H5Sclose);
  if (!type.valid() || !space.valid()) fail(where, "cannot read the description of attribute " + name);
  Stored stored;
  stored.type = classify(type, where + " attribute " + name);
  take_extents(space, where + " attribute " + name, stored);
  const std::size_t each = std::max({H5Tget_size(type), memory_size(stored.type), sizeof(char*)});
  NTKROB_CHECK(stored.count <= kMaxAttributeBytes / each, IoError, where, ": attribute ", name, " claims ",
               stored.count, " entries of ", each, " bytes; at most ", kMaxAttributeBytes, " bytes are allowed");
  return stored;
}

std::vector<std::string> read_texts(hid_t object, const std::string& name, const std::string& where) {
  const Stored stored = inspect_attribute(object, name, where);
  NTKROB_CHECK(stored.type == Stored::Type::text, IoError, where, ": attribute ", name, " must be text");
  Handle attribute = open_attribute(object, name, where);
  Handle type(H5Aget_type(attribute), H5Tclose);
  std::vector<std::string> values(stored.count);
  if (stored.count == 0) return values;
  if (H5Tis_variable_str(type) > 0) return current_file().texts(object, name, where);
  const std::size_t width = H5Tget_size(type);
  std::vector<char> raw(stored.count * width);
  if (H5Aread(attribute, type, raw.data()) < 0) fail(where, "cannot read attribute " + name);
  for (std::size_t i = 0; i < stored.count; ++i) {
    const char* begin = raw.data() + i * width;
    values[i].assign(begin, ::strnlen(begin, width));
    if (H5Tget_strpad(type) == H5T_STR_SPACEPAD) values[i].erase(values[i].find_last_not_of(' ') + 1);
  }
  return values;
}

std::vector<double> read_numbers(hid_t object, const std::string& name, const std::string& where) {
  const Stored stored = inspect_attribute(object, name, where);
  NTKROB_CHECK(stored.type != Stored::Type::text, IoError, where, ": attribute ", name, " must be numbers, not text");
  Handle attribute = open_attribute(object, name, where);
  std::vector<double> values(stored.count);
  if (stored.count > 0 && H5Aread(attribute, H5T_NATIVE_DOUBLE, values.data()) < 0)
    fail(where, "cannot read attribute " + name);
  return values;
}

std::vector<std::int64_t> read_integers(hid_t object, const std::string& name, const std::string& where) {
  const Stored stored = inspect_attribute(object, name, where);
  NTKROB_CHECK(stored.type == Stored::Type::integer || stored.type == Stored::Type::byte, IoError, where,
               ": attribute ", name, " must be whole numbers");
  Handle attribute = open_attribute(object, name, where);
  Handle type(H5Aget_type(attribute), H5Tclose);
  return int_values(type, stored.count, where + " attribute " + name,
                    [&](hid_t memory_type, void* target) { return H5Aread(attribute, memory_type, target); });
}

std::optional<std::string> find_text(hid_t object, const char* name, const std::string& where) {
  if (!has_attribute(object, name)) return std::nullopt;
  std::vector<std::string> values = read_texts(object, name, where);
  NTKROB_CHECK(values.size() == 1, IoError, where, ": attribute ", name, " holds ", values.size(),
               " texts, expected one");
  return std::move(values[0]);
}

namespace {

void take_text(std::string value, RawArray& raw, std::map<std::string, std::int64_t>& places, std::size_t i) {
  const auto [at, fresh] = places.emplace(std::move(value), static_cast<std::int64_t>(raw.names.size()));
  if (fresh) raw.names.push_back(at->first);
  raw.ints[i] = at->second;
}

/// The library makes infinity of what float32 does not hold: what stands in the file is read again, and named.
///   raw: rows from `first` on   throws: IoError where the first number that is infinite here is finite there
void check_narrowed(hid_t dataset, const RawArray& raw, const Stored& stored, std::size_t first,
                    const std::string& where) {
  const auto count = static_cast<std::size_t>(raw.floats.size());
  if (count == 0 || extremes_of(raw.floats.data(), count).finite) return;
  const float* const values = raw.floats.data();
  const auto at =
      static_cast<std::size_t>(std::find_if(values, values + count, [](float v) { return std::isinf(v); }) - values);
  if (at == count) return;
  const std::size_t columns = stored.count / stored.shape[0];
  std::vector<hsize_t> start(stored.shape.size(), 0), one(stored.shape.size(), 1);
  start[0] = first + at / columns;
  for (std::size_t d = stored.shape.size(), rest = at % columns; d-- > 1; rest /= stored.shape[d])
    start[d] = rest % stored.shape[d];
  Handle file_space(H5Dget_space(dataset), H5Sclose), memory_space(H5Screate(H5S_SCALAR), H5Sclose);
  long double value = 0;
  if (H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start.data(), nullptr, one.data(), nullptr) < 0 ||
      H5Dread(dataset, H5T_NATIVE_LDOUBLE, memory_space, file_space, H5P_DEFAULT, &value) < 0)
    fail(where, "cannot read the values");
  const std::string row = columns > 1 ? text("row ", start[0], ", value ", at % columns) : text("value ", start[0]);
  NTKROB_CHECK(!is_beyond_float(value), IoError, where, ": ", row, " ", beyond_float_text(value));
}

void read_text_array(hid_t dataset, const Stored& stored, RawArray& raw) {
  raw.kind = RawArray::Kind::texts;
  raw.ints.resize(stored.count);
  if (stored.count == 0) return;
  std::map<std::string, std::int64_t> places;
  Handle type(H5Dget_type(dataset), H5Tclose);
  // variable_texts() reads the others.
  NTKROB_CHECK(H5Tis_variable_str(type) == 0, IoError, raw.where, ": is texts of variable length, expected numbers");
  const std::size_t width = H5Tget_size(type);
  std::vector<char> values(checked_mul(stored.count, width, "HDF5 texts"));
  read_dataset(dataset, type, values.data(), raw.where);
  const bool blanks = H5Tget_strpad(type) == H5T_STR_SPACEPAD;
  for (std::size_t i = 0; i < stored.count; ++i) {
    const char* begin = values.data() + i * width;
    std::string value(begin, ::strnlen(begin, width));
    if (blanks) value.erase(value.find_last_not_of(' ') + 1);
    take_text(std::move(value), raw, places, i);
  }
}

}  // namespace

RawArray::Kind kind_of(const Stored& stored) {
  switch (stored.type) {
    case Stored::Type::text:
      return RawArray::Kind::texts;
    case Stored::Type::byte:
      return RawArray::Kind::bytes;
    case Stored::Type::integer:
      return RawArray::Kind::ints;
    default:
      return RawArray::Kind::floats;
  }
}

std::size_t memory_bytes(const Stored& stored) {
  const RawArray::Kind kind = kind_of(stored);
  const std::size_t each = kind == RawArray::Kind::bytes    ? 1
                           : kind == RawArray::Kind::floats ? sizeof(float)
                                                            : sizeof(std::int64_t);
  return checked_mul(stored.count, each, "HDF5 dataset");
}

bool is_text(hid_t dataset) {
  Handle type(H5Dget_type(dataset), H5Tclose);
  return H5Tget_class(type) == H5T_STRING;
}

RawArray read_rows(hid_t dataset, const Stored& stored, std::size_t first, std::size_t n, const std::string& where) {
  RawArray raw;
  raw.where = where;
  raw.shape = stored.shape;
  raw.shape[0] = n;
  raw.kind = kind_of(stored);
  const std::size_t count = product(raw.shape, where);
  Handle file_space(H5Dget_space(dataset), H5Sclose), memory_space;
  Stored now;
  take_extents(file_space, where, now);
  NTKROB_CHECK(now.shape == stored.shape, IoError, where, ": changed its shape while it was read");
  const bool all = n == stored.shape[0];
  if (count > 0) check_chunks(dataset, first, n, where);
  if (!all) {
    std::vector<hsize_t> start(stored.shape.size(), 0), extent(raw.shape.begin(), raw.shape.end());
    start[0] = first;
    memory_space = Handle(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr), H5Sclose);
    if (!memory_space.valid() ||
        H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr) < 0)
      fail(where, text("cannot select rows ", first, " to ", first + n));
  }
  const auto read = [&](hid_t memory_type, void* target) {
    return H5Dread(dataset, memory_type, all ? H5S_ALL : static_cast<hid_t>(memory_space),
                   all ? H5S_ALL : static_cast<hid_t>(file_space), H5P_DEFAULT, target);
  };
  if (raw.kind == RawArray::Kind::ints) {
    Handle type(H5Dget_type(dataset), H5Tclose);
    raw.ints = int_values(type, count, where, read);
    if (H5Tget_class(type) == H5T_INTEGER && H5Tget_size(type) == 8 && H5Tget_sign(type) == H5T_SGN_NONE)
      for (std::size_t i = 0; i < count; ++i)  // the library clamps what does not fit
        NTKROB_CHECK(raw.ints[i] < INT64_MAX, IoError, where, ": value ", i,
                     " is 2^63 or more; whole numbers from there on are not read, store smaller ones or texts");
    if (H5Tget_class(type) == H5T_ENUM) raw.members = members_of(type, where);
    return raw;
  }
  void* target = nullptr;
  if (raw.kind == RawArray::Kind::bytes) {
    raw.bytes.resize(count);
    target = raw.bytes.data();
  } else {
    raw.floats = Matrix<float>(static_cast<index>(n), static_cast<index>(n == 0 ? 0 : count / n));
    target = raw.floats.data();
  }
  if (count > 0 && read(raw.kind == RawArray::Kind::bytes ? H5T_NATIVE_UINT8 : H5T_NATIVE_FLOAT, target) < 0)
    fail(where, "cannot read the values");
  if (raw.kind == RawArray::Kind::floats && stored.type == Stored::Type::float64)
    check_narrowed(dataset, raw, stored, first, where);
  return raw;
}

RawArray read_raw(hid_t dataset, const std::string& where) {
  const Stored stored = inspect_dataset(dataset, where);
  NTKROB_CHECK(!stored.shape.empty(), IoError, where, ": is a single value, expected an array");
  if (stored.type != Stored::Type::text) return read_rows(dataset, stored, 0, stored.shape[0], where);
  RawArray raw;
  raw.where = where;
  raw.shape = stored.shape;
  read_text_array(dataset, stored, raw);
  return raw;
}

}  // namespace ntkrob::io
