/// Runs the real ntkrob binary, as a shell would, and makes files to feed it.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace ntkrob::cli_test {

/// What a finished process left.
struct Finished {
  int code = -1;  // exit code, or 128 + the signal that ended it
  std::string out, err;
};

/// A fresh folder, removed at the end of the test.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// A variable of the environment of what runs while it lives.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value, 1);
  }
  ~Environment() { before_ ? setenv(name_, before_->c_str(), 1) : unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

/// A running ntkrob; its working directory is that of the test.
class Process {
 public:
  explicit Process(const std::vector<std::string>& arguments, const char* program = NTKROB_BINARY);
  ~Process();
  void signal(int number) const;
  bool running();
  /// What it has written to stderr so far.
  std::string said();
  Finished wait();

 private:
  Folder folder_;
  int pid_ = -1;
  int status_ = 0;
  bool reaped_ = false;
};

/// Runs a script of the shell; "$NTKROB" is the binary.
Finished run_shell(const std::string& script);
/// Runs ntkrob to its end.
Finished run(const std::vector<std::string>& arguments);
/// Runs ntkrob with stdout and stderr at a terminal of this many columns; `out` is all that the terminal got, `err`
/// empty.
Finished run_at_terminal(const std::vector<std::string>& arguments, int columns);
/// What such a terminal shows after `output`: its rows, as it breaks lines, returns and clears to the end of a row.
std::vector<std::string> screen_of(const std::string& output, int columns);
/// Runs ntkrob and requires success.
std::string run_ok(const std::vector<std::string>& arguments);

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& content);
nlohmann::json read_json(const std::string& path);
bool contains(const std::string& text, const std::string& part);

/// Replaces the text attribute `name` of the root group.
void set_h5_text(const std::string& path, const std::string& name, const std::string& value);
/// Plain HDF5 data set of n images with d pixels each.
void write_h5(const std::string& path, const std::vector<float>& pixels, long d, const std::vector<int>& labels);
/// Gives a plain HDF5 data set the root attributes classes and class_names.
void set_h5_class_names(const std::string& path, const std::vector<std::string>& names);
/// Gives an object of the root group of an HDF5 file another name.
void rename_h5(const std::string& path, const std::string& from, const std::string& to);
/// n images of 4 x 4 pixels with easy classes 0 .. classes-1 in turn; pixels in [0,1].
void write_easy_h5(const std::string& path, int n, int classes);

}  // namespace ntkrob::cli_test

/// CHECK that the process ended with this code and one error line that holds every part.
#define CHECK_FAILS(finished, expected_code, ...)                            \
  do {                                                                       \
    const auto finished_ = (finished);                                       \
    INFO("stderr: " << finished_.err);                                       \
    CHECK(finished_.code == (expected_code));                                \
    for (const std::string& part_ : std::vector<std::string>{__VA_ARGS__}) { \
      INFO("expected in stderr: " << part_);                                 \
      CHECK(::ntkrob::cli_test::contains(finished_.err, part_));             \
    }                                                                        \
  } while (false)
