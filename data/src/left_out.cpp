/// What formats keep of a data set, and what they drop. tests/data/kept_test.cpp has the table.
#include <algorithm>
#include <cmath>

#include "formats.hpp"
#include "input_file.hpp"

namespace ntkrob {
namespace {

enum class Kept { hdf5, npz, idx, png };

Kept kind_of(const std::string& path) {
  const std::string name = io::lower(path);
  if (io::ends_with(name, ".h5") || io::ends_with(name, ".hdf5")) return Kept::hdf5;
  if (io::ends_with(name, ".npz")) return Kept::npz;
  return io::ends_with(name, ".png") ? Kept::png : Kept::idx;
}

/// What the reader of bare arrays takes otherwise than it was, by its rules for axes and values.
void say_other_readings(const Dataset& data, std::vector<std::string>& lost) {
  index last = -1;
  double high = 0;
  bool bytes = false;
  for (const Split* split : {&data.train, &data.test}) {
    for (const int label : split->labels) last = std::max<index>(last, label);
    if (split->empty()) continue;
    bytes = bytes || split->is_bytes();
    if (split->is_bytes()) high = std::max(high, split->extremes().second);
  }
  if (last + 1 < data.classes)
    lost.push_back(text("the number of classes, ", data.classes, " (labels end at ", last, ")"));
  // 127: what is darker is asked about. 0 and 1 alone are black and white.
  if (bytes && high < 128)
    lost.push_back(
        text("that 255 is white (the largest pixel is ", high, "; read it with ", field("value-range", "0:255"), ")"));
  const index side = static_cast<index>(std::lround(std::sqrt(static_cast<double>(data.shape.channels))));
  if (data.kind() == DataKind::table && bytes && side >= 8 && side * side == data.shape.channels)
    lost.push_back(text("that rows are no pictures (read it with ", field("layout", "ND"), ")"));
  if (data.kind() == DataKind::signal && data.shape.channels > 1)
    lost.push_back(text("which axis is which (read it with ", field("layout", "NHWC"), ")"));
}

}  // namespace

std::vector<std::string> left_out_by(const Dataset& data, const std::string& path) {
  const Kept kept = kind_of(path);
  std::vector<std::string> lost;
  if (kept == Kept::hdf5) {
    // An attribute holds at most 64 KiB (format_hdf5.cpp).
    std::size_t longest = 0;
    for (const std::string& name : data.feature_names) longest = std::max(longest, name.size());
    if (!data.feature_names.empty() && longest * data.feature_names.size() >= io::kMostNameBytes)
      lost.push_back(text("the names of ", data.feature_names.size(), " features (.npz keeps them)"));
    return lost;
  }
  const bool npz = kept == Kept::npz, png = kept == Kept::png;
  if (!npz && !data.class_names.empty()) lost.push_back("class names");
  if (!npz && !data.feature_names.empty()) lost.push_back("the names of the features");
  if (!npz && !data.feature_low.empty()) lost.push_back("the ranges of the features");
  if (png && !data.train.targets.empty()) lost.push_back("learned targets");
  if (png && !data.test.empty() && !data.train.empty())
    lost.push_back(text("the test split of ", data.test.n, " images"));
  if (png) lost.push_back("labels");
  if (png && (data.train.empty() ? data.test : data.train).n > io::kMostShown)
    lost.push_back(text("all but the first ", io::kMostShown, " images"));
  if (!npz && !data.train.is_bytes() && !(data.value_low == 0 && data.value_high == 1))
    lost.push_back("the value range (pixels are scaled to [0, 1])");
  if (kept == Kept::idx) say_other_readings(data, lost);
  const Provenance& p = data.provenance;
  if (!p.command.empty() || !p.options.empty() || !p.reading.empty() || !p.parent.empty()) lost.push_back("provenance");
  if (!p.curves.empty()) lost.push_back(text(p.curves.size(), p.curves.size() == 1 ? " curve" : " curves"));
  if (!p.initial_images.empty()) lost.push_back(text(p.initial_images.rows(), " initial images"));
  return lost;
}

void io::check_values_fit(const Dataset& data, const std::string& path) {
  const Kept kept = kind_of(path);
  NTKROB_CHECK(!data.beyond_range || kept == Kept::hdf5 || kept == Kept::npz, NotSupported, path,
               ": pixels may lie outside of the value range (a set made with ", field("clip", "false"), "), which ",
               kept == Kept::png ? "a picture" : "IDX", " cannot tell its reader; write .h5 or .npz");
}

}  // namespace ntkrob
