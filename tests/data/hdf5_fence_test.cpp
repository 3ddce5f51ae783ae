/// What stands between the HDF5 library and files of others: child processes, limits, links. Most files here are sound;
/// the guards are met by limits that a sound file exceeds, and by files that the library reads without harm. Longer
/// than 400 lines, for one set of helpers makes them all.
#include <dirent.h>
#include <hdf5.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/inotify.h>
#endif

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "data/data_kit.hpp"
#include "hdf5_screen.hpp"
#include "ntkrob/base/state_dict.hpp"
#include "ntkrob/data/temporary_files.hpp"
#include "packing.hpp"

using namespace ntkrob;
using kit::message_of;

namespace {

/// Closes identifiers at the end.
struct Id {
  hid_t id;
  operator hid_t() const { return id; }
  ~Id() {
    switch (H5Iget_type(id)) {
      case H5I_FILE:
        H5Fclose(id);
        break;
      case H5I_DATATYPE:
        H5Tclose(id);
        break;
      case H5I_DATASPACE:
        H5Sclose(id);
        break;
      case H5I_GENPROP_LST:
        H5Pclose(id);
        break;
      default:
        H5Oclose(id);
    }
  }
};

hid_t create(const std::string& path) { return H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT); }

hid_t line(hsize_t n) { return H5Screate_simple(1, &n, nullptr); }

void add_numbers(hid_t file, const char* name, std::vector<hsize_t> extents, hid_t type, const void* values) {
  const Id space{H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr)};
  const Id set{H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)};
  REQUIRE(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
}

/// Six images with texts of variable length as labels, and the names of the classes as such texts in an attribute.
std::string text_file(const kit::TemporaryFolder& folder) {
  const std::string path = folder.file("texts.h5");
  const Id file{create(path)}, type{H5Tcopy(H5T_C_S1)};
  H5Tset_size(type, H5T_VARIABLE);
  const char* labels[] = {"cat", "dog", "ant", "cat", "dog", "ant"};
  const char* names[] = {"ant", "cat", "dog"};
  std::vector<float> pixels(6 * 4, 0.5f);
  pixels[0] = 0;
  pixels[1] = 1;
  add_numbers(file, "x_train", {6, 4}, H5T_NATIVE_FLOAT, pixels.data());
  const Id six{line(6)}, three{line(3)};
  const Id set{H5Dcreate2(file, "y_train", type, six, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)};
  H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels);
  const hid_t attribute = H5Acreate2(file, "class_names", type, three, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, type, names);
  H5Aclose(attribute);
  return path;
}

/// `depth` groups in a row, each of which has the next one under two names: 2^depth ways to the last.
void add_fan(hid_t file, int depth) {
  hid_t at = H5Gopen2(file, "/", H5P_DEFAULT);
  for (int i = 0; i < depth; ++i) {
    const hid_t next = H5Gcreate2(at, "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(at, "a", at, "b", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(at);
    at = next;
  }
  H5Lcreate_hard(file, "/", at, "cycle", H5P_DEFAULT, H5P_DEFAULT);
  H5Gclose(at);
}

void add_schema(hid_t file, const char* schema) {
  const Id type{H5Tcopy(H5T_C_S1)}, space{H5Screate(H5S_SCALAR)};
  H5Tset_size(type, std::strlen(schema));
  const hid_t attribute = H5Acreate2(file, "ntkrob_schema", type, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, type, schema);
  H5Aclose(attribute);
}

long open_descriptors() {
  long n = 0;
  if (DIR* folder = ::opendir("/proc/self/fd")) {
    while (::readdir(folder) != nullptr) ++n;
    ::closedir(folder);
  }
  return n;
}

bool has_children() { return ::waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD; }

double seconds_of(const std::function<void()>& f) {
  const auto begin = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

TEST_CASE("an array without chunks is stored as a whole", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("short.h5");
  constexpr std::uint64_t kRows = 1237;  // a number that stands nowhere else in the file
  {
    const std::vector<float> x(kRows, 0.5f);
    const std::vector<int> y(kRows + 1, 0);
    const Id file{create(path)};
    add_numbers(file, "x_train", {kRows, 1}, H5T_NATIVE_FLOAT, x.data());
    add_numbers(file, "y_train", {kRows + 1}, H5T_NATIVE_INT, y.data());
  }
  // One row more in the shape: its bytes are those of what lies behind in the file.
  std::string bytes = kit::slurp(path);
  const auto of = [](std::uint64_t n) { return std::string(reinterpret_cast<const char*>(&n), sizeof n); };
  int places = 0;
  for (std::size_t at = 0; (at = bytes.find(of(kRows), at)) != std::string::npos; ++places)
    bytes.replace(at, sizeof kRows, of(kRows + 1));
  REQUIRE(places >= 1);
  kit::spill(path, bytes);
  CHECK_CONTAINS(message_of([&] { open_dataset({path}); }), "the shape needs 4952 bytes, but the file stores 4948");
}

TEST_CASE("a chunk that unpacks to another size than its shape's is refused, packed or not", "[data]") {
  const kit::TemporaryFolder folder;
  // Longer ones alone, which the library takes without harm.
  constexpr std::size_t kRows = 8, kBytes = 4 * kRows;
  for (const bool packed : {false, true})
    for (const std::size_t more : {std::size_t{0}, std::size_t{4}}) {
      const std::string path = folder.file("chunk.h5");
      {
        const std::vector<int> y(kRows, 0);
        std::string content(kBytes + more, '\0');
        const float one = 1;
        std::memcpy(content.data(), &one, sizeof one);
        std::string stored = content;
        if (packed) {
          const auto deflated = io::deflated(content, "the chunk");
          if (!deflated) continue;  // a build without zlib
          // What zlib writes around deflate: a head, and a sum.
          std::uint32_t a = 1, b = 0;
          for (const char c : content) a = (a + static_cast<unsigned char>(c)) % 65521, b = (b + a) % 65521;
          stored = "\x78\x01" + *deflated;
          for (const std::uint32_t byte : {b >> 8, b & 255, a >> 8, a & 255}) stored += static_cast<char>(byte);
        }
        const hsize_t shape[] = {kRows, 1}, start[] = {0, 0};
        const Id file{create(path)}, space{H5Screate_simple(2, shape, nullptr)},
            properties{H5Pcreate(H5P_DATASET_CREATE)};
        H5Pset_chunk(properties, 2, shape);
        H5Pset_deflate(properties, 1);
        const Id set{H5Dcreate2(file, "x_train", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, properties, H5P_DEFAULT)};
        REQUIRE(H5Dwrite_chunk(set, H5P_DEFAULT, packed ? 0 : 1, start, stored.size(), stored.data()) >= 0);
        add_numbers(file, "y_train", {kRows}, H5T_NATIVE_INT, y.data());
      }
      INFO((packed ? "packed, " : "as it is, ") << more << " bytes more");
      if (more == 0) {
        CHECK(open_dataset({path}).train.pixels.data()[0] == 1);
        continue;
      }
      CHECK_CONTAINS(message_of([&] { open_dataset({path}); }), "its shape 32; the file is damaged");
      CHECK_CONTAINS(message_of([&] { load_arrays(path); }), "its shape 32; the file is damaged");
    }
}

TEST_CASE("a chunk cannot claim more bytes than its file has", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("claims.h5");
  std::string key(32, '\0');  // of the one chunk: its bytes, filters that were left out, where it begins
  {
    std::vector<float> x(64 * 16);
    for (std::size_t k = 0; k < x.size(); ++k) x[k] = static_cast<float>(k % 37) / 36;
    const std::vector<int> y(64, 0);
    const hsize_t shape[] = {64, 16};
    const Id file{create(path)}, space{H5Screate_simple(2, shape, nullptr)}, properties{H5Pcreate(H5P_DATASET_CREATE)};
    H5Pset_chunk(properties, 2, shape);
    H5Pset_deflate(properties, 1);
    const Id set{H5Dcreate2(file, "x_train", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, properties, H5P_DEFAULT)};
    REQUIRE(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x.data()) >= 0);
    add_numbers(file, "y_train", {64}, H5T_NATIVE_INT, y.data());
    const auto size = static_cast<std::uint32_t>(H5Dget_storage_size(set));
    std::memcpy(key.data(), &size, sizeof size);
  }
  CHECK(open_dataset({path}).train.n == 64);
  std::string bytes = kit::slurp(path);
  const std::size_t at = bytes.find(key);
  REQUIRE(at != std::string::npos);
  REQUIRE(bytes.find(key, at + 1) == std::string::npos);
  for (const std::uint32_t claimed : {std::uint32_t{1} << 30, static_cast<std::uint32_t>(bytes.size() + 1)}) {
    std::memcpy(bytes.data() + at, &claimed, sizeof claimed);
    kit::spill(path, bytes);
    CHECK_CONTAINS(message_of([&] { open_dataset({path}); }), "claims to store");
    CHECK_CONTAINS(message_of([&] { load_arrays(path); }), "claims to store");
  }
}

TEST_CASE("a child process gives its answer or says how it ended, and leaves nothing behind", "[data][child]") {
  const long descriptors = open_descriptors();
  io::ChildLimits limits;
  limits.cpu_seconds = 1;
  const std::string large(3000000, 'x');

  CHECK(io::run_in_child([&] { return large; }, limits).content == large);
  CHECK(io::run_in_child([]() -> std::string { throw IoError("the reason"); }, limits).error == "the reason");
  const auto fails = []() -> std::string { throw IoError(text("give ", field("memory"))); };
  CHECK(IoError(io::run_in_child(fails, limits).error).field() == "memory");
  CHECK_CONTAINS(io::run_in_child([]() -> std::string { std::abort(); }, limits).failure, "crashed");
  CHECK_CONTAINS(io::run_in_child([]() -> std::string { ::_exit(0); }, limits).failure, "crashed");
  CHECK(io::run_in_child(
            []() -> std::string {
              for (volatile long i = 0;; i = i + 1) {
              }
            },
            limits)
            .failure == "took more than 1 s");
  limits.wall_seconds = 0.2;
  CHECK(io::run_in_child(
            [] {
              std::this_thread::sleep_for(std::chrono::seconds(100));
              return std::string();
            },
            limits)
            .failure == "took more than 0.2 s");
  limits.wall_seconds = 60;
  limits.answer_bytes = 1 << 20;
  CHECK(io::run_in_child([&] { return large; }, limits).failure == "gave more than 1 MiB");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  limits.memory_bytes = 32 << 20;
  const auto take = [] { return std::string(std::size_t{256} << 20, 'x').substr(0, 1); };
  CHECK(io::run_in_child(take, limits).failure == "needed more than 32 MiB of memory");
#endif
  CHECK(open_descriptors() == descriptors);
  CHECK_FALSE(has_children());
}

TEST_CASE("a child process writes nothing of its parent twice and knows none of its signals", "[data][child]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("log");
  std::FILE* log = std::fopen(path.c_str(), "w");
  std::fputs("once", log);
  static std::atomic<int> handled{0};
  handled = 0;
  const auto before = std::signal(SIGTERM, [](int) { handled = 1; });

  CHECK_CONTAINS(io::run_in_child(
                     []() -> std::string {
                       std::raise(SIGTERM);
                       return handled != 0 ? "handled" : "not ended";
                     },
                     {})
                     .failure,
                 "signal 15");

  std::signal(SIGTERM, before);
  std::fclose(log);
  CHECK(kit::slurp(path) == "once");
  CHECK(handled == 0);
}

TEST_CASE("the handler of a signal ends the child processes that run", "[data][child]") {
  std::string failure;
  const auto begin = std::chrono::steady_clock::now();
  std::thread waiting([&] {
    failure = io::run_in_child(
                  []() -> std::string {
                    std::this_thread::sleep_for(std::chrono::seconds(100));
                    return "slept";
                  },
                  {})
                  .failure;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  end_child_processes();
  waiting.join();
  CHECK(failure == "crashed (signal 9)");
  CHECK(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() < 10);
  end_child_processes();  // of nobody
  CHECK(io::run_in_child([] { return std::string("next"); }, {}).content == "next");
  CHECK(!has_children());
}

TEST_CASE("child processes work beside threads that take memory", "[data][child]") {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      while (!stop) std::string(1000, 'x').shrink_to_fit();
    });

  for (int i = 0; i < 50; ++i)
    CHECK(io::run_in_child([] { return std::string(5000, 'y'); }, {}).content.size() == 5000);

  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST_CASE("texts of variable length are read, in a child process alone", "[data][child]") {
  const kit::TemporaryFolder folder;
  const std::string path = text_file(folder);

  const Dataset data = open_dataset({path});

  CHECK(data.class_names == std::vector<std::string>{"ant", "cat", "dog"});
  CHECK(data.train.labels == std::vector<int>{1, 2, 0, 1, 2, 0});
  CHECK_FALSE(has_children());
}

TEST_CASE("a file on which the library takes too much is one line", "[data][child]") {
  const kit::TemporaryFolder folder;
  const std::string path = text_file(folder);
  io::ChildLimits none, little;
  none.wall_seconds = 0;
  little.answer_bytes = 10;

  CHECK_CONTAINS(message_of([&] { io::screen(path, none); }), path + ": the HDF5 library (");
  CHECK_CONTAINS(message_of([&] { io::screen(path, none); }), "took more than 0 s when it looked at this file");
  CHECK_CONTAINS(message_of([&] { io::screen(path, little); }), "gave more than 0 MiB");
  const auto screened = io::screen(path);
  CHECK_CONTAINS(message_of([&] { io::variable_texts(*screened, "y_train", path + ": y_train", none); }),
                 "y_train: the HDF5 library (");
  CHECK_FALSE(has_children());
}

TEST_CASE("a group with many names is read once", "[data][links]") {
  const kit::TemporaryFolder folder;
  const std::string plain = folder.file("plain.h5"), state = folder.file("state.h5");
  {
    const Id file{create(plain)};
    const std::vector<float> x{0, 1, 0.5f, 0.25f};
    const std::vector<int> y{0, 1};
    add_numbers(file, "x_train", {2, 2}, H5T_NATIVE_FLOAT, x.data());
    add_numbers(file, "y_train", {2}, H5T_NATIVE_INT, y.data());
    add_fan(file, 30);
    const Id other{create(state)};
    add_schema(other, "ntkrob.model/1");
    add_fan(other, 30);
  }

  Dataset data;
  CHECK(seconds_of([&] { data = open_dataset({plain}); }) < 5);
  CHECK(data.train.n == 2);
  REQUIRE(!data.notes.empty());
  std::string notes;
  for (const std::string& note : data.notes) notes += note + "; ";
  CHECK_CONTAINS(notes, "another name of the group a");
  CHECK(seconds_of([&] {
          CHECK_CONTAINS(message_of([&] { load_state(state, "ntkrob.model/1"); }), "is another name of the group");
        }) < 5);
  CHECK_CONTAINS(message_of([&] { load_arrays(state); }), "is another name of the group");
}

TEST_CASE("what arrays claim beyond what is stored is counted for the file", "[data][bombs]") {
  if (H5Zfilter_avail(H5Z_FILTER_SCALEOFFSET) <= 0) return;
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("constant.h5");
  constexpr hsize_t kCount = 10000000;  // 40 MB each, of which a few bytes are stored
  {
    const Id file{create(path)}, space{line(kCount)}, properties{H5Pcreate(H5P_DATASET_CREATE)};
    const hsize_t chunk = kCount;
    H5Pset_chunk(properties, 1, &chunk);
    H5Pset_scaleoffset(properties, H5Z_SO_INT, H5Z_SO_INT_MINBITS_DEFAULT);
    H5Pset_deflate(properties, 4);
    const std::vector<int> values(kCount, 7);
    for (const char* name : {"a", "b"}) {
      const Id set{H5Dcreate2(file, name, H5T_STD_I32LE, space, H5P_DEFAULT, properties, H5P_DEFAULT)};
      REQUIRE(H5Dwrite(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
    }
  }

  const std::string message = message_of([&] { load_arrays(path); });

  CHECK_CONTAINS(message, "constant.h5: b: the shape needs 40000000 bytes, but the file stores only");
  CHECK_CONTAINS(message, "other arrays of 40000000 bytes together");
}

TEST_CASE("filters are not looked for outside the library while a file is read", "[data]") {
  unsigned before = 0, inside = 1, after = 0;
  H5PLget_loading_state(&before);
  {
    const io::Session session;
    H5PLget_loading_state(&inside);
  }
  H5PLget_loading_state(&after);

  CHECK(inside == 0);
  CHECK(after == before);
}

#ifdef __linux__
TEST_CASE("no file is opened because another one names it", "[data][links]") {
  const kit::TemporaryFolder folder, elsewhere;
  const std::string path = folder.file("pointing.h5"), other = elsewhere.file("other.h5");
  const std::vector<float> x{0, 1, 0.5f, 0.25f};
  const std::vector<int> y{0, 1};
  {
    const Id file{create(other)};
    const hsize_t now[] = {2, 2}, most[] = {H5S_UNLIMITED, 2};
    const Id space{H5Screate_simple(2, now, most)}, properties{H5Pcreate(H5P_DATASET_CREATE)};
    H5Pset_chunk(properties, 2, now);
    const Id set{H5Dcreate2(file, "x", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, properties, H5P_DEFAULT)};
    H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x.data());
    kit::spill(elsewhere.file("raw"), std::string(16, '\0'));
  }
  {
    const Id file{create(path)};
    add_numbers(file, "y_train", {2}, H5T_NATIVE_INT, y.data());
    // A virtual dataset as long as its source.
    const hsize_t now[] = {2, 2}, most[] = {H5S_UNLIMITED, 2}, start[] = {0, 0}, count[] = {H5S_UNLIMITED, 2};
    const Id space{H5Screate_simple(2, now, most)}, source{H5Screate_simple(2, now, most)};
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, nullptr, count, nullptr);
    H5Sselect_hyperslab(source, H5S_SELECT_SET, start, nullptr, count, nullptr);
    const Id made_of{H5Pcreate(H5P_DATASET_CREATE)}, outside{H5Pcreate(H5P_DATASET_CREATE)};
    REQUIRE(H5Pset_virtual(made_of, space, other.c_str(), "x", source) >= 0);
    H5Dclose(H5Dcreate2(file, "x_train", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, made_of, H5P_DEFAULT));
    const Id four{line(4)};
    H5Pset_external(outside, elsewhere.file("raw").c_str(), 0, 16);
    H5Dclose(H5Dcreate2(file, "raw", H5T_NATIVE_FLOAT, four, H5P_DEFAULT, outside, H5P_DEFAULT));
    H5Lcreate_external(other.c_str(), "/x", file, "linked", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/linked", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/linked/deeper", file, "deeper", H5P_DEFAULT, H5P_DEFAULT);
  }
  const int watch = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  REQUIRE(::inotify_add_watch(watch, elsewhere.path().c_str(), IN_OPEN | IN_ACCESS) >= 0);

  CHECK_CONTAINS(message_of([&] { open_dataset({path}); }), "its data lie in another file");
  CHECK_CONTAINS(message_of([&] { load_arrays(path); }), "links are not followed");
  ReadOptions soft;
  soft.x = "soft";
  soft.y = "y_train";
  CHECK_CONTAINS(message_of<ConfigError>([&] { open_dataset({path}, soft); }), "linked, a link to another file");

  char events[4096];
  CHECK(::read(watch, events, sizeof events) < 0);  // nobody opened anything there
  ::close(watch);
}
#endif
