#include "text_table.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "taken.hpp"

namespace ntkrob::io {
namespace {

/// What label columns are called, in the order in which they are believed.
constexpr const char* kLabelNames[] = {"label",  "class",   "target",   "y",       "digit",
                                       "labels", "species", "category", "activity"};
/// Names of columns that count rows.
constexpr const char* kIndexNames[] = {"", "unnamed: 0", "index", "id"};
constexpr std::size_t kMaxDifferent = 1024;

std::string list_of_label_names() {
  std::string list;
  for (const char* name : kLabelNames) list += (list.empty() ? "" : ", ") + std::string(name);
  return list;
}

}  // namespace

void TextTable::Candidate::add_text(std::string_view field, ReadBudget& budget, const std::string& where) {
  auto at = places.find(field);
  make_room(codes, 1, budget, where);
  if (at == places.end()) {
    budget.take(kTextBytes + 2 * field.size(), where);
    at = places.emplace(std::string(field), static_cast<std::int64_t>(texts.size())).first;
    texts.emplace_back(field);
  }
  codes.push_back(at->second);
}

void TextTable::Candidate::add(std::string_view field, bool number, double value, ReadBudget& budget,
                               const std::string& where) {
  if (!number && !is_text) {
    is_text = true;
    for (const double earlier : numbers) add_text(text(earlier), budget, where);
    numbers.clear();
  }
  if (is_text) return add_text(field, budget, where);
  make_room(numbers, 1, budget, where);
  numbers.push_back(value);
}

TextTable::TextTable(std::string path, std::size_t n_columns, std::vector<std::string> columns,
                     const ReadOptions& options)
    : budget_(budget_of(options)),
      path_(std::move(path)),
      label_option_(options.y),
      n_columns_(n_columns),
      names_(std::move(columns)),
      dropped_(n_columns, false) {
  NTKROB_CHECK(n_columns_ <= kMaxColumns, IoError, path_, ": more than ", kMaxColumns,
               " columns; choose features first, or store the table as HDF5");
  NTKROB_CHECK(options.x.empty(), ConfigError, "--x names an array, but ", path_,
               " is a table; its columns are features but those of --drop, and --y names the label column");
  const std::vector<std::string> dropped = parse_names(options.drop, "--drop");
  std::map<std::string, std::vector<std::size_t>> places;
  for (std::size_t c = 0; c < names_.size() && !dropped.empty(); ++c) places[names_[c]].push_back(c);
  for (const std::string& name : dropped) {
    const auto named = places.find(name);
    if (named == places.end() || name == "first" || name == "last") dropped_[find(name, "--drop")] = true;
    if (named == places.end()) continue;
    for (const std::size_t c : named->second) dropped_[c] = true;
    places.erase(named);  // a name that is given twice
    places[name];
  }
  std::set<std::size_t> columns_kept;
  if (!label_option_.empty()) {
    columns_kept.insert(find(label_option_, "--y"));
  } else if (!names_.empty()) {
    for (std::size_t c = 0; c < n_columns_; ++c)
      for (const char* label : kLabelNames)
        if (lower(names_[c]) == label) columns_kept.insert(c);
  }
  if (!names_.empty()) columns_kept.insert(0);  // may be an index
  if (names_.empty()) columns_kept.insert({0, n_columns_ - 1});
  for (const std::size_t c : columns_kept) {
    candidates_.emplace_back();
    candidates_.back().column = c;
  }
}

std::size_t TextTable::find(const std::string& name, const char* option) const {
  if (name == "first") return 0;
  if (name == "last") return n_columns_ - 1;
  for (std::size_t c = 0; c < names_.size(); ++c)
    if (names_[c] == name) return c;
  for (std::size_t c = 0; c < names_.size(); ++c)
    if (lower(names_[c]) == lower(name)) return c;
  const auto number = whole_number(name);
  NTKROB_CHECK(number && *number >= 1 && *number <= static_cast<std::int64_t>(n_columns_), ConfigError, option, " ",
               name, ": ", path_,
               names_.empty() ? text(" has no header; give a number from 1 to ", n_columns_, ", first or last")
                              : text(" has no such column; give one of its names, a number from 1 to ", n_columns_,
                                     ", first or last"));
  return static_cast<std::size_t>(*number) - 1;
}

/// What to do about a field that is no number.
std::string TextTable::advice_about(std::string_view field, std::size_t column) const {
  const std::string small = lower(std::string(field));
  if (small.empty() || small == "?" || small == "na" || small == "n/a" || small == "null" || small == "none")
    return text("the value is missing: fill it in, leave the line out, or the column by --drop ", column + 1);
  std::string point = small;
  std::replace(point.begin(), point.end(), ',', '.');
  double value = 0;
  if (point != small && parse_field(point, value))
    return "decimal points are expected, not commas, in Python: pandas.read_csv(FILE, sep=None, decimal=',', "
           "engine='python').to_csv('points.csv', index=False)";
  return text("if the column is no feature, leave it out by --drop ", column + 1,
              label_option_.empty() ? text(", if it is the label, give --y ", column + 1) : "");
}

void TextTable::add(std::size_t line, const std::vector<std::string_view>& row) {
  NTKROB_CHECK(row.size() == n_columns_, IoError, path_, ": line ", line, ": ", row.size(),
               " columns, the first line has ", n_columns_);
  std::size_t next = 0;
  make_room(values_, n_columns_, *budget_, path_);
  values_.resize(values_.size() + n_columns_);
  float* out = values_.data() + values_.size() - n_columns_;  // zeros
  for (std::size_t c = 0; c < row.size(); ++c, ++out) {
    double value = 0;
    const bool candidate = next < candidates_.size() && candidates_[next].column == c;
    if (dropped_[c] && !candidate) continue;
    const bool number = parse_field(row[c], value);
    if (candidate) candidates_[next++].add(row[c], number, value, *budget_, path_);
    if (!number && candidate) continue;
    NTKROB_CHECK(number, IoError, path_, ": line ", line, ", column ", c + 1,
                 names_.empty() ? std::string() : text(" (", names_[c].substr(0, 40), ")"), ": \"",
                 row[c].substr(0, 40), "\" is not a number; ", advice_about(row[c], c));
    NTKROB_CHECK(std::isfinite(value) || candidate, IoError, path_, ": line ", line, ", column ", c + 1, ": pixel is ",
                 value, "; pixels must be finite");
    if (!candidate) whole_bytes_ = whole_bytes_ && value >= 0 && value <= 255 && value == std::floor(value);
    *out = static_cast<float>(value);
  }
  ++rows_;
}

const TextTable::Candidate* TextTable::candidate(std::size_t column) const {
  const auto at = std::lower_bound(candidates_.begin(), candidates_.end(), column,
                                   [](const Candidate& c, std::size_t wanted) { return c.column < wanted; });
  return at != candidates_.end() && at->column == column ? &*at : nullptr;
}

TextTable::Statistics TextTable::statistics(std::size_t column) const {
  Statistics s;
  const Candidate* kept = candidate(column);
  if (kept != nullptr && kept->is_text) {
    s.text = true;
    s.different = kept->texts.size();
    return s;
  }
  std::set<double> different;
  for (std::size_t i = 0; i < rows_; ++i) {
    const double value = kept != nullptr ? kept->numbers[i] : values_[i * n_columns_ + column];
    if (i == 0) s.low = s.high = value;
    s.low = std::min(s.low, value);
    s.high = std::max(s.high, value);
    s.whole = s.whole && value == std::floor(value);
    if (different.size() < kMaxDifferent) different.insert(value);
  }
  s.different = different.size();
  return s;
}

std::string TextTable::column_text(std::size_t column) const {
  return names_.empty() ? text("column ", column + 1) : text("column \"", names_[column].substr(0, 60), "\"");
}

std::string TextTable::statistics_text(std::size_t column) const {
  const Statistics s = statistics(column);
  const std::string many = s.different >= kMaxDifferent ? "many" : std::to_string(s.different);
  return s.text ? text(column_text(column), " (texts, ", many, " different)")
                : text(column_text(column), " (", s.low, " to ", s.high, ", ", many, " different)");
}

/// Dense whole numbers from -1, 0 or 1 on, or few texts.
bool TextTable::may_be_label(std::size_t column) const {
  const Statistics s = statistics(column);
  if (s.different < 2 || s.different >= kMaxDifferent) return false;
  if (s.text) return s.different < rows_;
  return s.whole && s.low >= -1 && s.low <= 1 && s.high - s.low + 1 <= 2 * static_cast<double>(s.different) &&
         !counts_rows(column, false);
}

/// Whether its values are those of the column beside it: pixels among pixels.
bool TextTable::like_its_neighbour(std::size_t column) const {
  const Statistics s = statistics(column), t = statistics(column == 0 ? 1 : column - 1);
  return !s.text && !t.text && t.whole && s.low == t.low && s.high <= 2 * t.high && t.high <= 2 * s.high;
}

bool TextTable::counts_rows(std::size_t column, bool any_order) const {
  const Candidate* kept = candidate(column);
  if (kept == nullptr || kept->is_text || rows_ < 3) return false;
  const Taken set(*budget_, any_order ? rows_ * kTextBytes / 2 : 0, path_);
  const double first = kept->numbers[0];
  std::set<double> different;
  for (std::size_t i = 0; i < rows_; ++i) {
    const double value = kept->numbers[i];
    if (value != std::floor(value)) return false;
    if (!any_order && (value != first + static_cast<double>(i) || first < 0 || first > 1)) return false;
    if (any_order && !different.insert(value).second) return false;
  }
  return true;
}

/// A leading column that numbers the rows is no feature.
void TextTable::drop_index(std::vector<std::string>& notes) {
  if (dropped_[0] || (!label_option_.empty() && find(label_option_, "--y") == 0)) return;
  bool named = false;
  if (!names_.empty())
    for (const char* name : kIndexNames) named = named || lower(names_[0]) == name;
  const bool unnamed = !names_.empty() && (names_[0].empty() || lower(names_[0]) == "unnamed: 0");
  constexpr std::size_t kConvincing = 10;  // rows that a headerless column must count
  if (!(named || (names_.empty() && rows_ >= kConvincing)) || !counts_rows(0, unnamed)) return;
  dropped_[0] = true;
  notes.push_back(text(names_.empty() || !names_[0].empty() ? column_text(0) : "the first column, which has no name,",
                       " counts the rows: left out"));
}

void TextTable::choose_by_name(std::vector<std::string>& notes) {
  for (const char* name : kLabelNames) {
    std::vector<std::size_t> found;
    for (std::size_t c = 0; c < n_columns_; ++c)
      if (!dropped_[c] && lower(names_[c]) == name) found.push_back(c);
    if (found.empty()) continue;
    NTKROB_CHECK(found.size() == 1, IoError, path_, ": columns ", found[0] + 1, " and ", found[1] + 1,
                 " are both called ", names_[found[0]],
                 "; give --y with the number of the right one, and --drop with the other");
    label_ = found[0];
    break;
  }
  if (!label_) {
    std::string list;
    for (std::size_t c = 0; c < n_columns_; ++c)
      if (c < 6 || c + 3 >= n_columns_)
        list += (c == 0 ? "" : ", ") + (names_[c].empty() ? std::string("(no name)") : names_[c].substr(0, 40));
      else if (c == 6)
        list += ", ...";
    throw IoError(text(path_, ": no column is called ", list_of_label_names(),
                       "; name the label column by --y; there are ", list));
  }
  std::size_t others = 0, other = 0;
  for (const char* name : kLabelNames)
    for (std::size_t c = 0; c < n_columns_; ++c)
      if (c != *label_ && !dropped_[c] && lower(names_[c]) == name) {
        ++others;
        other = c;
      }
  NTKROB_CHECK(others == 0 || lower(names_[*label_]) == "label", IoError, path_, ": columns ", names_[*label_], " and ",
               names_[other], " could both be the label; give --y with the right one, and --drop with the other");
  if (others > 0)
    notes.push_back(text(column_text(other), " is taken as a feature (--drop ", names_[other], " leaves it out)"));
  if (names_[*label_] != "label" || *label_ > 0)
    notes.push_back(text("label is ", column_text(*label_), ", ", *label_ + 1, " of ", n_columns_));
}

void TextTable::choose_by_evidence(std::vector<std::string>& notes) {
  const std::size_t first = dropped_[0] ? 1 : 0, last = n_columns_ - 1;
  const bool a = first == 0 && may_be_label(0), b = may_be_label(last);
  const bool both = a && b;
  const std::string what =
      first == 0 ? text(statistics_text(0), " and ", statistics_text(last)) : statistics_text(last);
  NTKROB_CHECK(
      a || b, IoError, path_, ": no column looks like labels: ", what,
      " are not a few whole numbers or texts from 0 or 1 on; a file of pixels alone is no data set; give --y with the "
      "number of the label column if there is one");
  bool take_first = a;
  if (both) {
    const bool pixel_a = like_its_neighbour(0), pixel_b = like_its_neighbour(last);
    NTKROB_CHECK(pixel_a != pixel_b, IoError, path_, ": the label may be ", what, "; give --y first or --y last");
    take_first = pixel_b;
  }
  label_ = take_first ? 0 : last;
  const Statistics s = statistics(*label_);
  notes.push_back(text("no header; label is the ", take_first ? "first" : "last", " of ", n_columns_, " columns",
                       s.text ? std::string(", texts") : text(", whole numbers ", s.low, " to ", s.high), " (--y ",
                       take_first ? "last" : "first", " takes the other end)"));
}

void TextTable::decide(std::vector<std::string>& notes) {
  drop_index(notes);
  if (!label_option_.empty()) {
    label_ = find(label_option_, "--y");
    NTKROB_CHECK(!dropped_[*label_], ConfigError, "--drop: ", column_text(*label_), " of ", path_,
                 " is the label column");
  } else if (!names_.empty()) {
    choose_by_name(notes);
  } else {
    choose_by_evidence(notes);
  }
  std::vector<std::string> left;
  for (std::size_t c = 0; c < n_columns_; ++c)
    if (dropped_[c] && !(c == 0 && !notes.empty() && notes.front().find("counts the rows") != std::string::npos))
      left.push_back(column_text(c));
  if (!left.empty())
    notes.push_back(text(
        "left out as asked: ", left.size() > 6 ? text(left.size(), " columns") : [&] {
          std::string list;
          for (const std::string& name : left) list += (list.empty() ? "" : ", ") + name;
          return list;
        }()));
  for (std::size_t c = 0; c < names_.size(); ++c) {
    const std::string name = lower(names_[c]);
    const bool identifies = name == "id" || name == "index" || ends_with(name, "_id") || name.rfind("unnamed:", 0) == 0;
    if (identifies && !dropped_[c] && c != *label_)
      notes.push_back(
          text("attention: ", column_text(c), " is taken as a feature; if it only identifies samples, --drop ", c + 1));
  }
  // What was kept apart and is a feature after all must be numbers.
  for (const Candidate& c : candidates_) {
    if (c.column == *label_ || dropped_[c.column]) continue;
    NTKROB_CHECK(!c.is_text, IoError, path_, ": ", column_text(c.column), " holds texts such as \"",
                 c.texts.front().substr(0, 40), "\"; features are numbers: leave it out by --drop ", c.column + 1,
                 ", or take it as the label by --y ", c.column + 1);
    for (std::size_t i = 0; i < rows_; ++i) {
      const double value = c.numbers[i];
      NTKROB_CHECK(std::isfinite(value), IoError, path_, ": sample ", i, ", column ", c.column + 1, ": pixel is ",
                   value, "; pixels must be finite");
      whole_bytes_ = whole_bytes_ && value >= 0 && value <= 255 && value == std::floor(value);
    }
  }
}

bool TextTable::decide_like(const TextTable& other) {
  const bool has_label =
      std::find(names_.begin(), names_.end(), other.names_.empty() ? "" : other.names_[*other.label_]) != names_.end();
  if (n_columns_ + 1 == other.n_columns_ && !has_label) return false;
  NTKROB_CHECK(n_columns_ == other.n_columns_, IoError, path_, ": ", n_columns_, " columns, ", other.path_, " has ",
               other.n_columns_);
  NTKROB_CHECK(names_ == other.names_, IoError, path_, ": its header differs from that of ", other.path_,
               "; columns are taken by their place and must agree");
  dropped_ = other.dropped_;
  label_ = other.label_;
  for (const Candidate& c : candidates_)
    if (c.column != *label_ && !dropped_[c.column])
      for (const double value : c.numbers)
        whole_bytes_ = whole_bytes_ && value >= 0 && value <= 255 && value == std::floor(value);
  return true;
}

std::vector<std::string> TextTable::feature_names() const {
  std::vector<std::string> result;
  for (std::size_t c = 0; c < names_.size(); ++c)
    if (!dropped_[c] && c != label_) result.push_back(names_[c]);
  return result;
}

RawSplit TextTable::take(bool bytes) {
  RawSplit split;
  RawArray x, y;
  x.where = path_;
  y.where = text(path_, ": ", column_text(*label_));
  const Candidate* labels = candidate(*label_);
  NTKROB_CHECK(labels != nullptr, IoError, path_, ": ", column_text(*label_), " cannot be read as labels");
  // Features close up, in place.
  std::vector<std::size_t> kept;
  for (std::size_t c = 0; c < n_columns_; ++c)
    if (!dropped_[c] && c != *label_) kept.push_back(c);
  NTKROB_CHECK(!kept.empty(), IoError, path_, ": no column is left for features");
  x.shape = {rows_, kept.size()};
  budget_->take(rows_ * kept.size() * (bytes ? 1 : sizeof(float)), path_);
  if (bytes) {
    x.bytes.reserve(rows_ * kept.size());
    for (std::size_t i = 0; i < rows_; ++i)
      for (const std::size_t c : kept) x.bytes.push_back(static_cast<std::uint8_t>(values_[i * n_columns_ + c]));
  } else {
    x.kind = RawArray::Kind::floats;
    x.floats = Matrix<float>(static_cast<index>(rows_), static_cast<index>(kept.size()));
    float* out = x.floats.data();
    for (std::size_t i = 0; i < rows_; ++i)
      for (const std::size_t c : kept) *out++ = values_[i * n_columns_ + c];
  }
  budget_->give_back(values_.capacity() * sizeof(float));
  values_ = {};
  y.shape = {rows_};
  budget_->take(rows_ * sizeof(std::int64_t), path_);
  if (labels->is_text) {
    y.kind = RawArray::Kind::texts;
    y.ints = labels->codes;
    y.names = labels->texts;
  } else if (std::all_of(labels->numbers.begin(), labels->numbers.end(),
                         [](double v) { return v == std::floor(v) && std::abs(v) < 9e15; })) {
    y.kind = RawArray::Kind::ints;
    y.ints.assign(labels->numbers.begin(), labels->numbers.end());
  } else {
    y.kind = RawArray::Kind::floats;
    y.floats = Matrix<float>(static_cast<index>(rows_), 1);
    std::copy(labels->numbers.begin(), labels->numbers.end(), y.floats.data());
  }
  split.x = std::move(x);
  split.y = std::move(y);
  return split;
}

}  // namespace ntkrob::io
