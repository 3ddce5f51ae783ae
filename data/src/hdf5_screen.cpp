#include "hdf5_screen.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "echo.hpp"
#include "file_identity.hpp"
#include "ntkrob/base/error.hpp"
#include "whole_sum.hpp"

namespace ntkrob::io {
namespace {

/// Of a file, what its arrays may claim together beyond what it stores of them.
constexpr std::size_t kTrustedBytes = std::size_t{64} << 20;
constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxNames = std::size_t{1} << 20;

std::string key_of(hid_t object, const std::string& attribute) { return address_of(object) + "/" + attribute; }

/// Where HDF5's data end, in a file as ntkrob writes it; 0 in others. (Superblock of version 2 and 3.)
std::size_t stated_end(const InputFile& file) {
  constexpr std::size_t kVersion = 8, kEnd = 28, kHeadBytes = 48;
  const std::string head = file.head(kHeadBytes);
  if (head.size() < kHeadBytes || head.compare(0, 8, "\x89HDF\r\n\x1a\n") != 0 || head[kVersion] < 2) return 0;
  std::size_t end = 0;
  for (std::size_t i = 8; i-- > 0;) end = end << 8 | static_cast<unsigned char>(head[kEnd + i]);
  return end;
}

[[noreturn]] void library_fails(const std::string& path, const std::string& failure) {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  throw IoError(
      text(path, ": the HDF5 library (", major, ".", minor, ".", release, ") ", failure,
           " when it looked at this file, in a child process; the file is damaged, or is one that this library "
           "cannot read: get it again, or rewrite it with h5py.File(name, 'w', libver='v110')"));
}

// Answers of a child: numbers as they lie in memory, texts with their length before them.

void put(std::string& out, std::size_t value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof bytes);
}

void put(std::string& out, const std::string& value) {
  put(out, value.size());
  out += value;
}

class Answer {
 public:
  Answer(const std::string& content, const std::string& path) : content_(content), path_(path) {}
  bool at_end() const { return at_ == content_.size(); }
  std::size_t number() {
    std::size_t value = 0;
    need(sizeof value);
    std::memcpy(&value, content_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string text() {
    const std::size_t n = number();
    need(n);
    at_ += n;
    return content_.substr(at_ - n, n);
  }

 private:
  void need(std::size_t n) const {
    if (n > content_.size() - at_) library_fails(path_, "gave half an answer");
  }
  const std::string& content_;
  const std::string& path_;
  std::size_t at_ = 0;
};

/// Standard numbers behind standard filters are decoded by little code that much uses; anything else is tried first.
bool is_rare(hid_t dataset) {
  Handle type(H5Dget_type(dataset), H5Tclose), properties(H5Dget_create_plist(dataset), H5Pclose);
  const int n_filters = H5Pget_nfilters(properties);
  for (int i = 0; i < n_filters; ++i) {
    unsigned flags = 0;
    std::size_t n_values = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(properties, static_cast<unsigned>(i), &flags, &n_values, nullptr, 0, nullptr, nullptr);
    if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32) return true;
  }
  if (H5Tget_class(type) == H5T_STRING) return false;
  for (const hid_t known :
       {H5T_STD_U8LE, H5T_STD_I8LE, H5T_STD_U16LE, H5T_STD_I16LE, H5T_STD_U32LE, H5T_STD_I32LE, H5T_STD_U64LE,
        H5T_STD_I64LE, H5T_STD_U16BE, H5T_STD_I16BE, H5T_STD_U32BE, H5T_STD_I32BE, H5T_STD_U64BE, H5T_STD_I64BE,
        H5T_IEEE_F32LE, H5T_IEEE_F64LE, H5T_IEEE_F32BE, H5T_IEEE_F64BE})
    if (H5Tequal(type, known) > 0) return false;
  return true;
}

Screened* current = nullptr;  // guarded by the mutex of Session

/// Makes a file the current one.
class Current {
 public:
  explicit Current(Screened& file) { current = &file; }
  ~Current() { current = nullptr; }
  Current(const Current&) = delete;
};

Remembered<std::shared_ptr<Screened>>& screened_files() {
  static Remembered<std::shared_ptr<Screened>> files;
  return files;
}

std::vector<std::string> variable_attribute(hid_t object, const std::string& name, const std::string& where) {
  const Stored stored = inspect_attribute(object, name, where);
  Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose);
  Handle type(H5Aget_type(attribute), H5Tclose), space(H5Aget_space(attribute), H5Sclose);
  std::vector<std::string> values(stored.count);
  std::vector<char*> raw(stored.count, nullptr);
  if (stored.count == 0) return values;
  if (H5Aread(attribute, type, raw.data()) < 0) fail(where, "cannot read attribute " + name);
  for (std::size_t i = 0; i < stored.count; ++i)
    if (raw[i] != nullptr) values[i] = raw[i];
  H5Dvlen_reclaim(type, space, H5P_DEFAULT, raw.data());
  return values;
}

bool is_variable_text_attribute(hid_t object, const std::string& name) {
  Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose);
  Handle type(attribute.valid() ? H5Aget_type(attribute) : -1, H5Tclose);
  return type.valid() && H5Tis_variable_str(type) > 0;
}

/// The walk through a file, in a child process.
class Screening {
 public:
  explicit Screening(const std::string& path) : path_(path) {}

  std::string run(hid_t file) {
    file_ = file;
    object(file, "", 0);
    return std::move(answer_);
  }

 private:
  void object(hid_t object, const std::string& name, int depth) {
    if (depth > kMaxDepth || !seen_.insert(address_of(object)).second) return;
    const std::string where = path_ + ": /" + echoed(name);
    // What is an error here is one again where it is read, if it is.
    try {
      const std::vector<std::string> names = attribute_names(object, where);
      count(names.size());
      for (const std::string& attribute : names) this->attribute(object, attribute, where);
    } catch (const IoError&) {
      H5Eclear2(H5E_DEFAULT);
    }
    try {
      if (H5Iget_type(object) == H5I_DATASET) return dataset(object, where);
      if (object != file_ && !is_group(object)) return;
      const std::vector<std::string> names = member_names(object, where);
      count(names.size());
      for (const std::string& member : names) {
        if (is_external_link(object, member)) continue;
        const std::string full = name.empty() ? member : name + "/" + member;
        Handle found = find_inside(file_, full);
        if (found.valid()) this->object(found, full, depth + 1);
      }
    } catch (const IoError&) {
      H5Eclear2(H5E_DEFAULT);
    }
  }

  void count(std::size_t n) {
    names_ += n;
    if (names_ > kMaxNames)
      throw ResourceError(
          text(path_, ": holds more than ", kMaxNames, " names of arrays, groups and attributes; read a smaller file"));
  }

  void attribute(hid_t object, const std::string& name, const std::string& where) {
    std::vector<std::string> values;
    std::string error;
    bool variable = false;
    try {
      variable = is_variable_text_attribute(object, name);
      const Stored stored = inspect_attribute(object, name, where);
      if (variable)
        values = variable_attribute(object, name, where);
      else if (stored.type == Stored::Type::text)
        read_texts(object, name, where);
      else
        read_numbers(object, name, where);
    } catch (const IoError& failure) {
      error = failure.marked();
      H5Eclear2(H5E_DEFAULT);
    }
    if (!variable) return;
    put(answer_, key_of(object, name));
    put(answer_, error);
    put(answer_, values.size());
    for (const std::string& value : values) put(answer_, value);
  }

  void dataset(hid_t dataset, const std::string& where) {
    const Stored stored = inspect_dataset(dataset, where);
    if (stored.type == Stored::Type::text || stored.shape.empty() || stored.count == 0 || !is_rare(dataset)) return;
    const std::size_t row = std::max<std::size_t>(1, memory_bytes(stored) / stored.shape[0]);
    const std::size_t chunk = chunk_rows(dataset);
    const std::size_t block = std::max<std::size_t>(1, (std::size_t{4} << 20) / row / chunk) * chunk;
    for (std::size_t first = 0; first < stored.shape[0]; first += block)
      read_rows(dataset, stored, first, std::min(block, stored.shape[0] - first), where);
  }

  const std::string& path_;
  hid_t file_ = -1;
  std::size_t names_ = 0;
  std::set<std::string> seen_;
  std::string answer_;
};

std::string schema_of(hid_t file, const std::string& path) {
  if (!has_attribute(file, "ntkrob_schema")) return "";
  const std::vector<std::string> texts = is_variable_text_attribute(file, "ntkrob_schema")
                                             ? variable_attribute(file, "ntkrob_schema", path)
                                             : read_texts(file, "ntkrob_schema", path);
  return texts.empty() ? "" : texts[0];
}

/// A text array in slices, so that many references to one long text are noticed before memory is full.
RawArray read_variable_texts(hid_t dataset, const std::string& where) {
  const Stored stored = inspect_dataset(dataset, where);
  NTKROB_CHECK(!stored.shape.empty(), IoError, where, ": is a single value, expected an array");
  RawArray raw;
  raw.where = where;
  raw.shape = stored.shape;
  raw.kind = RawArray::Kind::texts;
  raw.ints.resize(stored.count);
  if (stored.count == 0) return raw;
  std::unordered_map<std::string, std::int64_t> places;
  Handle type(H5Dget_type(dataset), H5Tclose), space(H5Dget_space(dataset), H5Sclose);
  const std::size_t row = stored.count / stored.shape[0], chunk = chunk_rows(dataset);
  const std::size_t block = std::max<std::size_t>(1, 4096 / row / chunk) * chunk;
  std::vector<hsize_t> start(stored.shape.size(), 0), extent(stored.shape.begin(), stored.shape.end());
  for (std::size_t first = 0; first < stored.shape[0]; first += block) {
    start[0] = first;
    extent[0] = std::min(block, stored.shape[0] - first);
    const std::size_t n = static_cast<std::size_t>(extent[0]) * row;
    Handle memory(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr), H5Sclose);
    std::vector<char*> values(n, nullptr);
    if (!memory.valid() ||
        H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr) < 0 ||
        H5Dread(dataset, type, memory, space, H5P_DEFAULT, values.data()) < 0)
      fail(where, "cannot read the texts");
    for (std::size_t i = 0; i < n; ++i) {
      const auto [at, fresh] =
          places.emplace(values[i] == nullptr ? "" : values[i], static_cast<std::int64_t>(raw.names.size()));
      if (fresh) raw.names.push_back(at->first);
      raw.ints[first * row + i] = at->second;
    }
    H5Dvlen_reclaim(type, memory, H5P_DEFAULT, values.data());
  }
  return raw;
}

}  // namespace

const std::vector<std::string>& Screened::texts(hid_t object, const std::string& attribute,
                                                const std::string& where) const {
  const auto at = texts_.find(key_of(object, attribute));
  NTKROB_CHECK(at != texts_.end(), IoError, where, ": attribute ", attribute,
               " is a text of variable length, in a file that ntkrob wrote with texts of fixed length; it was changed");
  NTKROB_CHECK(at->second.error.empty(), IoError, at->second.error);
  return at->second.values;
}

void Screened::trust(hid_t dataset, std::size_t claimed, std::size_t stored, const std::string& where) {
  const std::string address = address_of(dataset);
  if (trusted_.count(address) > 0) return;
  NTKROB_CHECK(claimed <= kTrustedBytes - trusted_bytes_, IoError, where, ": the shape needs ", claimed,
               " bytes, but the file stores only ", stored,
               trusted_bytes_ > 0 ? text(", as of other arrays of ", trusted_bytes_, " bytes together") : "",
               "; the file is damaged or was never fully written");
  trusted_bytes_ += claimed;
  trusted_.insert(address);
}

ChildLimits screen_limits(std::size_t file_bytes) {
  ChildLimits limits;
  limits.cpu_seconds = 20 + static_cast<double>(file_bytes) / 50e6;
  limits.wall_seconds = 3 * limits.cpu_seconds;
  limits.memory_bytes = (std::size_t{1} << 30) + std::min(file_bytes, std::size_t{1} << 40) * 4;
  return limits;
}

std::shared_ptr<Screened> screen(const std::string& path, const ChildLimits& limits) {
  const FileIdentity before(path);
  if (const auto known = screened_files().find(before); known && (*known)->path() == path) return *known;
  const InputFile file(path);  // says why, when the file cannot be read at all
  auto result = std::make_shared<Screened>();
  result->path_ = path;
  result->summed_ = verify_whole(file);
  if (!result->summed_) {
    const std::size_t end = stated_end(file);
    const ChildAnswer answer = [&] {
      const Session session;  // nobody else is inside the library while the process is copied
      return run_in_child(
          [&] {
            const Current guard(*result);
            Handle opened = open_to_read(path);
            // Behind the end of HDF5's data stands a checksum of ours, or nothing.
            NTKROB_CHECK(end == 0 || end >= file.size() || schema_of(opened, path).rfind("ntkrob.", 0) != 0, IoError,
                         path, ": has ", file.size() - end,
                         " bytes behind the end of its data, which are no checksum; the file is cut off or damaged, ",
                         advice("get it again, or make it anew (a checkpoint: start without ", field("resume"), ")"));
            return Screening(path).run(opened);
          },
          limits);
    }();
    rethrow(answer);
    if (!answer.failure.empty()) library_fails(path, answer.failure);
    Answer told(answer.content, path);
    while (!told.at_end()) {
      Screened::Texts& texts = result->texts_[told.text()];
      texts.error = told.text();
      texts.values.resize(std::min(told.number(), answer.content.size()));
      for (std::string& value : texts.values) value = told.text();
    }
  }
  screened_files().add(before, path, result);
  return result;
}

std::shared_ptr<Screened> screen(const std::string& path) {
  return screen(path, screen_limits(InputFile(path).size()));
}

Reading::Reading(std::shared_ptr<Screened> file) : file_(std::move(file)) {
  handle_ = open_to_read(file_->path());
  current = file_.get();
}

Reading::~Reading() { current = nullptr; }

Screened& current_file() {
  NTKROB_ASSERT(current != nullptr);
  return *current;
}

bool is_variable_text(hid_t dataset) {
  Handle type(H5Iget_type(dataset) == H5I_DATASET ? H5Dget_type(dataset) : -1, H5Tclose);
  return type.valid() && H5Tis_variable_str(type) > 0;
}

RawArray variable_texts(const Screened& file, const std::string& name, const std::string& where,
                        const ChildLimits& limits) {
  Screened copy = file;
  const ChildAnswer answer = [&] {
    const Session session;
    return run_in_child(
        [&] {
          const Current guard(copy);
          Handle opened = open_to_read(file.path());
          const RawArray raw = read_variable_texts(open_inside(opened, name, where), where);
          std::string content;
          put(content, raw.shape.size());
          for (const std::size_t extent : raw.shape) put(content, extent);
          put(content, raw.names.size());
          for (const std::string& value : raw.names) put(content, value);
          put(content, raw.ints.size());
          for (const std::int64_t place : raw.ints) put(content, static_cast<std::size_t>(place));
          return content;
        },
        limits);
  }();
  rethrow(answer);
  if (!answer.failure.empty()) library_fails(where, answer.failure);
  Answer told(answer.content, where);
  RawArray raw;
  raw.where = where;
  raw.kind = RawArray::Kind::texts;
  raw.shape.resize(std::min<std::size_t>(told.number(), H5S_MAX_RANK));
  for (std::size_t& extent : raw.shape) extent = told.number();
  raw.names.resize(std::min(told.number(), answer.content.size()));
  for (std::string& value : raw.names) value = told.text();
  raw.ints.resize(std::min(told.number(), answer.content.size()));
  for (std::int64_t& place : raw.ints) {
    place = static_cast<std::int64_t>(told.number());
    NTKROB_CHECK(place >= 0 && static_cast<std::size_t>(place) < raw.names.size(), IoError, where, ": text ", place,
                 " of ", raw.names.size(), "; the file is damaged");
  }
  return raw;
}

}  // namespace ntkrob::io
