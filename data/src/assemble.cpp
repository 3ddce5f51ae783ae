/// From the arrays of a file to a data set: the order of the steps.
#include <algorithm>
#include <cmath>

#include "ntkrob/base/random.hpp"
#include "raw_array.hpp"
#include "read_options.hpp"

namespace ntkrob::io {
namespace {

/// A test split that cannot serve does not block the training split.
void drop_useless_test(RawDataset& raw) {
  RawSplit& test = raw.test;
  if (!raw.train.x) return;
  std::string why;
  if (test.x && (test.x->shape.empty() || test.x->count() == 0))
    why = text("test split of shape ", test.x->shape_text(), " is empty");
  else if (test.x && !test.y)
    why = text(test.x->shape.empty() ? 0 : test.x->count(), " test images have no labels");
  else if (!test.x && test.y)
    why = "test labels have no images";
  if (why.empty()) return;
  raw.notes.push_back(text(test.x ? test.x->where : test.y->where, ": ", why, ": left out"));
  test = RawSplit();
}

std::size_t label_count(const RawSplit& split) {
  if (!split.y || split.y->shape.empty()) return 0;
  const auto& shape = split.y->shape;
  return shape.size() == 2 && shape[0] == 1 ? shape[1] : shape[0];
}

void take_all_axes(RawDataset& raw, const ReadOptions& options, Dataset& data) {
  bool first = true;
  for (RawSplit* split : {&raw.train, &raw.test}) {
    const char* name = split == &raw.train ? "training" : "test";
    if (!split->x) {
      NTKROB_CHECK(!split->y, IoError, split->y->where, ": ", name, " labels without ", name, " images");
      continue;
    }
    NTKROB_CHECK(split->y.has_value(), IoError, split->x->where, ": ", name, " images without ", name, " labels; ",
                 "a data set needs both: ",
                 advice("name the labels with ", field("y"), ", or their file with ",
                        field(split == &raw.train ? "train-labels" : "test-labels")));
    RawArray& x = *split->x;
    const ImageShape shape = take_axes(x, raw, options, label_count(*split), data.notes);
    NTKROB_CHECK(first || shape == data.shape, IoError, x.where, ": test images are ", shape.height, " x ", shape.width,
                 " x ", shape.channels, ", training images ", data.shape.height, " x ", data.shape.width, " x ",
                 data.shape.channels, "; both splits must agree");
    data.shape = shape;
    (split == &raw.train ? data.train : data.test).n = static_cast<index>(x.count());
    first = false;
  }
}

Split labels_of(const Split& from, const std::vector<index>& rows) {
  Split to;
  to.n = static_cast<index>(rows.size());
  if (!from.targets.empty()) to.targets = Matrix<float>(to.n, from.targets.cols());
  for (index k = 0; k < to.n; ++k) {
    const index i = rows[static_cast<std::size_t>(k)];
    if (!from.targets.empty()) std::copy_n(from.targets.row(i), from.targets.cols(), to.targets.row(k));
    to.labels.push_back(from.labels[static_cast<std::size_t>(i)]);
  }
  return to;
}

/// A share of the training split becomes the test split, before values are looked at: ranges of features are those of
/// the images that are trained on.
void split_off_test(RawDataset& raw, Dataset& data, double fraction, std::uint64_t seed) {
  NTKROB_CHECK(!raw.test.x, ConfigError, field("test-fraction"), ": ", raw.file, " has a test split of ", data.test.n,
               " images already");
  const auto n_test = static_cast<index>(std::llround(fraction * static_cast<double>(data.train.n)));
  NTKROB_CHECK(n_test >= 1 && n_test < data.train.n, ConfigError, field("test-fraction"), " ", given(fraction), " of ",
               data.train.n, " images is ", n_test, "; ", limit("at least one must go to each split"));
  const std::vector<index> order = Rng(seed, "data/test-fraction").permutation(data.train.n);
  std::vector<index> test(order.begin(), order.begin() + n_test), train(order.begin() + n_test, order.end());
  std::sort(test.begin(), test.end());
  std::sort(train.begin(), train.end());
  raw.test.x = rows_of(*raw.train.x, test);
  raw.train.x = rows_of(*raw.train.x, train);
  data.test = labels_of(data.train, test);
  data.train = labels_of(data.train, train);
  data.notes.push_back(text(n_test, " of ", n_test + data.train.n, " samples, drawn with ", field("split-seed", seed),
                            ", are the test split"));
}

}  // namespace

Dataset assemble(RawDataset raw, const ReadOptions& options) {
  Dataset data;
  NTKROB_CHECK(raw.train.x || raw.test.x, IoError, raw.file, ": holds no images");
  drop_useless_test(raw);
  data.own = raw.own;
  data.notes = std::move(raw.notes);
  take_all_axes(raw, options, data);
  take_labels(raw, options, data);
  if (options.test_fraction > 0) split_off_test(raw, data, options.test_fraction, options.split_seed);
  take_values(raw, options, data);
  data.provenance = std::move(raw.provenance);
  if (data.kind() == DataKind::table && static_cast<index>(raw.columns.size()) == data.shape.channels)
    data.feature_names = std::move(raw.columns);
  data.validate(raw.file);
  return data;
}

}  // namespace ntkrob::io
