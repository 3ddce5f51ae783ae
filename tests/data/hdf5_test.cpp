#include "data/data_kit.hpp"
#include "ntkrob/base/state_dict.hpp"

using namespace ntkrob;
using kit::message_of;

namespace {

const std::string kFixtures = NTKROB_FIXTURES_DIR "/";

/// A plain HDF5 file made of arrays; the schema attribute says "test", so it is read as somebody else's file unless
/// replaced.
std::string plain(const kit::TemporaryFolder& folder, const StateDict& state, const std::string& schema) {
  const std::string path = folder.file("file.h5");
  save_state(state, schema, path, true);
  return path;
}

StateDict pair_of(NdArray<float> x, StateDict::Value y) {
  StateDict state;
  state.set("x_train", std::move(x));
  state.set("y_train", std::move(y));
  return state;
}

constexpr const char* kSchema = "ntkrob.dataset/1";

}  // namespace

TEST_CASE("HDF5 gives back data, names and provenance, and equal data give equal bytes", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("a.h5");

  for (const Dataset& data : {kit::small_bytes(), kit::small_floats()}) {
    save_dataset(data, path, true);
    const Dataset read = open_dataset({path});

    kit::check_equal(read, data);
    CHECK(read.class_names == data.class_names);
    CHECK(read.notes.empty());
    const Provenance &p = read.provenance, &q = data.provenance;
    CHECK(p.command == q.command);
    CHECK(p.library_version == q.library_version);
    CHECK(p.parent == q.parent);
    CHECK(p.parent_checksum == q.parent_checksum);
    CHECK(p.options == q.options);
    CHECK(p.curves == q.curves);
    CHECK(p.initial_images.rows() == q.initial_images.rows());
    for (index i = 0; i < q.initial_images.size(); ++i) CHECK(p.initial_images.data()[i] == q.initial_images.data()[i]);
    save_dataset(data, folder.file("b.h5"), true);
    CHECK(kit::slurp(path) == kit::slurp(folder.file("b.h5")));
  }
  CHECK(identify(path) == std::pair<std::string, std::string>("dataset", kSchema));
}

TEST_CASE("float images of a value range are scaled to [0,1]", "[data]") {
  const Dataset data = kit::small_floats();

  const Matrix<float> images = data.images("train");

  CHECK(images(0, 0) == 0.0f);
  CHECK(images(0, 16) == 1.0f);
  CHECK(std::abs(images(0, 8) - 0.5f) < 1e-6f);
  CHECK_THROWS_AS(data.images("validation"), ConfigError);
}

TEST_CASE("plain h5py files are read: classes inferred, channels first, 0..255 floats noted", "[data]") {
  const Dataset source = make_strokes(20, 10, 7);

  const Dataset bytes = open_dataset({kFixtures + "plain_bytes.h5"});
  const Dataset nchw = open_dataset({kFixtures + "plain_nchw.h5"});
  const Dataset targets = open_dataset({kFixtures + "plain_targets.h5"});

  CHECK(bytes.classes == 10);
  CHECK(bytes.train.bytes == source.train.bytes);
  CHECK(bytes.test.labels == source.test.labels);
  CHECK(nchw.shape == ImageShape{8, 8, 3});
  CHECK(nchw.train.labels == source.train.labels);
  REQUIRE(nchw.notes.size() == 1);
  CHECK_CONTAINS(nchw.notes[0], "[N,C,H,W]");
  REQUIRE(targets.notes.size() == 2);
  CHECK_CONTAINS(targets.notes[0], "[0, 255]");
  CHECK_CONTAINS(targets.notes[1], "pictures of 8 x 8");
  CHECK(targets.train.targets.cols() == 10);
  CHECK(targets.train.labels == source.train.labels);
  const Matrix<float> images = targets.images("train");
  for (index i = 0; i < 20; ++i)
    for (index p = 0; p < 64; ++p) {
      const int value =
          source.train.bytes[static_cast<std::size_t>(i * 784 + (2 + 3 * (p / 8)) * 28 + 2 + 3 * (p % 8))];
      CHECK(std::abs(images(i, p) - static_cast<float>(value / 255.0)) < 1e-7f);
      CHECK(nchw.train.pixels(i, p * 3) == static_cast<float>(value / 255.0));
      CHECK(nchw.train.pixels(i, p * 3 + 1) == static_cast<float>((value / 2) / 255.0));
      CHECK(nchw.train.pixels(i, p * 3 + 2) == static_cast<float>((255 - value) / 255.0));
    }
  CHECK(identify(kFixtures + "plain_bytes.h5") == std::pair<std::string, std::string>("plain", "hdf5"));
}

TEST_CASE("bad HDF5 data sets are refused with field, value and limit", "[data]") {
  const kit::TemporaryFolder folder;
  const auto error = [&](const StateDict& state, const char* schema = kSchema) {
    const std::string path = plain(folder, state, schema);
    const std::string message = message_of([&] { open_dataset({path}); });
    CHECK_CONTAINS(message, path);
    return message;
  };
  const NdArray<std::int64_t> labels{{2}, {0, 1}};
  const NdArray<float> good{{2, 2}, {0, 0.5f, 1, 0}};
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();

  // Label arrays must be datasets here, so bytes and 64-bit arrays of more than one dimension stand for them.
  const NdArray<std::uint8_t> bytes{{2}, {0, 1}};
  CHECK_NOTHROW(open_dataset({plain(folder, pair_of(good, bytes), kSchema)}));
  CHECK_CONTAINS(error(pair_of({{2, 2}, {0, nan, 1, 0}}, bytes)), "image 0, pixel 1 is nan");
  CHECK_CONTAINS(error(pair_of({{2, 2}, {0, 0, 1, inf}}, bytes)), "image 1, pixel 1 is inf");
  CHECK_CONTAINS(error(pair_of({{2, 2}, {0, -3, 1, 0}}, bytes)), "[-3, 1]");
  CHECK_CONTAINS(error(pair_of({{2, 2}, {0, 3, 256, 0}}, bytes)), "value-range=");
  CHECK_CONTAINS(error(pair_of(good, NdArray<std::uint8_t>{{3}, {0, 1, 2}})), "3 labels for 2 images");
  CHECK_CONTAINS(error(pair_of(good, NdArray<std::int64_t>{{2, 1}, {0, -1}})), "label 1 is -1");
  CHECK_CONTAINS(error(pair_of(good, NdArray<std::int64_t>{{2, 1}, {0, 70000}})), "0 .. 65535");
  CHECK_CONTAINS(error(pair_of(good, NdArray<float>{{2}, {0, 0.5f}})), "label 1 is 0.5");
  CHECK_CONTAINS(error(pair_of(good, NdArray<float>{{2, 2}, {0, nan, 0, 1}})), "row 0, class 1 is nan");
  CHECK_CONTAINS(error(pair_of(good, NdArray<float>{{3, 2}, {0, 1, 0, 1, 0, 1}})), "3 rows of targets for 2 images");
  CHECK_CONTAINS(error(pair_of({{0, 4}, {}}, NdArray<std::uint8_t>{{0}, {}})), "holds no images");
  CHECK_CONTAINS(error(pair_of({{2, 0}, {}}, bytes)), "no pixels");
  CHECK_CONTAINS(error(pair_of({{2}, {0, 1}}, bytes)), "shape [2]");

  StateDict state = pair_of(good, bytes);
  state.set("classes", std::int64_t{1});
  CHECK_CONTAINS(error(state), "label 1 is 1, but there are 1 classes");
  state = pair_of(good, bytes);
  state.set("x_test", NdArray<float>{{1, 3}, {0, 0, 0}});
  state.set("y_test", NdArray<std::uint8_t>{{1}, {0}});
  CHECK_CONTAINS(error(state), "both splits must agree");
  state = StateDict();
  state.set("x_train", good);
  CHECK_CONTAINS(error(state), "without training labels");
  state = StateDict();
  state.set("images", good);
  CHECK_CONTAINS(error(state), "training images without training labels");
  const std::string newer = error(pair_of(good, bytes), "ntkrob.dataset/2");
  CHECK_CONTAINS(newer, "ntkrob.dataset/2");
  CHECK_CONTAINS(newer, "ntkrob.dataset/1");
  CHECK_CONTAINS(newer, "newer ntkrob");
}

TEST_CASE("a group where an array is expected is an error, not a crash", "[data]") {
  const kit::TemporaryFolder folder;
  StateDict state;
  state.set("x_train/a", 1.0);
  state.set("y_train", NdArray<std::uint8_t>{{1}, {0}});

  CHECK_CONTAINS(message_of([&] { open_dataset({plain(folder, state, kSchema)}); }), "has no array x_train");
}
