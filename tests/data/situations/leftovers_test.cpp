/// Nothing is left out without a word: arrays, links, files, splits.
#include <hdf5.h>

#include <filesystem>

#include "samples.hpp"

using namespace ntkrob::situations;
using ntkrob::cli_test::write_file;

namespace {

namespace fs = std::filesystem;
const Array kThree = blocks(24, 0, 3);

Situation whole(const Content& content) { return picture_situation(content, as_labels(kThree), 3); }

Content with_test() {
  Content content = pictures(kThree);
  content.test.x = pattern({6, 8, 8}, "|u1", 255, 0);
  content.test.y = blocks(6, 0, 3);
  return content;
}

/// A file of the content, changed with the HDF5 library.
Situation::Maker changed_hdf5(const Content& content, const std::function<void(hid_t)>& change) {
  return [=](const std::string& folder) {
    const Input input = write(content, hdf5, folder);
    const hid_t file = H5Fopen(input.paths[0].c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    REQUIRE(file >= 0);
    change(file);
    REQUIRE(H5Fclose(file) >= 0);
    return input;
  };
}

}  // namespace

TEST_CASE("further arrays are named", "[situations]") {
  Content content = pictures(kThree);
  content.more = {{"ids", blocks(24, 100, 24)}, {"mean", pattern({8, 8}, "<f4", 0, 1)}};
  whole(content).said({hdf5, npz}, {"ids", "mean"}).check();
}

TEST_CASE("single numbers, texts and arrays of strange types beside are named and do no harm", "[situations]") {
  Content content = pictures(kThree);
  Array count = numbers({3}), about = texts({"made in a test"});
  count.shape = about.shape = {};
  content.more = {{"how_many", count}, {"about", about}};
  whole(content).said({hdf5, npz}, {"how_many", "about"}).check();
  Situation row = whole(content);
  row.said("NPZ with complex numbers and a text file",
           [&](const std::string& folder) {
             std::string complex = npy_file(numbers({1, 2, 3}, "<f8"));
             complex.replace(complex.find("'<f8'"), 5, "'<c8'");
             write_file(folder + "/data.npz", zip_file({{"x_train.npy", npy_file(content.train.x)},
                                                        {"y_train.npy", npy_file(content.train.y)},
                                                        {"spectrum.npy", complex},
                                                        {"readme.txt", "hello"}}));
             return Input{{folder + "/data.npz"}, {}};
           },
           {"spectrum", "readme.txt"});
  row.check();
}

TEST_CASE("a validation split beside is named", "[situations]") {
  Content content = with_test();
  content.more = {{"x_val", pattern({6, 8, 8})}, {"y_val", blocks(6, 0, 3)}};
  whole(content)
      .gives_test(unit(content.test.x), as_labels(content.test.y))
      .said({hdf5, npz}, {"x_val", "y_val"})
      .check();
}

TEST_CASE("the six arrays of MedMNIST: train and test are read or asked for, val is named", "[situations]") {
  Content content = with_test();
  content.train.y = reshaped(as_type(kThree, "|u1"), {24, 1});
  content.test.y = reshaped(as_type(content.test.y, "|u1"), {6, 1});
  content.names = {"train_images", "train_labels", "test_images", "test_labels"};
  content.more = {{"val_images", pattern({6, 8, 8})}, {"val_labels", blocks(6, 0, 3)}};
  Situation row = whole(content);
  row.gives_test(unit(content.test.x), as_labels(content.test.y));
  row.with({"--x", "train_images", "--y", "train_labels", "--x-test", "test_images", "--y-test", "test_labels"});
  row.said({hdf5, npz}, {"val_images", "val_labels"}).check();
}

TEST_CASE("a test split without labels does not block the training split", "[situations]") {
  Content content = with_test();
  content.test.y = {};
  whole(content).said({hdf5, npz, csv}, {"test"}).said({idx}, {"t10k", "no labels"}).check();
}

TEST_CASE("an empty test split does not block the training split", "[situations]") {
  Content content = pictures(kThree);
  content.test.x = pattern({0, 8, 8});
  content.test.y = blocks(0, 0, 3);
  whole(content).said({hdf5, npz, idx}, {"test"}).check();
}

TEST_CASE("links inside the file are followed", "[situations]") {
  Content content;
  content.train.x = pattern({24, 8, 8});
  content.train.y = kThree;
  Content moved = content;
  moved.names = {"raw/images", "raw/labels", "", ""};
  Situation row = whole(content);
  row.read("HDF5 with soft links", changed_hdf5(moved, [](hid_t file) {
             H5Lcreate_soft("/raw/images", file, "x_train", H5P_DEFAULT, H5P_DEFAULT);
             H5Lcreate_soft("/raw/labels", file, "y_train", H5P_DEFAULT, H5P_DEFAULT);
           }));
  row.read("HDF5 with a linked group", changed_hdf5(moved, [](hid_t file) {
             H5Lcreate_soft("/raw", file, "again", H5P_DEFAULT, H5P_DEFAULT);
             H5Lcreate_soft("/again/images", file, "x_train", H5P_DEFAULT, H5P_DEFAULT);
             H5Lcreate_hard(file, "/raw/labels", file, "y_train", H5P_DEFAULT, H5P_DEFAULT);
           }));
  row.check();
}

TEST_CASE("a linked test split is not lost", "[situations]") {
  Content content = with_test();
  content.names = {"x_train", "y_train", "held_out/images", "held_out/labels"};
  Situation row = whole(content);
  row.gives_test(unit(content.test.x), as_labels(content.test.y));
  row.read("HDF5", changed_hdf5(content, [](hid_t file) {
             H5Lcreate_soft("/held_out/images", file, "x_test", H5P_DEFAULT, H5P_DEFAULT);
             H5Lcreate_soft("/held_out/labels", file, "y_test", H5P_DEFAULT, H5P_DEFAULT);
           }));
  row.check();
}

TEST_CASE("links that lead nowhere or elsewhere are refused by name", "[situations]") {
  Content content = pictures(kThree);
  content.names = {"stuff", "y_train", "", ""};
  Situation row;
  row.refused(
      "dangling",
      changed_hdf5(content, [](hid_t file) { H5Lcreate_soft("/gone", file, "x_train", H5P_DEFAULT, H5P_DEFAULT); }),
      {"x_train", "nowhere"});
  row.refused("another file",
              changed_hdf5(content,
                           [](hid_t file) {
                             H5Lcreate_external("other.h5", "/x_train", file, "x_train", H5P_DEFAULT, H5P_DEFAULT);
                           }),
              {"x_train", "another file"});
  row.refused(
      "itself",
      changed_hdf5(content, [](hid_t file) { H5Lcreate_soft("/x_train", file, "x_train", H5P_DEFAULT, H5P_DEFAULT); }),
      {"x_train"});
  row.check();
}

TEST_CASE("an array of which part was never written is refused with the count", "[situations]") {
  const auto half = [](const char* name, int rank, const std::vector<hsize_t>& extents,
                       const std::vector<hsize_t>& chunk, hsize_t filled) {
    return [=](hid_t file) {
      const hid_t space = H5Screate_simple(rank, extents.data(), nullptr), properties = H5Pcreate(H5P_DATASET_CREATE);
      H5Pset_chunk(properties, rank, chunk.data());
      const hid_t set = H5Dcreate2(file, name, H5T_STD_U8LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
      std::vector<hsize_t> count = extents, start(extents.size(), 0);
      count[0] = filled;
      hsize_t size = 1;
      for (const hsize_t extent : count) size *= extent;
      std::vector<unsigned char> values(size);
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<unsigned char>(rank == 1 ? i % 3 : i % 256);
      H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
      const hid_t memory = H5Screate_simple(rank, count.data(), nullptr);
      REQUIRE(H5Dwrite(set, H5T_NATIVE_UCHAR, memory, space, H5P_DEFAULT, values.data()) >= 0);
      H5Sclose(memory);
      H5Dclose(set);
      H5Pclose(properties);
      H5Sclose(space);
    };
  };
  const auto images = half("x_train", 3, {100, 8, 8}, {10, 8, 8}, 40);
  const auto labels = half("y_train", 1, {100}, {10}, 40);
  Content other = pictures(kThree);
  other.names = {"unused_x", "unused_y", "", ""};
  Situation row;
  row.refused("HDF5",
              changed_hdf5(other,
                           [=](hid_t file) {
                             images(file);
                             labels(file);
                           }),
              {"x_train", "40", "100"});
  row.check();
}

TEST_CASE("the first of several training files is not the only one", "[situations]") {
  // Two tables whose names say nothing about test: both are training data.
  const Content content = table(blocks(kSamples, 0, 3));
  Situation row = table_situation(content, 0, 255);
  row.read("two CSV files", [&](const std::string& folder) {
    Content half = content;
    Input input;
    for (const long begin : {0L, 15L}) {
      half.train.x = rows(content.train.x, begin, begin + 15);
      half.train.y = rows(content.train.y, begin, begin + 15);
      input.paths.push_back(folder + "/part" + std::to_string(begin) + ".csv");
      write_file(input.paths.back(), csv_file(half.train, half.table));
    }
    return input;
  });
  row.check();
}

TEST_CASE("the test split may be another file", "[situations]") {
  const Content content = with_test();
  Content test = content;
  test.train = content.test;
  test.test = {};
  for (const Format format : {hdf5, npz, csv, png}) {
    INFO("both files " << name_of(format));
    Situation row = whole(content);
    row.gives_test(unit(content.test.x), as_labels(content.test.y));
    row.read(std::string("--test-file, ") + name_of(format), [&](const std::string& folder) {
      Content train = content;
      train.test = {};
      fs::create_directory(folder + "/other");
      Input input = write(train, format, folder);
      input.options = {"--test-file", write(test, format, folder + "/other").paths[0]};
      return input;
    });
    row.check();
  }
}

TEST_CASE("the split by fraction takes every picture once and the same for the same seed", "[situations]") {
  using ntkrob::cli_test::Folder;
  using ntkrob::cli_test::run_ok;
  const Folder folder;
  const Input input = write(pictures(kThree), npz, fs::path(folder / "x").parent_path().string());
  const auto described = [&](const std::vector<std::string>& options) {
    std::vector<std::string> arguments{"info", input.paths[0], "--json", "-", "--quiet"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return nlohmann::json::parse(run_ok(arguments))["file"];
  };
  const auto quarter = described({"--test-fraction", "0.25", "--split-seed", "3"});
  CHECK(quarter["train"]["n"] == 18);
  CHECK(quarter["test"]["n"] == 6);
  CHECK(quarter["checksum"] == described({"--test-fraction", "0.25", "--split-seed", "3"})["checksum"]);
  CHECK(quarter["checksum"] != described({"--test-fraction", "0.25", "--split-seed", "4"})["checksum"]);
  CHECK_FAILS(ntkrob::cli_test::run({"info", input.paths[0], "--test-fraction", "1.5"}), 2, "--test-fraction", "1.5");
}
