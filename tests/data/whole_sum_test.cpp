/// The checksum over whole files: every changed bit of what ntkrob writes is an error that says so, before a library
/// looks at the file. NTKROB_DAMAGE=all tries all bits instead of one of each byte.
#include "whole_sum.hpp"

#include <cstdlib>

#include "data/data_kit.hpp"
#include "ntkrob/base/state_dict.hpp"
#if NTKROB_TEST_HDF5
#include "ntkrob/data/matrix_file.hpp"
#endif

using namespace ntkrob;
using kit::message_of;

namespace {

StateDict small_state() {
  StateDict state;
  state.set("spec", std::string("dense(3)-relu-dense"));
  state.set("classes", std::int64_t{2});
  state.set("layers/0/weight", NdArray<float>{{3, 4}, std::vector<float>(12, 0.5f)});
  state.set("rate", 0.25);
  return state;
}

/// A file of ours, and how it is read.
struct Written {
  std::string path;
  std::function<void()> read;
};

/// One file of every kind that has a checksum, in every container of this build.
std::vector<Written> all_kinds(const kit::TemporaryFolder& folder) {
  std::vector<Written> files;
  for (const std::string extension : {".npz", ".h5"}) {
    if (extension == ".h5" && !NTKROB_TEST_HDF5) continue;
    for (const char* schema : {"ntkrob.checkpoint/1", "ntkrob.model/1"}) {
      const std::string path = folder.file(std::string(schema).substr(7, 5) + extension);
      save_state(small_state(), schema, path, false);
      files.push_back({path, [path, schema] { load_state(path, schema); }});
    }
    const std::string path = folder.file("set" + extension);
    save_dataset(make_strokes(2, 0, 7), path, false);
    files.push_back({path, [path] { open_dataset({path}); }});
  }
#if NTKROB_TEST_HDF5
  SaveOptions in_blocks;
  in_blocks.plain_from = 1;
  const std::string blocks = folder.file("blocks.h5"), matrix = folder.file("matrix.h5");
  save_dataset(make_strokes(2, 0, 7), blocks, in_blocks);
  files.push_back({blocks, [blocks] { open_dataset({blocks}); }});
  MatrixFile out(small_state(), "ntkrob.kernel/1", {{"ntk", 6, 7, 8}}, matrix, false);
  const Matrix<double> numbers(6, 7);
  out.write(0, 0, 0, ConstView2D<double>(numbers.view()));
  out.commit();
  files.push_back({matrix, [matrix] { load_state(matrix, "ntkrob.kernel/1"); }});
#endif
  return files;
}

}  // namespace

TEST_CASE("a flipped bit in a file of ours is an error that names the checksum", "[data][damage]") {
  const kit::TemporaryFolder folder;
  const bool all = std::getenv("NTKROB_DAMAGE") != nullptr;
  long tried = 0;
  for (const Written& file : all_kinds(folder)) {
    INFO(file.path);
    const std::string good = kit::slurp(file.path);
    REQUIRE_NOTHROW(file.read());
    for (std::size_t i = 0; i < good.size(); ++i)
      for (int bit = all ? 0 : static_cast<int>(i % 8); bit < (all ? 8 : static_cast<int>(i % 8) + 1); ++bit) {
        std::string bad = good;
        bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
        kit::spill(file.path, bad);
        ++tried;
        std::string message = "no error";
        try {
          file.read();
        } catch (const IoError& error) {
          message = error.what();
        }
        const bool says_so = message.find(file.path) == 0 && message.find("checksum") != std::string::npos &&
                             message.find("get the file again") != std::string::npos;
        if (!says_so) FAIL("byte " << i << " of " << good.size() << ", bit " << bit << ": " << message);
      }
    kit::spill(file.path, good);
    CHECK_NOTHROW(file.read());
  }
  CHECK(tried > (all ? 8 : 1) * (NTKROB_TEST_HDF5 ? 10000 : 3000));  // files of fewer formats without HDF5
}

TEST_CASE("a file of ours that is cut off or longer is an error", "[data][damage]") {
  const kit::TemporaryFolder folder;
  for (const Written& file : all_kinds(folder)) {
    const std::string good = kit::slurp(file.path);
    const bool npz = file.path.find(".npz") != std::string::npos;
    for (std::size_t n = 0; n < good.size(); n += n + 64 < good.size() ? 41 : 1) {
      INFO(file.path << " cut to " << n << " of " << good.size());
      kit::spill(file.path, good.substr(0, n));
      // Without the whole checksum the content of HDF5 is whole.
      if (n + io::kSumBytes == good.size() && !npz)
        CHECK_NOTHROW(file.read());
      else
        CHECK_THROWS_AS(file.read(), IoError);
    }
    kit::spill(file.path, good + "x");
    CHECK_THROWS_AS(file.read(), IoError);
  }
}

TEST_CASE("the message of a wrong checksum has what the file says, what it is and the remedy", "[data][damage]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("checkpoint.npz");
  save_state(small_state(), "ntkrob.checkpoint/1", path, false);
  std::string bytes = kit::slurp(path);
  bytes[100] = static_cast<char>(bytes[100] ^ 4);
  kit::spill(path, bytes);

  std::string message, advice;
  try {
    load_state(path, "ntkrob.checkpoint/1");
  } catch (const IoError& error) {
    message = error.what();
    advice = error.advice();
  }

  CHECK_CONTAINS(message, path + ": the checksum of the file is crc32:");
  CHECK_CONTAINS(message, ", it was written with crc32:");
  CHECK(advice == "get the file again, or make it anew (a checkpoint: start without resume)");
  CHECK_THROWS_AS(has_file_checksum(path), IoError);
}

TEST_CASE("files without a checksum are read, and told from those with one", "[data]") {
  const kit::TemporaryFolder folder;
  for (const Written& file : all_kinds(folder)) {
    CHECK(has_file_checksum(file.path));
    if (file.path.find(".npz") != std::string::npos) continue;
    const std::string good = kit::slurp(file.path);
    kit::spill(file.path, good.substr(0, good.size() - io::kSumBytes));
    CHECK_NOTHROW(file.read());
    CHECK_FALSE(has_file_checksum(file.path));
  }
  CHECK_FALSE(has_file_checksum(NTKROB_FIXTURES_DIR "/stored.npz"));
}

TEST_CASE("a file is verified anew when it was changed", "[data][damage]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("model.npz");
  save_state(small_state(), "ntkrob.model/1", path, false);
  std::string bytes = kit::slurp(path);
  // As if it had been written long ago: what is remembered of it must not outlive the change.
  const auto long_ago = std::filesystem::file_time_type::clock::now() - std::chrono::hours(24);
  std::filesystem::last_write_time(path, long_ago);
  CHECK_NOTHROW(load_state(path, "ntkrob.model/1"));
  bytes[90] = static_cast<char>(bytes[90] ^ 1);
  kit::spill(path, bytes);
  std::filesystem::last_write_time(path, long_ago);

  CHECK_THROWS_AS(load_state(path, "ntkrob.model/1"), IoError);
}
