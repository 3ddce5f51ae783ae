/// The rules of reading (lib/doc/reading.md) inside the library, so that the sanitizers see them; through the command
/// they are tried in situations/.
#include <filesystem>
#include <set>

#include "data/data_kit.hpp"

using namespace ntkrob;
using kit::message_of;

namespace {

/// A .npy file. type: as NumPy writes it; shape: as a Python tuple
std::string npy_file(const std::string& type, const std::string& shape, const std::string& bytes,
                     bool fortran = false) {
  std::string header =
      "{'descr': '" + type + "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': " + shape + ", }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size() & 0xff) +
         static_cast<char>(header.size() >> 8) + header + bytes;
}

/// n images of 12 x 12 bytes as .npy, labels as given.
struct Pair {
  explicit Pair(const kit::TemporaryFolder& folder) : x(folder.file("x_train.npy")), y(folder.file("y_train.npy")) {}
  void write(const std::string& images, const std::string& labels) const {
    kit::spill(x, images);
    kit::spill(y, labels);
  }
  Dataset read(const ReadOptions& options = {}) const { return open_dataset({x, y}, options); }
  std::string x, y;
};

std::string pixels(std::size_t n) {
  std::string bytes;
  for (std::size_t i = 0; i < n; ++i) bytes += static_cast<char>(i * 7 % 256);
  return bytes;
}

std::string joined(const std::vector<std::string>& notes) {
  std::string all;
  for (const std::string& note : spelt(notes)) all += note + "\n";
  return all;
}

}  // namespace

TEST_CASE("labels of every type come out as the same classes", "[data]") {
  const kit::TemporaryFolder folder;
  const Pair pair(folder);
  const std::string x = npy_file("|u1", "(4, 12, 12)", pixels(4 * 144));
  const auto labels = [&](const std::string& y) {
    pair.write(x, y);
    return pair.read();
  };
  const std::string one_hot =
      std::string("\1\0\0", 3) + std::string("\0\1\0", 3) + std::string("\0\0\1", 3) + std::string("\0\1\0", 3);
  const std::vector<int> expected{0, 1, 2, 1};

  CHECK(labels(npy_file("|u1", "(4,)", std::string("\0\1\2\1", 4))).train.labels == expected);
  CHECK(labels(npy_file(">i2", "(4, 1)", std::string("\0\0\0\1\0\2\0\1", 8))).train.labels == expected);
  CHECK(labels(npy_file("|b1", "(4, 3)", one_hot)).train.labels == expected);
  CHECK(labels(npy_file("|u1", "(4, 3)", one_hot)).classes == 3);
  const Dataset texts =
      labels(npy_file("|S3", "(4,)", std::string("ant\0bee\0cat\0bee", 12).substr(0, 3) + "bee" + "cat" + "bee"));
  CHECK(texts.train.labels == expected);
  CHECK(texts.class_names == std::vector<std::string>{"ant", "bee", "cat"});
  CHECK(labels(npy_file("|S1", "(4,)", "0121")).train.labels == expected);
  CHECK_CONTAINS(message_of([&] { labels(npy_file("|u1", "(4, 3)", std::string(12, '\1'))); }), "row 0 has 3 ones");
  CHECK_CONTAINS(message_of([&] { labels(npy_file("|i1", "(4,)", std::string("\xff\1\xff\1", 4))); }), "renumber=true");
  ReadOptions renumber;
  renumber.renumber = true;
  const Dataset renumbered = pair.read(renumber);
  CHECK(renumbered.train.labels == std::vector<int>{0, 1, 0, 1});
  CHECK(renumbered.class_names == std::vector<std::string>{"-1", "1"});
  ReadOptions map;
  map.label_map = "-1:5";
  CHECK(pair.read(map).train.labels == std::vector<int>{5, 1, 5, 1});
  map.label_map = "7:0";
  CHECK_CONTAINS(message_of<ConfigError>([&] { pair.read(map); }), "label 7 does not occur");
}

TEST_CASE("axes in every order give the same images, and what two readings fit is refused with both", "[data]") {
  const kit::TemporaryFolder folder;
  const Pair pair(folder);
  const std::string y = npy_file("|u1", "(6,)", std::string("\0\1\0\1\0\1", 6));
  const auto index_of = [](std::size_t n, std::size_t h, std::size_t w, std::size_t c) {
    return static_cast<char>((n * 31 + h * 7 + w * 3 + c * 50) % 251);
  };
  std::string nhwc, nchw, hwcn;
  for (std::size_t n = 0; n < 6; ++n)
    for (std::size_t h = 0; h < 5; ++h)
      for (std::size_t w = 0; w < 6; ++w)
        for (std::size_t c = 0; c < 3; ++c) nhwc += index_of(n, h, w, c);
  for (std::size_t n = 0; n < 6; ++n)
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t h = 0; h < 5; ++h)
        for (std::size_t w = 0; w < 6; ++w) nchw += index_of(n, h, w, c);
  for (std::size_t h = 0; h < 5; ++h)
    for (std::size_t w = 0; w < 6; ++w)
      for (std::size_t c = 0; c < 3; ++c)
        for (std::size_t n = 0; n < 6; ++n) hwcn += index_of(n, h, w, c);

  pair.write(npy_file("|u1", "(6, 5, 6, 3)", nhwc), y);
  const Dataset expected = pair.read();
  CHECK(expected.shape == ImageShape{5, 6, 3});
  CHECK(joined(expected.notes).find("read as") == std::string::npos);
  pair.write(npy_file("|u1", "(6, 3, 5, 6)", nchw), y);
  const Dataset first = pair.read();
  CHECK(first.train.bytes == expected.train.bytes);
  CHECK_CONTAINS(joined(first.notes), "[6,3,5,6] read as [N,C,H,W]");
  pair.write(npy_file("|u1", "(5, 6, 3, 6)", hwcn), y);
  CHECK(pair.read().train.bytes == expected.train.bytes);
  // Fortran order: the bytes of [N,C,H,W] are those of a Fortran array [W,H,C,N].
  pair.write(npy_file("|u1", "(6, 5, 3, 6)", nchw, true), y);
  ReadOptions turned;
  turned.layout = "WHCN";
  CHECK(pair.read(turned).train.bytes == expected.train.bytes);

  pair.write(npy_file("|u1", "(6, 3, 10, 3)", pixels(6 * 90)), y);
  const std::string both = message_of([&] { pair.read(); });
  CHECK_CONTAINS(both, "layout=NHWC for 6 pictures of 3 x 10");
  CHECK_CONTAINS(both, "layout=NCHW for 6 pictures of 10 x 3");
  pair.write(npy_file("|u1", "(6, 64, 9)", pixels(6 * 576)), y);
  CHECK_CONTAINS(message_of([&] { pair.read(); }), "layout=NTC for 6 signals of 64 steps and 9 channels");
  ReadOptions signal;
  signal.layout = "NTC";
  CHECK(pair.read(signal).kind() == DataKind::signal);
  pair.write(npy_file("|u1", "(6,)", pixels(6)), y);
  CHECK_CONTAINS(message_of([&] { pair.read(); }), "[N,1]");
}

TEST_CASE("values: one rule for whole and floating-point numbers", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("a.csv");
  const auto read = [&](const std::string& content, const std::string& range = "") {
    kit::spill(path, content);
    ReadOptions options;
    options.value_range = range;
    return open_dataset({path}, options);
  };
  const std::string head = "label,a,b\n";

  CHECK_CONTAINS(message_of([&] { read(head + "0,16,3\n1,0,7\n"); }), "value-range=0:16");
  CHECK_CONTAINS(message_of([&] { read(head + "0,16.0,3.5\n1,0,7\n"); }), "value-range=0:255");
  CHECK_CONTAINS(message_of([&] { read(head + "0,-1,0.5\n1,0,1\n"); }), "value-range=-1:1");
  CHECK_CONTAINS(message_of([&] { read(head + "0,4095,3\n1,0,7\n"); }), "value-range=0:4095");
  const Dataset sixteen = read(head + "0,16,4\n1,0,8\n", "0:16");
  CHECK(sixteen.images("train")(0, 1) == 0.25f);
  CHECK(read(head + "0,1,0\n1,0,1\n").images("train")(0, 0) == 1.0f);
  const Dataset bytes = read(head + "0,200,0\n1,0,100\n"), floats = read(head + "0,200.0,0.0\n1,0.0,100.0\n");
  CHECK(bytes.train.bytes == floats.train.bytes);
  CHECK_CONTAINS(joined(read(head + "0,0.1,0.2\n1,0.05,0\n").notes), "5 times below 1");
  const Dataset columns = read(head + "0,-5,1000\n1,5,3000\n0,0,2000\n", "columns");
  CHECK(columns.images("train")(2, 0) == 0.5f);
  CHECK(columns.images("train")(2, 1) == 0.5f);
  CHECK(columns.feature_high == std::vector<float>{5, 3000});
  CHECK_CONTAINS(message_of([&] { read(head + "0,17,4\n1,0,8\n", "0:16"); }), "outside of the value range [0, 16]");
  CHECK_CONTAINS(message_of<ConfigError>([&] { read(head + "0,1,4\n1,0,8\n", "16:0"); }), "the lower number first");
}

TEST_CASE("tables: the label column is named, certain or asked for", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("a.csv");
  const auto read = [&](const std::string& content, const std::string& y = "", const std::string& drop = "") {
    kit::spill(path, content);
    ReadOptions options;
    options.y = y;
    options.drop = drop;
    return open_dataset({path}, options);
  };
  std::string last, doubt;
  for (int i = 0; i < 20; ++i) {
    last += "0," + std::to_string(i * 13 % 256) + "," + std::to_string(255 - i) + "," + std::to_string(i % 3) + "\n";
    doubt += std::to_string(i % 2) + "," + std::to_string(i / 2 % 2) + ",0," + std::to_string(i / 4 % 2) + "," +
             std::to_string(i % 2) + "\n";
  }

  CHECK(read("a,b,Target\n0,0.5,1\n1,0.25,0\n").train.labels == std::vector<int>{1, 0});
  CHECK_CONTAINS(message_of([&] { read("a,b\n0,0.5\n1,0.25\n"); }), "name the label column by y; there are a, b");
  CHECK_CONTAINS(joined(read(last).notes), "label is the last of 4 columns");
  CHECK_CONTAINS(message_of([&] { read(doubt); }), "give y=first or y=last");
  CHECK(read(doubt, "last").train.labels[1] == 1);
  CHECK(read("0.5,0.25,oak\n0.1,1,elm\n0.3,0.7,oak\n").class_names == std::vector<std::string>{"elm", "oak"});
  CHECK_CONTAINS(message_of([&] { read("label,a,town\n0,0.5,x\n1,1,y\n"); }), "drop=3");
  CHECK(read("label,a,town\n0,0.5,x\n1,1,y\n", "", "town").shape == ImageShape{1, 1, 1});
  CHECK_CONTAINS(joined(read(",a,label\n0,0.5,0\n1,0.2,1\n2,0.1,0\n").notes), "counts the rows: left out");
  CHECK_CONTAINS(message_of<ConfigError>([&] { read("label,a\n0,0.5\n1,0.2\n", "", "b"); }), "has no such column");
  CHECK(read("\"label\",\"x, y\"\n\"a, b\",0.5\n\"c\",1\n").class_names == std::vector<std::string>{"a, b", "c"});
}

TEST_CASE("ARFF and LIBSVM give the tables that they say", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string arff = folder.file("a.arff"), svm = folder.file("a.svm");
  kit::spill(arff,
             "% a comment\n@RELATION r\n@ATTRIBUTE 'a b' numeric\n@attribute kind {yes,no}\n@DATA\n0.5,yes\n% "
             "another\n1,no\n0.25,'yes'\n");
  kit::spill(svm, "1 1:0.5 3:1 # comment\n2 2:0.25\n");

  const Dataset a = open_dataset({arff}), b = open_dataset({svm});

  CHECK(a.class_names == std::vector<std::string>{"no", "yes"});
  CHECK(a.train.labels == std::vector<int>{1, 0, 1});
  CHECK(b.shape == ImageShape{1, 1, 3});
  CHECK(b.train.labels == std::vector<int>{1, 2});
  CHECK(b.train.pixels(0, 2) == 1.0f);
  CHECK(b.train.pixels(1, 0) == 0.0f);
  kit::spill(svm, "1,2 1:0.5\n");
  CHECK_CONTAINS(message_of([&] { open_dataset({svm}); }), "several labels");
  kit::spill(svm, "1 2:0.5 2:0.7\n");
  CHECK_CONTAINS(message_of([&] { open_dataset({svm}); }), "index 2 behind 2");
  for (const char* index : {"100000001", "4294967297", "18446744073709551616", "99999999999999999999"}) {
    kit::spill(svm, std::string("1 1:0.5\n2 ") + index + ":1\n");
    CHECK_CONTAINS(message_of([&] { open_dataset({svm}); }), std::string("index ") + index + ", at most 100000000");
  }
  kit::spill(arff, "@relation r\n@attribute a numeric\n@attribute c {0,1}\n@data\n{0 1}\n");
  CHECK_CONTAINS(message_of([&] { open_dataset({arff}); }), "a sparse row");
}

TEST_CASE("a test split comes from a file or a share, and a useless one does not block the training split", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string train = folder.file("a.csv"), other = folder.file("b.csv");
  std::string rows = "label,a,b\n";
  for (int i = 0; i < 10; ++i) rows += std::to_string(i % 2) + ",0." + std::to_string(i) + ",1\n";
  kit::spill(train, rows);
  kit::spill(other, "label,a,b\n1,0.5,0\n");
  ReadOptions options;
  options.test_file = other;

  CHECK(open_dataset({train}, options).test.labels == std::vector<int>{1});
  options.test_file = train;
  CHECK_CONTAINS(message_of<ConfigError>([&] { open_dataset({train}, options); }), "is the input itself");
  options.test_file.clear();
  options.split_seed = 3;
  CHECK_CONTAINS(message_of<ConfigError>([&] { open_dataset({train}, options); }), "belongs to test-fraction");
  options.split_seed = 0;
  options.test_fraction = 0.3;
  const Dataset split = open_dataset({train}, options), again = open_dataset({train}, options);
  CHECK(split.train.n == 7);
  CHECK(split.test.n == 3);
  kit::check_equal(split, again);
  options.split_seed = 1;
  CHECK(split.checksum() != open_dataset({train}, options).checksum());
  const Pair pair(folder);
  pair.write(npy_file("|u1", "(2, 12, 12)", pixels(288)), npy_file("|u1", "(2,)", std::string("\0\1", 2)));
  kit::spill(folder.file("x_test.npy"), npy_file("|u1", "(0, 12, 12)", ""));
  kit::spill(folder.file("y_test.npy"), npy_file("|u1", "(0,)", ""));
  const Dataset useless = open_dataset({pair.x, pair.y, folder.file("x_test.npy"), folder.file("y_test.npy")});
  CHECK(useless.test.empty());
  CHECK_CONTAINS(joined(useless.notes), "is empty: left out");
}

TEST_CASE("files of other kinds are refused with what they are and the way out", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("a.bin2");
  const auto error = [&](const std::string& content) {
    kit::spill(path, content);
    return message_of([&] { open_dataset({path}); });
  };

  CHECK_CONTAINS(error("MATLAB 5.0 MAT-file, made by nobody" + std::string(100, ' ')), "-v7.3");
  CHECK_CONTAINS(error(std::string("\x80\x04", 2) + std::string(20, 'x')), "pickle");
  CHECK_CONTAINS(error("PAR1" + std::string(20, 'x')), "to_csv");
  CHECK_CONTAINS(error("\xff\xfel" + std::string("\0a\0", 3)), "iconv");
  if (NTKROB_TEST_HDF5) {
    std::string newer = kit::slurp(NTKROB_FIXTURES_DIR "/plain_bytes.h5");
    newer[8] = 9;  // the version of the superblock
    CHECK_CONTAINS(error(newer), "libver='v110'");
  }
}

TEST_CASE("the rules name options that reading has, spelt as their reader likes", "[data]") {
  ReadOptions all;
  all.parts = {"a", "b", "c", "d"};
  for (std::string* option : {&all.x, &all.y, &all.x_test, &all.y_test, &all.drop, &all.image_shape, &all.layout,
                              &all.value_range, &all.label_map, &all.test_file})
    *option = "e";
  all.renumber = true;
  all.test_fraction = 0.5;
  std::set<std::string> options, named;
  for (const auto& [name, value] : all.given()) options.insert(name);
  reading_rules([&](const std::string& name, const std::string&) {
    named.insert(name);
    return name;
  });
  CHECK(named == options);
  for (const ReadingRule& rule : reading_rules()) {
    INFO(rule.id << ": " << rule.content << ": " << rule.words);
    for (const char* mark : {"--", "{", "}"}) CHECK((rule.content + rule.words).find(mark) == std::string::npos);
    if (rule.id == "axes_square_rows") CHECK(rule.words == "square grey pictures; layout=ND keeps rows");
  }
}
