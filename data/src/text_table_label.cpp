// Which column of a table is the label, and which are features: by names, and by what the values look like.
#include <algorithm>
#include <cmath>
#include <set>

#include "echo.hpp"
#include "narrow.hpp"
#include "taken.hpp"
#include "text_table.hpp"

namespace ntkrob::io {
namespace {

/// Names of columns that count rows.
constexpr const char* kIndexNames[] = {"", "unnamed: 0", "index", "id"};
constexpr std::size_t kMaxDifferent = 1024;

std::string list_of_label_names() {
  std::string list;
  for (const char* name : kLabelNames) list += (list.empty() ? "" : ", ") + std::string(name);
  return list;
}

}  // namespace

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
  return names_.empty() ? text("column ", column + 1) : text("column \"", shortened_line(names_[column], 60), "\"");
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
  if (dropped_[0] || (!label_option_.empty() && find(label_option_, "y") == 0)) return;
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
    NTKROB_CHECK(
        found.size() == 1, IoError, path_, ": columns ", found[0] + 1, " and ", found[1] + 1, " are both called ",
        names_[found[0]], "; ",
        advice("give ", field("y"), " with the number of the right one, and ", field("drop"), " with the other"));
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
    throw IoError(text(path_, ": no column is called ", list_of_label_names(), "; ",
                       advice("name the label column by ", field("y")), "; there are ", list));
  }
  std::size_t others = 0, other = 0;
  for (const char* name : kLabelNames)
    for (std::size_t c = 0; c < n_columns_; ++c)
      if (c != *label_ && !dropped_[c] && lower(names_[c]) == name) {
        ++others;
        other = c;
      }
  NTKROB_CHECK(others == 0 || lower(names_[*label_]) == "label", IoError, path_, ": columns ", names_[*label_], " and ",
               names_[other], " could both be the label; ",
               advice("give ", field("y"), " with the right one, and ", field("drop"), " with the other"));
  if (others > 0)
    notes.push_back(text(column_text(other), " is taken as a feature (", field("drop"), " ", echoed(names_[other]),
                         " leaves it out)"));
  if (names_[*label_] != "label" || *label_ > 0)
    notes.push_back(text("label is ", column_text(*label_), ", ", *label_ + 1, " of ", n_columns_));
}

void TextTable::choose_by_evidence(std::vector<std::string>& notes) {
  const std::size_t first = dropped_[0] ? 1 : 0, last = n_columns_ - 1;
  const bool a = first == 0 && may_be_label(0), b = may_be_label(last);
  const bool both = a && b;
  const std::string what =
      first == 0 ? text(statistics_text(0), " and ", statistics_text(last)) : statistics_text(last);
  NTKROB_CHECK(a || b, IoError, path_, ": no column looks like labels: ", what,
               " are not a few whole numbers or texts from 0 or 1 on; a file of pixels alone is no data set; ",
               advice("give ", field("y"), " with the number of the label column if there is one"));
  bool take_first = a;
  if (both) {
    const bool pixel_a = like_its_neighbour(0), pixel_b = like_its_neighbour(last);
    NTKROB_CHECK(pixel_a != pixel_b, IoError, path_, ": the label may be ", what, "; ",
                 advice("give ", field("y", "first"), " or ", field("y", "last")));
    take_first = pixel_b;
  }
  label_ = take_first ? 0 : last;
  const Statistics s = statistics(*label_);
  notes.push_back(text("no header; label is the ", take_first ? "first" : "last", " of ", n_columns_, " columns",
                       s.text ? std::string(", texts") : text(", whole numbers ", s.low, " to ", s.high), " (",
                       field("y", take_first ? "last" : "first"), " takes the other end)"));
}

void TextTable::decide(std::vector<std::string>& notes) {
  drop_index(notes);
  if (!label_option_.empty()) {
    label_ = find(label_option_, "y");
    NTKROB_CHECK(!dropped_[*label_], ConfigError, field("drop"), ": ", column_text(*label_), " of ", path_,
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
      notes.push_back(text("attention: ", column_text(c), " is taken as a feature; if it only identifies samples, ",
                           field("drop"), " ", c + 1));
  }
  // What was kept apart and is a feature after all must be numbers.
  for (const Candidate& c : candidates_) {
    if (c.column == *label_ || dropped_[c.column]) continue;
    NTKROB_CHECK(!c.is_text, IoError, path_, ": ", column_text(c.column), " holds texts such as \"",
                 c.texts.front().substr(0, 40), "\"; features are numbers: ",
                 advice("leave it out by ", field("drop", c.column + 1), ", or take it as the label by ",
                        field("y", c.column + 1)));
    for (std::size_t i = 0; i < rows_; ++i) {
      const double value = c.numbers[i];
      NTKROB_CHECK(std::isfinite(value), IoError, path_, ": sample ", i, ", column ", c.column + 1, ": pixel is ",
                   value, "; pixels must be finite");
      NTKROB_CHECK(!is_beyond_float(value), IoError, path_, ": sample ", i, ", column ", c.column + 1, ": pixel ",
                   beyond_float_text(value));
      whole_bytes_ = whole_bytes_ && value >= 0 && value <= 255 && value == std::floor(value);
    }
  }
}

}  // namespace ntkrob::io
