/// StateDict <-> HDF5. Texts, numbers and short 1-D whole-number arrays are attributes of the enclosing group, arrays
/// are datasets,
/// "/" in a name makes groups.
#include "state_io.hpp"

#include <map>
#include <type_traits>

#include "atomic_file.hpp"
#include "echo.hpp"
#include "formats.hpp"
#include "hdf5_screen.hpp"
#include "ntkrob/data/format.hpp"
#include "read_budget.hpp"
#include "read_options.hpp"
#include "state_file.hpp"

namespace ntkrob {
namespace io {
namespace {

constexpr const char* kSchemaAttribute = "ntkrob_schema";
/// Whole-number arrays up to this length (shapes, counters) are attributes; longer and empty ones are datasets.
constexpr std::size_t kMaxAttributeEntries = 64;
constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxEntries = std::size_t{1} << 20;

std::vector<std::size_t> extents(const std::vector<index>& shape) { return {shape.begin(), shape.end()}; }

/// Writes one StateDict value into its group.
struct ValueWriter {
  hid_t group;
  const std::string& name;
  const std::string& full_name;
  Packing packing;

  void operator()(const std::string& value) const { write_text_attribute(group, name, value); }
  void operator()(std::int64_t value) const { write_integer_attribute(group, name, value); }
  void operator()(double value) const { write_number_attribute(group, name, value); }
  void operator()(const NdArray<float>& a) const { array(a, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT); }
  void operator()(const NdArray<double>& a) const { array(a, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE); }
  void operator()(const NdArray<std::uint8_t>& a) const { array(a, H5T_STD_U8LE, H5T_NATIVE_UINT8); }
  void operator()(const NdArray<std::int64_t>& a) const {
    if (a.shape.size() == 1 && !a.values.empty() && a.values.size() <= kMaxAttributeEntries &&
        a.shape[0] == static_cast<index>(a.values.size()))
      write_integers_attribute(group, name, a.values);
    else
      array(a, H5T_STD_I64LE, H5T_NATIVE_INT64);
  }

  template <class T>
  void array(const NdArray<T>& a, hid_t stored, hid_t memory) const {
    for (const index extent : a.shape)
      NTKROB_CHECK(extent >= 0, ConfigError, "state entry ", full_name, ": negative extent ", extent);
    const std::vector<std::size_t> shape = extents(a.shape);
    NTKROB_CHECK(product(shape, full_name) == a.values.size(), ConfigError, "state entry ", full_name,
                 ": the shape says ", product(shape, full_name), " values, there are ", a.values.size());
    write_dataset(group, name, stored, memory, shape, a.values.data(), packing);
  }
};

/// The group of an entry, created on the way; `name` becomes its last part.
Handle enter(hid_t file, std::string& name) {
  const std::string full_name = name;
  Handle group(H5Gopen2(file, "/", H5P_DEFAULT), H5Gclose);
  for (std::size_t slash; (slash = name.find('/')) != std::string::npos; name.erase(0, slash + 1)) {
    const std::string part = name.substr(0, slash);
    NTKROB_CHECK(!part.empty() && part != ".", ConfigError, "state entry \"", full_name, "\": empty group name");
    if (!has_member(group, part)) {
      group = create_group(group, part);
      continue;
    }
    Handle next(H5Oopen(group, part.c_str(), H5P_DEFAULT), H5Oclose);
    NTKROB_CHECK(is_group(next), ConfigError, "state entry \"", full_name, "\": ", part, " is an array already");
    group = std::move(next);
  }
  NTKROB_CHECK(!name.empty() && name != ".", ConfigError, "state entry \"", full_name, "\": empty name");
  return group;
}

StateDict::Value read_attribute(hid_t object, const std::string& name, const std::string& where) {
  const Stored stored = inspect_attribute(object, name, where);
  NTKROB_CHECK(stored.shape.size() <= 1, IoError, where, ": attribute ", name, " has ", stored.shape.size(),
               " dimensions, at most one is expected");
  const bool scalar = stored.shape.empty();
  if (stored.type == Stored::Type::text) {
    NTKROB_CHECK(stored.count == 1, IoError, where, ": attribute ", name, " holds ", stored.count,
                 " texts, expected one");
    return read_texts(object, name, where)[0];
  }
  if (stored.type == Stored::Type::float32 || stored.type == Stored::Type::float64) {
    std::vector<double> values = read_numbers(object, name, where);
    if (scalar) return values[0];
    return NdArray<double>{{static_cast<index>(values.size())}, std::move(values)};
  }
  std::vector<std::int64_t> values = read_integers(object, name, where);
  if (scalar) return values[0];
  return NdArray<std::int64_t>{{static_cast<index>(values.size())}, std::move(values)};
}

/// All entries below a group of a file.
class StateReader {
 public:
  /// largest: arrays of more bytes come without their values, and where it is set those that do not fit   memory: what
  /// all values may take
  StateReader(std::string file, std::size_t largest, std::size_t memory)
      : file_(std::move(file)), largest_(largest), budget_(memory) {}

  StateDict read(hid_t group) {
    this->group(group, "", 0);
    return std::move(state_);
  }

 private:
  void group(hid_t group, const std::string& prefix, int depth) {
    const std::string where = file_ + ": " + (prefix.empty() ? "/" : echoed(prefix));
    NTKROB_CHECK(depth < kMaxDepth, IoError, where, ": groups nested deeper than ", kMaxDepth, "; the file is damaged");
    const auto [at, fresh] = seen_.emplace(address_of(group), prefix);
    NTKROB_CHECK(fresh, IoError, where, ": is another name of the group ", at->second.empty() ? "/" : at->second,
                 "; groups are read once, store it once");
    for (const std::string& name : attribute_names(group, where)) {
      if (prefix.empty() && name == kSchemaAttribute) continue;
      const Stored stored = inspect_attribute(group, name, where);
      budget_.take(checked_mul(stored.count, sizeof(std::int64_t), "attribute"), where + ": attribute " + name);
      add(where, prefix, name, read_attribute(group, name, where));
    }
    for (const std::string& name : member_names(group, where)) {
      Handle member = open_member(group, name, file_ + ": " + prefix + name);
      if (is_group(member))
        this->group(member, prefix + name + "/", depth + 1);
      else
        add(where, prefix, name, value(member, file_ + ": " + prefix + name));
    }
  }

  void add(const std::string& where, const std::string& prefix, const std::string& name, StateDict::Value value) {
    NTKROB_CHECK(!state_.contains(prefix + name), IoError, where, ": ", name, " is both an attribute and a dataset");
    NTKROB_CHECK(state_.entries().size() < kMaxEntries, IoError, where, ": more than ", kMaxEntries,
                 " entries; the file is damaged");
    state_.set(prefix + name, std::move(value));
  }

  StateDict::Value value(hid_t dataset, const std::string& where) {
    const Stored stored = inspect_dataset(dataset, where);
    switch (stored.type) {
      case Stored::Type::byte:
        return array<std::uint8_t>(dataset, stored, H5T_NATIVE_UINT8, where);
      case Stored::Type::integer:
        return array<std::int64_t>(dataset, stored, H5T_NATIVE_INT64, where);
      case Stored::Type::float32:
        return array<float>(dataset, stored, H5T_NATIVE_FLOAT, where);
      case Stored::Type::float64:
        return array<double>(dataset, stored, H5T_NATIVE_DOUBLE, where);
      case Stored::Type::text:
        break;
    }
    throw IoError(text(where, ": is text; texts are stored as attributes"));
  }

  template <class T>
  NdArray<T> array(hid_t dataset, const Stored& stored, hid_t memory, const std::string& where) {
    NdArray<T> a;
    a.shape.assign(stored.shape.begin(), stored.shape.end());
    if (stored.count > largest_ / sizeof(T)) return a;
    if (largest_ != SIZE_MAX && stored.count * sizeof(T) > budget_.limit() - budget_.taken()) return a;
    budget_.take(stored.count * sizeof(T), where);
    if (stored.count == 0) return a;
    if constexpr (std::is_same_v<T, std::int64_t>) {
      a.values = read_integers(dataset, stored, where);
    } else {
      a.values.resize(stored.count);
      read_dataset(dataset, memory, a.values.data(), where);
    }
    return a;
  }

  std::string file_;
  std::size_t largest_;
  ReadBudget budget_;
  std::map<std::string, std::string> seen_;  // groups by address, and what they were called there
  StateDict state_;
};

}  // namespace

StateDict hdf5_arrays(const std::string& path, const std::string& group, std::size_t memory) {
  const Reading file(screen(path));
  Handle at(H5Gopen2(file, "/", H5P_DEFAULT), H5Gclose);
  if (!at.valid()) fail(path, "cannot open the root");
  for (std::size_t begin = 0; begin < group.size();) {
    const std::size_t end = std::min(group.find('/', begin), group.size());
    if (end > begin) {
      const std::string where = path + ": " + echoed(group.substr(0, end));
      at = open_member(at, group.substr(begin, end - begin), where);
      NTKROB_CHECK(is_group(at), IoError, where, ": is an array, expected a group");
    }
    begin = end + 1;
  }
  return StateReader(path, SIZE_MAX, read_limit(memory)).read(at);
}

void write_entries(hid_t file, const StateDict& state, const std::string& schema) {
  NTKROB_CHECK(schema.find('/') != std::string::npos, ConfigError, "schema \"", schema, "\": expected name/version");
  write_text_attribute(file, kSchemaAttribute, schema);
  const Packing packing = schema.rfind("ntkrob.checkpoint/", 0) == 0 ? Packing::plain : Packing::packed;
  for (const auto& [full_name, value] : state.entries()) {
    NTKROB_CHECK(full_name != kSchemaAttribute, ConfigError, "state entry \"", full_name, "\": the name is reserved");
    std::string name = full_name;
    const Handle group = enter(file, name);
    std::visit(ValueWriter{group, name, full_name, packing}, value);
  }
}

void save_state_hdf5(const StateDict& state, const std::string& schema, const std::string& path, bool force) {
  check_target(path, force);  // before the work
  const Session session;
  MemoryFile file;
  write_entries(file, state, schema);
  file.save(path, force);
}

StateDict load_state_hdf5(const std::string& path, const std::string& schema, const StateLimits& limits) {
  const Reading file(screen(path));
  const auto found = find_text(file, kSchemaAttribute, path);
  NTKROB_CHECK(found.has_value(), IoError, path, ": has no attribute ", kSchemaAttribute, "; expected a file of kind ",
               schema);
  check_schema(*found, schema, path);
  return StateReader(path, limits.largest_array, read_limit(limits.memory)).read(file);
}

}  // namespace io

const char* state_extension() { return ".h5"; }

}  // namespace ntkrob
