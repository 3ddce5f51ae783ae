#include "formats.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "atomic_file.hpp"
#include "echo.hpp"
#include "folder_advice.hpp"
#include "input_file.hpp"
#include "part_files.hpp"
#include "png_file.hpp"
#include "read_options.hpp"
#include "state_file.hpp"
#include "whole_sum.hpp"

namespace ntkrob {
namespace io {

void refuse_structural(const RawDataset& raw, const ReadOptions& options) {
  NTKROB_CHECK(!raw.own || !options.structural(), ConfigError, raw.file,
               ": was written by ntkrob and says itself what it holds; ",
               advice("leave out ", field(options.given().front().first)));
}

const std::vector<Format>& format_table() {
  static const std::vector<Format> table = {
#define NTKROB_FORMAT(id, extensions, reader, writer, description) \
  {#id, extensions, recognise_##id, reader, writer, description},
#include "formats.def"
#undef NTKROB_FORMAT
  };
  return table;
}

bool names_test_split(const std::string& path) {
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
  const std::string name = lower(file_name(trimmed));
  return name.find("test") != std::string::npos || name.find("t10k") != std::string::npos;
}

std::vector<std::size_t> stored_shape(const Dataset& data, index n) {
  const auto size = [](index i) { return static_cast<std::size_t>(i); };
  if (data.shape.height == 1 && data.shape.width == 1) return {size(n), size(data.shape.channels)};
  return {size(n), size(data.shape.height), size(data.shape.width), size(data.shape.channels)};
}

std::size_t pixel_bytes(const Dataset& data, const Split& split) {
  return static_cast<std::size_t>(split.n * data.shape.size()) * (split.is_bytes() ? 1 : sizeof(float));
}

std::size_t plain_bytes(const Dataset& data, const SaveOptions& options) {
  std::size_t sum = 0;
  for (const Split* split : {&data.train, &data.test})
    if (const std::size_t n_bytes = pixel_bytes(data, *split); n_bytes >= options.plain_from) sum += n_bytes;
  return sum;
}

/// In every build: one without HDF5 says how to get it. The signature stands at the start or behind a user block.
bool recognise_hdf5(const Probe& probe) {
  for (const std::size_t at : {0, 512, 1024, 2048})
    if (probe.head.size() >= at + 8 && probe.head.compare(at, 8, "\x89HDF\r\n\x1a\n", 8) == 0) return true;
  return false;
}

void expect_no_array_names(const ReadOptions& options, const std::string& path, const char* format) {
  for (const std::string* name : {&options.x, &options.y, &options.x_test, &options.y_test})
    NTKROB_CHECK(name->empty(), ConfigError, field("x"), ", ", field("y"), ", ", field("x-test"), " and ",
                 field("y-test"), " name arrays, but ", path, " is ", format, ", which has none");
}

namespace {

/// Signatures of HDF5 behind user blocks of up to 2 KiB are seen.
constexpr std::size_t kHeadBytes = 2048 + 8;

/// Files that people try, and how they become one that is read.
struct Hint {
  const char* magic;
  std::size_t n_bytes;
  const char* what;
  const char* remedy;
};
constexpr Hint kHints[] = {
    {"MATLAB 5.0 MAT-file", 19, "a MATLAB file of version 5 to 7.2",
     "save it with save(..., '-v7.3'), or in Python: d = scipy.io.loadmat(FILE); numpy.savez('data.npz', X=d['X'], "
     "y=d['y'])"},
    {"\xff\xd8\xff", 3, "a JPEG picture", "a data set is a folder with one subfolder of PNG files per class"},
    {"\x80\x02", 2, "a Python pickle, which is not loaded",
     "store its arrays in Python: numpy.savez('data.npz', X=..., y=...)"},
    {"\x80\x03", 2, "a Python pickle, which is not loaded",
     "store its arrays in Python: numpy.savez('data.npz', X=..., y=...)"},
    {"\x80\x04", 2, "a Python pickle, which is not loaded",
     "store its arrays in Python: numpy.savez('data.npz', X=..., y=...)"},
    {"\x80\x05", 2, "a Python pickle, which is not loaded",
     "store its arrays in Python: numpy.savez('data.npz', X=..., y=...)"},
    {"PAR1", 4, "a Parquet table", "in Python: pandas.read_parquet(FILE).to_csv('data.csv', index=False)"},
    {"ARROW1", 6, "an Arrow table", "in Python: pandas.read_feather(FILE).to_csv('data.csv', index=False)"},
    {"7z\xbc\xaf", 4, "a 7z archive", "unpack it first"},
    {"BZh", 3, "packed with bzip2", "unpack it first: bunzip2 FILE"},
    {"\xfd"
     "7zXZ",
     5, "packed with xz", "unpack it first: unxz FILE"},
    {"\xff\xfe", 2, "text in UTF-16", "iconv -f UTF-16 -t UTF-8 FILE > data.csv"},
    {"\xfe\xff", 2, "text in UTF-16", "iconv -f UTF-16 -t UTF-8 FILE > data.csv"},
};

bool has_extension(const std::string& path, const Format& format) {
  const std::string name = lower(path), all = format.extensions;
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find(' ', begin), all.size());
    if (ends_with(name, all.substr(begin, end - begin))) return true;
    begin = end + 1;
  }
  return false;
}

}  // namespace

Probe probe_of(const std::string& path) {
  Probe probe;
  probe.path = path;
  probe.folder = is_folder(path);
  if (probe.folder) return probe;
  InputStream stream(path);
  probe.head.resize(kHeadBytes);
  try {
    probe.head.resize(stream.read_some(probe.head.data(), kHeadBytes));
  } catch (const IoError&) {
    probe.head.clear();  // damaged gzip: the name decides, and its reader reports the damage
  }
  return probe;
}

namespace {

const Format& format_of(const std::string& path) {
  const Probe probe = probe_of(path);
  for (const Hint& hint : kHints)
    NTKROB_CHECK(probe.head.compare(0, hint.n_bytes, hint.magic, hint.n_bytes) != 0, IoError, path, ": is ", hint.what,
                 "; ", hint.remedy);
  for (const Format& format : format_table())
    if (format.recognise(probe)) return format;
  if (!probe.folder)
    for (const Format& format : format_table())
      if (has_extension(path, format)) return format;
  if (!probe.folder) verify_whole(InputFile(path));  // a file of ours with a damaged beginning says so
  std::string known;
  for (const Format& format : format_table()) known += (known.empty() ? "" : ", ") + std::string(format.id);
  throw IoError(text(path, ": not recognised by content or extension; readable formats: ", known,
                     ", or a folder with one subfolder of PNG files per class",
                     probe.folder ? folder_advice(path) : ""));
}

}  // namespace
}  // namespace io

namespace io {
namespace {

RawDataset read_raw_dataset(const std::vector<std::string>& inputs, const ReadOptions& options) {
  if (options.parts.any()) {
    NTKROB_CHECK(inputs.empty(), ConfigError, inputs[0], ": give either input files or ", field("train-images"), ", ",
                 field("train-labels"), ", ..., not both");
    expect_no_array_names(options, text("each file of ", field("train-images"), ", ", field("train-labels"), ", ..."),
                          "a single array");
    return read_named_parts(options);
  }
  NTKROB_CHECK(!inputs.empty(), ConfigError, "no input file");
  std::set<std::string> different;
  for (const std::string& input : inputs)
    NTKROB_CHECK(different.insert(input).second, ConfigError, input,
                 ": is given twice; its samples would count twice, name each input once");
  const Format& format = format_of(inputs[0]);
  for (const std::string& input : inputs) {
    const Format& other = format_of(input);
    NTKROB_CHECK(&other == &format, ConfigError, inputs[0], " is ", format.id, ", ", input, " is ", other.id,
                 "; all inputs must have one format");
  }
  const std::string id = format.id;
  NTKROB_CHECK(options.drop.empty() || id == "csv" || id == "arff" || id == "libsvm", ConfigError, field("drop"), " ",
               given(options.drop), " leaves out columns of a table, but ", inputs[0], " is ", id);
  return format.read(inputs, options);
}

/// Labels that are numbers in the order of the names of `found` become those of `raw`, which may have another order.
void match_names(RawSplit& split, const RawDataset& found, const RawDataset& raw) {
  const std::vector<std::string>& from = found.class_names;
  std::map<std::string, std::int64_t> to;  // the first place of each name
  for (std::size_t c = 0; c < raw.class_names.size(); ++c) to.emplace(raw.class_names[c], static_cast<std::int64_t>(c));
  RawArray& y = split.labels ? *split.labels : *split.y;
  NTKROB_CHECK(y.members == (raw.train.y ? raw.train.y->members : y.members), IoError, y.where,
               ": its enumeration has other members than that of ", raw.file, "; store both with the same one");
  bool moved = false;
  for (std::size_t c = 0; c < from.size(); ++c) {
    const auto at = to.find(from[c]);
    moved = moved || (at != to.end() && at->second != static_cast<std::int64_t>(c));
  }
  if (!moved || y.kind == RawArray::Kind::texts) return;
  const std::size_t count = product(y.shape, y.where);
  NTKROB_CHECK(count == y.count() || y.shape[0] == 1, ConfigError, y.where,
               ": its classes are called otherwise than in ", raw.file,
               ", and targets with a column for each class cannot be renumbered");
  std::vector<std::int64_t> labels(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double label = y.number(i);
    const bool named = label >= 0 && label < static_cast<double>(from.size());
    const auto at = named ? to.find(from[static_cast<std::size_t>(label)]) : to.end();
    NTKROB_CHECK(at != to.end(), ConfigError, y.where, ": label ", i, ", ", label,
                 named ? ", " + echoed(from[static_cast<std::size_t>(label)]) : "", ", is not among the classes of ",
                 raw.file);
    labels[i] = at->second;
  }
  y.kind = RawArray::Kind::ints;
  y.ints = std::move(labels);
  y.bytes = {};
  y.floats = {};
}

/// Sparse tables are as wide as the wider one.
void widen(RawArray& x, std::size_t columns, ReadBudget& budget) {
  if (x.shape[1] >= columns) return;
  budget.take(checked_mul(checked_mul(x.shape[0], columns, "sparse table"), sizeof(float), "sparse table"), x.where);
  Matrix<float> wide(static_cast<index>(x.shape[0]), static_cast<index>(columns));
  std::fill_n(wide.data(), static_cast<std::size_t>(wide.size()), 0.0f);
  for (index i = 0; i < wide.rows(); ++i) std::copy_n(x.floats.row(i), x.floats.cols(), wide.row(i));
  x.floats = std::move(wide);
  x.shape[1] = columns;
}

/// What two files state of their columns and values must agree, where each pixel would mean something else.
void check_agreement(const RawDataset& raw, const RawDataset& found, const std::string& file) {
  NTKROB_CHECK(raw.value_range == found.value_range && raw.own == found.own, ConfigError, field("test-file"), ": ",
               file, " states another value range than ", raw.file, ", or none; ",
               advice("convert it first with ", field("value-range"), " ", raw.own ? raw.file : "LOW:HIGH"));
  NTKROB_CHECK(raw.feature_low == found.feature_low && raw.feature_high == found.feature_high, ConfigError,
               field("test-file"), ": the features of ", file, " were scaled by other ranges than those of ", raw.file,
               "; ", advice("convert it anew with ", field("value-range"), " ", raw.file));
  const auto& a = raw.columns;
  const auto& b = found.columns;
  if (a.empty() || b.empty()) return;
  NTKROB_CHECK(a.size() == b.size(), IoError, file, ": has ", b.size(), " features, ", raw.file, " ", a.size(), "; ",
               advice(field("drop"), " leaves columns out of both"));
  for (std::size_t c = 0; c < a.size(); ++c)
    NTKROB_CHECK(a[c] == b[c], IoError, file, ": feature ", c + 1, " is called \"", echoed(b[c]), "\", in ", raw.file,
                 " \"", echoed(a[c]), "\"; columns are taken in their order and must be the same");
}

/// The split that another input gives for tests.
void add_test(RawDataset& raw, const ReadOptions& options) {
  ReadOptions other = options;
  other.test_file.clear();
  other.parts = {};
  RawDataset found = read_raw_dataset({options.test_file}, other);
  NTKROB_CHECK(!raw.test.x, ConfigError, field("test-file"), ": ", raw.file, " has a test split already");
  const bool test_only = !found.train.x;
  raw.notes.push_back(text("test split: the ", test_only ? "test" : "training", " split of ", options.test_file));
  for (std::string& note : found.notes) raw.notes.push_back(options.test_file + ": " + note);
  check_agreement(raw, found, options.test_file);
  raw.test = std::move(test_only ? found.test : found.train);
  if (raw.test.y) match_names(raw.test, found, raw);
  if (raw.sparse && found.sparse && raw.train.x && raw.test.x) {
    const std::size_t columns = std::max(raw.train.x->shape[1], raw.test.x->shape[1]);
    widen(*raw.train.x, columns, *budget_of(options));
    widen(*raw.test.x, columns, *budget_of(options));
  }
}

}  // namespace
}  // namespace io

Dataset open_dataset(const std::vector<std::string>& inputs, const ReadOptions& options) {
  io::check(options);
  NTKROB_CHECK(options.test_file.empty() || std::find(inputs.begin(), inputs.end(), options.test_file) == inputs.end(),
               ConfigError, field("test-file"), " ", given(options.test_file),
               " is the input itself; what is trained on is no test, ", advice(field("test-fraction"), " splits it"));
  ReadOptions reading = options;
  reading.budget.reset();
  reading.budget = io::budget_of(reading);
  io::RawDataset raw = io::read_raw_dataset(inputs, reading);
  if (!options.test_file.empty()) io::add_test(raw, reading);
  return io::assemble(std::move(raw), reading);
}

StateDict load_arrays(const std::string& path, const std::string& group, std::size_t memory) {
  const io::Probe probe = io::probe_of(path);
  if (io::recognise_hdf5(probe)) return io::hdf5_arrays(path, group, memory);
  NTKROB_CHECK(io::recognise_npz(probe), IoError, path, ": is neither an NPZ nor an HDF5 file");
  NTKROB_CHECK(group.empty(), ConfigError, path, ": is an NPZ file and has no group \"", group, "\"");
  return io::npz_arrays(path, memory);
}

namespace {

/// The same with its pixels in memory, for formats that are written at once.
Dataset loaded(const Dataset& data) {
  Dataset result = data;
  result.train = data.train.loaded(data.shape.size());
  result.test = data.test.loaded(data.shape.size());
  return result;
}

void write(const Dataset& data, const std::string& path, const SaveOptions& options, io::Writer writer) {
  const bool in_file = data.train.in_file || data.test.in_file;
  if (in_file && writer != io::write_hdf5) return writer(loaded(data), path, options);
  writer(data, path, options);
}

}  // namespace

void check_room(const Dataset& data, const std::string& path, const SaveOptions& options) {
  const std::string name = io::lower(path);
  if (io::ends_with(name, ".h5") || io::ends_with(name, ".hdf5")) io::check_space(path, io::plain_bytes(data, options));
}

namespace {

/// The extensions that are written, each with a blank behind it.
std::string writable(const io::Format& format) {
  if (format.write == io::write_idx) return ".idx ";  // "-ubyte" is what is read; it is written to a prefix
  if (format.write == io::write_hdf5 && std::string(state_extension()) != ".h5") return "";
  if (format.write == io::write_png && !io::has_png()) return "";
  return std::string(format.extensions) + " ";
}

}  // namespace

void check_dataset_name(const std::string& path) {
  if (!path.empty() && path.back() == '/') return;
  std::string known;
  for (const io::Format& format : io::format_table()) {
    if (format.write == nullptr) continue;
    known += writable(format);
    if (!io::has_extension(path, format)) continue;
    NTKROB_CHECK(format.write != io::write_hdf5 || std::string(state_extension()) == ".h5", NotCompiled,
                 "cannot write ", path, ": this build has no HDF5; use .npz, or configure with -DNTKROB_WITH_HDF5=ON");
    NTKROB_CHECK(format.write != io::write_png || io::has_png(), NotCompiled, "cannot write ", path,
                 ": this build has no PNG; configure with -DNTKROB_WITH_PNG=ON (needs libpng)");
    NTKROB_CHECK(format.write != io::write_idx || io::ends_with(io::lower(path), ".idx"), ConfigError, path,
                 ": IDX is written to a prefix ending in .idx or a folder ending in /");
    return;
  }
  throw ConfigError(
      text(path, ": no format writes this extension; use one of ", known, "or a folder ending in / for IDX"));
}

void check_holds(const Dataset& data, const std::string& path) {
  check_dataset_name(path);
  io::check_values_fit(data, path);
  const std::string name = io::lower(path);
  if (path.back() == '/' || io::ends_with(name, ".idx")) io::check_idx(data, path);
  if (io::ends_with(name, ".png")) io::check_png(data, path);
  if (io::ends_with(name, ".h5") || io::ends_with(name, ".hdf5")) {
    constexpr std::size_t kMost = 60000;  // an attribute holds at most 64 KiB, with its description
    std::size_t longest = 1;
    for (const std::string& one : data.class_names) longest = std::max(longest, one.size());
    NTKROB_CHECK(longest * data.class_names.size() < kMost, NotSupported, path, ": the names of the ",
                 data.class_names.size(), " classes take ", longest * data.class_names.size(),
                 " bytes, HDF5 holds up to ", kMost, "; write .npz, or shorter names");
  }
}

void save_dataset(const Dataset& data, const std::string& path, const SaveOptions& options) {
  data.validate("data set to be written to " + path);
  NTKROB_CHECK(!data.train.empty() || !data.test.empty(), ConfigError, path, ": the data set is empty");
  check_holds(data, path);
  if (path.back() == '/') return write(data, path, options, io::write_idx);
  for (const io::Format& format : io::format_table())
    if (format.write != nullptr && io::has_extension(path, format)) return write(data, path, options, format.write);
}

std::vector<FormatInfo> formats() {
  std::vector<FormatInfo> rows;
  for (const io::Format& format : io::format_table())
    rows.push_back({format.id, format.extensions, format.description, format.read != nullptr, format.write != nullptr});
  return rows;
}

std::vector<ReadingRule> reading_rules(const FieldSpelling& spelling) {
  // "{layout=ND} keeps rows" with its options spelt.
  const auto words_of = [&](const std::string& words) {
    std::string out;
    for (std::size_t at = 0; at < words.size();) {
      const std::size_t begin = words.find('{', at), end = words.find('}', begin);
      out += words.substr(at, begin - at);
      if (end == std::string::npos) break;
      out += text(field(words.substr(begin + 1, end - begin - 1)));
      at = end + 1;
    }
    return spelt(out, spelling);
  };
  return {
#define NTKROB_READING(id, kind, content, answer, words) {#id, kind, words_of(content), answer, words_of(words)},
#include "reading_rules.def"
#undef NTKROB_READING
  };
}

std::pair<std::string, std::string> identify(const std::string& path) {
  const io::Format& format = io::format_of(path);
  const std::string id = format.id;
  const std::string schema = id == "hdf5" ? io::hdf5_schema(path) : id == "npz" ? io::npz_schema(path) : "";
  if (schema.rfind("ntkrob.", 0) != 0) return {"plain", schema.empty() ? id : schema};
  return {schema.substr(7, schema.find('/') - 7), schema};
}

}  // namespace ntkrob
