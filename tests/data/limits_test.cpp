/// Inputs made to fill memory, or that have no end: all of them are refused by what they claim or are. Those made to
/// take time are in reading_time_test.cpp.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>

#include "data/data_kit.hpp"
#include "npy.hpp"
#include "zip_file.hpp"

using namespace ntkrob;
using kit::message_of;
using kit::seconds_of;

namespace {

ReadOptions with_memory(std::size_t n_bytes) {
  ReadOptions options;
  options.memory = n_bytes;
  return options;
}

std::string table(int rows, int columns, const std::string& separator, bool indices) {
  std::string out;
  for (int i = 0; i < rows; ++i) {
    out += std::to_string(i % 2);
    for (int c = 1; c <= columns; ++c)
      out += separator + (indices ? std::to_string(c) + ":" : std::string()) + std::to_string((i + c) % 256);
    out += "\n";
  }
  return out;
}

/// A batch of CIFAR-10.
std::string batch(int records) {
  std::string out;
  for (int i = 0; i < records; ++i) out += '\1' + std::string(3072, '\xc8');
  return out;
}

void gzip(const std::string& path, const std::string& content) {
  gzFile file = ::gzopen(path.c_str(), "wb9");
  REQUIRE(::gzwrite(file, content.data(), static_cast<unsigned>(content.size())) == static_cast<int>(content.size()));
  ::gzclose(file);
}

/// One small set in every format that is read, and how it is opened.
struct Input {
  std::string name;
  std::vector<std::string> paths;
  std::size_t pixels;  // bytes that its images take in memory
};

std::vector<Input> inputs(const kit::TemporaryFolder& folder) {
  const Dataset strokes = make_strokes(60, 0, 3);
  const std::size_t n_bytes = strokes.train.bytes.size();
  std::vector<Input> all;
  const auto file = [&](const std::string& name) { return folder.file(name); };
  save_dataset(strokes, file("a.npz"), false);
  all.push_back({"npz", {file("a.npz")}, n_bytes});
  if (NTKROB_TEST_HDF5) {
    save_dataset(strokes, file("a.h5"), false);
    all.push_back({"hdf5", {file("a.h5")}, n_bytes});
  }
  std::filesystem::create_directory(file("idx"));
  save_dataset(strokes, file("idx/"), false);
  all.push_back({"idx", {file("idx")}, n_bytes});
  const std::vector<std::int64_t> labels(60, 1);
  kit::spill(file("x_train.npy"), io::npy("|u1", {60, 28, 28, 1}, strokes.train.bytes.data(), n_bytes));
  kit::spill(file("y_train.npy"), io::npy("<i8", {60}, labels.data(), 480));
  all.push_back({"npy", {file("x_train.npy"), file("y_train.npy")}, n_bytes});
  kit::spill(file("data_batch_1.bin"), batch(20));
  all.push_back({"cifar", {file("data_batch_1.bin")}, 3072 * 20});
  kit::spill(file("a.csv"), table(100, 255, ",", false));
  all.push_back({"csv", {file("a.csv")}, 100 * 255});
  gzip(file("b.csv.gz"), table(100, 255, ",", false));
  all.push_back({"csv.gz", {file("b.csv.gz")}, 100 * 255});
  std::string arff = "@relation a\n@attribute class {0,1}\n";
  for (int c = 0; c < 255; ++c) arff += text("@attribute f", c, " numeric\n");
  kit::spill(file("a.arff"), arff + "@data\n" + table(100, 255, ",", false));
  all.push_back({"arff", {file("a.arff")}, 100 * 255});
  kit::spill(file("a.libsvm"), table(100, 255, " ", true));
  all.push_back({"libsvm", {file("a.libsvm")}, 100 * 255});
  std::filesystem::create_directories(file("png/a"));
  for (int i = 0; i < 20; ++i)
    write_png_grid(file(text("png/a/", i, ".png")), strokes.images("train").view().middle_rows(0, 1), strokes.shape, 1,
                   2, false);
  all.push_back({"png", {file("png")}, 20 * 58 * 58});
  return all;
}

}  // namespace

TEST_CASE("every reader asks the memory limit before it takes memory, and says what is needed", "[data]") {
  const kit::TemporaryFolder folder;
  for (const Input& input : inputs(folder)) {
    INFO(input.name);
    const auto open = [&](std::size_t limit) { return open_dataset(input.paths, with_memory(limit)); };
    CHECK_NOTHROW(open(16 << 20));
    for (const std::size_t limit : {std::size_t{1000}, input.pixels / 2, input.pixels - 1}) {
      try {
        open(limit);
        FAIL("read within " << limit << " bytes");
      } catch (const ResourceError& error) {
        CHECK_CONTAINS(error.what(), folder.path());
        CHECK(error.field() == "memory");
        CHECK(error.limit() == text(limit));
        CHECK_CONTAINS(error.advice(), "raise the memory limit (memory)");
      }
    }
    // No reader takes many times what its images are.
    CHECK_NOTHROW(open(24 * input.pixels + 20000));
  }
}

TEST_CASE("the limit holds for all inputs together, and for a test file", "[data]") {
  const kit::TemporaryFolder folder;
  kit::spill(folder.file("data_batch_1.bin"), batch(20));
  kit::spill(folder.file("data_batch_2.bin"), batch(20));
  const std::string one = folder.file("data_batch_1.bin"), two = folder.file("data_batch_2.bin");
  ReadOptions options = with_memory(3073 * 20 * 3);
  CHECK_NOTHROW(open_dataset({one}, options));
  CHECK_CONTAINS(message_of<ResourceError>([&] { open_dataset({one, two}, with_memory(3073 * 35)); }), "beside the");
  options.test_file = two;
  CHECK_NOTHROW(open_dataset({one}, with_memory(0)));
  options.memory = 3073 * 45;
  CHECK_CONTAINS(message_of<ResourceError>([&] { open_dataset({one}, options); }), "data_batch_2.bin: needs");
}

TEST_CASE("what gzip unpacks is limited although the file is small", "[data]") {
  const kit::TemporaryFolder folder;
  gzip(folder.file("a.csv.gz"), "0,1,2\n1,2,255\n" + std::string(8 << 20, '\n'));
  CHECK(open_dataset({folder.file("a.csv.gz")}, with_memory(16 << 20)).train.n == 2);
  CHECK_CONTAINS(message_of<ResourceError>([&] { open_dataset({folder.file("a.csv.gz")}, with_memory(4 << 20)); }),
                 "unpacks to more than the memory limit of 4194304 bytes");
}

TEST_CASE("archives whose members overlap, or say one thing twice, are refused", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("a.npz");
  io::ZipWriter writer;
  const std::uint8_t values[4] = {1, 2, 3, 4};
  const std::string array = io::npy("|u1", {4}, values, 4);
  writer.add("a.npy", array);
  writer.add("b.npy", array);
  const std::string good = writer.finish();
  const auto refused = [&](const std::string& archive) {
    kit::spill(path, archive);
    return message_of([&] { io::ZipReader{path}; });
  };
  kit::spill(path, good);
  CHECK(io::ZipReader(path).members().size() == 2);
  const std::size_t first = good.find("PK\x01\x02"), second = good.find("PK\x01\x02", first + 1);
  const std::size_t local = good.find("PK\x03\x04", 1);
  const auto with = [&](std::size_t at, const std::string& bytes) {
    return good.substr(0, at) + bytes + good.substr(at + bytes.size());
  };

  // Both entries name the first member's bytes, or bytes inside them. The checksum of the file is another's test.
  const auto plain = [&](std::string archive) {
    archive.resize(archive.find("PK\x05\x06") + 22);
    archive[archive.size() - 2] = archive[archive.size() - 1] = 0;
    return archive;
  };
  CHECK_CONTAINS(refused(plain(with(second + 42, std::string(4, '\0')))), "overlap");
  CHECK_CONTAINS(refused(plain(with(first + 20, good.substr(18, 1) + "\1"))), "overlap");
  CHECK_CONTAINS(refused(plain(with(second + 46, "a"))), "says something else than the directory");
  CHECK_CONTAINS(refused(plain(with(local + 14, "\1\2\3\4"))), "says something else than the directory");
  CHECK_CONTAINS(refused(plain(with(local + 30, "a"))), "says something else than the directory");
  std::string twice = with(second + 46, "a");
  twice[local + 30] = 'a';
  CHECK_CONTAINS(refused(plain(twice)), "a.npy is there twice");
}

TEST_CASE("a PNG may claim what deflate can give for its bits per pixel, and no more", "[data]") {
  const kit::TemporaryFolder folder;
  std::filesystem::create_directory(folder.file("a"));
  const auto chunk = [](const std::string& type, const std::string& data) {
    const auto number = [](std::uint32_t v) {
      return std::string{static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8),
                         static_cast<char>(v)};
    };
    const std::string body = type + data;
    const auto crc = ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
    return number(static_cast<std::uint32_t>(data.size())) + body + number(static_cast<std::uint32_t>(crc));
  };
  const auto picture = [&](unsigned side, char depth, char colour, std::size_t row_bytes) {
    std::string rows, header{0, 0, static_cast<char>(side >> 8), static_cast<char>(side)};
    header += header;
    header += {depth, colour, 0, 0, 0};
    rows.assign(side * (row_bytes + 1), '\0');
    std::string packed(::compressBound(rows.size()), '\0');
    uLongf n_bytes = packed.size();
    ::compress2(reinterpret_cast<Bytef*>(packed.data()), &n_bytes, reinterpret_cast<const Bytef*>(rows.data()),
                rows.size(), 9);
    packed.resize(n_bytes);
    return "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) +
           (colour == 3 ? chunk("PLTE", std::string("\0\0\0\xff\xff\xff", 6)) : "") + chunk("IDAT", packed) +
           chunk("IEND", "");
  };
  const auto open = [&](const std::string& png, std::size_t limit) {
    kit::spill(folder.file("a/0.png"), png);
    return open_dataset({folder.path()}, with_memory(limit));
  };
  // Two colours, 3000 x 3000: a file of 1 KB makes 9 MB of grey, or 27 MB of RGB with a palette.
  const std::string grey = picture(3000, 1, 0, 375), palette = picture(3000, 1, 3, 375);
  CHECK(grey.size() < 4000);
  CHECK(open(grey, 64 << 20).shape == ImageShape{3000, 3000, 1});
  CHECK(open(palette, 256 << 20).shape == ImageShape{3000, 3000, 3});
  CHECK_CONTAINS(message_of<ResourceError>([&] { open(grey, 8 << 20); }), "needs 9000000 bytes");
  CHECK_CONTAINS(message_of<ResourceError>([&] { open(palette, 26 << 20); }), "needs 27000000 bytes");
  // The same bytes cannot be 8 bits for each pixel.
  std::string liar = picture(100, 8, 0, 100);
  liar.replace(16, 17, picture(3000, 8, 0, 0).substr(16, 17));
  CHECK_CONTAINS(message_of([&] { open(liar, 0); }), "claims 3000 x 3000 pixels of 8 bits");
}

TEST_CASE("pipes, sockets, devices and folders are refused at once and by what they are", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string pipe = folder.file("a.csv"), socket_path = folder.file("b.csv");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const int socket_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  for (const auto& [path, kind] : std::vector<std::pair<std::string, std::string>>{
           {pipe, "is a pipe"}, {socket_path, "is a socket"}, {"/dev/zero", "is a device"}, {"/dev/tty", "/dev/tty"}}) {
    INFO(path);
    CHECK(seconds_of([&, path = path] { open_dataset({path}); }) < 1);
    CHECK_CONTAINS(message_of([&, path = path] { open_dataset({path}); }), kind);
    CHECK_CONTAINS(message_of([&, path = path] { load_state(path, "ntkrob.model/1"); }), kind);
    CHECK_CONTAINS(message_of([&, path = path] { read_small_text_file(path); }), kind);
    CHECK_CONTAINS(message_of([&, path = path] { read_bytes(path); }), kind);
  }
  ::close(socket_);
  // Inside of a folder too.
  std::filesystem::create_directory(folder.file("set"));
  std::filesystem::create_directory(folder.file("set/a"));
  REQUIRE(::mkfifo(folder.file("set/a/0.png").c_str(), 0600) == 0);
  CHECK_CONTAINS(message_of([&] { open_dataset({folder.file("set")}); }), "0.png: is a pipe");

  CHECK_CONTAINS(message_of([&] { read_small_text_file(folder.path()); }), "is a folder");
  kit::spill(folder.file("c"), std::string(100, 'a'));
  CHECK(read_small_text_file(folder.file("c"), 100).size() == 100);
  CHECK_CONTAINS(message_of<ResourceError>([&] { read_small_text_file(folder.file("c"), 99); }),
                 "has 100 bytes, the limit is 99");
  kit::spill(folder.file("d"), std::string("ab\0c", 4));
  CHECK_CONTAINS(message_of([&] { read_small_text_file(folder.file("d")); }), "byte 2 is 0");
}

TEST_CASE(".npy headers that claim what is not there are refused", "[data]") {
  io::ReadBudget budget(1 << 20);
  const auto with = [&](const std::string& dictionary, std::size_t n_bytes = 0) {
    std::string out("\x93NUMPY\x02\0", 8);
    for (int i = 0; i < 4; ++i) out += static_cast<char>(dictionary.size() >> (8 * i) & 0xff);
    return out + dictionary + std::string(n_bytes, '\0');
  };
  const auto shape = [](const std::string& type, const std::string& extents) {
    return "{'descr': '" + type + "', 'fortran_order': False, 'shape': (" + extents + "), }";
  };
  const auto refused = [&](const std::string& content) {
    return message_of([&] { io::parse_npy(content, "a.npy", budget); });
  };
  CHECK(io::parse_npy(with(shape("|S2", "3,"), 6), "a.npy", budget).count() == 3);
  CHECK_CONTAINS(refused(with(shape("|S0", "1000000000000,"))), "texts without characters");
  CHECK_CONTAINS(refused(with(shape("<f4", "1000000000,"), 4)), "needs 4e+09 bytes, the file holds 4");
  // 2^46 texts of 2^20 characters are 2^68 bytes, of which 64 bits keep none.
  CHECK_CONTAINS(refused(with(shape("<U1048576", "70368744177664,"))), "the file holds 0");
  std::string ones;
  for (int i = 0; i < 33; ++i) ones += "1,";
  CHECK_CONTAINS(refused(with(shape("|u1", ones), 1)), "more than 32 axes");
  CHECK_CONTAINS(refused(with(shape("|u1", "1,") + std::string(1 << 17, ' '), 1)), "are read");
  io::ReadBudget little(700000);
  const std::string large = with(shape("<f8", "200000,"), 1600000);
  CHECK_CONTAINS(message_of<ResourceError>([&] { io::parse_npy(large, "a.npy", little); }), "needs 800000 bytes");
}
