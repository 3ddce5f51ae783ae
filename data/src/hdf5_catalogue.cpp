/// The arrays of an HDF5 file of others, in whatever groups; links inside the file are followed, others named.
#include <algorithm>
#include <set>

#include "catalogue.hpp"
#include "hdf5_file.hpp"
#include "part_files.hpp"

namespace ntkrob::io {
namespace {

constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxArrays = 1 << 16;

/// Whether MATLAB wrote the array: its axes are stored in the opposite order.
bool is_matlab(hid_t dataset) { return has_attribute(dataset, "MATLAB_class"); }

std::vector<std::size_t> shape_of(const std::string& path, const std::string& name) {
  const Session session;
  Handle file = open_to_read(path);
  const std::string where = path + ": " + name;
  Handle dataset = open_inside(file, name, where);
  std::vector<std::size_t> shape = inspect_dataset(dataset, where).shape;
  if (is_matlab(dataset)) std::reverse(shape.begin(), shape.end());
  return shape;
}

RawArray load(const std::string& path, const std::string& name) {
  const Session session;
  Handle file = open_to_read(path);
  const std::string where = path + ": " + name;
  Handle dataset = open_inside(file, name, where);
  RawArray array = read_raw(dataset, where);
  if (is_matlab(dataset)) reverse_axes(array);
  return array;
}

/// Chunks of more are unpacked more than once.
constexpr std::size_t kMostBlockBytes = std::size_t{96} << 20;

std::size_t n_bytes_of(const std::string& path, const std::string& name) {
  const Session session;
  Handle file = open_to_read(path);
  const std::string where = path + ": " + name;
  return memory_bytes(inspect_dataset(open_inside(file, name, where), where));
}

/// The array with its numbers left in the file.
RawArray leave(const std::string& path, const std::string& name, std::size_t block_bytes) {
  const Session session;
  Handle file = open_to_read(path);
  RawArray array;
  array.where = path + ": " + name;
  Handle dataset = open_inside(file, name, array.where);
  const Stored stored = inspect_dataset(dataset, array.where);
  NTKROB_CHECK(!stored.shape.empty(), IoError, array.where, ": is a single value, expected an array");
  array.shape = stored.shape;
  array.kind = kind_of(stored);
  array.in_file = std::make_shared<Rows>();
  Rows& rows = *array.in_file;
  rows.total = array.count();
  const std::size_t row = std::max<std::size_t>(1, memory_bytes(stored) / std::max<std::size_t>(1, rows.total));
  const std::size_t chunk = chunk_rows(dataset);
  rows.block = std::max<std::size_t>(1, block_bytes / row);
  // Whole chunks, so that none is unpacked twice.
  rows.block = chunk <= rows.block ? rows.block / chunk * chunk
                                   : std::min(chunk, std::max<std::size_t>(1, kMostBlockBytes / row));
  rows.load = [path, name, where = array.where, stored](std::size_t first, std::size_t n) {
    const Session reading;
    Handle again = open_to_read(path);
    return read_rows(open_inside(again, name, where), stored, first, n, where);
  };
  return array;
}

class Walk {
 public:
  Walk(const std::string& path, Catalogue& catalogue) : path_(path), catalogue_(catalogue) {}

  void group(hid_t file, hid_t group, const std::string& prefix, int depth) {
    const std::string where = path_ + ": /" + prefix;
    if (depth > kMaxDepth || !seen_.insert(address_of(group)).second) return;
    for (const std::string& name : member_names(group, where)) {
      const std::string full = prefix + name;
      if (full == "provenance") continue;
      if (is_external_link(group, name)) {
        catalogue_.notes.push_back(
            full + ", a link to another file (such links are not followed: copy the array into this file)");
        continue;
      }
      Handle member = find_inside(file, full);
      if (!member.valid()) {
        catalogue_.notes.push_back(full + ", a link that leads nowhere in this file");
        continue;
      }
      if (is_group(member))
        this->group(file, member, full + "/", depth + 1);
      else if (H5Iget_type(member) == H5I_DATASET && catalogue_.arrays.size() < kMaxArrays)
        catalogue_.arrays.push_back({full, [path = path_, full] { return shape_of(path, full); },
                                     [path = path_, full] { return load(path, full); }, address_of(member),
                                     can_leave(member, full), [path = path_, full] { return n_bytes_of(path, full); }});
    }
  }

 private:
  /// Arrays of MATLAB have their samples on the last axis of what is stored; texts are no images.
  std::function<RawArray(std::size_t)> can_leave(hid_t dataset, const std::string& full) const {
    if (is_matlab(dataset) || is_text(dataset)) return {};
    return [path = path_, full](std::size_t block_bytes) { return leave(path, full, block_bytes); };
  }

  const std::string& path_;
  Catalogue& catalogue_;
  std::set<std::string> seen_;
};

}  // namespace

Catalogue hdf5_catalogue(const std::string& path) {
  Catalogue catalogue;
  catalogue.file = path;
  const Session session;
  Handle file = open_to_read(path);
  Walk(path, catalogue).group(file, file, "", 0);
  return catalogue;
}

}  // namespace ntkrob::io
