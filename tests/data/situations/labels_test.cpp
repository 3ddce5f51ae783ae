/// Labels: which class is meant, in every format that can hold them.
#include <cmath>

#include "samples.hpp"

using namespace ntkrob::situations;

namespace {

const Array kThree = blocks(24, 0, 3);

/// What a table of pictures always says.
const std::vector<std::string> kSquare = {"8 x 8"};

}  // namespace

TEST_CASE("whole labels of every type are classes", "[situations]") {
  for (const char* type : {"|u1", "|i1", "<u2", ">u2", "<i4", ">i4", "<i8", "<u8", "<f4", "<f8"}) {
    INFO("labels of type " << type);
    Content content = pictures(as_type(kThree, type));
    Situation row = picture_situation(content, as_labels(kThree), 3);
    row.right({hdf5, npz, npy});
    row.said({csv}, kSquare);
    row.check();
  }
  picture_situation(pictures(kThree), as_labels(kThree), 3).read({idx, png}).check();
}

TEST_CASE("labels in a column, in a row or with axes of one are labels", "[situations]") {
  for (const std::vector<long>& shape : {std::vector<long>{24, 1}, {1, 24}, {24, 1, 1, 1}}) {
    INFO("rank " << shape.size() << ", first extent " << shape[0]);
    Content content = pictures(kThree);
    content.train.y = reshaped(kThree, shape);
    picture_situation(content, as_labels(kThree), 3).right({hdf5, npz}).check();
  }
}

TEST_CASE("yes and no are two classes", "[situations]") {
  const Array y = blocks(24, 0, 2, "|b1");
  Situation row = picture_situation(pictures(y), as_labels(y), 2);
  row.any_names().read({hdf5, npz, csv}).check();
}

TEST_CASE("text labels become classes in sorted order, and their names are kept", "[situations]") {
  std::vector<std::string> labels;
  const std::vector<int> expected = as_labels(kThree);
  for (const int label : expected) labels.push_back(label == 0 ? "cat" : label == 1 ? "dog" : "eel");
  for (const char* type : {"<U", "|S"}) {
    Content content = pictures(texts(labels, type));
    Situation row = picture_situation(content, expected, 3);
    row.names({"cat", "dog", "eel"}).said({hdf5, npz, csv}, {"cat", "eel"}).check();
  }
  Content content = pictures(texts(labels));
  content.table.quotes = true;
  picture_situation(content, expected, 3).names({"cat", "dog", "eel"}).said({csv}, {"cat", "eel"}).read({png}).check();
}

TEST_CASE("a quoted text label may hold the separator", "[situations]") {
  std::vector<std::string> labels;
  for (int i = 0; i < 24; ++i) labels.push_back(i < 12 ? "cat, large" : "dog");
  Content content = pictures(texts(labels));
  content.table.quotes = true;
  picture_situation(content, as_labels(blocks(24, 0, 2)), 2)
      .names({"cat, large", "dog"})
      .said({csv}, {"cat, large"})
      .check();
}

TEST_CASE("the test split has the class numbers of the training split, whichever texts occur in it", "[situations]") {
  std::vector<std::string> labels;
  for (int i = 0; i < 24; ++i) labels.push_back(i < 8 ? "bee" : i < 16 ? "cow" : "doe");
  Content content = pictures(texts(labels));
  content.test.x = pattern({4, 8, 8}, "|u1", 255, 0);
  content.test.y = texts({"cow", "doe", "doe", "doe"});
  Situation row = picture_situation(content, as_labels(blocks(24, 0, 3)), 3);
  row.names({"bee", "cow", "doe"}).gives_test(unit(content.test.x), {1, 2, 2, 2});
  row.said({hdf5, npz, csv}, {"bee", "doe"}).read({png}).check();
}

TEST_CASE("texts of whole numbers are numbers, and ten is not before two", "[situations]") {
  const Array y = blocks(33, 0, 11);
  std::vector<std::string> labels;
  for (const double label : y.numbers) labels.push_back(std::to_string(static_cast<int>(label)));
  for (const char* type : {"<U", "|S"}) {
    Content content = pictures(texts(labels, type));
    content.table.quotes = true;
    picture_situation(content, as_labels(y), 11).read({hdf5, npz, csv, png}).check();
  }
}

TEST_CASE("one-hot rows of any numeric type are labels", "[situations]") {
  for (const char* type : {"|u1", "|b1", "<i4", "<i8", "<f4", "<f8"}) {
    INFO("one-hot of type " << type);
    const Content content = pictures(one_hot(kThree, 3, type));
    picture_situation(content, as_labels(kThree), 3).said({hdf5, npz}, {"one-hot"}).check();
  }
}

TEST_CASE("several ones in a row are no label", "[situations]") {
  Array y = one_hot(kThree, 3, "<i8");
  y.numbers[5 * 3 + 0] = y.numbers[5 * 3 + 1] = y.numbers[5 * 3 + 2] = 1;
  Situation(pictures(y)).refused({hdf5, npz}, {"y_train", "row 5"}).check();
  Array none = one_hot(kThree, 3, "|u1");
  none.numbers[4 * 3] = 0;
  Situation(pictures(none)).refused({hdf5, npz}, {"y_train", "row 4"}).check();
}

TEST_CASE("real-valued targets stay targets", "[situations]") {
  Array y = mapped(
      one_hot(kThree, 3, "<f4"), [](double value) { return 0.1 + 0.7 * value; }, "<f4");
  picture_situation(pictures(y), as_labels(kThree), 3).read({hdf5, npz}).check();
}

TEST_CASE("labels that begin with 1 are said, and renumbered on request", "[situations]") {
  const Array y = blocks(25, 1, 5);  // as the letters of EMNIST, 1..26
  const Content content = pictures(y);
  const std::vector<std::string> words = {"labels run 1 .. 5", "class 0 has none", "--renumber"};
  picture_situation(content, as_labels(y), 6).said({hdf5, npz, csv, idx, png}, words).check();
  Situation row = picture_situation(content, as_labels(y, 1), 5);
  row.names({"1", "2", "3", "4", "5"}).with({"--renumber"}).said({hdf5, npz, csv, idx, png}, {"1"}).check();
}

TEST_CASE("a class without images in the middle is said", "[situations]") {
  std::vector<double> labels;  // the alphabet of sign language has no moving letters: 0..24 without 9
  for (int i = 0; i < 25; ++i) labels.push_back(i / 5 + (i / 5 >= 3 ? 1 : 0));
  const Content content = pictures(numbers(labels));
  Situation row = picture_situation(content, as_labels(numbers(labels)), 6);
  row.said({hdf5, npz, csv, idx, png}, {"class 3 has none", "--renumber"}).check();
  std::vector<int> renumbered;
  for (const double label : labels) renumbered.push_back(static_cast<int>(label) - (label > 3 ? 1 : 0));
  Situation other = picture_situation(content, renumbered, 5);
  other.names({"0", "1", "2", "4", "5"}).with({"--renumber"}).read({hdf5, npz, csv, idx, png}).check();
}

TEST_CASE("a label map turns 10 into 0", "[situations]") {
  const Array y = blocks(30, 1, 10);  // SVHN: 10 is the digit 0
  const Content content = pictures(reshaped(as_type(y, "|u1"), {30, 1}));
  std::vector<int> expected;
  for (const double label : y.numbers) expected.push_back(static_cast<int>(label) % 10);
  picture_situation(content, as_labels(y), 11).said({hdf5, npz}, {"labels run 1 .. 10", "class 0 has none"}).check();
  picture_situation(content, expected, 10).with({"--label-map", "10:0"}).read({hdf5, npz}).check();
  picture_situation(pictures(y), expected, 10).with({"--label-map", "10:0"}).read({csv, idx, png}).check();
}

TEST_CASE("negative labels are refused until they are renumbered", "[situations]") {
  std::vector<double> labels;
  for (int i = 0; i < 24; ++i) labels.push_back(i < 12 ? -1 : 1);
  const Content content = pictures(numbers(labels, "<i4"));
  Situation row = picture_situation(content, as_labels(blocks(24, 0, 2)), 2);
  row.names({"-1", "1"}).refused({hdf5, npz, csv, idx}, {"-1", "--renumber"}).remedy({"--renumber"}).check();
}

TEST_CASE("numbers of articles are no class numbers until they are renumbered", "[situations]") {
  std::vector<double> labels;
  for (int i = 0; i < 24; ++i) labels.push_back(i < 12 ? 100007 : 100045);
  std::vector<int> expected;
  for (int i = 0; i < 24; ++i) expected.push_back(i < 12 ? 0 : 1);
  Situation row = picture_situation(pictures(numbers(labels, "<i4")), expected, 2);
  row.names({"100007", "100045"})
      .refused({hdf5, npz, csv, idx, png}, {"1000", "--renumber"})
      .remedy({"--renumber"})
      .check();
}

TEST_CASE("labels with fractions, without number or without value are refused", "[situations]") {
  Array y = as_type(kThree, "<f8");
  y.numbers[7] = 0.5;
  Situation(pictures(y)).refused({hdf5, npz, csv}, {"0.5"}).check();
  y.numbers[7] = std::nan("");
  Situation(pictures(y)).refused({hdf5, npz, csv}, {"nan"}).check();
  std::vector<std::string> labels(24, "1");
  for (std::size_t i = 0; i < 24; i += 2) labels[i] = "0";
  labels[9] = "";
  Situation(pictures(texts(labels))).refused({csv, npz, hdf5}, {"label 9 is empty"}).check();
}

TEST_CASE("labels and images of different number are refused with both", "[situations]") {
  Content content = pictures(kThree);
  content.train.y = rows(kThree, 0, 23);
  Situation(content).refused({hdf5, npz, idx, npy}, {"23", "24"}).check();
}

TEST_CASE("a class that only the test split has is a class, and said", "[situations]") {
  Content content = pictures(blocks(24, 0, 2));
  content.test.x = pattern({6, 8, 8}, "|u1", 255, 0);
  content.test.y = blocks(6, 0, 3);
  Situation row = picture_situation(content, as_labels(content.train.y), 3);
  row.gives_test(unit(content.test.x), as_labels(content.test.y));
  row.said({hdf5, npz, csv, idx, png}, {"class 2"}).check();
}

TEST_CASE("names beyond ASCII are kept", "[situations]") {
  const std::vector<std::string> words = {"Apfel",
                                          "K\xc3\xa4"
                                          "fer",
                                          "\xc3\x89t\xc3\xa9"};
  std::vector<std::string> labels;
  for (const int label : as_labels(kThree)) labels.push_back(words[static_cast<std::size_t>(label)]);
  Situation row = picture_situation(pictures(texts(labels)), as_labels(kThree), 3);
  row.names(words).said({hdf5, npz, csv}, {words[1]}).read({png}).check();
}

TEST_CASE("several labels per sample are refused", "[situations]") {
  Array y;  // coarse and fine classes beside each other
  y.type = "<i8";
  y.shape = {24, 2};
  for (int i = 0; i < 48; ++i) y.numbers.push_back(i % 5);
  Situation(pictures(y)).refused({hdf5, npz}, {"y_train", "[24,2]"}).check();
}

TEST_CASE("splits may state their labels in different ways, but not with different words", "[situations]") {
  Content content = pictures(one_hot(kThree, 3, "|u1"));
  content.test.x = pattern({6, 8, 8}, "|u1", 255, 0);
  content.test.y = blocks(6, 0, 3);
  Situation row = picture_situation(content, as_labels(kThree), 3);
  row.gives_test(unit(content.test.x), as_labels(content.test.y)).said({hdf5, npz}, {"one-hot"}).check();
  content.train.y = kThree;
  content.test.y = texts({"cat", "cat", "dog", "dog", "eel", "eel"});
  Situation(content).refused({hdf5, npz, csv}, {"texts"}).check();
}

TEST_CASE("floating-point labels that are whole are classes in tables too", "[situations]") {
  Content content = pictures(as_type(kThree, "<f8"));
  picture_situation(content, as_labels(kThree), 3).read({csv, hdf5}).check();
}

TEST_CASE("folders 01, 02, 03 are the numbers 1, 2, 3", "[situations]") {
  std::vector<std::string> labels;
  for (const int label : as_labels(kThree)) labels.push_back("0" + std::to_string(label + 1));
  const Content content = pictures(texts(labels));
  picture_situation(content, as_labels(kThree), 3)
      .names({"1", "2", "3"})
      .with({"--renumber"})
      .read({npz, hdf5, csv, png})
      .check();
}
