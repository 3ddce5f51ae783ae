/// An example of every format of formats.def: small files, and what is in them. A format without one fails the tests
/// that walk the list (every_format_test.cpp).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/data_kit.hpp"

namespace ntkrob::kit {

struct FormatExample {
  std::vector<std::string> files;   // to damage, one at a time
  std::vector<std::string> inputs;  // of open_dataset
  std::vector<int> labels;          // of the training split
  // Of formats with a writer: the name to save under, and the input that gives the set back. No input: it does not.
  std::string saved, saved_input;
};

/// A .npy file.   type: "|u1"   shape: "(3, 12, 12)"
inline std::string npy_bytes(const std::string& type, const std::string& shape, const std::string& content) {
  std::string text = "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
  text.append(63 - (10 + text.size()) % 64, ' ');
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(text.size() + 1) + '\0' + text + '\n' + content;
}

/// Writes the example of a format, by its id in formats.def, into an empty folder. Fails the test where there is none.
inline FormatExample write_example(const std::string& format, const TemporaryFolder& folder) {
  const auto file = [&](const std::string& name, const std::string& content) {
    spill(folder.file(name), content);
    return folder.file(name);
  };
  FormatExample example;
  if (format == "hdf5" || format == "npz") {
    const Dataset data = small_bytes();
    const std::string ending = format == "hdf5" ? ".h5" : ".npz", path = folder.file("a" + ending);
    save_dataset(data, path, false);
    example = {{path}, {path}, data.train.labels, folder.file("saved" + ending), folder.file("saved" + ending)};
  } else if (format == "npy") {
    const std::string x = file("x_train.npy", npy_bytes("|u1", "(3, 12, 12)", std::string(3 * 144, '\310'))),
                      y = file("y_train.npy", npy_bytes("|u1", "(3,)", std::string("\0\2\1", 3)));
    example = {{x, y}, {x, y}, {0, 2, 1}, {}, {}};
  } else if (format == "idx") {
    const Dataset data = small_bytes();
    std::filesystem::create_directory(folder.file("digits"));
    std::filesystem::create_directory(folder.file("saved"));
    save_dataset(data, folder.file("digits/"), false);
    for (const auto& entry : std::filesystem::directory_iterator(folder.file("digits")))
      example.files.push_back(entry.path().string());
    example.inputs = {folder.file("digits")};
    example.labels = data.train.labels;
    example.saved = folder.file("saved/");
    example.saved_input = folder.file("saved");
  } else if (format == "cifar") {
    const std::string pixels(3072, '\310'), path = file("data_batch_1.bin", '\3' + pixels + '\7' + pixels);
    example = {{path}, {path}, {3, 7}, {}, {}};
  } else if (format == "png") {
    const Dataset data = make_strokes(1, 0, 1);
    for (const char* name : {"a", "b"}) {
      std::filesystem::create_directory(folder.file(name));
      write_png_grid(folder.file(std::string(name) + "/0.png"), data.images("train").view().middle_rows(0, 1),
                     data.shape, 1, 1, false);
      example.files.push_back(folder.file(std::string(name) + "/0.png"));
    }
    example.inputs = {folder.path()};
    example.labels = {0, 1};
    example.saved = folder.file("grid.png");  // one picture to look at
  } else if (format == "arff") {
    const std::string path = file("a.arff",
                                  "@relation r\n@attribute 'a b' real\n@attribute c real\n@attribute class {0,1}\n"
                                  "@data\n0.5,0.25,0\n1,0.75,1\n0.25,0,'1'\n");
    example = {{path}, {path}, {0, 1, 1}, {}, {}};
  } else if (format == "libsvm") {
    const std::string path = file("a.svm", "0 1:0.5 3:1\n1 2:0.25 # text\n1 1:1\n");
    example = {{path}, {path}, {0, 1, 1}, {}, {}};
  } else if (format == "csv") {
    const std::string path = file("a.csv", "label,a,b,c\n0,0.5,0.25,1\n1,0,1,0.125\n1,0.75,0.5,0\n");
    example = {{path}, {path}, {0, 1, 1}, {}, {}};
  } else {
    FAIL("format " << format << " of formats.def has no example: write one in tests/data/format_examples.hpp");
  }
  return example;
}

}  // namespace ntkrob::kit
