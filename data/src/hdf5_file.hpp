/// Thin RAII layer over the HDF5 C library; only the files of HDF5 include it.
///
/// Every size is compared with what the file really stores before memory is allocated. Links into other files are not
/// followed. The library's own error printing is off while a Session lives; its innermost message becomes part of our
/// error line.
#pragma once

#include <hdf5.h>

#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ntkrob/base/view.hpp"
#include "raw_array.hpp"

namespace ntkrob::io {

/// Owns one HDF5 identifier.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  bool valid() const { return id_ >= 0; }
  operator hid_t() const { return id_; }
  /// Closes now and says whether that worked (a file's last writes happen here).
  bool close() { return id_ < 0 || close_(std::exchange(id_, -1)) >= 0; }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

/// Exclusive use of the HDF5 library (it is not thread-safe) with silenced error output and no plugins: a filter that
/// the library has not is an error, also where HDF5_PLUGIN_PATH knows one. One per public entry point.
class Session {
 public:
  Session();
  ~Session();
  Session(const Session&) = delete;

 private:
  std::unique_lock<std::mutex> lock_;
  H5E_auto2_t handler_ = nullptr;
  void* handler_data_ = nullptr;
  unsigned plugins_ = 0;
};

/// The innermost message of the library's error stack, for our error line.
std::string hdf5_reason();
/// throws: IoError "where: what (HDF5: reason)", with what the reason says of the file; ResourceError where memory or
/// open files are missing
[[noreturn]] void fail(const std::string& where, const std::string& what);

// Reading. `where` is "file: object" for messages; every function throws IoError, or ResourceError as fail().
/// What hdf5_screen.hpp opens, after it has looked at the file.
Handle open_to_read(const std::string& path);
/// The names of the members of a group, in creation order where the file tracks it, by name otherwise.
std::vector<std::string> member_names(hid_t group, const std::string& where);
std::vector<std::string> attribute_names(hid_t object, const std::string& where);
/// True when the member exists in this very file.
bool has_member(hid_t group, const std::string& name);
Handle open_member(hid_t group, const std::string& name, const std::string& where);
bool is_group(hid_t object);
/// The object at a path "a/b" of this file, through soft links that stay inside it; not valid where there is none.
Handle find_inside(hid_t file, const std::string& path);
/// throws: IoError where there is none
Handle open_inside(hid_t file, const std::string& path, const std::string& where);
/// Whether a member is a link into another file.
bool is_external_link(hid_t group, const std::string& name);
/// Where an object lies: equal for two names of one object.
std::string address_of(hid_t object);

/// What a dataset or attribute holds.
struct Stored {
  enum class Type { text, integer, byte, float32, float64 };
  Type type = Type::byte;
  std::vector<std::size_t> shape;  // {} is a scalar
  std::size_t count = 1;
};
/// Checks type, layout, that the file really stores that many bytes, and that every part of it was written.
Stored inspect_dataset(hid_t dataset, const std::string& where);
void read_dataset(hid_t dataset, hid_t memory_type, void* target, const std::string& where);
/// Whole numbers of any width, booleans and other enumerations.
std::vector<std::int64_t> read_integers(hid_t dataset, const Stored& stored, const std::string& where);
bool has_attribute(hid_t object, const char* name);
Stored inspect_attribute(hid_t object, const std::string& name, const std::string& where);
std::vector<std::string> read_texts(hid_t object, const std::string& name, const std::string& where);
std::vector<double> read_numbers(hid_t object, const std::string& name, const std::string& where);
std::vector<std::int64_t> read_integers(hid_t object, const std::string& name, const std::string& where);
/// A single text; nothing when absent.
std::optional<std::string> find_text(hid_t object, const char* name, const std::string& where);
/// What it is read as, and the memory that its numbers take then.
RawArray::Kind kind_of(const Stored& stored);
std::size_t memory_bytes(const Stored& stored);
bool is_text(hid_t dataset);
/// Rows in a chunk, 1 of what is not chunked.
std::size_t chunk_rows(hid_t dataset);
/// Before rows first .. first + n are read: in a file without our checksum every chunk that they lie in must unpack to
/// the bytes of its shape. Nothing where filters are rare (the child process has read those), or in a build without
/// zlib.
///   throws: IoError   cost: unpacks them once more
void check_chunks(hid_t dataset, std::size_t first, std::size_t n, const std::string& where);
/// Rows first .. first + n of a dataset of numbers.
RawArray read_rows(hid_t dataset, const Stored& stored, std::size_t first, std::size_t n, const std::string& where);
/// A dataset as bytes, ints, float32 or texts.
RawArray read_raw(hid_t dataset, const std::string& where);

// Writing. Functions throw ResourceError: most files are made in memory, so the only expected failure is its size.

/// An HDF5 file that grows in memory and goes to disk as one block. Written straight to a disk that is full, an HDF5
/// file can be neither closed nor forgotten, and the library crashes at exit.
class MemoryFile {
 public:
  MemoryFile();
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  operator hid_t() const { return file_; }
  /// Closes it and writes it; all handles into it must be closed. throws: as write_whole
  void save(const std::string& path, bool force);

 private:
  Handle file_;
  char* image_ = nullptr;
  std::size_t n_allocated_ = 0;
};

/// A new file on the disk, for little content: texts, numbers and the places of arrays that others write (see
/// place_dataset). `path` exists already and is emptied.
Handle create_on_disk(const std::string& path);
/// A dataset whose numbers the caller writes into the file later, row after row from the returned offset on, in the
/// byte order of this machine. Neither compressed nor checksummed. n_bytes > 0
std::size_t place_dataset(hid_t group, const std::string& name, hid_t type, const std::vector<std::size_t>& shape);
Handle create_group(hid_t parent, const std::string& name);
/// How large arrays are stored. Packing takes a second for some 50 MB, which a checkpoint has not: who asked for an end
/// is waiting.
enum class Packing { packed, plain };
/// Chunked, shuffled and compressed when large. type: what is stored and what lies in memory.
void write_dataset(hid_t group, const std::string& name, hid_t stored_type, hid_t memory_type,
                   const std::vector<std::size_t>& shape, const void* values, Packing packing = Packing::packed);
/// rank 0: a scalar attribute, otherwise 1-D.
void write_text_attribute(hid_t object, const std::string& name, const std::string& value);
void write_texts_attribute(hid_t object, const std::string& name, const std::vector<std::string>& values);
void write_number_attribute(hid_t object, const std::string& name, double value);
void write_numbers_attribute(hid_t object, const std::string& name, const std::vector<double>& values);
void write_integer_attribute(hid_t object, const std::string& name, std::int64_t value);
void write_integers_attribute(hid_t object, const std::string& name, const std::vector<std::int64_t>& values);

}  // namespace ntkrob::io
