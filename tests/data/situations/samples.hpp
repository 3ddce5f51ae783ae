/// The contents that most situations start from.
#pragma once

#include "table.hpp"

namespace ntkrob::situations {

constexpr Format hdf5 = Format::hdf5, npz = Format::npz, npy = Format::npy, csv = Format::csv, idx = Format::idx,
                 png = Format::png, mat = Format::mat, arff = Format::arff, libsvm = Format::libsvm;

/// Grey pictures of 8 x 8, bytes over the whole range.
inline Content pictures(const Array& y) {
  Content content;
  content.train.x = pattern({y.rows(), 8, 8});
  content.train.y = y;
  content.table.header = true;
  return content;
}
const std::vector<long> kPicture = {8, 8, 1};

/// Rows of ten features, too few for a picture.
inline Content table(const Array& y, const std::string& type = "|u1", double low = 0, double high = 255) {
  Content content;
  content.train.x = pattern({y.rows(), 10}, type, low, high);
  content.train.y = y;
  content.table.header = true;
  return content;
}
const std::vector<long> kRow = {1, 1, 10};
constexpr long kSamples = 30;  // times ten features: every byte occurs

/// Pictures with these labels, read as they are.
inline Situation picture_situation(const Content& content, std::vector<int> labels, long classes) {
  Situation situation(content);
  situation.gives(unit(content.train.x), std::move(labels), classes, kPicture);
  return situation;
}

/// A table whose values are taken as low .. high.
inline Situation table_situation(const Content& content, double low, double high) {
  Situation situation(content);
  situation.gives(unit(content.train.x, low, high), as_labels(content.train.y), 3, kRow);
  return situation;
}

}  // namespace ntkrob::situations
