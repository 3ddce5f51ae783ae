/// ARFF, the tables of Weka and OpenML: a header of attributes, then comma-separated lines.
///   Source: Attribute-Relation File Format, University of Waikato. Sparse rows and dates are refused.
#include <algorithm>

#include "formats.hpp"
#include "text_table.hpp"

namespace ntkrob::io {
namespace {

struct Attribute {
  std::string name;
  bool nominal = false;
};

/// "@attribute 'a name' {0,1}" or "@attribute name numeric".
Attribute parse_attribute(const std::string& line, std::size_t number, const std::string& path) {
  std::size_t at = line.find_first_not_of(" \t", std::string("@attribute").size());
  NTKROB_CHECK(at != std::string::npos, IoError, path, ": line ", number, ": an attribute without a name");
  const char quote = line[at] == '\'' || line[at] == '"' ? line[at] : '\0';
  const std::size_t begin = quote ? at + 1 : at;
  const std::size_t end = quote ? line.find(quote, begin) : line.find_first_of(" \t{", begin);
  NTKROB_CHECK(end != std::string::npos, IoError, path, ": line ", number, ": attribute \"", line.substr(begin, 40),
               "\" has no type");
  Attribute attribute;
  attribute.name = line.substr(begin, end - begin);
  const std::size_t type = line.find_first_not_of(" \t", quote ? end + 1 : end);
  attribute.nominal = type != std::string::npos && line[type] == '{';
  return attribute;
}

/// @attribute lines up to @data.
std::vector<Attribute> read_header(Lines& lines) {
  std::vector<Attribute> attributes;
  std::string line;
  while (lines.next(line)) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string::npos || line[begin] == '%') continue;
    line.erase(0, begin);
    const std::string word = lower(line.substr(0, line.find_first_of(" \t")));
    if (word == "@data") return attributes;
    if (word != "@attribute") continue;
    attributes.push_back(parse_attribute(line, lines.number(), lines.path()));
    NTKROB_CHECK(attributes.size() <= kMaxColumns, IoError, lines.path(), ": line ", lines.number(), ": more than ",
                 kMaxColumns, " attributes; choose features first, or store the table as HDF5");
  }
  throw IoError(text(lines.path(), ": has no line @data; it is cut off"));
}

std::unique_ptr<TextTable> read_table(const std::string& path, const ReadOptions& options,
                                      std::vector<std::string>& notes) {
  Lines lines(path, budget_of(options)->limit());
  const std::vector<Attribute> attributes = read_header(lines);
  NTKROB_CHECK(attributes.size() >= 2, IoError, path, ": ", attributes.size(),
               " attributes; a sample is a class and its features");
  std::vector<std::string> names;
  std::vector<std::string> nominal;
  for (const Attribute& attribute : attributes) {
    names.push_back(attribute.name);
    if (attribute.nominal) nominal.push_back(attribute.name);
  }
  ReadOptions with_label = options;
  // The only nominal attribute is the class, whatever it is called.
  if (options.y.empty() && nominal.size() == 1) {
    with_label.y = nominal.front();
    notes.push_back(text("label is the nominal attribute \"", nominal.front(), "\""));
  }
  auto table = std::make_unique<TextTable>(path, names.size(), names, with_label);
  std::vector<std::string_view> row;
  std::string line, scratch;
  while (lines.next(line)) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string::npos || line[begin] == '%') continue;
    NTKROB_CHECK(line[begin] != '{', IoError, path, ": line ", lines.number(),
                 ": a sparse row; make it dense (Weka: the filter SparseToNonSparse) or convert it to CSV");
    split_fields(line, line.find(',') != std::string::npos ? ',' : ' ', row, scratch);
    table->add(lines.number(), row);
  }
  NTKROB_CHECK(table->rows() > 0, IoError, path, ": holds no samples");
  return table;
}

}  // namespace

bool recognise_arff(const Probe& probe) {
  if (probe.folder) return false;
  const std::string head = lower(probe.head);
  const std::size_t at = head.find("@relation");
  if (at == std::string::npos) return false;
  // Only comments and blanks before it.
  for (std::size_t begin = 0; begin < at;) {
    const std::size_t end = std::min(head.find('\n', begin), head.size());
    const std::size_t first = head.find_first_not_of(" \t\r", begin);
    if (first < std::min(end, at) && head[first] != '%') return false;
    begin = end + 1;
  }
  return true;
}

RawDataset read_arff(const std::vector<std::string>& inputs, const ReadOptions& options) {
  RawDataset raw;
  raw.file = inputs[0];
  NTKROB_CHECK(inputs.size() <= 2, ConfigError, inputs.size(),
               " ARFF files; one, or one for training and one whose name has \"test\"");
  std::unique_ptr<TextTable> train, test;
  for (const std::string& input : inputs) {
    const bool is_test = inputs.size() > 1 && names_test_split(input);
    std::unique_ptr<TextTable>& table = is_test ? test : train;
    NTKROB_CHECK(!table, ConfigError, input, " and ", inputs[0],
                 " would be the same split; the name of the test file has \"test\" in it");
    std::vector<std::string> ignored;
    table = read_table(input, options, is_test ? ignored : raw.notes);
  }
  return take_tables(std::move(train), std::move(test), std::move(raw));
}

}  // namespace ntkrob::io
