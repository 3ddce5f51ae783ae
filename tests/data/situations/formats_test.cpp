/// Formats beside the usual ones: NPY pairs, MATLAB, ARFF, LIBSVM, packed tables, damaged or newer files.
#include <zlib.h>

#include "samples.hpp"

using namespace ntkrob::situations;
using ntkrob::cli_test::write_file;

namespace {

const Array kThree = blocks(24, 0, 3);

Situation::Maker file_of(const std::string& name, const std::string& content) {
  return [=](const std::string& folder) {
    write_file(folder + "/" + name, content);
    return Input{{folder + "/" + name}, {}};
  };
}

std::string packed(const std::string& content) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, content.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

TEST_CASE("a pair of NPY files is a data set", "[situations]") {
  for (const char* type : {"|u1", "<i8", "<f4"}) {
    Content content = pictures(kThree);
    content.train.x = as_type(content.train.x, type);
    Situation row = picture_situation(content, as_labels(kThree), 3);
    row.read({npy, npz}).check();
  }
}

TEST_CASE("NPY files of usual names in a folder are found", "[situations]") {
  const Content content = pictures(kThree);
  Situation row = picture_situation(content, as_labels(kThree), 3);
  row.either("x_train.npy, y_train.npy",
             [&](const std::string& folder) {
               write_file(folder + "/x_train.npy", npy_file(content.train.x));
               write_file(folder + "/y_train.npy", npy_file(content.train.y));
               return Input{{folder + "/x_train.npy", folder + "/y_train.npy"}, {}};
             },
             {"x_train.npy"});
  row.check();
}

TEST_CASE("MATLAB 7.3 is HDF5 behind a block of text, its axes reversed", "[situations]") {
  Content content;
  const Array images = pattern({24, 8, 9, 3});
  content.names = {"X", "y", "", ""};
  content.train.x = images;                                     // a MATLAB array of 24 x 8 x 9 x 3
  content.train.y = reshaped(as_type(kThree, "<f8"), {24, 1});  // MATLAB's numbers are double
  Situation row(content);
  row.gives(unit(images), as_labels(kThree), 3, {8, 9, 3}).read({mat, hdf5, npz}).check();
  content.train.x = transposed(images, {1, 2, 3, 0});  // SVHN: 8 x 9 x 3 x 24
  Situation svhn(content);
  svhn.gives(unit(images), as_labels(kThree), 3, {8, 9, 3}).said({mat, hdf5, npz}, {"H,W,C,N"}).check();
}

TEST_CASE("older MATLAB files are refused with the two ways out", "[situations]") {
  std::string bytes = "MATLAB 5.0 MAT-file, Platform: PCWIN64, Created on: Mon Jan  1 00:00:00 2024";
  bytes.resize(124, ' ');
  bytes += std::string("\x00\x01IM", 4) + std::string("\x0f\x00\x00\x00\x08\x00\x00\x00", 8) + std::string(64, '\x11');
  Situation().refused("MAT 5", file_of("train_32x32.mat", bytes), {"MATLAB", "-v7.3", "loadmat"}).check();
}

TEST_CASE("ARFF is read: the nominal attribute is the label", "[situations]") {
  const Content content = table(cycle(kSamples, 0, 3));
  Situation row = table_situation(content, 0, 255);
  row.any_names().said({arff}, {"class"}).check();
}

TEST_CASE("LIBSVM is read: what is not written is 0", "[situations]") {
  const Content content = table(cycle(kSamples, 0, 3));
  Situation row = table_situation(content, 0, 255);
  row.any_names().said({libsvm}, {"indices count from 1"}).check();
}

TEST_CASE("numbers between blanks are read as parts, or refused with the way", "[situations]") {
  const Content content = table(cycle(kSamples, 1, 3));
  const auto lines = [](const Array& array, long width) {
    std::string text;
    for (std::size_t i = 0; i < array.numbers.size(); ++i)
      text += std::string(static_cast<long>(i) % width ? "  " : " ") +
              std::to_string(static_cast<int>(array.numbers[i])) +
              (static_cast<long>(i) % width == width - 1 ? "\n" : "");
    return text;
  };
  Situation row;  // UCI HAR: X_train.txt and y_train.txt
  row.gives(unit(content.train.x), as_labels(content.train.y), 4, kRow);
  row.either("X_train.txt",
             [&](const std::string& folder) {
               write_file(folder + "/X_train.txt", lines(content.train.x, 10));
               write_file(folder + "/y_train.txt", lines(content.train.y, 1));
               return Input{{}, {"--train-images", folder + "/X_train.txt", "--train-labels", folder + "/y_train.txt"}};
             },
             {"X_train.txt"});
  row.check();
}

TEST_CASE("a packed table is a table", "[situations]") {
  const Content content = table(cycle(kSamples, 0, 3));
  Situation row = table_situation(content, 0, 255);
  row.right({csv}).right("CSV, gzip", file_of("data.csv.gz", packed(csv_file(content.train, content.table)))).check();
}

TEST_CASE("packed IDX files are IDX files", "[situations]") {
  const Content content = pictures(kThree);
  Situation row = picture_situation(content, as_labels(kThree), 3);
  row.said("IDX, gzip",
           [&](const std::string& folder) {
             const auto put = [&](const std::string& name, const Array& array) {
               write_file(folder + "/" + name, packed(idx_file(array)));
             };
             put("emnist-letters-train-images-idx3-ubyte.gz", content.train.x);
             put("emnist-letters-train-labels-idx1-ubyte.gz", content.train.y);
             return Input{{folder}, {}};
           },
           {"transposed", "NWH"});
  row.check();
}

TEST_CASE("IDX files of two sets in one folder are refused with both", "[situations]") {
  const Content content = pictures(kThree);
  Situation row;
  row.refused("letters and digits",
              [&](const std::string& folder) {
                for (const char* set : {"emnist-letters", "emnist-digits"}) {
                  write_file(folder + "/" + set + "-train-images-idx3-ubyte", idx_file(content.train.x));
                  write_file(folder + "/" + set + "-train-labels-idx1-ubyte", idx_file(content.train.y));
                }
                return Input{{folder}, {}};
              },
              {"emnist-letters", "emnist-digits"});
  row.check();
}

TEST_CASE("pickled objects in NPZ are refused with the remedy", "[situations]") {
  std::string array = npy_file(kThree);
  array.replace(array.find("'<i8'"), 5, "'|O' ");
  const std::string archive = zip_file({{"x_train.npy", npy_file(pattern({24, 8, 8}))}, {"y_train.npy", array}});
  Situation().refused("object array", file_of("objects.npz", archive), {"y_train", "object"}).check();
}

TEST_CASE("HDF5 of a newer library is refused as newer, not as damaged", "[situations]") {
  Situation row;
  row.refused("superblock 9",
              [](const std::string& folder) {
                const Input input = write(pictures(kThree), hdf5, folder);
                std::string bytes = ntkrob::cli_test::read_file(input.paths[0]);
                bytes[8] = 9;  // the version of the superblock
                write_file(input.paths[0], bytes);
                return input;
              },
              {"HDF5", "newer", "libver"});
  row.check();
}

TEST_CASE("control characters and NUL in names do not cut a message short", "[situations]") {
  Situation row;
  row.refused("CSV", file_of("bell.csv", "label,a\x07,b\n0,x\x1b[31m,2\n"), {"line 2", "--drop"}).check();
  Situation nul;
  nul.refused("NPZ text label with NUL",
              [](const std::string& folder) {
                std::string labels = npy_file(texts({"a", "b", "a", "b"}, "|S"));
                labels.replace(labels.size() - 4, 4, std::string("-1\0\0", 4));  // "-", "1", "", ""
                write_file(folder + "/nul.npz",
                           zip_file({{"x_train.npy", npy_file(pattern({4, 8, 8}))}, {"y_train.npy", labels}}));
                return Input{{folder + "/nul.npz"}, {}};
              },
              {"nul.npz", "y_train"});
  nul.check();
}

TEST_CASE("text that is no table is refused", "[situations]") {
  Situation row;
  row.refused("a page",
              file_of("data.csv", "<!DOCTYPE html>\n<html><head><title>404, not found</title></head></html>\n"),
              {"data.csv"});
  row.refused("a pointer of git-lfs",
              file_of("train.h5", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n"),
              {"train.h5"});
  row.check();
}
