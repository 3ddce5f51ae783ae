/// What a set can have, by what formats keep, name or refuse: nothing is dropped without a word.
#include <filesystem>

#include "data/data_kit.hpp"

using namespace ntkrob;

namespace {

enum class Fate { kept, named, refused };

/// Something that a set may have: how it gets it, whether it has it, and the words that name it where it is dropped.
struct Thing {
  std::string name;
  std::function<void(Dataset&)> give;
  std::function<bool(const Dataset&)> there;
  std::string words;
  Fate npz, idx;
};

Dataset pictures() {
  Dataset data = make_strokes(20, 10, 7);
  data.class_names.clear();
  data.provenance = {};
  data.notes.clear();
  return data;
}

void make_floats(Dataset& data, float low, float high) {
  data.value_low = 0;
  for (Split* split : {&data.train, &data.test}) {
    split->pixels = Matrix<float>(split->n, data.shape.size());
    for (index i = 0; i < split->pixels.size(); ++i)
      split->pixels.data()[i] = low + (high - low) * static_cast<float>(i % 5) / 4;
    split->bytes.clear();
  }
}

void make_rows(Dataset& data, ImageShape shape) {
  data.shape = shape;
  for (Split* split : {&data.train, &data.test}) {
    split->bytes.assign(static_cast<std::size_t>(split->n * shape.size()), 0);
    for (std::size_t i = 0; i < split->bytes.size(); ++i) split->bytes[i] = static_cast<std::uint8_t>(i * 37 % 256);
  }
}

std::vector<Thing> things() {
  return {
      {"class names",
       [](Dataset& d) {
         d.class_names.assign(10, "");
         for (int c = 0; c < 10; ++c) d.class_names[static_cast<std::size_t>(c)] = text("n", c);
       },
       [](const Dataset& d) { return d.class_names.size() == 10 && d.class_names[9] == "n9"; }, "class names",
       Fate::kept, Fate::named},
      {"feature names",
       [](Dataset& d) {
         make_rows(d, {1, 1, 3});
         d.feature_names = {"a", "b", "c"};
       },
       [](const Dataset& d) {
         return d.feature_names == std::vector<std::string>{"a", "b", "c"};
       },
       "names of the features", Fate::kept, Fate::named},
      {"ranges of features",
       [](Dataset& d) {
         make_rows(d, {1, 1, 2});
         make_floats(d, 0, 1);
         d.feature_low = {0, -1};
         d.feature_high = {5, 7};
       },
       [](const Dataset& d) {
         return d.feature_low == std::vector<float>{0, -1} && d.feature_high == std::vector<float>{5, 7};
       },
       "ranges of the features", Fate::kept, Fate::named},
      {"learned targets",
       [](Dataset& d) {
         for (Split* s : {&d.train, &d.test}) {
           s->targets = Matrix<float>(s->n, 10);
           std::fill_n(s->targets.data(), s->targets.size(), 0.125f);
         }
       },
       [](const Dataset& d) { return d.train.targets.size() == 200 && d.test.targets.data()[3] == 0.125f; }, "",
       Fate::kept, Fate::refused},
      {"a value range",
       [](Dataset& d) {
         make_floats(d, -1, 2);
         d.value_low = -1;
         d.value_high = 2;
       },
       [](const Dataset& d) { return d.value_low == -1 && d.value_high == 2; }, "value range", Fate::kept, Fate::named},
      {"pixels beyond the range",
       [](Dataset& d) {
         make_floats(d, -0.5f, 1.5f);
         d.beyond_range = true;
       },
       [](const Dataset& d) {
         return d.beyond_range && d.train.pixels.data()[0] == -0.5f && d.test.pixels.data()[4] == 1.5f;
       },
       "", Fate::kept, Fate::refused},
      {"classes without images", [](Dataset& d) { d.classes = 12; }, [](const Dataset& d) { return d.classes == 12; },
       "number of classes, 12", Fate::kept, Fate::named},
      {"300 classes",
       [](Dataset& d) {
         d.classes = 300;
         d.train.labels[0] = 299;
       },
       [](const Dataset& d) { return d.classes == 300 && d.train.labels[0] == 299; }, "", Fate::kept, Fate::refused},
      {"dark bytes",
       [](Dataset& d) {
         for (Split* s : {&d.train, &d.test})
           for (auto& b : s->bytes) b = static_cast<std::uint8_t>(b / 3);
       },
       [](const Dataset& d) { return d.train.is_bytes() && d.train.extremes().second < 128; }, "that 255 is white",
       Fate::kept, Fate::named},
      {"bytes 0 and 1",
       [](Dataset& d) {
         for (Split* s : {&d.train, &d.test})
           for (auto& b : s->bytes) b = static_cast<std::uint8_t>(b / 128);
       },
       [](const Dataset& d) { return d.train.is_bytes(); }, "that 255 is white", Fate::kept, Fate::named},
      {"rows of a square number",
       [](Dataset& d) {
         make_rows(d, {1, 1, 64});
       },
       [](const Dataset& d) { return d.kind() == DataKind::table; }, "rows are no pictures", Fate::kept, Fate::named},
      {"signals of two channels",
       [](Dataset& d) {
         make_rows(d, {16, 1, 2});
       },
       [](const Dataset& d) {
         return d.shape == ImageShape{16, 1, 2};
       },
       "which axis is which", Fate::kept, Fate::named},
      {"where it comes from", [](Dataset& d) { d.provenance.command = "ntkrob robustify"; },
       [](const Dataset& d) { return d.provenance.command == "ntkrob robustify"; }, "provenance", Fate::named,
       Fate::named},
      {"curves",
       [](Dataset& d) {
         d.provenance.curves = {{"loss", {2, 1}}};
       },
       [](const Dataset& d) { return d.provenance.curves.size() == 1; }, "1 curve", Fate::named, Fate::named},
      {"initial images",
       [](Dataset& d) {
         d.provenance.initial_images = Matrix<float>(20, d.shape.size());
         std::fill_n(d.provenance.initial_images.data(), 20 * d.shape.size(), 0.5f);
       },
       [](const Dataset& d) { return d.provenance.initial_images.rows() == 20; }, "20 initial images", Fate::named,
       Fate::named},
      {"nothing more", [](Dataset&) {},
       [](const Dataset& d) { return d.train.n == 20 && d.test.n == 10 && d.train.is_bytes(); }, "", Fate::kept,
       Fate::kept},
  };
}

std::string joined(const std::vector<std::string>& clauses) {
  std::string all;
  for (const std::string& clause : spelt(clauses)) all += clause + "; ";
  return all;
}

}  // namespace

TEST_CASE("what a set has is kept, named as dropped, or refused, in every format that is written", "[data]") {
  const kit::TemporaryFolder folder;
  std::filesystem::create_directory(folder.file("idx"));
  for (const Thing& thing : things()) {
    Dataset data = pictures();
    thing.give(data);
    REQUIRE(thing.there(data));
    std::vector<std::pair<std::string, Fate>> formats = {{folder.file("a.npz"), thing.npz},
                                                         {folder.file("idx/"), thing.idx}};
    if (NTKROB_TEST_HDF5) formats.emplace_back(folder.file("a.h5"), Fate::kept);
    for (const auto& [path, fate] : formats) {
      INFO(thing.name << " in " << path);
      for (const auto& old : std::filesystem::directory_iterator(folder.file("idx"))) std::filesystem::remove(old);
      const std::string lost = joined(left_out_by(data, path));
      INFO("named: " << lost);
      if (fate == Fate::refused) {
        CHECK_THROWS_AS(save_dataset(data, path, true), NotSupported);
        continue;
      }
      save_dataset(data, path, true);
      if (fate == Fate::named) {
        CHECK_CONTAINS(lost, thing.words);
        continue;
      }
      CHECK(lost == "");
      const std::string input = path.back() == '/' ? path.substr(0, path.size() - 1) : path;
      const Dataset back = open_dataset({input});
      CHECK(thing.there(back));
      CHECK(back.checksum() == data.checksum());
    }
  }
}

TEST_CASE("what has to be told again is told by the option that is named", "[data]") {
  const kit::TemporaryFolder folder;
  std::filesystem::create_directory(folder.file("idx"));
  for (const Thing& thing : things()) {
    Dataset data = pictures();
    thing.give(data);
    if (thing.idx != Fate::named) continue;
    for (const auto& old : std::filesystem::directory_iterator(folder.file("idx"))) std::filesystem::remove(old);
    save_dataset(data, folder.file("idx/"), true);
    ReadOptions options;
    const std::string lost = joined(left_out_by(data, folder.file("idx/")));
    if (lost.find("value-range=0:255") != std::string::npos) options.value_range = "0:255";
    if (lost.find("layout=ND)") != std::string::npos) options.layout = "ND";
    if (lost.find("layout=NHWC") != std::string::npos) options.layout = "NHWC";
    INFO(thing.name << ": " << lost);
    const Dataset back = open_dataset({folder.file("idx")}, options);
    CHECK(back.shape == data.shape);
    CHECK(back.train.is_bytes() == data.train.is_bytes());
    CHECK(back.train.labels == data.train.labels);
    if (data.train.is_bytes()) CHECK(back.train.bytes == data.train.bytes);
  }
}

TEST_CASE("a picture drops what it cannot show, and says so", "[data]") {
  Dataset data = pictures();
  data.class_names.assign(10, "n");
  const std::string lost = joined(left_out_by(data, "a.png"));
  for (const char* words : {"class names", "labels", "the test split of 10 images"}) CHECK_CONTAINS(lost, words);
  data.beyond_range = true;
  make_floats(data, -1, 2);
  CHECK_CONTAINS(kit::message_of<NotSupported>([&] { save_dataset(data, "a.png", false); }), "write .h5 or .npz");
}

TEST_CASE("names of features that HDF5 has no room for are named", "[data]") {
  Dataset data = pictures();
  make_rows(data, {1, 1, 9});
  data.feature_names.assign(9, std::string(8000, 'a'));
  CHECK_CONTAINS(joined(left_out_by(data, "a.h5")), "the names of 9 features");
  CHECK(left_out_by(data, "a.npz").empty());
}
