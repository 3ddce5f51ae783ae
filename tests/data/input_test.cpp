#include <filesystem>
#include <fstream>

#include "data/data_kit.hpp"

using namespace ntkrob;
using kit::message_of;

namespace {

std::string big_endian(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  return out;
}

std::string idx(char type, std::initializer_list<std::uint32_t> extents, std::size_t n_bytes) {
  std::string out = {0, 0, type, static_cast<char>(extents.size())};
  for (const std::uint32_t extent : extents) out += big_endian(extent);
  return out + std::string(n_bytes, '\1');
}

}  // namespace

TEST_CASE("bad IDX files are refused with offset, value and limit", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string images = folder.file("train-images-idx3-ubyte"), labels = folder.file("train-labels-idx1-ubyte");
  const auto error = [&](const std::string& x, const std::string& y) {
    kit::spill(images, x);
    kit::spill(labels, y);
    return message_of([&] { open_dataset({images, labels}); });
  };
  const std::string x = idx(8, {2, 3, 3}, 18), y = idx(8, {2}, 2);

  kit::spill(images, x);
  kit::spill(labels, y);
  CHECK_NOTHROW(open_dataset({images, labels}));
  CHECK_CONTAINS(error("\1" + x.substr(1), y), "offset 0: starts with bytes 1, 0");
  CHECK_CONTAINS(error(idx(10, {2, 3, 3}, 18), y), "offset 2: element type 10");
  CHECK_CONTAINS(error(idx(8, {2, 3, 3}, 17), y),
                 "that is 34 bytes, but the file can hold at most 33");  // 16 header bytes and 18 pixels
  CHECK_CONTAINS(error(idx(8, {2, 3, 3}, 19), y), "more data after the 34 bytes");
  CHECK_CONTAINS(error(idx(8, {2000000000, 2000, 2000}, 18), y), "2^47");
  CHECK_CONTAINS(error(idx(8, {2000000, 3, 3}, 18), y), "can hold at most 34");
  CHECK_CONTAINS(error(x.substr(0, 9), y), "cut off");
  CHECK_CONTAINS(error("", y), images);
  CHECK_CONTAINS(error(x, idx(8, {3}, 3)), "3 labels for 2 images");
  CHECK_CONTAINS(error(y, y), "this looks like labels");
  CHECK_CONTAINS(error(x, x), "this looks like images");
}

TEST_CASE("a header that promises more than gzip can hold is refused before memory is taken", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string source = kit::slurp(NTKROB_FIXTURES_DIR "/train-images-idx3-ubyte.gz");
  const std::string images = folder.file("train-images-idx3-ubyte.gz");
  kit::spill(images, source.substr(0, source.size() / 2));
  kit::spill(folder.file("train-labels-idx1-ubyte.gz"), kit::slurp(NTKROB_FIXTURES_DIR "/train-labels-idx1-ubyte.gz"));

  const std::string message = message_of([&] { open_dataset({folder.path()}); });

  CHECK_CONTAINS(message, images);
  CHECK_CONTAINS(message, "unexpected end of file");
}

TEST_CASE("bad CIFAR batches are refused", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("data_batch_1.bin");
  const auto error = [&](const std::string& content) {
    kit::spill(path, content);
    return message_of([&] { open_dataset({path}); });
  };

  CHECK_CONTAINS(error(std::string(3072, '\0')), "3072 bytes are no multiple of 3073");
  CHECK_CONTAINS(error(std::string(3073, '\12')), "offset 0: label 10 of record 0, must be below 10");
  CHECK_CONTAINS(error(std::string(3074, '\144')), "offset 1: label 100");
  CHECK_CONTAINS(error(""), "0 bytes");
}

TEST_CASE("bad CSV files are refused with line and column", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("a.csv");
  const auto error = [&](const std::string& content) {
    kit::spill(path, content);
    return message_of([&] { open_dataset({path}); });
  };

  CHECK_CONTAINS(error("0,1,2\n1,2\n"), "line 2: 2 columns, the first line has 3");
  CHECK_CONTAINS(error("0,1,2\n1,x,3\n"), "line 2, column 2: \"x\" is not a number");
  CHECK_CONTAINS(error("label,a,b\n0,1,2\n1,,3\n"), "line 3, column 2 (a): \"\" is not a number");
  CHECK_CONTAINS(error("label,a,b\n0,1,0\n-1,1,1\n"), "label 1 is -1");
  CHECK_CONTAINS(error("label,a,b\n0,1,0\n0.5,1,1\n"), "label 1 is 0.5");
  CHECK_CONTAINS(error("0,1,2\n1,nan,3\n"), "line 2, column 2: pixel is nan");
  CHECK_CONTAINS(error("0,1,2\n1,1e999,3\n"), "line 2, column 2");
  CHECK_CONTAINS(error("0,-1.5,2\n1,4,3\n"), "[-1.5, 4]");
  CHECK_CONTAINS(error("label,a,b\n"), "holds no samples");
  CHECK_CONTAINS(error("5\n6\n"), "one column");
  CHECK_CONTAINS(error(""), path);
}

TEST_CASE("bad PNG folders are refused with the file and libpng's reason", "[data]") {
  const kit::TemporaryFolder folder;
  const Dataset data = make_strokes(2, 0, 1);
  std::filesystem::create_directory(folder.file("a"));
  const std::string first = folder.file("a/0.png"), second = folder.file("a/1.png");
  write_png_grid(first, data.images("train").view().middle_rows(0, 1), data.shape, 1, 1, false);
  const std::string good = kit::slurp(first);
  const auto error = [&](const std::string& content) {
    kit::spill(second, content);
    return message_of([&] { open_dataset({folder.path()}); });
  };

  CHECK_CONTAINS(error("no picture"), second + ": does not start with the PNG signature");
  CHECK_CONTAINS(error(good.substr(0, good.size() / 2)), "PNG data damaged (");
  CHECK_CONTAINS(error(good.substr(0, 20)), "PNG data damaged (");
  write_png_grid(second, data.images("train").view(), data.shape, 2, 1, true);
  CHECK_CONTAINS(message_of([&] { open_dataset({folder.path()}); }), "all pictures must have one size");
  CHECK_CONTAINS(message_of([&] { open_dataset({first}); }), "a single picture is no data set");
}

TEST_CASE("inputs that are no data set say what is wrong", "[data]") {
  const kit::TemporaryFolder folder;
  kit::spill(folder.file("a.xyz"), "\1\2\3");
  kit::spill(folder.file("a.csv"), "0,1,2\n");

  CHECK_CONTAINS(message_of([&] { open_dataset({folder.file("absent.h5")}); }), "No such file");
  CHECK_CONTAINS(message_of([&] { open_dataset({folder.file("a.xyz")}); }), "not recognised by content or extension");
  CHECK_CONTAINS(message_of([&] { open_dataset({folder.path()}); }), "not recognised");
  CHECK_CONTAINS(message_of<ConfigError>([&] { open_dataset({}); }), "no input file");
  CHECK_CONTAINS(message_of<ConfigError>([&] {
                   open_dataset({folder.file("a.csv"), NTKROB_FIXTURES_DIR "/stored.npz"});
                 }),
                 "all inputs must have one format");
  const std::string npz = NTKROB_FIXTURES_DIR "/stored.npz";
  CHECK_CONTAINS(message_of<ConfigError>([&] { open_dataset({npz, npz}); }), "is given twice");
  CHECK_CONTAINS(message_of<ConfigError>([&] { open_dataset({NTKROB_FIXTURES_DIR "/train-images-idx3-ubyte.gz"}); }),
                 "train-labels");
}

TEST_CASE("a folder that nothing recognises is answered by what its files are called", "[data]") {
  const kit::TemporaryFolder folder;
  const auto message = [&](const std::string& name) { return message_of([&] { open_dataset({folder.file(name)}); }); };
  std::filesystem::create_directory(folder.file("arrays"));
  for (const char* name : {"kmnist-train-imgs.npz", "kmnist-train-labels.npz", "kmnist-test-imgs.npz",
                           "kmnist-test-labels.npz", "notes.txt"})
    std::ofstream(folder.file(std::string("arrays/") + name)) << "x";
  const std::string arrays = message("arrays");
  CHECK_CONTAINS(arrays, "arrays/kmnist-train-imgs.npz");
  CHECK_CONTAINS(arrays, "train-labels");
  CHECK_CONTAINS(arrays, "arrays/kmnist-test-labels.npz");
  std::ofstream(folder.file("arrays/more-train-imgs.npz")) << "x";  // two could be meant
  CHECK(message("arrays").find("kmnist") == std::string::npos);
  std::filesystem::create_directories(folder.file("har/train"));
  for (const char* name :
       {"har/features.txt", "har/train/X_train.txt", "har/train/y_train.txt", "har/train/subject_train.txt"})
    std::ofstream(folder.file(name)) << "1 2\n";
  CHECK_CONTAINS(message("har"), "har/train/X_train.txt");
  CHECK_CONTAINS(message("har"), "har/train/y_train.txt");
  std::filesystem::create_directory(folder.file("pictures"));
  std::ofstream(folder.file("pictures/a.png")) << "x";
  CHECK_CONTAINS(message("pictures"), "its 1 PNG file says no class");
  std::filesystem::create_directory(folder.file("nothing"));
  CHECK(message("nothing").find(";", message("nothing").find("per class")) == std::string::npos);
}

TEST_CASE("a build without HDF5 says which option to set", "[data]") {
  if (NTKROB_TEST_HDF5) return;  // hdf5_test.cpp and state_test.cpp then test the real thing
  const kit::TemporaryFolder folder;
  const std::string fixture = NTKROB_FIXTURES_DIR "/plain_bytes.h5", path = folder.file("a.h5");

  for (const std::function<void()>& use :
       {std::function<void()>([&] { open_dataset({fixture}); }),
        std::function<void()>([&] { save_dataset(make_strokes(1, 0, 1), path, false); }),
        std::function<void()>([&] { save_state(StateDict(), "a/1", path, false); }),
        std::function<void()>([&] { load_state(fixture, "a/1"); }), std::function<void()>([&] { identify(fixture); })})
    CHECK_CONTAINS(message_of<NotCompiled>(use), "-DNTKROB_WITH_HDF5=ON");
  CHECK(std::string(state_extension()) == ".npz");
}

TEST_CASE("every format is listed, and HDF5 and NPZ can be written", "[data]") {
  int written = 0;
  for (const FormatInfo& format : formats()) {
    CHECK(format.readable);
    CHECK_FALSE(format.description.empty());
    written += format.writable && (format.name == "hdf5" || format.name == "npz");
  }
  CHECK(formats().size() >= 6);
  CHECK(written == 2);
}
