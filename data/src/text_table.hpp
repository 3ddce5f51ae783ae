/// Tables in text files: lines, fields, a header or none, which column is the label.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "input_file.hpp"
#include "raw_array.hpp"
#include "read_options.hpp"

namespace ntkrob::io {

/// Lines of a stream, with their number; a byte order mark at the start is left out.
class Lines {
 public:
  /// limit: of unpacked bytes
  explicit Lines(const std::string& path, std::size_t limit = SIZE_MAX)
      : stream_(path, limit), buffer_(std::size_t{1} << 16, '\0') {}
  const std::string& path() const { return stream_.path(); }
  std::size_t number() const { return number_; }
  /// False at the end. throws: IoError where a line is too long for text
  bool next(std::string& line);

 private:
  InputStream stream_;
  std::string buffer_;
  std::size_t at_ = 0, filled_ = 0, number_ = 0;
};

/// Fields of a line at `separator` (' ' is any run of blanks), without quotes and the blanks around them. Separators
/// inside double or single quotes are part of a field. scratch: room for texts that change. Behind field kMaxColumns +
/// 1 it stops, so that callers who compare the count refuse the line.   cost: linear in the length of the line
void split_fields(const std::string& line, char separator, std::vector<std::string_view>& fields, std::string& scratch);
/// Fields lie in the line: not in one that is gone.
void split_fields(std::string&&, char, std::vector<std::string_view>&, std::string&) = delete;
/// A decimal number, a sign allowed.
bool parse_field(std::string_view field, double& value);
/// Comma, semicolon, tab, or blanks.
char separator_of(const std::string& line);

/// A table being read: every column as float32, columns that may hold the label also as they are.
class TextTable {
 public:
  /// columns: their names, empty where the file has none   throws: IoError for more than kMaxColumns
  TextTable(std::string path, std::size_t n_columns, std::vector<std::string> columns, const ReadOptions& options);
  /// throws: IoError naming line and column; ResourceError where the budget of the options has no room for one more row
  void add(std::size_t line, const std::vector<std::string_view>& row);
  std::size_t rows() const { return rows_; }
  std::size_t columns() const { return n_columns_; }
  const std::vector<std::string>& names() const { return names_; }
  /// All that is whole and in 0 .. 255, labels apart.
  bool whole_bytes() const { return whole_bytes_; }

  /// Which column is the label; nothing for a table without one that belongs to one with. Says what was decided.
  ///   throws: IoError where it cannot be told; ConfigError where options name what is not there
  void decide(std::vector<std::string>& notes);
  /// The same columns as another table that was decided. False when this one has no label column (one column fewer).
  bool decide_like(const TextTable& other);
  /// bytes: all features are whole numbers in 0 .. 255
  RawSplit take(bool bytes);
  /// Names of the features, or empty.
  std::vector<std::string> feature_names() const;

 private:
  /// A column that may be the label, kept as it was written.
  struct Candidate {
    std::size_t column = 0;
    std::vector<std::int64_t> codes;                          // of texts
    std::vector<std::string> texts;                           // the different ones
    std::map<std::string, std::int64_t, std::less<>> places;  // where they are in `texts`
    std::vector<double> numbers;
    bool is_text = false;
    void add(std::string_view field, bool number, double value, ReadBudget& budget, const std::string& where);
    void add_text(std::string_view field, ReadBudget& budget, const std::string& where);
  };
  struct Statistics {
    double low = 0, high = 0;
    bool whole = true, text = false;
    std::size_t different = 0;  // of whole numbers, up to a bound
  };
  Statistics statistics(std::size_t column) const;
  std::string column_text(std::size_t column) const;
  std::string statistics_text(std::size_t column) const;
  bool may_be_label(std::size_t column) const;
  bool like_its_neighbour(std::size_t column) const;
  bool counts_rows(std::size_t column, bool any_order) const;
  /// option: its name, for messages
  std::size_t find(const std::string& name, const char* option) const;
  void drop_index(std::vector<std::string>& notes);
  void choose_by_name(std::vector<std::string>& notes);
  void choose_by_evidence(std::vector<std::string>& notes);
  std::string advice_about(std::string_view field, std::size_t column) const;
  const Candidate* candidate(std::size_t column) const;

  std::shared_ptr<ReadBudget> budget_;
  std::string path_, label_option_;
  std::size_t n_columns_ = 0, rows_ = 0;
  std::vector<std::string> names_;
  std::vector<bool> dropped_;
  std::vector<Candidate> candidates_;  // by column
  std::vector<float> values_;          // rows x columns
  bool whole_bytes_ = true;
  std::optional<std::size_t> label_;
};

/// What label columns are called, in the order in which they are believed.
constexpr const char* kLabelNames[] = {"label",  "class",   "target",   "y",       "digit",
                                       "labels", "species", "category", "activity"};

/// Of a column that is kept as it was written, beside its characters.
constexpr std::size_t kTextBytes = 160;

/// Decides and takes one or two tables.
RawDataset take_tables(std::unique_ptr<TextTable> train, std::unique_ptr<TextTable> test, RawDataset raw);

}  // namespace ntkrob::io
