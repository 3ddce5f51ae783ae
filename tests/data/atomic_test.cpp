#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "atomic_file.hpp"
#include "data/data_kit.hpp"
#include "ntkrob/base/state_dict.hpp"
#include "ntkrob/data/temporary_files.hpp"

using namespace ntkrob;
using kit::message_of;

namespace {

/// Lets no file of this process grow beyond n_bytes, as a full disk does.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t n_bytes) {
    old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old_);
    rlimit limit = old_;
    limit.rlim_cur = n_bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_;
  void (*old_handler_)(int);
};

}  // namespace

TEST_CASE("an existing file stays as it is without force and is replaced with it", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("report.json");
  write_text(path, "old", false);

  CHECK_CONTAINS(message_of<ConfigError>([&] { write_text(path, "new", false); }), "exists; pass force=true");
  CHECK(kit::slurp(path) == "old");
  write_text(path, "new", true);
  CHECK(kit::slurp(path) == "new");
  CHECK(folder.count() == 1);
}

TEST_CASE("a replaced file keeps its mode, a link keeps pointing to its target", "[data]") {
  const kit::TemporaryFolder folder;
  write_text(folder.file("real"), "old", false);
  ::chmod(folder.file("real").c_str(), 0640);
  std::filesystem::create_symlink("real", folder.file("link"));

  write_text(folder.file("link"), "new", true);

  CHECK(std::filesystem::is_symlink(folder.file("link")));
  CHECK(kit::slurp(folder.file("real")) == "new");
  struct stat info;
  REQUIRE(::stat(folder.file("real").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0640);
}

TEST_CASE("targets that cannot be written are refused with the system's reason", "[data]") {
  const kit::TemporaryFolder folder;

  CHECK_CONTAINS(message_of<ResourceError>([&] { write_text(folder.file("absent/a"), "x", false); }), "No such file");
  CHECK_CONTAINS(message_of<ConfigError>([&] { write_text(folder.path(), "x", true); }), "is a folder");
  CHECK_CONTAINS(message_of<ConfigError>([&] { write_text("/dev/null", "x", true); }), "not a regular file");
  CHECK_CONTAINS(message_of<ConfigError>([&] { write_text("", "x", true); }), "empty");
  write_text(folder.file("plain"), "x", false);
  CHECK_THROWS_AS(write_text(folder.file("plain/a"), "x", false), ResourceError);
  if (::geteuid() != 0) {  // root may write anywhere
    ::chmod(folder.path().c_str(), 0500);
    CHECK_CONTAINS(message_of<ResourceError>([&] { write_text(folder.file("a"), "x", false); }), "Permission denied");
    ::chmod(folder.path().c_str(), 0700);
  }
}

TEST_CASE("a full disk gives ResourceError, no half-written file, and the old file stays", "[data]") {
  const kit::TemporaryFolder folder;
  const Dataset data = make_strokes(300, 0, 1);
  StateDict state;
  state.set("a", NdArray<double>{{20000}, std::vector<double>(20000)});
  for (int i = 0; i < 20000; ++i)
    std::get<NdArray<double>>(const_cast<StateDict::Value&>(state.at("a"))).values[i] = 1.0 / (i + 1);
  std::vector<std::string> names = {"a.npz", "a.idx", "a.png", "a.txt"};
  if (NTKROB_TEST_HDF5) names.insert(names.end(), {"a.h5", "state.h5"});
  const auto save = [&](const std::string& name) {
    const std::string path = folder.file(name);
    if (name == "state.h5") return save_state(state, "ntkrob.model/1", path, true);
    if (name == "a.txt") return write_text(path, std::string(100000, 'x'), true);
    save_dataset(data, path, true);
  };
  write_text(folder.file("a.txt"), "old", false);

  for (const std::string& name : names)
    for (const rlim_t limit : {rlim_t{0}, rlim_t{3000}, rlim_t{20000}}) {
      INFO(name << " with at most " << limit << " bytes");
      std::string message;
      {
        const FileSizeLimit full(limit);
        try {
          save(name);
          message = "no error";
        } catch (const ResourceError& error) {
          message = error.what();
        }
      }
      CHECK_CONTAINS(message, "File too large");
      CHECK(folder.count() == 1);
      CHECK(kit::slurp(folder.file("a.txt")) == "old");
    }
}

TEST_CASE("what ends a process can remove its unfinished outputs, and finished ones stay", "[data]") {
  const kit::TemporaryFolder folder;
  io::write_whole(folder.file("done.bin"), "done", 4, false);
  io::AtomicFile first(folder.file("a.bin"), false), second(folder.file("b.bin"), false);
  REQUIRE(std::filesystem::exists(first.temporary()));
  remove_temporary_files();
  CHECK_FALSE(std::filesystem::exists(first.temporary()));
  CHECK_FALSE(std::filesystem::exists(second.temporary()));
  CHECK(std::filesystem::exists(folder.file("done.bin")));
}
