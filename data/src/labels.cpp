/// Which class a label is. Whole numbers of any type, texts, one-hot rows and floating-point targets, one rule for all
/// formats; what the user wants mapped or renumbered is done here.
#include <algorithm>
#include <cmath>
#include <set>

#include "echo.hpp"
#include "raw_array.hpp"
#include "read_options.hpp"

namespace ntkrob::io {
namespace {

using Kind = RawArray::Kind;

/// The labels of one split, as numbers or as texts.
struct Labels {
  std::string where;
  bool texts = false;
  std::vector<std::int64_t> numbers;  // of texts: the index in `names`
  std::vector<std::string> names;
  std::map<std::int64_t, std::string> members;
};

/// Axes of extent 1 behind the first, and a row in the place of a column, mean nothing.
void squeeze(RawArray& y, std::size_t n) {
  auto& shape = y.shape;
  if (shape.size() == 2 && shape[0] == 1 && n != 1 && shape[1] == n) reverse_axes(y);
  while (shape.size() > 1 && shape.back() == 1) shape.pop_back();
}

/// The only 1 of each row of zeros, or nothing where the rows are no such.   throws: IoError for rows of whole numbers
/// that are nearly so
std::optional<std::vector<std::int64_t>> one_hot(const RawArray& y) {
  const std::size_t n = y.shape[0], k = y.shape[1];
  std::vector<std::int64_t> classes(n);
  for (std::size_t i = 0; i < n; ++i) {
    std::size_t ones = 0;
    for (std::size_t c = 0; c < k; ++c) {
      const double value = y.number(i * k + c);
      if (value == 1) {
        ++ones;
        classes[i] = static_cast<std::int64_t>(c);
      }
      if (value == 0 || value == 1) continue;
      NTKROB_CHECK(y.kind == Kind::floats, IoError, y.where, ": row ", i, ", column ", c, " is ", value,
                   " in labels of shape ", y.shape_text(),
                   "; labels are [N], one-hot rows of 0 and 1, or floating-point targets [N,classes]");
      return std::nullopt;
    }
    if (ones == 1) continue;
    NTKROB_CHECK(y.kind == Kind::floats, IoError, y.where, ": row ", i, " has ", ones, " ones in labels of shape ",
                 y.shape_text(), "; a sample has one class: store one column of them, or floating-point targets");
    return std::nullopt;
  }
  return classes;
}

std::int64_t whole_label(const RawArray& y, std::size_t i) {
  if (y.kind == Kind::ints) return y.ints[i];
  const double value = y.number(i);
  NTKROB_CHECK(value == std::floor(value) && std::abs(value) < 9e15, IoError, y.where, ": label ", i, " is ", value,
               "; labels must be whole numbers (classes), ntkrob knows no regression");
  return static_cast<std::int64_t>(value);
}

Labels column_of(RawArray& y, std::size_t n) {
  squeeze(y, n);
  NTKROB_CHECK(y.shape.size() == 1, IoError, y.where, ": shape ", y.shape_text(),
               "; labels are [N] whole numbers or texts, one-hot rows, or floating-point targets [N,classes]");
  NTKROB_CHECK(y.count() == n, IoError, y.where, ": ", y.count(), " labels for ", n,
               " images; both files must belong together");
  Labels labels;
  labels.where = y.where;
  labels.members = std::move(y.members);
  if (y.kind == Kind::texts) {
    labels.texts = true;
    labels.numbers = std::move(y.ints);
    labels.names = std::move(y.names);
    return labels;
  }
  labels.numbers.resize(n);
  for (std::size_t i = 0; i < n; ++i) labels.numbers[i] = whole_label(y, i);
  return labels;
}

void take_targets(RawArray& y, std::size_t n, Split& split, Labels& labels) {
  NTKROB_CHECK(y.count() == n, IoError, y.where, ": ", y.count(), " rows of targets for ", n, " images");
  NTKROB_CHECK(y.shape[1] <= static_cast<std::size_t>(kMaxClasses), IoError, y.where, ": shape ", y.shape_text(),
               "; at most ", kMaxClasses, " classes");
  split.targets = std::move(y.floats);
  labels.where = y.where;
  labels.numbers.resize(n);
  for (index i = 0; i < split.n; ++i) {
    const float* row = split.targets.row(i);
    for (index c = 0; c < split.targets.cols(); ++c)
      NTKROB_CHECK(std::isfinite(row[c]), IoError, y.where, ": row ", i, ", class ", c, " is ", row[c],
                   "; targets must be finite");
    labels.numbers[static_cast<std::size_t>(i)] = std::max_element(row, row + split.targets.cols()) - row;
  }
}

Labels read_labels(RawSplit& raw, const RawDataset& all, Split& split, index& one_hot_classes, Dataset& data) {
  const auto n = static_cast<std::size_t>(split.n);
  RawArray& y = *raw.y;
  squeeze(y, n);
  const bool rows = y.shape.size() == 2 && y.shape[1] > 1 && y.kind != Kind::texts;
  if (!rows) return column_of(y, n);
  if (!all.targets && !raw.labels) {
    NTKROB_CHECK(y.count() == n, IoError, y.where, ": ", y.count(), " rows of ",
                 y.kind == Kind::floats ? "targets" : "labels", " for ", n, " images");
    if (auto classes = one_hot(y)) {
      Labels labels;
      labels.where = y.where;
      labels.numbers = std::move(*classes);
      one_hot_classes = std::max(one_hot_classes, static_cast<index>(y.shape[1]));
      data.notes.push_back(text(y.where, ": one-hot rows ", y.shape_text(), " read as classes"));
      return labels;
    }
  }
  NTKROB_CHECK(y.kind == Kind::floats, IoError, y.where, ": shape ", y.shape_text(),
               "; labels are [N] whole numbers or texts, one-hot rows, or floating-point targets [N,classes]");
  Labels labels;
  take_targets(y, n, split, labels);
  if (raw.labels) labels = column_of(*raw.labels, n);
  return labels;
}

/// Texts that are whole numbers are these numbers.
///   said: what the texts are, for the note; null: nothing is said
void texts_to_numbers(std::vector<Labels*>& all, const char* said, Dataset& data) {
  for (const Labels* labels : all) {
    if (!labels->texts) return;
    for (const std::string& name : labels->names)
      if (!whole_number(name)) return;
  }
  for (Labels* labels : all) {
    for (std::int64_t& number : labels->numbers)
      number = *whole_number(labels->names[static_cast<std::size_t>(number)]);
    labels->texts = false;
    labels->names.clear();
  }
  if (said) data.notes.push_back(text(all.front()->where, ": ", said, " are whole numbers, read as numbers"));
}

void map_labels(std::vector<Labels*>& all, const std::string& option, Dataset& data) {
  const auto map = parse_label_map(option);
  if (map.empty()) return;
  std::set<std::string> used;
  for (Labels* labels : all) {
    std::map<std::int64_t, std::size_t> places;  // of numbers: where their text is in `names`
    if (!labels->texts) {
      for (std::int64_t& number : labels->numbers) {
        const auto [at, fresh] = places.emplace(number, labels->names.size());
        if (fresh) labels->names.push_back(std::to_string(number));
        number = static_cast<std::int64_t>(at->second);
      }
      labels->texts = true;
    }
    for (std::string& name : labels->names) {
      const auto to = map.find(name);
      if (to == map.end()) continue;
      used.insert(name);
      name = to->second;
    }
    labels->members.clear();
  }
  for (const auto& [from, to] : map)
    NTKROB_CHECK(used.count(from) > 0, ConfigError, field("label-map"), ": label ", given(echoed(from)),
                 " does not occur in ", all.front()->where);
  texts_to_numbers(all, nullptr, data);  // the texts are ours
}

/// Sorted texts, the same for both splits, become 0 .. k-1.
void number_texts(std::vector<Labels*>& all, RawDataset& raw, Dataset& data) {
  std::set<std::string> sorted;
  for (const Labels* labels : all) {
    NTKROB_CHECK(labels->texts, IoError, labels->where, ": labels are numbers here and texts in the other split");
    for (std::size_t i = 0; i < labels->numbers.size(); ++i)
      NTKROB_CHECK(!labels->names[static_cast<std::size_t>(labels->numbers[i])].empty(), IoError, labels->where,
                   ": label ", i,
                   " is empty; a sample without a class belongs into no split: fill its label in, or remove it");
    std::set<std::int64_t> occurring(labels->numbers.begin(), labels->numbers.end());
    for (const std::int64_t i : occurring) sorted.insert(labels->names[static_cast<std::size_t>(i)]);
  }
  NTKROB_CHECK(sorted.size() < static_cast<std::size_t>(kMaxClasses), IoError, all.front()->where, ": ", sorted.size(),
               " different labels; at most ", kMaxClasses, " classes");
  std::vector<std::string> names(sorted.begin(), sorted.end());
  for (Labels* labels : all) {
    std::vector<std::int64_t> place(labels->names.size(), 0);
    for (std::size_t i = 0; i < place.size(); ++i)
      place[i] = std::lower_bound(names.begin(), names.end(), labels->names[i]) - names.begin();
    for (std::int64_t& number : labels->numbers) number = place[static_cast<std::size_t>(number)];
    labels->texts = false;
  }
  std::string list;
  constexpr std::size_t kShown = 6;
  for (std::size_t i = 0; i < std::min(kShown, names.size()); ++i)
    list += (i == 0 ? "" : ", ") + shortened_line(names[i], 40);
  if (!raw.pictures)
    data.notes.push_back(text(all.front()->where, ": labels are texts, ", names.size(),
                              " classes in the order of their names: ", list, names.size() > kShown ? ", ..." : ""));
  raw.class_names = std::move(names);
}

std::set<std::int64_t> occurring(const std::vector<Labels*>& all) {
  std::set<std::int64_t> values;
  for (const Labels* labels : all) values.insert(labels->numbers.begin(), labels->numbers.end());
  return values;
}

std::string list_text(const std::set<std::int64_t>& values) {
  std::string list;
  std::size_t shown = 0;
  for (const std::int64_t value : values) {
    if (shown == 6) return list + ", ...";
    list += (shown++ == 0 ? "" : ", ") + std::to_string(value);
  }
  return list;
}

/// The members of an enumeration in the order of their values.
void number_members(std::vector<Labels*>& all, RawDataset& raw, bool renumber) {
  const auto& members = all.front()->members;
  if (members.empty() || !raw.class_names.empty()) return;
  bool plain = true;
  std::int64_t next = 0;
  for (const auto& [value, name] : members) plain = plain && value == next++;
  if (!plain && !renumber) return;
  for (const auto& [value, name] : members) raw.class_names.push_back(name);
}

void renumber(std::vector<Labels*>& all, RawDataset& raw, Dataset& data) {
  const std::set<std::int64_t> values = occurring(all);
  NTKROB_CHECK(values.size() < static_cast<std::size_t>(kMaxClasses), IoError, all.front()->where, ": ", values.size(),
               " different labels; at most ", kMaxClasses, " classes");
  std::vector<std::string> names;
  const auto& members = all.front()->members;
  const bool in_order = raw.class_names.size() == values.size();
  for (const std::int64_t value : values) {
    const auto at = static_cast<std::size_t>(value);
    const auto member = members.find(value);
    if (in_order)
      names.push_back(raw.class_names[names.size()]);
    else if (member != members.end())
      names.push_back(member->second);
    else
      names.push_back(value >= 0 && at < raw.class_names.size() ? raw.class_names[at] : std::to_string(value));
  }
  const std::vector<std::int64_t> sorted(values.begin(), values.end());
  const bool same = sorted.front() == 0 && sorted.back() == static_cast<std::int64_t>(sorted.size()) - 1 &&
                    (raw.classes == 0 || raw.classes == static_cast<index>(sorted.size()));
  for (Labels* labels : all)
    for (std::int64_t& number : labels->numbers)
      number = std::lower_bound(sorted.begin(), sorted.end(), number) - sorted.begin();
  if (same) return;
  raw.class_names = names;
  raw.classes = static_cast<index>(names.size());
  data.notes.push_back(
      text("labels ", list_text(values), " renumbered 0 .. ", values.size() - 1, ", their names are kept"));
}

void check_range(const std::vector<Labels*>& all) {
  for (const Labels* labels : all)
    for (std::size_t i = 0; i < labels->numbers.size(); ++i) {
      const std::int64_t value = labels->numbers[i];
      NTKROB_CHECK(
          value >= 0 && value < kMaxClasses, IoError, labels->where, ": label ", i, " is ", given(value),
          "; labels must be ", limit("whole numbers in 0 .. ", kMaxClasses - 1), "; ",
          advice(field("renumber", "true"), " numbers those that occur (", list_text(occurring(all)), ") from 0"));
    }
}

/// "3", "3 to 7", joined by commas.
std::string runs_text(const std::vector<index>& classes) {
  std::string list;
  std::size_t shown = 0;
  for (std::size_t i = 0; i < classes.size();) {
    std::size_t j = i;
    while (j + 1 < classes.size() && classes[j + 1] == classes[j] + 1) ++j;
    if (shown++ == 8) return list + ", ...";
    list += (i == 0 ? "" : ", ") + text(classes[i]) + (j > i ? text(j > i + 1 ? " to " : ", ", classes[j]) : "");
    i = j + 1;
  }
  return list;
}

/// Says which classes have no images: data sets count from 1, or lack some.
void say_empty_classes(Dataset& data) {
  const Split& split = data.train.empty() ? data.test : data.train;
  std::vector<index> counts(static_cast<std::size_t>(data.classes), 0), elsewhere(counts.size(), 0);
  for (const int label : split.labels) ++counts[static_cast<std::size_t>(label)];
  if (&split == &data.train)
    for (const int label : data.test.labels) ++elsewhere[static_cast<std::size_t>(label)];
  std::vector<index> empty, test_only;
  index first = data.classes, last = 0;
  for (index c = 0; c < data.classes; ++c) {
    const auto at = static_cast<std::size_t>(c);
    if (counts[at] == 0) (elsewhere[at] > 0 ? test_only : empty).push_back(c);
    if (counts[at] == 0) continue;
    first = std::min(first, c);
    last = c;
  }
  if (!test_only.empty())
    data.notes.push_back(text(test_only.size() == 1 ? "class " : "classes ", runs_text(test_only),
                              test_only.size() == 1 ? " has" : " have", " test images only, nothing to learn from"));
  if (empty.empty()) return;
  data.notes.push_back(text("labels run ", first, " .. ", last, ", ", empty.size() == 1 ? "class " : "classes ",
                            runs_text(empty), empty.size() == 1 ? " has" : " have", " none (",
                            field("renumber", "true"), " numbers those that occur from 0)"));
}

}  // namespace

void take_labels(RawDataset& raw, const ReadOptions& options, Dataset& data) {
  Labels train, test;
  std::vector<Labels*> all;
  index one_hot_classes = 0;
  if (raw.train.x) {
    train = read_labels(raw.train, raw, data.train, one_hot_classes, data);
    all.push_back(&train);
  }
  if (raw.test.x) {
    test = read_labels(raw.test, raw, data.test, one_hot_classes, data);
    all.push_back(&test);
  }
  const bool targets = !data.train.targets.empty() || !data.test.targets.empty();
  NTKROB_CHECK(!targets || (options.label_map.empty() && !options.renumber), ConfigError,
               options.renumber ? field("renumber", "true") : field("label-map"), ": ", raw.file,
               " has floating-point targets with a column for each class, which keep their order");
  texts_to_numbers(all, raw.pictures ? "names of folders" : "labels that are texts", data);
  map_labels(all, options.label_map, data);
  if (all.front()->texts || all.back()->texts) number_texts(all, raw, data);
  number_members(all, raw, options.renumber);
  if (options.renumber) {
    if (one_hot_classes > 0 && raw.classes == 0) raw.classes = one_hot_classes;
    renumber(all, raw, data);
    one_hot_classes = 0;
  }
  check_range(all);
  for (const auto& [labels, split] : {std::pair<Labels*, Split*>{&train, &data.train}, {&test, &data.test}})
    split->labels.assign(labels->numbers.begin(), labels->numbers.end());

  data.class_names = std::move(raw.class_names);
  data.classes = raw.classes;
  if (data.classes == 0) data.classes = static_cast<index>(data.class_names.size());
  if (data.classes == 0) data.classes = one_hot_classes;
  for (const Split* split : {&data.train, &data.test})
    if (data.classes == 0 && !split->targets.empty()) data.classes = split->targets.cols();
  if (data.classes == 0)
    for (const Split* split : {&data.train, &data.test})
      for (const int label : split->labels) data.classes = std::max<index>(data.classes, label + 1);
  for (const Labels* labels : all)
    for (std::size_t i = 0; i < labels->numbers.size(); ++i)
      NTKROB_CHECK(
          labels->numbers[i] < data.classes, IoError, labels->where, ": label ", i, " is ", labels->numbers[i],
          ", but there are ", data.classes, " classes (0 .. ", data.classes - 1, "); ",
          advice(field("renumber", "true"), " numbers those that occur (", list_text(occurring(all)), ") from 0"));
  say_empty_classes(data);
}

}  // namespace ntkrob::io
