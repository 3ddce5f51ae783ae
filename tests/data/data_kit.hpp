/// What the tests of the data component share: temporary folders, small data sets, comparison of data sets, damaged
/// copies.
#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include "ntkrob/data/format.hpp"
#include "ntkrob/data/strokes.hpp"

namespace ntkrob::kit {

/// A folder of its own, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "ntkrob-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  /// Number of entries: an unfinished temporary file would show.
  std::size_t count() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::string path_;
};

/// Seconds that f takes, whatever it throws.
inline double seconds_of(const std::function<void()>& f) {
  const auto begin = std::chrono::steady_clock::now();
  try {
    f();
  } catch (const Error&) {
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

inline std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void spill(const std::string& path, const std::string& content) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
}

/// The message of the IoError (or another Error type) that f throws; fails the test when it throws nothing or something
/// else.
template <class ErrorType = IoError>
std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const ErrorType& error) {
    const std::string message = error.what();
    CHECK(message.find('\n') == std::string::npos);  // one line
    return message;
  } catch (const std::exception& error) {
    FAIL("another error: " << error.what());
  }
  FAIL("no error");
  return "";
}

#define CHECK_CONTAINS(message, part)                       \
  do {                                                      \
    const std::string message_ = (message), part_ = (part); \
    INFO("message: " << message_);                          \
    INFO("expected in it: " << part_);                      \
    CHECK(message_.find(part_) != std::string::npos);       \
  } while (false)

/// A small image set with bytes, from strokes.
inline Dataset small_bytes() { return make_strokes(20, 10, 7); }

/// Colour float images in a value range of their own, with learned targets whose maximum is not always the label.
inline Dataset small_floats() {
  Dataset data;
  data.shape = {3, 4, 3};
  data.classes = 3;
  data.class_names = {"a", "b c", "\xc3\xa4"};
  data.value_low = -1;
  data.value_high = 2;
  for (Split* split : {&data.train, &data.test}) {
    split->n = split == &data.train ? 5 : 3;
    split->pixels = Matrix<float>(split->n, data.shape.size());
    split->targets = Matrix<float>(split->n, 3);
    for (index i = 0; i < split->pixels.size(); ++i) split->pixels.data()[i] = -1 + 3 * static_cast<float>(i % 17) / 16;
    for (index i = 0; i < split->n; ++i) {
      split->labels.push_back(static_cast<int>(i % 3));
      for (index c = 0; c < 3; ++c) split->targets(i, c) = 0.1f * static_cast<float>((i * 2 + c * 5) % 7) - 0.3f;
    }
  }
  data.provenance.library_version = "0.1.0";
  data.provenance.command = "ntkrob robustify";
  data.provenance.parent = "digits.h5";
  data.provenance.parent_checksum = "crc32:0123abcd";
  for (int i = 0; i < 12; ++i)
    data.provenance.options.emplace_back("option-" + std::to_string(11 - i), "1/" + std::to_string(i));
  data.provenance.curves = {{"loss", {3, 2, 1.5}}, {"accuracy", {}}};
  data.provenance.initial_images = data.train.pixels;
  return data;
}

inline void check_equal(const Split& a, const Split& b) {
  REQUIRE(a.n == b.n);
  CHECK(a.bytes == b.bytes);
  CHECK(a.labels == b.labels);
  const auto same = [](const Matrix<float>& x, const Matrix<float>& y) {
    if (x.rows() != y.rows() || x.cols() != y.cols()) return false;
    for (index i = 0; i < x.size(); ++i)
      if (x.data()[i] != y.data()[i]) return false;
    return true;
  };
  CHECK(same(a.pixels, b.pixels));
  CHECK(same(a.targets, b.targets));
}

inline void check_equal(const Dataset& a, const Dataset& b) {
  CHECK(a.shape == b.shape);
  CHECK(a.classes == b.classes);
  CHECK(a.value_low == b.value_low);
  CHECK(a.value_high == b.value_high);
  check_equal(a.train, b.train);
  check_equal(a.test, b.test);
  CHECK(a.checksum() == b.checksum());
}

/// The values of a state are limited together, and described where they may be.   path: of a format that holds states
inline void check_values_are_limited_together(const std::string& path) {
  StateDict state;
  for (const char* name : {"a", "b", "c"}) state.set(name, NdArray<float>{{50, 100}, std::vector<float>(5000, 1)});
  save_state(state, "ntkrob.model/1", path, false);

  // 60000 bytes, and what is unpacked beside them.
  CHECK(load_state(path, "ntkrob.model/1", {100000}).get<NdArray<float>>("c").values.size() == 5000);
  const std::string message = message_of<ResourceError>([&] { load_state(path, "ntkrob.model/1", {50000}); });
  CHECK_CONTAINS(message, ": needs 20000 bytes of memory beside the ");
  CHECK_CONTAINS(message, "the limit is 50000 bytes; raise the memory limit (memory)");
  const StateDict outline = load_state(path, "ntkrob.model/1", {50000, 50000});
  CHECK(outline.get<NdArray<float>>("a").values.size() == 5000);
  CHECK(outline.get<NdArray<float>>("c").values.empty());
  CHECK(outline.get<NdArray<float>>("c").shape == std::vector<index>{50, 100});
}

}  // namespace ntkrob::kit
