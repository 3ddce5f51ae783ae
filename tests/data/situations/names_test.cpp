/// Names: which arrays are images and labels, and what classes are called.
#include <hdf5.h>

#include "samples.hpp"

using namespace ntkrob::situations;
using ntkrob::cli_test::write_file;

namespace {

const Array kThree = blocks(24, 0, 3);
const Array kSix = blocks(6, 0, 3);

Content both_splits() {
  Content content = pictures(kThree);
  content.test.x = pattern({6, 8, 8}, "|u1", 255, 0);
  content.test.y = kSix;
  return content;
}

Situation both_situation(const Content& content) {
  Situation row = picture_situation(content, as_labels(kThree), 3);
  row.gives_test(unit(content.test.x), as_labels(kSix));
  return row;
}

std::vector<std::string> asked(const std::vector<std::string>& names) {
  return {"--x", names[0], "--y", names[1], "--x-test", names[2], "--y-test", names[3]};
}

}  // namespace

TEST_CASE("both splits of the usual names are read", "[situations]") {
  both_situation(both_splits()).right({hdf5, npz, npy}).read({idx, png}).said({csv}, {"8 x 8"}).check();
}

TEST_CASE("usual names of other spelling are read in HDF5 and NPZ alike", "[situations]") {
  for (const std::vector<std::string>& names : {std::vector<std::string>{"X_train", "y_train", "X_test", "y_test"},
                                                {"X_train", "Y_train", "X_test", "Y_test"},
                                                {"x_train", "y_train", "X_test", "Y_test"},
                                                {"X", "y", "X_test", "y_test"}}) {
    INFO("names " << names[0] << ", " << names[1] << ", " << names[2]);
    Content content = both_splits();
    content.names = names;
    both_situation(content).read({hdf5, npz}).check();
  }
  for (const auto& [x, y] : {std::pair<std::string, std::string>{"X", "y"}, {"x", "y"}}) {
    Content content = pictures(kThree);
    content.names = {x, y, "", ""};
    picture_situation(content, as_labels(kThree), 3).read({hdf5, npz}).check();
  }
}

TEST_CASE("arrays of any name are read when the user names them", "[situations]") {
  for (const std::vector<std::string>& names :
       {std::vector<std::string>{"train/data", "train/target", "test/data", "test/target"},  // usps.h5
        {"train_images", "train_labels", "test_images", "test_labels"},                      // MedMNIST
        {"train_set_x", "train_set_y", "test_set_x", "test_set_y"},                          // cats
        {"data_train", "t_train", "data_test", "t_test"}}) {
    INFO("names " << names[0] << ", " << names[1]);
    Content content = both_splits();
    content.names = names;
    both_situation(content).with(asked(names)).read({hdf5, npz}).check();
  }
}

TEST_CASE("arrays of unknown names are refused with the names that there are", "[situations]") {
  for (const std::vector<std::string>& names :
       {std::vector<std::string>{"faces", "people", "", ""}, {"arr_0", "arr_1", "", ""}}) {
    Content content = pictures(kThree);
    content.names = names;
    Situation row = picture_situation(content, as_labels(kThree), 3);
    row.refused({hdf5, npz}, {names[0], names[1], "--x", "--y"}).remedy({"--x", names[0], "--y", names[1]}).check();
  }
}

TEST_CASE("two arrays that may be the images are refused until the user names one", "[situations]") {
  Content content = pictures(kThree);
  content.names = {"images", "labels", "", ""};
  content.more = {{"features", pattern({24, 8, 8}, "|u1", 255, 0)}};
  Situation row = picture_situation(content, as_labels(kThree), 3);
  row.refused({hdf5, npz}, {"images", "features", "--y"}).remedy({"--x", "images", "--y", "labels"}).check();
}

TEST_CASE("common pairs of names are read or asked for", "[situations]") {
  for (const auto& [x, y] : {std::pair<std::string, std::string>{"images", "labels"},  // Galaxy10 has "ans"
                             {"data", "target"},                                       // scikit-learn
                             {"data", "targets"},                                      // torchvision
                             {"image", "label"},                                       // TFDS
                             {"data", "labels"},
                             {"images", "ans"}}) {
    INFO("arrays " << x << " and " << y);
    Content content = pictures(kThree);
    content.names = {x, y, "", ""};
    picture_situation(content, as_labels(kThree), 3).with({"--x", x, "--y", y}).read({hdf5, npz}).check();
  }
}

TEST_CASE("a name that is not there is refused with those that are", "[situations]") {
  const Content content = pictures(kThree);
  Situation row = picture_situation(content, as_labels(kThree), 3);
  row.with({"--x", "pixels", "--y", "y_train"}).refused({hdf5, npz}, {"pixels", "x_train"}).check();
  Situation other(content);
  other.with({"--x", "x_train", "--y", "labels"}).refused({hdf5, npz}, {"labels", "y_train"}).check();
}

TEST_CASE("names of arrays are refused where there are none", "[situations]") {
  const Content content = pictures(kThree);
  Situation(content).with({"--x", "x_train"}).refused({idx, png, csv}, {"--x"}).check();
  Situation(content).with({"--drop", "p1"}).refused({idx, png, hdf5, npz}, {"--drop"}).check();
}

TEST_CASE("files of one array each are images and labels by option", "[situations]") {
  const Content content = both_splits();
  Situation row = both_situation(content);
  // KMNIST: arr_0 in each of four files; PatchCamelyon: x and y in HDF5 files of their own.
  const auto parts = [&](const std::string& extension, const auto& put) {
    return [=](const std::string& folder) {
      Input input;
      const std::pair<const char*, const Array*> files[] = {{"train-images", &content.train.x},
                                                            {"train-labels", &content.train.y},
                                                            {"test-images", &content.test.x},
                                                            {"test-labels", &content.test.y}};
      for (const auto& [name, array] : files) {
        const std::string path = folder + "/k49-" + name + extension;
        put(path, *array);
        input.options.push_back(std::string("--") + name);
        input.options.push_back(path);
      }
      return input;
    };
  };
  row.read("NPZ of arr_0", parts(".npz", [](const std::string& path, const Array& array) {
             write_file(path, zip_file({{"arr_0.npy", npy_file(array)}}));
           }));
  row.read("HDF5 of one array", parts(".h5", [](const std::string& path, const Array& array) {
             hdf5_file(path, {{"x", array}}, {});
           }));
  row.read("NPY",
           parts(".npy", [](const std::string& path, const Array& array) { write_file(path, npy_file(array)); }));
  row.read("IDX",
           parts(".idx", [](const std::string& path, const Array& array) { write_file(path, idx_file(array)); }));
  row.check();
}

TEST_CASE("images alone are refused with the way to give labels", "[situations]") {
  const Content content = pictures(kThree);
  Situation row;
  row.refused("NPY",
              [&](const std::string& folder) {
                write_file(folder + "/x.npy", npy_file(content.train.x));
                return Input{{folder + "/x.npy"}, {}};
              },
              {"--train-labels"});
  row.refused("NPZ",
              [&](const std::string& folder) {
                write_file(folder + "/x.npz", zip_file({{"x.npy", npy_file(content.train.x)}}));
                return Input{{folder + "/x.npz"}, {}};
              },
              {"labels"});
  row.refused("HDF5",
              [&](const std::string& folder) {
                hdf5_file(folder + "/x.h5", {{"x", content.train.x}}, {});
                return Input{{folder + "/x.h5"}, {}};
              },
              {"labels"});
  row.refused("IDX",
              [&](const std::string& folder) {
                write_file(folder + "/train-images-idx3-ubyte", idx_file(content.train.x));
                return Input{{folder + "/train-images-idx3-ubyte"}, {}};
              },
              {"labels"});
  row.check();
}

TEST_CASE("class names that a file holds are kept", "[situations]") {
  Content content = pictures(kThree);
  content.class_names = {"cat", "dog", "eel"};
  picture_situation(content, as_labels(kThree), 3).names(content.class_names).read({hdf5, npz}).check();
}

TEST_CASE("fewer class names than labels are refused", "[situations]") {
  Content content = pictures(blocks(24, 1, 3));  // names counted from 1, labels too
  content.class_names = {"cat", "dog", "eel"};
  Situation(content).refused({hdf5, npz}, {"3"}).check();
}

TEST_CASE("the enumeration of booleans is 0 and 1", "[situations]") {
  const Array y = blocks(24, 0, 2, "|b1");
  picture_situation(pictures(y), as_labels(y), 2).any_names().read({hdf5}).check();
}

TEST_CASE("an enumeration of any width names the classes", "[situations]") {
  Content content = pictures(kThree);
  content.names = {"x_train", "unused", "", ""};
  Situation row = picture_situation(content, as_labels(kThree), 3);
  row.names({"cat", "dog", "eel"}).read("enumeration of 16 bits", [&](const std::string& folder) {
    const Input input = write(content, hdf5, folder);
    const hid_t file = H5Fopen(input.paths[0].c_str(), H5F_ACC_RDWR, H5P_DEFAULT), type = H5Tcreate(H5T_ENUM, 2);
    const short members[] = {0, 1, 2};
    for (const auto& [name, value] :
         {std::pair<const char*, const short*>{"cat", members}, {"dog", members + 1}, {"eel", members + 2}})
      H5Tenum_insert(type, name, value);
    const hsize_t count = 24;
    const hid_t space = H5Screate_simple(1, &count, nullptr);
    const hid_t set = H5Dcreate2(file, "y_train", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    std::vector<short> values;
    for (const int label : as_labels(kThree)) values.push_back(static_cast<short>(label));
    REQUIRE(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Tclose(type);
    REQUIRE(H5Fclose(file) >= 0);
    return input;
  });
  row.check();
}

TEST_CASE("files that ntkrob wrote say how they are read", "[situations]") {
  Situation row;
  row.with({"--layout", "NHWC"})
      .refused("HDF5 of ntkrob",
               [](const std::string& folder) {
                 ntkrob::cli_test::run_ok(
                     {"synth", "strokes", "--train", "20", "--test", "0", "--quiet", "-o", folder + "/own.h5"});
                 return Input{{folder + "/own.h5"}, {}};
               },
               {"--layout", "own.h5"});
  row.check();
}
