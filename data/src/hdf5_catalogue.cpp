/// The arrays of an HDF5 file of others, in whatever groups; links inside the file are followed, others named.
#include <algorithm>
#include <map>

#include "catalogue.hpp"
#include "echo.hpp"
#include "hdf5_screen.hpp"
#include "input_file.hpp"
#include "part_files.hpp"

namespace ntkrob::io {
namespace {

constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxArrays = 1 << 16;

/// Whether MATLAB wrote the array: its axes are stored in the opposite order.
bool is_matlab(hid_t dataset) { return has_attribute(dataset, "MATLAB_class"); }

using File = std::shared_ptr<Screened>;

std::vector<std::size_t> shape_of(const File& screened, const std::string& name) {
  const Reading file(screened);
  const std::string where = screened->path() + ": " + echoed(name);
  Handle dataset = open_inside(file, name, where);
  std::vector<std::size_t> shape = inspect_dataset(dataset, where).shape;
  if (is_matlab(dataset)) std::reverse(shape.begin(), shape.end());
  return shape;
}

RawArray load(const File& screened, const std::string& name) {
  const std::string where = screened->path() + ": " + echoed(name);
  RawArray array;
  bool texts = false, matlab = false;
  {
    const Reading file(screened);
    Handle dataset = open_inside(file, name, where);
    texts = is_variable_text(dataset);
    matlab = is_matlab(dataset);
    if (!texts) array = read_raw(dataset, where);
  }
  if (texts) array = variable_texts(*screened, name, where, screen_limits(InputFile(screened->path()).size()));
  if (matlab) reverse_axes(array);
  return array;
}

/// Chunks of more are unpacked more than once.
constexpr std::size_t kMostBlockBytes = std::size_t{96} << 20;

std::size_t n_bytes_of(const File& screened, const std::string& name) {
  const Reading file(screened);
  const std::string where = screened->path() + ": " + echoed(name);
  return memory_bytes(inspect_dataset(open_inside(file, name, where), where));
}

/// The array with its numbers left in the file.
RawArray leave(const File& screened, const std::string& name, std::size_t block_bytes) {
  const Reading file(screened);
  RawArray array;
  array.where = screened->path() + ": " + echoed(name);
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
  rows.load = [screened, name, where = array.where, stored](std::size_t first, std::size_t n) {
    const Reading again(screened);
    return read_rows(open_inside(again, name, where), stored, first, n, where);
  };
  return array;
}

class Walk {
 public:
  Walk(const File& screened, Catalogue& catalogue) : file_(screened), catalogue_(catalogue) {}

  void group(hid_t file, hid_t group, const std::string& prefix, int depth) {
    const std::string where = file_->path() + ": /" + echoed(prefix);
    const std::string name_here = prefix.substr(0, prefix.size() - std::min<std::size_t>(1, prefix.size()));
    if (const auto [at, fresh] = seen_.emplace(address_of(group), name_here); !fresh) {
      constexpr int kNamed = 8;
      if (++repeated_ <= kNamed)
        catalogue_.notes.push_back(text(echoed(name_here), ", another name of the group ",
                                        at->second.empty() ? "/" : echoed(at->second),
                                        repeated_ == kNamed ? ", and more" : ""));
      return;
    }
    if (depth > kMaxDepth) {
      catalogue_.notes.push_back(text(echoed(name_here), ", a group deeper than ", kMaxDepth, " groups"));
      return;
    }
    for (const std::string& name : member_names(group, where)) {
      const std::string full = prefix + name;
      if (full == "provenance") continue;
      if (is_external_link(group, name)) {
        catalogue_.notes.push_back(
            echoed(full) + ", a link to another file (such links are not followed: copy the array into this file)");
        continue;
      }
      Handle member = find_inside(file, full);
      if (!member.valid()) {
        catalogue_.notes.push_back(echoed(full) + ", a link that leads nowhere in this file");
        continue;
      }
      if (is_group(member))
        this->group(file, member, full + "/", depth + 1);
      else if (H5Iget_type(member) == H5I_DATASET && catalogue_.arrays.size() < kMaxArrays)
        catalogue_.arrays.push_back({full, [f = file_, full] { return shape_of(f, full); },
                                     [f = file_, full] { return load(f, full); }, address_of(member),
                                     can_leave(member, full), [f = file_, full] { return n_bytes_of(f, full); }});
    }
  }

 private:
  /// Arrays of MATLAB have their samples on the last axis of what is stored; texts are no images.
  std::function<RawArray(std::size_t)> can_leave(hid_t dataset, const std::string& full) const {
    if (is_matlab(dataset) || is_text(dataset)) return {};
    return [file = file_, full](std::size_t block_bytes) { return leave(file, full, block_bytes); };
  }

  const File& file_;
  Catalogue& catalogue_;
  int repeated_ = 0;
  std::map<std::string, std::string> seen_;  // groups by address, and what they were called there
};

}  // namespace

Catalogue hdf5_catalogue(const std::string& path) {
  Catalogue catalogue;
  catalogue.file = path;
  const File screened = screen(path);
  const Reading file(screened);
  Walk(screened, catalogue).group(file, file, "", 0);
  return catalogue;
}

}  // namespace ntkrob::io
