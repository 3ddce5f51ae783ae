/// Memory and open files that are missing are not called a fault of the file; what is said to be empty and is not, what
/// stands behind gzip data, and numbers that float32 does not hold are named as they are.
#include "shortage.hpp"

#include <hdf5.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>

#include "data/data_kit.hpp"
#include "hdf5_file.hpp"
#include "npy.hpp"

using namespace ntkrob;
using kit::message_of;

namespace {

/// The error class that f throws: 0 none, else its exit code; its message goes to `message`.
template <class F>
int code_of(const F& f, std::string& message) {
  try {
    f();
  } catch (const Error& error) {
    message = error.what();
    return error.exit_code();
  }
  message.clear();
  return 0;
}

/// A limit of open files while it lives: `more` beyond those that are open.
class OpenFiles {
 public:
  explicit OpenFiles(int more) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit limit = before_;
    const int lowest = ::dup(STDERR_FILENO);
    ::close(lowest);
    limit.rlim_cur = static_cast<rlim_t>(lowest + more);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  ~OpenFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  OpenFiles(const OpenFiles&) = delete;

 private:
  rlimit before_;
};

std::string packed(const std::string& content) {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("a.gz");
  gzFile file = ::gzopen(path.c_str(), "wb");
  REQUIRE(::gzwrite(file, content.data(), static_cast<unsigned>(content.size())) == static_cast<int>(content.size()));
  ::gzclose(file);
  return kit::slurp(path);
}

void write_doubles(const std::string& path, const std::vector<double>& pixels, hsize_t d,
                   const std::vector<double>& labels) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hsize_t n = labels.size(), extents[2] = {n, d};
  for (const bool x : {true, false}) {
    const hid_t space = H5Screate_simple(x ? 2 : 1, x ? extents : &n, nullptr);
    const hid_t set =
        H5Dcreate2(file, x ? "x_train" : "y_train", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, x ? pixels.data() : labels.data());
    H5Dclose(set);
    H5Sclose(space);
  }
  H5Fclose(file);
}

}  // namespace

TEST_CASE("memory that the HDF5 library does not get is not called damage", "[data][shortage]") {
  const io::Session session;
  const auto fails_with = [&](hid_t minor, const char* reason, std::string& message) {
    H5Eclear2(H5E_DEFAULT);
    H5Epush2(H5E_DEFAULT, __FILE__, "f", __LINE__, H5E_ERR_CLS, H5E_RESOURCE, minor, "%s", reason);
    const int code = code_of([] { io::fail("a.h5: x", "cannot read the values"); }, message);
    H5Eclear2(H5E_DEFAULT);
    return code;
  };
  std::string said;
  CHECK(fails_with(H5E_NOSPACE, "memory allocation failed for deflate uncompression", said) == 5);
  CHECK_CONTAINS(said, "memory is missing");
  CHECK(said.find("damaged") == std::string::npos);
  CHECK(fails_with(H5E_CANTALLOC, "can't get space", said) == 5);
  CHECK(fails_with(H5E_CANTOPENFILE, "unable to open file: name = 'a.h5', errno = 24, error message = ''", said) == 5);
  CHECK_CONTAINS(said, "ulimit -n");
  CHECK(fails_with(H5E_CANTOPENFILE, "unable to open file: name = 'a.h5', errno = 2, error message = ''", said) == 3);
  CHECK(fails_with(H5E_READERROR, "inflate() failed", said) == 3);
  CHECK_CONTAINS(said, "damaged");
}

TEST_CASE("missing open files are a shortage in every format, and no fault of the input", "[data][shortage]") {
  const kit::TemporaryFolder folder;
  const Dataset strokes = make_strokes(20, 10, 3);
  for (const char* name : {"a.h5", "a.npz", "a.idx"}) save_dataset(strokes, folder.file(name), SaveOptions());
  write_doubles(folder.file("foreign.h5"), {0, 1, 0.5, 0.25}, 2, {0, 1});
  const std::string table = "0.5,0.25,a\n0.1,0.3,b\n0.2,0.4,a\n";
  kit::spill(folder.file("t.csv"), table);
  kit::spill(folder.file("t.csv.gz"), packed(table));
  std::filesystem::create_directories(folder.file("png/x"));
  save_dataset(strokes, folder.file("png/x/1.png"), SaveOptions());
  ReadOptions options;
  options.value_range = "0:255";
  for (const auto& inputs : std::vector<std::vector<std::string>>{
           {folder.file("a.h5")},
           {folder.file("a.npz")},
           {folder.file("a-train-images-idx3-ubyte"), folder.file("a-train-labels-idx1-ubyte")},
           {folder.file("foreign.h5")},
           {folder.file("t.csv")},
           {folder.file("t.csv.gz")},
           {folder.file("png")}}) {
    int refused = 0, last = -1;
    for (int more = 0; more < 12; ++more) {
      std::string said;
      const OpenFiles limit(more);
      last = code_of([&] { open_dataset(inputs, options); }, said);
      INFO(inputs[0] << " with " << more << " files: " << said);
      if (last == 2 || last == 0) continue;  // options that do not fit: it was read
      CHECK(last == 5);
      CHECK_CONTAINS(said, "ulimit -n");
      ++refused;
    }
    INFO(inputs[0]);
    CHECK(refused > 0);
    CHECK((last == 0 || last == 2));
  }
}

TEST_CASE("the system's errors are told apart", "[data][shortage]") {
  std::string said;
  for (const int error : {EMFILE, ENFILE, ENOMEM})
    CHECK(code_of([&] { io::fail_system("f", "cannot be read", error); }, said) == 5);
  for (const int error : {ENOENT, EACCES, EIO, EISDIR})
    CHECK(code_of([&] { io::fail_system("f", "cannot be read", error); }, said) == 3);
}

#ifdef __linux__
TEST_CASE("a file that is said to be empty and is not is refused, not read as empty", "[data][shortage]") {
  std::string said;
  for (const char* path : {"/proc/self/environ", "/proc/cpuinfo", "/proc/self/status"}) {
    CHECK(code_of([&] { read_small_text_file(path, 1 << 20); }, said) == 3);
    CHECK_CONTAINS(said, "0 bytes, but holds some");
    CHECK(code_of([&] { read_bytes(path); }, said) == 3);
    CHECK(code_of([&] { open_dataset({path}); }, said) == 3);
  }
  const kit::TemporaryFolder folder;
  kit::spill(folder.file("empty"), "");
  CHECK(read_small_text_file(folder.file("empty"), 10).empty());
}
#endif

TEST_CASE("what follows gzip data is another member, zeros, or an error", "[data][shortage]") {
  const kit::TemporaryFolder folder;
  const std::string a = "0.5,0.25,a\n0.1,0.3,b\n0.4,0.6,b\n", b = "0.2,0.4,a\n", path = folder.file("t.csv.gz");
  const auto rows = [&](const std::string& bytes) {
    kit::spill(path, bytes);
    return open_dataset({path}).train.n;
  };
  CHECK(rows(packed(a)) == 3);
  CHECK(rows(packed(a) + packed(b)) == 4);
  CHECK(rows(packed(a) + packed("") + packed(b)) == 4);
  CHECK(rows(packed(a) + std::string(1000, char{})) == 3);
  std::string said;
  for (const std::string& garbage : {std::string("x"), std::string("\0\0x", 3), std::string(300000, 'y'), b,
                                     std::string("\x1f"), std::string("\x1f\x8b"), packed(b).substr(0, 15)}) {
    CHECK(code_of([&] { rows(packed(a) + garbage); }, said) == 3);
    INFO(said);
    CHECK(said.find("<fd") == std::string::npos);
    CHECK((said.find("trailing garbage") != std::string::npos || said.find("damaged or cut off") != std::string::npos));
  }
  const std::string cut = packed(a);
  CHECK(code_of([&] { rows(cut.substr(0, cut.size() - 3)); }, said) == 3);
  CHECK_CONTAINS(said, "cut off");
  CHECK(said.find("<fd") == std::string::npos);
}

TEST_CASE("numbers that float32 does not hold are refused as they stand in the file", "[data][shortage]") {
  const kit::TemporaryFolder folder;
  const auto refused = [&](const std::vector<std::string>& inputs) {
    std::string said;
    CHECK(code_of([&] { open_dataset(inputs); }, said) == 3);
    INFO(inputs[0] << ": " << said);
    CHECK(said.find("1e+300") != std::string::npos);
    CHECK(said.find("inf") == std::string::npos);
  };
  const std::vector<double> good{0, 1, 0.5, 0.25, 0.75, 1}, labels{0, 1, 0};
  for (const std::size_t at : {0, 3, 5})
    for (const double sign : {1., -1.}) {
      std::vector<double> pixels = good;
      pixels[at] = sign * 1e300;
      write_doubles(folder.file("p.h5"), pixels, 2, labels);
      refused({folder.file("p.h5")});
      kit::spill(folder.file("X.npy"), io::npy("<f8", {3, 2}, pixels.data(), sizeof(double) * 6));
      kit::spill(folder.file("y.npy"), io::npy("<f8", {3}, labels.data(), sizeof(double) * 3));
      refused({folder.file("X.npy"), folder.file("y.npy")});
    }
  std::vector<double> wrong = labels;
  wrong[1] = 1e300;
  write_doubles(folder.file("l.h5"), good, 2, wrong);
  refused({folder.file("l.h5")});
  for (const char* table :
       {"0.5,1e300,a\n0.1,0.3,b\n", "a,b,label\n1e300,0.5,0\n0.1,0.3,1\n", "x,label\n0.5,1e300\n0.1,1.5\n"}) {
    kit::spill(folder.file("t.csv"), table);
    refused({folder.file("t.csv")});
  }
  for (const char* table : {"0 1:1e300\n1 1:0.5\n", "1e300 1:0.5\n1 1:0.5\n"}) {
    kit::spill(folder.file("t.libsvm"), table);
    refused({folder.file("t.libsvm")});
  }
  // What is infinite in the file is called so.
  std::vector<double> infinite = good;
  infinite[2] = INFINITY;
  write_doubles(folder.file("i.h5"), infinite, 2, labels);
  CHECK_CONTAINS(message_of<IoError>([&] { open_dataset({folder.file("i.h5")}); }), "inf");
}
