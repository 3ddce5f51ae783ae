#include "catalogue.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <set>

#include "echo.hpp"
#include "narrow.hpp"
#include "read_options.hpp"

namespace ntkrob::io {
namespace {

/// Lower-case words of a name: "trainImages/X_1" -> train images x 1.
std::vector<std::string> words_of(const std::string& name) {
  std::vector<std::string> words;
  enum class Class { other, lower, upper, digit } before = Class::other;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const Class now = std::islower(byte)   ? Class::lower
                      : std::isupper(byte) ? Class::upper
                      : std::isdigit(byte) ? Class::digit
                                           : Class::other;
    const bool begins = now != before && !(before == Class::upper && now == Class::lower);
    if (now != Class::other) {
      if (begins || words.empty()) words.emplace_back();
      words.back() += static_cast<char>(std::tolower(byte));
    }
    before = now;
  }
  return words;
}

bool among(const std::string& word, std::initializer_list<const char*> list) {
  return std::any_of(list.begin(), list.end(), [&](const char* other) { return word == other; });
}

/// Names that only ntkrob's own files have.
bool is_own(const std::string& name) {
  return among(name, {"value_range", "feature_range", "classes", "ntkrob_schema", "beyond_range", "labels_train",
                      "labels_test"});
}

/// Words beside those that say something: "train_set_x_orig", "kmnist-train-imgs-idx3-ubyte".
bool is_filler(const std::string& word) {
  return among(word, {"set", "orig", "arr", "array", "npy", "npz", "h", "mnist", "kmnist", "emnist", "idx", "ubyte",
                      "split"}) ||
         std::all_of(word.begin(), word.end(), [](unsigned char c) { return std::isdigit(c); });
}

std::string shape_text(const std::vector<std::size_t>& shape) {
  RawArray array;
  array.shape = shape;
  return array.shape_text();
}

std::string entry_text(const ArrayEntry& entry) {
  try {
    return echoed(entry.name) + " " + shape_text(entry.shape());
  } catch (const Error&) {
    return echoed(entry.name);  // what cannot be described is named
  }
}

class Chooser {
 public:
  Chooser(const Catalogue& catalogue, const ReadOptions& options, RawDataset& raw)
      : catalogue_(catalogue), options_(options), raw_(raw), used_(catalogue.arrays.size(), false) {
    for (const ArrayEntry& entry : catalogue.arrays) meanings_.push_back(meaning_of(entry.name));
  }

  void run() {
    if (!options_.x.empty() || !options_.y.empty()) {
      named();
    } else {
      split(Part::train, raw_.train, "x_train", "y_train");
      split(Part::test, raw_.test, "x_test", "y_test");
      if (!raw_.test.x && raw_.train.x) {
        split(Part::validation, raw_.test, "x_val", "y_val");
        if (raw_.test.x) say("the validation split serves as the test split");
      }
    }
    if (!raw_.train.x && !raw_.test.x) refuse();
    own_entries();
    class_names();
    leftovers();
  }

 private:
  void say(const std::string& clause) { raw_.notes.push_back(clause); }

  std::size_t find(const std::string& name) const {
    for (std::size_t i = 0; i < catalogue_.arrays.size(); ++i)
      if (catalogue_.arrays[i].name == name) return i;
    return catalogue_.arrays.size();
  }

  std::optional<RawArray> load(std::size_t i, Role role) {
    if (i >= catalogue_.arrays.size()) return std::nullopt;
    used_[i] = true;
    return role == Role::images ? load_images(catalogue_.file, catalogue_.arrays[i], options_)
                                : load_array(catalogue_.file, catalogue_.arrays[i], options_);
  }

  std::string all_names() const {
    std::vector<std::string> names;
    for (const ArrayEntry& entry : catalogue_.arrays)  // looking at each takes time, and no more are shown
      names.push_back(names.size() <= kShownNames ? entry_text(entry) : std::string());
    std::string list = names_text(names);
    for (const std::string& note : catalogue_.notes) list += "; " + note;
    return list;
  }

  std::optional<RawArray> load_named(const std::string& name, const char* option, Role role) {
    if (name.empty()) return std::nullopt;
    std::string trimmed = name;
    while (!trimmed.empty() && trimmed.front() == '/') trimmed.erase(0, 1);
    const std::size_t i = find(trimmed);
    NTKROB_CHECK(i < catalogue_.arrays.size(), ConfigError, field(option), " ", given(echoed(name)), ": ",
                 catalogue_.file, " has no such array, but ", all_names());
    return load(i, role);
  }

  void named() {
    NTKROB_CHECK(!options_.x.empty() && !options_.y.empty(), ConfigError, field(options_.x.empty() ? "y" : "x"), " ",
                 given(echoed(options_.x.empty() ? options_.y : options_.x)), " needs ",
                 field(options_.x.empty() ? "x" : "y"), options_.x.empty() ? ", the images" : ", the labels", "; ",
                 catalogue_.file, " holds ", all_names());
    raw_.train.x = load_named(options_.x, "x", Role::images);
    raw_.train.y = load_named(options_.y, "y", Role::labels);
    raw_.test.x = load_named(options_.x_test, "x-test", Role::images);
    raw_.test.y = load_named(options_.y_test, "y-test", Role::labels);
  }

  /// The array of this part and role whose name has the fewest words of no meaning, the usual name first.
  std::size_t best(Part part, Role role, const char* usual) {
    const std::size_t none = catalogue_.arrays.size();
    if (const std::size_t exact = find(usual); exact < none) return exact;
    std::size_t found = none, tie = none;
    for (std::size_t i = 0; i < none; ++i) {
      if (used_[i] || meanings_[i].part != part || meanings_[i].role != role) continue;
      if (found == none || meanings_[i].foreign < meanings_[found].foreign) {
        found = i;
        tie = none;
      } else if (meanings_[i].foreign == meanings_[found].foreign) {
        tie = i;
      }
    }
    const bool images = role == Role::images, test = part == Part::test;
    NTKROB_CHECK(tie == none, IoError, catalogue_.file, ": ", echoed(catalogue_.arrays[found].name), " and ",
                 tie == none ? std::string() : catalogue_.arrays[tie].name, " could both be the ",
                 images ? "images" : "labels", " of the ", test ? "test" : "training", " split; ",
                 advice("name the right ones: ", field("x"), " and ", field("y"), ", and ", field("x-test"), " and ",
                        field("y-test"), " for a test split"));
    return found;
  }

  void split(Part part, RawSplit& target, const char* x, const char* y) {
    const std::size_t none = catalogue_.arrays.size();
    std::size_t images = best(part, Role::images, x), labels = best(part, Role::labels, y);
    if (part == Part::train && images == none) images = best(Part::none, Role::images, "X");
    if (part == Part::train && labels == none) labels = best(Part::none, Role::labels, "y");
    if (images == none && labels == none) return;
    if (part == Part::validation && (images == none || labels == none)) return;
    const std::string name_x = images < none ? catalogue_.arrays[images].name : "none",
                      name_y = labels < none ? catalogue_.arrays[labels].name : "none";
    if (images < none && (name_x != x || (labels < none && name_y != y)))
      say(text(part == Part::train  ? "training"
               : part == Part::test ? "test"
                                    : "validation",
               " images ", echoed(name_x), ", labels ", echoed(name_y)));
    target.x = load(images, Role::images);
    target.y = load(labels, Role::labels);
    const char* own = part == Part::train ? "labels_train" : "labels_test";
    // Beside learned targets stand the classes that they were learned for.
    if (const std::size_t classes = find(own); classes < none && part != Part::validation) {
      if (labels < none)
        target.labels = load(classes, Role::labels);
      else
        target.y = load(classes, Role::labels);
    }
  }

  void refuse() const {
    // One table and one column of as many rows: the user is told how to say it, where there are not too many to look
    // at.
    constexpr std::size_t kMostAdvised = 100;
    std::vector<std::pair<std::string, std::vector<std::size_t>>> shapes;
    for (std::size_t i = 0; i < std::min(catalogue_.arrays.size(), kMostAdvised); ++i) try {
        shapes.emplace_back(catalogue_.arrays[i].name, catalogue_.arrays[i].shape());
      } catch (const Error&) {
        continue;  // named below
      }
    std::string advice;
    for (const auto& [name, shape] : shapes)
      if (name.find("block0_values") != std::string::npos)
        advice = "; pandas wrote it, in Python: pandas.read_hdf(FILE).to_csv('data.csv', index=False)";
    for (const auto& [x, shape] : shapes)
      for (const auto& [y, column] : shapes)
        if (advice.empty() && shape.size() >= 2 && shape[1] > 1 && column.size() == 1 && column[0] == shape[0])
          advice = text("; if these are images and labels, give ", field("x", echoed(x)), " ", field("y", echoed(y)));
    throw IoError(text(
        catalogue_.file,
        ": has no array x_train, x_test, X or x, nor others whose names say that they are images, but ", all_names(),
        !advice.empty() ? advice
        : catalogue_.arrays.size() == 1
            ? text(
                  "; a data set is images and labels: give the file with the other ones too, under names that say what "
                  "they hold (train-images.npy train-labels.npy), or convert them first, named by ",
                  field("train-images"), " and ", field("train-labels"))
            : text("; name images and labels with ", field("x"), " and ", field("y"))));
  }

  void own_entries() {
    if (const std::size_t i = find("value_range"); i < catalogue_.arrays.size()) {
      const RawArray range = *load(i, Role::own);
      NTKROB_CHECK(product(range.shape, range.where) == 2 && range.kind != RawArray::Kind::texts, IoError,
                   catalogue_.file, ": value_range has shape ", range.shape_text(),
                   ", must be two numbers [low, high]");
      raw_.value_range = {narrowed(range.number(0), range.where, 0), narrowed(range.number(1), range.where, 1)};
    }
    if (const std::size_t i = find("feature_range"); i < catalogue_.arrays.size() && raw_.own) {
      const RawArray ranges = *load(i, Role::own);
      NTKROB_CHECK(ranges.shape.size() == 2 && ranges.shape[0] == 2 && ranges.kind == RawArray::Kind::floats, IoError,
                   catalogue_.file, ": feature_range has shape ", ranges.shape_text(), ", must be [2,features]");
      raw_.feature_low.assign(ranges.floats.row(0), ranges.floats.row(0) + ranges.floats.cols());
      raw_.feature_high.assign(ranges.floats.row(1), ranges.floats.row(1) + ranges.floats.cols());
    }
    if (const std::size_t i = find("feature_names"); i < catalogue_.arrays.size() && raw_.own) {
      const RawArray names = *load(i, Role::own);
      NTKROB_CHECK(names.kind == RawArray::Kind::texts, IoError, names.where, ": must be texts");
      for (const std::int64_t which : names.ints) raw_.columns.push_back(names.names[static_cast<std::size_t>(which)]);
    }
    if (const std::size_t i = find("classes"); i < catalogue_.arrays.size() && raw_.own) {
      const RawArray classes = *load(i, Role::own);
      const bool one = product(classes.shape, classes.where) == 1 && classes.kind == RawArray::Kind::ints;
      NTKROB_CHECK(one && classes.ints[0] >= 1 && classes.ints[0] <= kMaxClasses, IoError, catalogue_.file,
                   ": classes must be one whole number in 1 .. ", kMaxClasses);
      raw_.classes = static_cast<index>(classes.ints[0]);
    }
  }

  /// Texts that name the classes.
  void class_names() {
    for (std::size_t i = 0; i < catalogue_.arrays.size() && raw_.class_names.empty(); ++i) {
      if (meanings_[i].role != Role::names) continue;
      try {
        const RawArray names = load_array(catalogue_.file, catalogue_.arrays[i], options_);
        if (names.kind != RawArray::Kind::texts || names.shape.size() > 2) continue;
        for (const std::int64_t which : names.ints)
          raw_.class_names.push_back(names.names[static_cast<std::size_t>(which)]);
        used_[i] = true;
        if (!raw_.own && catalogue_.arrays[i].name != "class_names")
          say(text("class names ", echoed(catalogue_.arrays[i].name)));
      } catch (const IoError&) {
        continue;  // named among what is left out
      }
    }
  }

  void leftovers() {
    if (raw_.own) return;
    std::vector<std::string> names;
    std::set<std::string> read;
    for (std::size_t i = 0; i < catalogue_.arrays.size(); ++i)
      if (used_[i] && !catalogue_.arrays[i].identity.empty()) read.insert(catalogue_.arrays[i].identity);
    for (std::size_t i = 0; i < catalogue_.arrays.size(); ++i)
      if (!used_[i] && read.count(catalogue_.arrays[i].identity) == 0)
        names.push_back(names.size() <= kShownNames ? entry_text(catalogue_.arrays[i]) : catalogue_.arrays[i].name);
    if (!names.empty())
      say(text("left out: ", names.size(), names.size() == 1 ? " array, " : " arrays, ", names_text(names)));
    for (const std::string& note : catalogue_.notes) say("left out: " + note);
  }

  const Catalogue& catalogue_;
  const ReadOptions& options_;
  RawDataset& raw_;
  std::vector<bool> used_;
  std::vector<NameMeaning> meanings_;
};

}  // namespace

namespace {

enum class Word { unknown, filler, train, test, validation, images, labels, names, classes };

Word whole_word(const std::string& word) {
  if (among(word, {"train", "training", "trn", "tr"})) return Word::train;
  if (among(word, {"test", "testing", "tst", "te"})) return Word::test;
  if (among(word, {"val", "valid", "validation", "dev"})) return Word::validation;
  if (among(word, {"x", "xs", "data", "image", "images", "img", "imgs", "feature", "features", "input", "inputs",
                   "pixel", "pixels", "picture", "pictures", "samples"}))
    return Word::images;
  if (among(word, {"y", "ys", "label", "labels", "lbl", "lbls", "target", "targets", "class", "ans", "answer",
                   "answers", "digit", "digits"}))
    return Word::labels;
  if (among(word, {"names", "name", "list"})) return Word::names;
  if (word == "classes") return Word::classes;
  return is_filler(word) ? Word::filler : Word::unknown;
}

}  // namespace

NameMeaning meaning_of(const std::string& name) {
  NameMeaning meaning;
  if (is_own(name)) {
    meaning.role = Role::own;
    return meaning;
  }
  std::vector<Word> words;
  const std::vector<std::string> texts = words_of(name);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string& word = texts[i];
    Word known = whole_word(word);
    constexpr std::size_t kLongest = 32;  // of a word that is two words
    if (word == "t" && i + 2 < texts.size() && texts[i + 1] == "10" && texts[i + 2] == "k") known = Word::test;
    // "xtrain", "testlabels": two words in one
    for (std::size_t cut = 1; known == Word::unknown && word.size() <= kLongest && cut < word.size(); ++cut) {
      const Word first = whole_word(word.substr(0, cut)), second = whole_word(word.substr(cut));
      if (first <= Word::filler || second <= Word::filler) continue;
      words.push_back(first);
      known = second;
    }
    words.push_back(known);
  }
  bool about_classes = false, names = false;
  for (const Word word : words) {
    if (word == Word::unknown || word == Word::classes) ++meaning.foreign;
    if (word == Word::train) meaning.part = Part::train;
    if (word == Word::test) meaning.part = Part::test;
    if (word == Word::validation) meaning.part = Part::validation;
    if (word == Word::images) meaning.role = Role::images;
    if (word == Word::labels) meaning.role = Role::labels;
    about_classes = about_classes || word == Word::labels || word == Word::classes;
    names = names || word == Word::names;
  }
  if (names) meaning.role = about_classes ? Role::names : Role::none;
  return meaning;
}

RawArray load_array(const std::string& file, const ArrayEntry& entry, const ReadOptions& options) {
  if (entry.n_bytes) budget_of(options)->take(entry.n_bytes(), entry.name.empty() ? file : file + ": " + entry.name);
  return entry.load();
}

RawArray load_images(const std::string& file, const ArrayEntry& entry, const ReadOptions& options) {
  if (entry.n_bytes) {
    const std::size_t n_bytes = entry.n_bytes();
    if (entry.leave && n_bytes > options.in_memory) {
      constexpr std::size_t kBlockBytes = std::size_t{4} << 20;  // larger ones leave holes in the heap
      RawArray array = entry.leave(std::min(kBlockBytes, options.in_memory));
      array.in_file->n_bytes = n_bytes;
      array.in_file->memory = budget_of(options)->limit();
      return array;
    }
  }
  return load_array(file, entry, options);
}

void take_arrays(const Catalogue& catalogue, const ReadOptions& options, RawDataset& raw) {
  Chooser(catalogue, options, raw).run();
}

std::string names_text(const std::vector<std::string>& names) {
  constexpr std::size_t kLength = 300;
  std::string list;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i == kShownNames || list.size() > kLength) return list + ", ...";
    list += (i == 0 ? "" : ", ") + shortened_line(names[i], 120);
  }
  return list.empty() ? "nothing" : list;
}

}  // namespace ntkrob::io
