/// What is made sure of before an HDF5 file is read in this process: only the files of HDF5 include it.
///
/// A file of ours has a checksum over all its bytes (whole_sum.hpp), which is verified before the library sees it. Any
/// other file is walked in a child process first, with limits of time and memory: all groups, names, attributes and
/// descriptions of arrays, and the numbers of arrays whose filters or types are rare. Where the library crashes, loops
/// or eats memory on them, that is one error line here. Texts of variable length, which the library (1.10) reads past
/// its buffers when they are damaged, are only ever read in a child, and come as plain bytes from there.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "child_process.hpp"
#include "hdf5_file.hpp"

namespace ntkrob::io {

/// A file that passed. What is learned of it while it is read is kept here too, for its limits are per file.
class Screened {
 public:
  struct Texts {
    std::vector<std::string> values;
    std::string error;  // why they could not be read
  };

  const std::string& path() const { return path_; }
  /// Whether it ends in a checksum that fits.
  bool summed() const { return summed_; }
  /// The texts of variable length of an attribute. throws: IoError where there are none, or they could not be read
  const std::vector<std::string>& texts(hid_t object, const std::string& attribute, const std::string& where) const;
  /// Takes an array at its word that is larger than what the file stores of it: so many bytes of each file.
  ///   throws: IoError beyond that
  void trust(hid_t dataset, std::size_t claimed, std::size_t stored, const std::string& where);

 private:
  friend std::shared_ptr<Screened> screen(const std::string& path, const ChildLimits& limits);
  std::string path_;
  bool summed_ = false;
  std::unordered_map<std::string, Texts> texts_;  // by address of the object and name of the attribute
  std::set<std::string> trusted_;
  std::size_t trusted_bytes_ = 0;
};

/// The limits of time and memory for a file of this size.
ChildLimits screen_limits(std::size_t file_bytes);

/// throws: IoError where the checksum does not fit, or the library fails on the file; the system's reason
///   cost: the pass over a file with a checksum, else a child process that walks the file
std::shared_ptr<Screened> screen(const std::string& path, const ChildLimits& limits);
std::shared_ptr<Screened> screen(const std::string& path);

/// Exclusive use of the library with one file open. One per public entry point, and one at a time in a thread.
class Reading {
 public:
  explicit Reading(std::shared_ptr<Screened> file);
  ~Reading();
  Reading(const Reading&) = delete;
  operator hid_t() const { return handle_; }

 private:
  Session session_;
  std::shared_ptr<Screened> file_;
  Handle handle_;
};

/// The file of the Reading that lives; there must be one.
Screened& current_file();

/// Whether an array holds texts of variable length, and such an array, read in a child process.
bool is_variable_text(hid_t dataset);
///   throws: IoError, also where the library fails on them
RawArray variable_texts(const Screened& file, const std::string& name, const std::string& where,
                        const ChildLimits& limits);

}  // namespace ntkrob::io
