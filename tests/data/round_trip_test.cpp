#include <filesystem>

#include "data/data_kit.hpp"

using namespace ntkrob;

namespace {

const std::string kFixtures = NTKROB_FIXTURES_DIR "/";

/// What the fixtures were made of (data/fixtures/PROVENANCE.md).
Dataset fixture_source() { return make_strokes(20, 10, 7); }

std::uint8_t pixel(const Split& split, index image, index y, index x) {
  return split.bytes[static_cast<std::size_t>(image * 784 + y * 28 + x)];
}

}  // namespace

TEST_CASE("NPZ gives back byte images, float images and learned targets", "[data]") {
  const kit::TemporaryFolder folder;

  for (const Dataset& data : {kit::small_bytes(), kit::small_floats()}) {
    save_dataset(data, folder.file("a.npz"), true);
    kit::check_equal(open_dataset({folder.file("a.npz")}), data);
  }
  CHECK(identify(folder.file("a.npz")) == std::pair<std::string, std::string>("dataset", "ntkrob.dataset/1"));
}

TEST_CASE("IDX gives back byte images in a folder and under a prefix", "[data]") {
  const kit::TemporaryFolder folder;
  const Dataset data = kit::small_bytes();
  std::filesystem::create_directory(folder.file("sub"));

  save_dataset(data, folder.file("sub/"), false);
  save_dataset(data, folder.file("digits.idx"), false);

  ReadOptions named;
  named.parts = {folder.file("digits-train-images-idx3-ubyte"), folder.file("digits-train-labels-idx1-ubyte"),
                 folder.file("digits-t10k-images-idx3-ubyte"), folder.file("digits-t10k-labels-idx1-ubyte")};
  kit::check_equal(open_dataset({folder.file("sub")}), data);
  kit::check_equal(open_dataset({}, named), data);
  CHECK(kit::message_of<ConfigError>([&] { save_dataset(data, folder.file("sub/"), false); }).find("exists") !=
        std::string::npos);
}

TEST_CASE("IDX stores float images scaled to [0,1] and refuses learned targets", "[data]") {
  const kit::TemporaryFolder folder;
  Dataset data = kit::small_floats();
  CHECK_CONTAINS(kit::message_of<NotSupported>([&] { save_dataset(data, folder.file("f.idx"), false); }), "targets");
  data.train.targets = data.test.targets = {};

  save_dataset(data, folder.file("f.idx"), false);
  ReadOptions options;
  options.layout = "NHWC";  // 3 x 4 pixels with 3 channels could be 4 x 3 with 3
  const Dataset read = open_dataset({folder.path()}, options);

  const Matrix<float> expected = data.images("train"), found = read.images("train");
  REQUIRE(found.rows() == expected.rows());
  for (index i = 0; i < expected.size(); ++i) CHECK(found.data()[i] == expected.data()[i]);
  CHECK(read.train.labels == data.train.labels);
}

TEST_CASE("CIFAR batches are read with their planes as channels", "[data]") {
  const kit::TemporaryFolder folder;
  std::string ten, hundred;
  for (int record = 0; record < 3; ++record) {
    ten += static_cast<char>(record * 3);
    hundred += std::string{static_cast<char>(19 - record), static_cast<char>(90 + record)};
    for (int p = 0; p < 3072; ++p) {
      ten += static_cast<char>((p * 7 + record) % 251);
      hundred += static_cast<char>((p * 5 + record) % 241);
    }
  }
  kit::spill(folder.file("data_batch_1.bin"), ten);
  kit::spill(folder.file("test_batch.bin"), ten.substr(0, 3073));
  kit::spill(folder.file("train.bin"), hundred);

  const Dataset a = open_dataset({folder.file("data_batch_1.bin"), folder.file("test_batch.bin")});
  const Dataset b = open_dataset({folder.file("train.bin")});

  CHECK(a.classes == 10);
  CHECK(a.class_names[6] == "frog");
  CHECK(a.train.labels == std::vector<int>{0, 3, 6});
  CHECK(a.test.n == 1);
  CHECK(b.classes == 100);
  CHECK(b.train.labels == std::vector<int>{90, 91, 92});
  for (int record = 0; record < 3; ++record)
    for (int p : {0, 1, 31, 32, 1023})
      for (int c = 0; c < 3; ++c) {
        const std::size_t at = static_cast<std::size_t>(record * 3072 + p * 3 + c);
        CHECK(int{a.train.bytes[at]} == ((c * 1024 + p) * 7 + record) % 251);
        CHECK(int{b.train.bytes[at]} == ((c * 1024 + p) * 5 + record) % 241);
      }
}

TEST_CASE("CSV: label first, bytes become a square picture; anything else stays floating point", "[data]") {
  const kit::TemporaryFolder folder;
  std::string bytes = "\n", floats = "a;b;Label;c\r\n";
  for (int i = 0; i < 4; ++i) {
    bytes += std::to_string(i % 2);
    for (int p = 0; p < 64; ++p) bytes += "," + std::to_string((p * 3 + i) % 256);
    bytes += "\n";
    floats += "0.5;1e-1;" + std::to_string(i) + ";\"" + (i == 0 ? "1" : "+0") + "\"\r\n";
  }
  kit::spill(folder.file("bytes.csv"), bytes);
  kit::spill(folder.file("floats.csv"), floats);

  const Dataset a = open_dataset({folder.file("bytes.csv")}), b = open_dataset({folder.file("floats.csv")});

  CHECK(a.shape == ImageShape{8, 8, 1});
  CHECK(a.train.labels == std::vector<int>{0, 1, 0, 1});
  CHECK(int{a.train.bytes[64 * 3 + 63]} == (63 * 3 + 3) % 256);
  CHECK(b.shape == ImageShape{1, 1, 3});
  CHECK(b.train.labels == std::vector<int>{0, 1, 2, 3});
  CHECK(b.train.pixels(0, 1) == 0.1f);
  CHECK(b.train.pixels(0, 2) == 1.0f);
  CHECK(b.train.pixels(3, 2) == 0.0f);
}

TEST_CASE("CSV: 0/1 tables are ink or no ink, not 1/255", "[data]") {
  const kit::TemporaryFolder folder;
  kit::spill(folder.file("binary.csv"), "0,1,0,1\n1,0,0,1\n");

  const Dataset data = open_dataset({folder.file("binary.csv")});

  CHECK_FALSE(data.train.is_bytes());
  CHECK(data.train.pixels(0, 0) == 1.0f);
}

TEST_CASE("a folder of PNG files gives its pictures back, classes in name order", "[data]") {
  const kit::TemporaryFolder folder;
  const Dataset data = kit::small_bytes();
  const Matrix<float> images = data.images("train");
  for (const char* name : {"b", "a"}) std::filesystem::create_directory(folder.file(name));
  for (index i = 0; i < 4; ++i)
    write_png_grid(folder.file((i < 3 ? "b/" : "a/") + std::to_string(i) + ".png"), images.view().middle_rows(i, 1),
                   data.shape, 1, 1, false);

  const Dataset read = open_dataset({folder.path()});

  CHECK(read.class_names == std::vector<std::string>{"a", "b"});
  REQUIRE(read.train.labels == std::vector<int>{0, 1, 1, 1});
  CHECK(read.shape == ImageShape{30, 30, 1});  // the grid has a separator around each picture
  for (index y = 0; y < 28; ++y)
    for (index x = 0; x < 28; ++x)
      CHECK(read.train.bytes[static_cast<std::size_t>((y + 1) * 30 + x + 1)] == pixel(data.train, 3, y, x));
}

TEST_CASE("a PNG grid has the promised size and shows RGB", "[data]") {
  const kit::TemporaryFolder folder;
  const Dataset data = kit::small_floats();
  std::filesystem::create_directory(folder.file("k"));

  write_png_grid(folder.file("k/grid.png"), data.images("train").view(), data.shape, 2, 3, false);
  const Dataset read = open_dataset({folder.path()});

  CHECK(read.shape == ImageShape{3 * (3 * 3 + 1) + 1, 2 * (4 * 3 + 1) + 1, 3});
  const float first = data.images("train")(0, 0);
  CHECK(int{read.train.bytes[static_cast<std::size_t>((1 * 27 + 1) * 3)]} == std::lround(255 * first));
  const Matrix<float> images = data.images("train");
  CHECK_THROWS_AS(write_png_grid(folder.file("x.png"), images.view(), {6, 3, 2}, 2, 1, false), NotSupported);
  CHECK_THROWS_AS(write_png_grid(folder.file("x.png"), images.view(), data.shape, 2, 0, false), ConfigError);
  CHECK_THROWS_AS(write_png_grid(folder.file("x.png"), images.view(), {9, 9, 1}, 2, 1, false), ShapeError);
}

TEST_CASE("files of NumPy and MNIST's IDX are read as they are", "[data]") {
  const Dataset source = fixture_source();

  const Dataset stored = open_dataset({kFixtures + "stored.npz"}),
                deflated = open_dataset({kFixtures + "deflated.npz"});
  const Dataset idx = open_dataset({kFixtures}), csv = open_dataset({kFixtures + "small.csv"});

  CHECK(stored.shape == source.shape);
  CHECK(stored.train.n == 10);
  CHECK(stored.test.n == 5);
  CHECK(std::equal(stored.train.bytes.begin(), stored.train.bytes.end(), source.train.bytes.begin()));
  CHECK(idx.train.bytes == source.train.bytes);
  CHECK(idx.test.bytes == source.test.bytes);
  CHECK(idx.test.labels == source.test.labels);
  CHECK(deflated.shape == ImageShape{8, 8, 1});
  CHECK(csv.shape == ImageShape{8, 8, 1});
  CHECK(csv.train.labels == source.train.labels);
  CHECK(deflated.train.labels == source.train.labels);
  for (index i = 0; i < 20; ++i)
    for (index y = 0; y < 8; ++y)
      for (index x = 0; x < 8; ++x) {
        const int expected = pixel(source.train, i, 2 + 3 * y, 2 + 3 * x);
        CHECK(deflated.train.pixels(i, y * 8 + x) == static_cast<float>(expected / 255.0));
        CHECK(int{csv.train.bytes[static_cast<std::size_t>(i * 64 + y * 8 + x)]} == expected);
      }
}
