/// One row of the table of situations: a content, and what each format must make of it.
///
/// Right: read without a word. Said: read right, and what was recognised stands in the reading note, in info (text and
/// JSON) and in the provenance of what is written. Refused: one line, nothing written, and a remedy that stands in the
/// line and is followed: with it the same file is read right. Whatever is read has the same pixels, labels and checksum
/// in every format of the row.
#pragma once

#include "cli/run.hpp"
#include "content.hpp"

namespace ntkrob::situations {

class Situation {
 public:
  /// Content that this file makes itself (for leftovers, folders, storage): writes into the folder and says what to
  /// read.
  using Maker = std::function<Input(const std::string& folder)>;

  explicit Situation(Content content) : content_(std::move(content)) {}
  Situation() = default;

  /// What it is when read. pixels: [n,H,W,C], [n,D] or [n,T,C], with 0 for black and 1 for white.
  Situation& gives(const Array& pixels, std::vector<int> labels, long classes, std::vector<long> shape);
  /// The test split; without this call there must be none.
  Situation& gives_test(const Array& pixels, std::vector<int> labels);
  Situation& names(std::vector<std::string> class_names);
  /// Formats may name the classes or not.
  Situation& any_names();
  /// What info calls it: "images", "table" or "signal" must stand in its text.
  Situation& kind(const std::string& word);
  /// Options that the user gives from the start.
  Situation& with(std::vector<std::string> options);

  Situation& right(const std::vector<Format>& formats);
  /// Read right, with or without a note.
  Situation& read(const std::vector<Format>& formats);
  Situation& said(const std::vector<Format>& formats, std::vector<std::string> parts);
  Situation& refused(const std::vector<Format>& formats, std::vector<std::string> parts);
  /// Follows the refused() before it; "FILE" is replaced by the input.
  Situation& remedy(std::vector<std::string> options);
  /// The same for a file of its own making; `what` names it on failure.
  Situation& right(const std::string& what, Maker maker);
  Situation& read(const std::string& what, Maker maker);
  Situation& said(const std::string& what, Maker maker, std::vector<std::string> parts);
  Situation& refused(const std::string& what, Maker maker, std::vector<std::string> parts);
  /// Said or refused, both with these parts: nobody is left without a word.
  Situation& either(const std::string& what, Maker maker, std::vector<std::string> parts);
  Situation& either(const std::vector<Format>& formats, std::vector<std::string> parts);

  /// Runs all cells.
  void check();

 private:
  enum class Verdict { right, read, said, refused, either };
  struct Cell {
    std::string what;
    Maker maker;
    Verdict verdict = Verdict::right;
    std::vector<std::string> parts, remedy;
  };
  void add(const std::vector<Format>& formats, Verdict verdict, const std::vector<std::string>& parts);
  void check_cell(const Cell& cell);
  void check_refused(const Cell& cell, const Input& input, const std::string& output) const;
  void check_read(const Cell& cell, const Input& input, const std::vector<std::string>& options,
                  const std::string& output);
  void check_content(const std::string& file) const;
  void check_info(const Cell& cell, const Input& input, const std::vector<std::string>& options,
                  const std::string& checksum) const;

  Content content_;
  Array pixels_, test_pixels_;
  std::vector<int> labels_, test_labels_;
  long classes_ = 0;
  std::vector<long> shape_;
  std::vector<std::string> names_;
  bool any_names_ = false;
  std::string kind_;
  std::vector<std::string> options_;
  std::vector<Cell> cells_;
  std::string checksum_, checksum_of_;
};

/// value / 255: what bytes mean.
Array unit(const Array& bytes, double low = 0, double high = 255);

}  // namespace ntkrob::situations
