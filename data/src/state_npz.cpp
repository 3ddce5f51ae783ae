#include <cstring>

#include "atomic_file.hpp"
#include "echo.hpp"
#include "npy.hpp"
#include "raw_array.hpp"
#include "read_options.hpp"
#include "state_file.hpp"
#include "zip_file.hpp"

namespace ntkrob::io {
namespace {

const std::string kSchemaMember = "ntkrob_schema", kEnding = ".npy";

template <class T>
constexpr const char* kType = nullptr;
template <>
constexpr const char* kType<float> = "<f4";
template <>
constexpr const char* kType<double> = "<f8";
template <>
constexpr const char* kType<std::int64_t> = "<i8";
template <>
constexpr const char* kType<std::uint8_t> = "|u1";

/// One StateDict value as a .npy file.
struct Encoder {
  const std::string& name;

  std::string operator()(const std::string& value) const {
    NTKROB_CHECK(value.find('\0') == std::string::npos, ConfigError, "state entry ", name, ": text with a zero byte");
    // There is no text of no bytes: the empty one is a zero.
    const std::string bytes = value.empty() ? std::string(1, '\0') : value;
    return npy(("|S" + std::to_string(bytes.size())).c_str(), {}, bytes.data(), bytes.size());
  }
  std::string operator()(std::int64_t value) const { return npy(kType<std::int64_t>, {}, &value, sizeof value); }
  std::string operator()(double value) const { return npy(kType<double>, {}, &value, sizeof value); }
  template <class T>
  std::string operator()(const NdArray<T>& a) const {
    NTKROB_CHECK(!a.shape.empty(), ConfigError, "state entry ", name, ": an array without extents");
    for (const index extent : a.shape)
      NTKROB_CHECK(extent >= 0, ConfigError, "state entry ", name, ": negative extent ", extent);
    const std::vector<std::size_t> shape(a.shape.begin(), a.shape.end());
    NTKROB_CHECK(product(shape, name) == a.values.size(), ConfigError, "state entry ", name, ": the shape says ",
                 product(shape, name), " values, there are ", a.values.size());
    return npy(kType<T>, shape, a.values.data(), a.values.size() * sizeof(T));
  }
};

template <class T>
std::vector<T> values_of(const std::string& content, const NpyHeader& header, std::size_t count) {
  std::vector<T> values(count);
  if (count > 0) std::memcpy(values.data(), content.data() + header.data_offset, count * sizeof(T));
  return values;
}

template <class T>
StateDict::Value array_of(const std::string& content, const NpyHeader& header, std::size_t count, std::size_t largest,
                          ReadBudget& budget, const std::string& where) {
  const std::vector<index> shape(header.shape.begin(), header.shape.end());
  const std::size_t n_bytes = count * sizeof(T);
  if (n_bytes > largest) return NdArray<T>{shape, {}};
  if (largest != SIZE_MAX && n_bytes > budget.limit() - budget.taken()) return NdArray<T>{shape, {}};
  budget.take(n_bytes, where);
  return NdArray<T>{shape, values_of<T>(content, header, count)};
}

/// The number of values. throws: IoError: the member is smaller or larger than they are, or not as ntkrob writes it
std::size_t count_of(const NpyHeader& header, std::size_t member_bytes, const std::string& where) {
  const std::size_t count = product(header.shape, where), held = member_bytes - header.data_offset;
  NTKROB_CHECK(held == count * header.width, IoError, where, ": needs ", count * header.width,
               " bytes, the archive holds ", held, "; the file is damaged");
  NTKROB_CHECK(!header.big_endian && !header.fortran, IoError, where, ": is not stored as ntkrob stores arrays");
  return count;
}

/// The bytes of the value are taken from the budget.
StateDict::Value decode(const std::string& content, std::size_t largest, ReadBudget& budget, const std::string& where) {
  const NpyHeader header = parse_npy_header(content, where);
  const std::size_t count = count_of(header, content.size(), where);
  const bool single = header.shape.empty();
  if (header.kind == 'S' && single) {
    budget.take(content.size() - header.data_offset, where);
    const std::string bytes = content.substr(header.data_offset);
    return bytes.substr(0, bytes.find('\0'));
  }
  if (header.kind == 'i' && header.width == 8) {
    if (single) return values_of<std::int64_t>(content, header, 1)[0];
    return array_of<std::int64_t>(content, header, count, largest, budget, where);
  }
  if (header.kind == 'f' && header.width == 8) {
    if (single) return values_of<double>(content, header, 1)[0];
    return array_of<double>(content, header, count, largest, budget, where);
  }
  if (header.kind == 'f' && header.width == 4 && !single)
    return array_of<float>(content, header, count, largest, budget, where);
  if (header.kind == 'u' && header.width == 1 && !single)
    return array_of<std::uint8_t>(content, header, count, largest, budget, where);
  throw IoError(text(where, ": numpy type ", header.kind, header.width, single ? ", a single value," : "",
                     " is none that ntkrob writes"));
}

/// An array by its header alone.
StateDict::Value outline(const NpyHeader& header, const std::string& where) {
  const std::vector<index> shape(header.shape.begin(), header.shape.end());
  if (header.kind == 'i' && header.width == 8) return NdArray<std::int64_t>{shape, {}};
  if (header.kind == 'f' && header.width == 8) return NdArray<double>{shape, {}};
  if (header.kind == 'f' && header.width == 4) return NdArray<float>{shape, {}};
  if (header.kind == 'u' && header.width == 1) return NdArray<std::uint8_t>{shape, {}};
  throw IoError(text(where, ": numpy type ", header.kind, header.width, " is none that ntkrob writes"));
}

}  // namespace

namespace {

void add_entries(ZipWriter& archive, const StateDict& state) {
  for (const auto& [name, value] : state.entries()) {
    NTKROB_CHECK(name != kSchemaMember, ConfigError, "state entry \"", name, "\": the name is reserved");
    NTKROB_CHECK(!name.empty(), ConfigError, "state entry \"\": empty name");
    archive.add(name + kEnding, std::visit(Encoder{name}, value));
  }
}

}  // namespace

void save_state_npz(const StateDict& state, const std::string& schema, const std::string& path, bool force) {
  check_target(path, force);  // before the work
  NTKROB_CHECK(schema.find('/') != std::string::npos, ConfigError, "schema \"", schema, "\": expected name/version");
  ZipWriter archive;
  archive.add(kSchemaMember + kEnding, Encoder{kSchemaMember}(schema));
  add_entries(archive, state);
  const std::string content = archive.finish();
  write_whole(path, content.data(), content.size(), force);
}

StateDict load_state_npz(const std::string& path, const std::string& schema, const StateLimits& limits) {
  const std::string found = npz_schema(path);
  NTKROB_CHECK(!found.empty(), IoError, path, ": has no array ", kSchemaMember, "; expected a file of kind ", schema);
  check_schema(found, schema, path);
  const auto budget = std::make_shared<ReadBudget>(read_limit(limits.memory));
  const ZipReader archive(path, budget);
  StateDict state;
  for (const ZipMember& member : archive.members()) {
    NTKROB_CHECK(ends_with(member.name, kEnding), IoError, path, ": member ", echoed(member.name), " is no .npy array");
    const std::string name = member.name.substr(0, member.name.size() - kEnding.size());
    if (name == kSchemaMember) continue;
    NTKROB_CHECK(!state.contains(name), IoError, path, ": ", echoed(name), " is there twice; the file is damaged");
    const std::string where = path + ": " + echoed(name);
    // What no room is left for is described by its head.
    if (limits.largest_array != SIZE_MAX && member.n_bytes + member.packed_bytes > budget->limit() - budget->taken()) {
      const NpyHeader header = parse_npy_header(archive.head(member, kNpyHeadBytes), where);
      if (!header.shape.empty()) {
        count_of(header, member.n_bytes, where);
        state.set(name, outline(header, where));
        continue;
      }
    }
    state.set(name, decode(archive.content(member), limits.largest_array, *budget, where));
    archive.give_back(member);
  }
  return state;
}

std::string npz_schema(const std::string& path) {
  const ZipReader archive(path);
  for (const ZipMember& member : archive.members())
    if (member.name == kSchemaMember + kEnding) {
      ReadBudget budget;
      const StateDict::Value value = decode(archive.content(member), SIZE_MAX, budget, path + ": " + kSchemaMember);
      const std::string* schema = std::get_if<std::string>(&value);
      NTKROB_CHECK(schema != nullptr, IoError, path, ": ", kSchemaMember, " is no text");
      return *schema;
    }
  return {};
}

}  // namespace ntkrob::io

namespace ntkrob {

std::string npz_of_arrays(const StateDict& arrays) {
  io::ZipWriter archive;
  io::add_entries(archive, arrays);
  return archive.finish();
}

}  // namespace ntkrob
