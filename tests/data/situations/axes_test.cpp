/// Axes: which is height, width, channel, sample, time.
#include "samples.hpp"

using namespace ntkrob::situations;

namespace {

constexpr long kN = 24;
const Array kThree = cycle(kN, 0, 3);
const std::vector<int> kToPlanes = {0, 3, 1, 2};

Content with_images(const Array& x) {
  Content content;
  content.train.x = x;
  content.train.y = cycle(x.rows(), 0, 3);
  return content;
}

/// Reads as these [N,H,W,C] bytes.
Situation reads_as(const Content& content, const Array& images) {
  Situation row(content);
  row.gives(unit(images), as_labels(content.train.y), 3, {images.shape[1], images.shape[2], images.shape[3]});
  return row;
}

}  // namespace

TEST_CASE("one to four channels behind the picture are channels", "[situations]") {
  for (const long c : {1L, 2L, 3L, 4L}) {
    INFO("channels " << c);
    const Array images = pattern({kN, 8, 9, c});
    Situation row = reads_as(with_images(images), images);
    row.right({hdf5, npz, npy});
    row.kind("images of");
    row.check();
  }
}

TEST_CASE("one to four channels before the picture are recognised and said", "[situations]") {
  for (const long c : {1L, 2L, 3L, 4L}) {
    INFO("channels " << c);
    const Array images = pattern({kN, 8, 9, c});
    reads_as(with_images(transposed(images, kToPlanes)), images).said({hdf5, npz, idx, npy}, {"N,C,H,W"}).check();
  }
}

TEST_CASE("a stated range does not change the axes", "[situations]") {
  const Array images = pattern({kN, 8, 9, 3}, "<f4", -1, 1);
  Content content = with_images(transposed(images, kToPlanes));
  content.range = {{-1, 1}};
  Situation row(content);
  row.gives(unit(images, -1, 1), as_labels(content.train.y), 3, {8, 9, 3});
  row.said({hdf5, npz}, {"N,C,H,W"}).check();
}

TEST_CASE("what both readings fit is refused with both, and each can be asked for", "[situations]") {
  const Array images = pattern({kN, 3, 8, 3});
  const std::vector<std::string> words = {"NHWC", "NCHW", "--layout"};
  reads_as(with_images(images), images).refused({hdf5, npz, npy}, words).remedy({"--layout", "NHWC"}).check();
  const Array planes = pattern({kN, 3, 8, 4});
  reads_as(with_images(planes), transposed(planes, {0, 2, 3, 1}))
      .refused({hdf5, npz}, words)
      .remedy({"--layout", "NCHW"})
      .check();
}

TEST_CASE("what no reading fits is refused, and can be asked for", "[situations]") {
  const Array images = pattern({kN, 8, 9, 7});  // seven bands of a satellite
  reads_as(with_images(images), images).refused({hdf5, npz}, {"--layout"}).remedy({"--layout", "NHWC"}).check();
  reads_as(with_images(images), transposed(images, {0, 2, 3, 1}))
      .refused({hdf5, npz}, {"--layout"})
      .remedy({"--layout", "nchw"})
      .check();
}

TEST_CASE("samples in the last axis are recognised by the number of labels", "[situations]") {
  const Array images = pattern({kN, 8, 9, 3});
  Content content = with_images(images);
  content.train.x = transposed(images, {1, 2, 3, 0});  // SVHN's X as loadmat gives it
  reads_as(content, images).said({hdf5, npz}, {"H,W,C,N"}).check();
  const Array few = pattern({8, 8, 9, 3});  // no more pictures than columns: the number of labels may be wrong
  content = with_images(few);
  content.train.x = transposed(few, {1, 2, 3, 0});
  reads_as(content, few).refused({hdf5, npz}, {"NHWC", "--layout HWCN"}).remedy({"--layout", "HWCN"}).check();
}

TEST_CASE("planes of samples in the last axis are recognised by the number of labels", "[situations]") {
  const Array images = pattern({kN, 8, 9, 3});
  Content content = with_images(images);
  content.train.x = transposed(images, {3, 1, 2, 0});  // column-major arrays of N C H W turned over
  reads_as(content, images).said({hdf5, npz}, {"C,H,W,N"}).check();
}

TEST_CASE("columns that are as many as the labels are refused with the way to read them", "[situations]") {
  const Array rows = pattern({kN, 70});  // more numbers than samples: the number of labels may be wrong
  Content content = with_images(rows);
  content.train.x = transposed(rows, {1, 0});
  Situation row(content);
  row.gives(reshaped(unit(rows), {kN, 1, 1, 70}), as_labels(kThree), 3, {1, 1, 70}).kind("features");
  row.refused({hdf5, npz}, {"the columns are as many", "--layout DN"}).remedy({"--layout", "DN"}).check();
}

TEST_CASE("samples in the last axis of grey pictures are not taken for rows of pictures", "[situations]") {
  const Array images = pattern({kN, 8, 9});
  Content content = with_images(images);
  content.train.x = transposed(images, {1, 2, 0});
  reads_as(content, reshaped(images, {kN, 8, 9, 1})).said({hdf5, npz}, {"H,W,N"}).check();
}

TEST_CASE("arrays of Fortran's order have the same content", "[situations]") {
  Array images = pattern({kN, 8, 9, 3});
  const Array expected = images;
  images.fortran = true;
  reads_as(with_images(images), expected).right({npz, npy}).check();
  Array planes = transposed(expected, kToPlanes);
  planes.fortran = true;
  reads_as(with_images(planes), expected).said({npz, npy}, {"N,C,H,W"}).check();
}

TEST_CASE("signals are asked for, and are no pictures", "[situations]") {
  const Array signal = pattern({kN, 96, 6});
  const std::vector<std::string> words = {"NTC", "NHW", "--layout"};
  Situation last(with_images(signal));
  last.gives(unit(signal), as_labels(kThree), 3, {96, 1, 6}).kind("signal");
  last.refused({hdf5, npz, npy}, words).remedy({"--layout", "NTC"}).check();
  Situation first(with_images(transposed(signal, {0, 2, 1})));
  first.gives(unit(signal), as_labels(kThree), 3, {96, 1, 6}).kind("signal");
  first.refused({hdf5, npz}, {"NCT", "NHW", "--layout"}).remedy({"--layout", "NCT"}).check();
  Situation pictures(with_images(signal));
  pictures.gives(unit(signal), as_labels(kThree), 3, {96, 6, 1})
      .refused({hdf5, npz}, words)
      .remedy({"--layout", "NHW"})
      .check();
}

TEST_CASE("a signal of one channel is a signal", "[situations]") {
  const Array signal = pattern({kN, 96, 1});
  Situation row(with_images(signal));
  row.gives(unit(signal), as_labels(kThree), 3, {96, 1, 1}).kind("signal").read({hdf5, npz}).check();
}

TEST_CASE("pictures that are not square are pictures", "[situations]") {
  const Array images = pattern({kN, 8, 20});
  Situation row(with_images(images));
  row.gives(unit(images), as_labels(kThree), 3, {8, 20, 1}).kind("images of").right({hdf5, npz}).read({idx}).check();
}

TEST_CASE("rows of features are a table", "[situations]") {
  Content content = table(cycle(kSamples, 0, 3));
  Situation row = table_situation(content, 0, 255);
  row.kind("rows of 10").right({hdf5, npz, csv}).check();
}

TEST_CASE("rows of square length with bytes are square pictures in every format, and it is said", "[situations]") {
  const Array images = pattern({kN, 8, 8});
  Content content = with_images(reshaped(images, {kN, 64}));
  content.table.header = true;
  Situation row(content);
  row.gives(unit(images), as_labels(kThree), 3, kPicture).kind("images of");
  row.said({hdf5, npz, csv, idx, npy}, {"8 x 8"}).check();
  Situation rows_asked(content);
  rows_asked.gives(unit(images), as_labels(kThree), 3, {1, 1, 64}).with({"--layout", "ND"}).kind("rows of 64");
  rows_asked.read({hdf5, npz, csv, idx}).check();
}

TEST_CASE("rows of fractions are a table until the user says that they are pictures", "[situations]") {
  const Array images = pattern({kN, 8, 8}, "<f4", 0, 1);
  Content content = with_images(reshaped(images, {kN, 64}));
  content.table.header = true;
  Situation row(content);
  row.gives(images, as_labels(kThree), 3, {1, 1, 64}).kind("rows of 64").read({hdf5, npz, csv, idx}).check();
  Situation asked(content);
  asked.gives(images, as_labels(kThree), 3, kPicture).with({"--image-shape", "8x8x1"}).kind("images of");
  asked.read({hdf5, npz, csv, idx}).check();
}

TEST_CASE("rows of planes become colour pictures on request", "[situations]") {
  const Array images = pattern({kN, 8, 9, 3});
  Content content = with_images(reshaped(transposed(images, kToPlanes), {kN, 216}));  // as CIFAR's pickled rows
  content.table.header = true;
  Situation row = reads_as(content, images);
  row.with({"--image-shape", "8x9x3", "--layout", "NCHW"}).read({hdf5, npz, csv}).check();
  content.train.x = reshaped(images, {kN, 216});
  reads_as(content, images).with({"--image-shape", "8x9x3"}).read({hdf5, npz, csv}).check();
}

TEST_CASE("a shape that the rows do not have is refused with both sizes", "[situations]") {
  const Content content = table(cycle(kSamples, 0, 3));
  Situation(content).with({"--image-shape", "3x3x1"}).refused({hdf5, npz, csv}, {"--image-shape", "10", "9"}).check();
}

TEST_CASE("one axis and five axes are refused", "[situations]") {
  Situation(with_images(pattern({kN}))).refused({hdf5, npz}, {"[24]"}).check();
  Situation(with_images(pattern({kN, 1, 8, 8, 1}))).refused({hdf5, npz}, {"[24,1,8,8,1]"}).check();
}

TEST_CASE("a layout that does not fit the array is refused", "[situations]") {
  const Content content = with_images(pattern({kN, 8, 9, 3}));
  for (const char* layout : {"NHW", "NTC", "HWCX", "NN"}) {
    INFO("layout " << layout);
    Situation(content).with({"--layout", layout}).refused({hdf5, npz}, {"--layout", layout}).check();
  }
}

TEST_CASE("splits in different orders of axes are brought together", "[situations]") {
  const Array images = pattern({kN, 8, 9, 3}), others = pattern({6, 8, 9, 3}, "|u1", 255, 0);
  Content content = with_images(transposed(images, kToPlanes));
  content.test.x = others;
  content.test.y = cycle(6, 0, 3);
  Situation row = reads_as(content, images);
  row.gives_test(unit(others), as_labels(content.test.y)).said({hdf5, npz}, {"N,C,H,W"}).check();
}
