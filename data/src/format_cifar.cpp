/// CIFAR binary batches: records of label bytes and 3 x 32 x 32 pixels in planes R, G, B.
///
/// CIFAR-10: one label byte. CIFAR-100: coarse and fine label; the fine one is used. The two are told apart by the
/// file's length.
#include <algorithm>

#include "catalogue.hpp"
#include "formats.hpp"
#include "input_file.hpp"
#include "raw_array.hpp"
#include "read_options.hpp"
#include "taken.hpp"

namespace ntkrob::io {
namespace {

constexpr std::size_t kSide = 32, kPlane = kSide * kSide, kPixels = 3 * kPlane;
constexpr std::size_t kRecord10 = 1 + kPixels, kRecord100 = 2 + kPixels;
const char* const kClasses10[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                  "dog",      "frog",       "horse", "ship", "truck"};

bool is_batch_name(const std::string& name) { return ends_with(name, ".bin") || ends_with(name, ".bin.gz"); }

std::vector<std::uint8_t> read_all(const std::string& path, ReadBudget& budget) {
  InputStream stream(path);
  std::vector<std::uint8_t> content;
  constexpr std::size_t kStep = std::size_t{1} << 20;
  for (std::size_t got = 1; got > 0;) {
    const std::size_t old = content.size(), step = std::min(kStep, stream.upper_bound() - old + 1);
    make_room(content, step, budget, path);
    content.resize(old + step);
    got = stream.read_some(content.data() + old, step);
    content.resize(old + got);
  }
  return content;
}

void append_batch(const std::string& path, std::size_t& record, RawSplit& split, ReadBudget& budget) {
  const std::vector<std::uint8_t> content = read_all(path, budget);
  const bool ten = content.size() % kRecord10 == 0, hundred = content.size() % kRecord100 == 0;
  NTKROB_CHECK(!content.empty() && (ten || hundred), IoError, path, ": ", content.size(), " bytes are no multiple of ",
               kRecord10, " (CIFAR-10) or ", kRecord100, " (CIFAR-100); the file is cut off or another format");
  // Both fit only from 3073 * 3074 bytes on; the name decides then, and CIFAR-10 is the usual case.
  const std::string name = lower(file_name(path));
  const bool named_hundred = name.rfind("train.bin", 0) == 0 || name.rfind("test.bin", 0) == 0;
  const std::size_t found = ten && !(hundred && named_hundred) ? kRecord10 : kRecord100;
  NTKROB_CHECK(record == 0 || record == found, IoError, path, ": holds CIFAR-", found == kRecord10 ? 10 : 100,
               ", the files before it CIFAR-", record == kRecord10 ? 10 : 100);
  record = found;
  const std::size_t n_labels = found - kPixels, classes = n_labels == 1 ? 10 : 100, n = content.size() / found;
  if (!split.x) {
    split.x.emplace();
    split.y.emplace();
    split.x->where = split.y->where = path;
    split.x->shape = {0, kSide, kSide, 3};
    split.y->shape = {0};
  }
  make_room(split.x->bytes, n * kPixels, budget, path);
  make_room(split.y->bytes, n, budget, path);
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint8_t* labels = content.data() + i * found;
    const std::uint8_t* planes = labels + n_labels;
    const std::uint8_t label = labels[n_labels - 1];
    NTKROB_CHECK(label < classes, IoError, path, ": offset ", i * found + n_labels - 1, ": label ", int{label},
                 " of record ", i, ", must be below ", classes, "; the file is damaged or another format");
    split.y->bytes.push_back(label);
    for (std::size_t p = 0; p < kPlane; ++p)
      for (std::size_t c = 0; c < 3; ++c) split.x->bytes.push_back(planes[c * kPlane + p]);
  }
  budget.give_back(content.capacity());
  split.x->shape[0] += n;
  split.y->shape[0] += n;
}

}  // namespace

bool recognise_cifar(const Probe& probe) {
  if (!probe.folder) return is_batch_name(lower(probe.path));
  for (const std::string& name : list_folder(probe.path))
    if (is_batch_name(lower(name))) return true;
  return false;
}

RawDataset read_cifar(const std::vector<std::string>& inputs, const ReadOptions& options) {
  RawDataset raw;
  expect_no_array_names(options, inputs[0], "CIFAR binary");
  raw.pictures = true;
  raw.file = inputs[0];
  std::size_t record = 0;
  std::vector<std::string> train, test;
  for (const std::string& input : inputs) {
    std::vector<std::string> files;
    if (is_folder(input)) {
      for (const std::string& name : list_folder(input))
        if (is_batch_name(lower(name))) files.push_back(input + "/" + name);
    } else {
      files.push_back(input);
    }
    for (const std::string& file : files) {
      const bool is_test = names_test_split(file);
      append_batch(file, record, is_test ? raw.test : raw.train, *budget_of(options));
      (is_test ? test : train).push_back(file_name(file));
    }
  }
  if (!train.empty()) raw.notes.push_back("training split: " + names_text(train));
  if (!test.empty()) raw.notes.push_back("test split: " + names_text(test));
  raw.classes = record == kRecord10 ? 10 : 100;
  if (record == kRecord100) raw.notes.push_back("left out: the 20 coarse labels; classes are the 100 fine ones");
  if (record == kRecord10) raw.class_names.assign(std::begin(kClasses10), std::end(kClasses10));
  return raw;
}

}  // namespace ntkrob::io
