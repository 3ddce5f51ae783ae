/// Tables in text: which column is the label, which are none of the features.
#include <cmath>
#include <cstdio>

#include "samples.hpp"

using namespace ntkrob::situations;
using ntkrob::cli_test::write_file;

namespace {

const Array kThree = cycle(kSamples, 0, 3);
constexpr std::size_t kLast = TableStyle::last;

/// Bytes, ten a row, label in a column of this name at this place.
Content with_label(const std::string& name, std::size_t at) {
  Content content = table(kThree);
  content.table.label = name;
  content.table.label_at = at;
  return content;
}

Situation right_table(const Content& content) { return table_situation(content, 0, 255); }

Situation::Maker file_of(const std::string& name, const std::string& text) {
  return [=](const std::string& folder) {
    write_file(folder + "/" + name, text);
    return Input{{folder + "/" + name}, {}};
  };
}

}  // namespace

TEST_CASE("a column called label is the label wherever it stands", "[situations]") {
  for (const std::size_t at : {std::size_t{0}, std::size_t{4}, kLast})
    right_table(with_label("label", at)).read({csv}).check();
  right_table(with_label("Label", kLast)).read({csv}).check();
}

TEST_CASE("a column of a usual name is the label wherever it stands, and it is said", "[situations]") {
  for (const char* name :
       {"class", "target", "y", "digit", "labels", "species", "category", "activity", "Activity", "Species", "Class"})
    for (const std::size_t at : {std::size_t{0}, std::size_t{4}, kLast}) {
      INFO("column " << name << " at " << at);
      right_table(with_label(name, at)).said({csv}, {name}).check();
    }
}

TEST_CASE("a header without a usual name is refused with the names, and --y chooses", "[situations]") {
  Situation row = right_table(with_label("survived", 4));
  row.refused({csv}, {"survived", "p0", "--y"}).remedy({"--y", "survived"}).check();
  right_table(with_label("survived", 4)).with({"--y", "5"}).read({csv}).check();
  right_table(with_label("survived", kLast)).with({"--y", "last"}).read({csv}).check();
  right_table(with_label("survived", 0)).with({"--y", "first"}).read({csv}).check();
}

TEST_CASE("two columns of usual names are refused until --y chooses", "[situations]") {
  Content content = with_label("target", kLast);
  content.table.columns = {"class"};
  right_table(content).refused({csv}, {"class", "target", "--y"}).remedy({"--y", "target"}).check();
}

TEST_CASE("without a header the label is first or last by evidence, and it is said", "[situations]") {
  Content first = with_label("", 0), last = with_label("", kLast);
  first.table.header = last.table.header = false;
  right_table(first).said({csv}, {"first"}).check();
  right_table(last).said({csv}, {"last"}).check();
  // Fractions cannot be labels.
  for (Content* content : {&first, &last}) {
    content->train.x = pattern({kSamples, 10}, "<f8", 0, 1);
    table_situation(*content, 0, 1).said({csv}, {content == &first ? "first" : "last"}).check();
  }
}

TEST_CASE("text in the first or last column is the label", "[situations]") {
  std::vector<std::string> names;
  for (long i = 0; i < kSamples; ++i) names.push_back(i % 3 == 0 ? "setosa" : i % 3 == 1 ? "versicolor" : "virginica");
  for (const std::size_t at : {std::size_t{0}, kLast}) {
    Content content = with_label("", at);
    content.table.header = false;
    content.train.y = texts(names);
    content.train.x = pattern({kSamples, 10}, "<f8", 0, 1);
    Situation row(content);
    row.gives(content.train.x, as_labels(kThree), 3, kRow).names({"setosa", "versicolor", "virginica"});
    row.said({csv}, {"setosa", "virginica"}).check();
  }
}

TEST_CASE("where first and last column may both be the label the table is refused with both", "[situations]") {
  Content content = with_label("", kLast);
  content.table.header = false;
  Array x = content.train.x;
  for (long i = 0; i < kSamples; ++i) x.numbers[static_cast<std::size_t>(i * 10)] = static_cast<double>(i / 2 % 3);
  content.train.x = x;
  right_table(content).refused({csv}, {"--y first", "--y last"}).remedy({"--y", "last"}).check();
  Content other = content;  // the same text, the other question
  Situation row = right_table(content);
  Array features = rows(x, 0, kSamples);
  std::vector<int> labels;
  features.numbers.clear();
  for (long i = 0; i < kSamples; ++i) {
    labels.push_back(static_cast<int>(i / 2 % 3));
    for (long j = 1; j < 10; ++j) features.numbers.push_back(x.numbers[static_cast<std::size_t>(i * 10 + j)]);
    features.numbers.push_back(static_cast<double>(i % 3));
  }
  Situation asked(other);
  asked.gives(unit(features), labels, 3, kRow).with({"--y", "first"}).read({csv}).check();
}

TEST_CASE("a file of pixels alone is no labelled set", "[situations]") {
  Content content = table(kThree);
  content.train.y = {};
  content.table.header = false;
  Situation(content).refused({csv}, {"label"}).check();
  content.table.header = true;
  Situation(content).refused({csv}, {"p0", "--y"}).check();
}

TEST_CASE("a column that counts rows is no feature, and it is said", "[situations]") {
  for (const char* name : {"unnamed", "id", "Id", "index", "Unnamed: 0"}) {
    INFO("column " << name);
    Content content = with_label("label", kLast);
    content.table.index = name;
    right_table(content).said({csv}, {std::string(name) == "unnamed" ? "1" : name}).check();
  }
}

TEST_CASE("columns are left out on request, by name and by number", "[situations]") {
  Content content = with_label("Activity", kLast);
  content.train.x = beside(pattern({kSamples, 10}), cycle(kSamples, 1, 30));
  content.table.columns = {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "subject"};
  Situation row(content);
  row.gives(unit(pattern({kSamples, 10})), as_labels(kThree), 3, kRow)
      .with({"--drop", "subject"})
      .said({csv}, {"subject"})
      .check();
  row = Situation(content);
  Situation missing(content);
  missing.with({"--drop", "subjects"}).refused({csv}, {"subjects", "subject"}).check();
}

TEST_CASE("a text column that is no label is refused until it is left out", "[situations]") {
  std::string text = "a,b,c,d,e,f,g,h,i,j,town,label\n";
  const Array x = pattern({kSamples, 10});
  for (long i = 0; i < kSamples; ++i) {
    for (long j = 0; j < 10; ++j)
      text += std::to_string(static_cast<int>(x.numbers[static_cast<std::size_t>(i * 10 + j)])) + ",";
    text += std::string(i % 2 ? "Berlin," : "Lund,") + std::to_string(i % 3) + "\n";
  }
  Situation row;
  row.gives(unit(x), as_labels(kThree), 3, kRow);
  row.refused("CSV with a town", file_of("towns.csv", text), {"town", "--drop"}).remedy({"--drop", "town"}).check();
}

TEST_CASE("separators, quotes, line ends and byte order marks change nothing", "[situations]") {
  for (const char separator : {',', ';', '\t'}) {
    INFO("separator " << static_cast<int>(separator));
    Content content = with_label("label", 0);
    content.table.separator = separator;
    right_table(content).right({csv}).check();
    content.table.quotes = true;
    content.table.line_end = "\r\n";
    right_table(content).right({csv}).check();
    content.table.start = "\xef\xbb\xbf";
    right_table(content).right({csv}).check();
  }
}

TEST_CASE("UTF-16 is refused by name", "[situations]") {
  std::string wide = "\xff\xfe";
  for (const char c : std::string("label,a,b\n1,2,3\n0,3,4\n")) wide += std::string{c, '\0'};
  Situation().refused("CSV in UTF-16", file_of("wide.csv", wide), {"UTF-16"}).check();
}

TEST_CASE("missing values are refused with line and column", "[situations]") {
  for (const char* hole : {"", "NA", "?", "nan", "-"}) {
    INFO("hole \"" << hole << "\"");
    const std::string text = std::string("label,a,b,c\n0,1,2,200\n1,3,") + hole + ",255\n0,1,2,3\n";
    Situation().refused("CSV with a hole", file_of("hole.csv", text), {"line 3", "column 3"}).check();
  }
}

TEST_CASE("rows of different length are refused with the line", "[situations]") {
  Situation().refused("CSV with a short row", file_of("short.csv", "label,a,b\n0,1,2\n1,3\n"), {"line 3"}).check();
}

TEST_CASE("a header of numbers, as pandas writes for unnamed columns, is no sample", "[situations]") {
  Content content = with_label("10", kLast);
  for (int j = 0; j < 10; ++j) content.table.columns.push_back(std::to_string(j));
  right_table(content).said({csv}, {"0 to 10", "numbers the columns", "last"}).check();
}

TEST_CASE("training and test tables belong together", "[situations]") {
  Content content = with_label("target", kLast);
  content.test.x = pattern({9, 10}, "|u1", 255, 0);
  content.test.y = cycle(9, 0, 3);
  right_table(content).gives_test(unit(content.test.x), as_labels(content.test.y)).said({csv}, {"target"}).check();
  content.test.y = {};  // the test table of a competition
  right_table(content).said({csv}, {"test"}).check();
  content.test.y = cycle(9, 0, 3);
  content.test.x = pattern({9, 9});
  Situation(content).refused({csv}, {"test.csv", "10", "11"}).check();
}

TEST_CASE("iris: features of centimetres, a species in words", "[situations]") {
  const std::string text =
      "sepal_length,sepal_width,petal_length,petal_width,species\n5.1,3.5,1.4,0.2,setosa\n4.9,3.0,1.4,0.2,setosa\n"
      "7.0,3.2,4.7,1.4,versicolor\n6.4,3.2,4.5,1.5,versicolor\n6.3,3.3,6.0,2.5,virginica\n5.8,2.7,5.1,1.9,virginica\n";
  const Array x = [] {
    Array array;
    array.type = "<f8";
    array.shape = {6, 4};
    array.numbers = {5.1, 3.5, 1.4, 0.2, 4.9, 3.0, 1.4, 0.2, 7.0, 3.2, 4.7, 1.4,
                     6.4, 3.2, 4.5, 1.5, 6.3, 3.3, 6.0, 2.5, 5.8, 2.7, 5.1, 1.9};
    return array;
  }();
  Array expected = x;
  const double low[] = {4.9, 2.7, 1.4, 0.2}, high[] = {7.0, 3.5, 6.0, 2.5};
  for (std::size_t k = 0; k < expected.numbers.size(); ++k)
    expected.numbers[k] = (x.numbers[k] - low[k % 4]) / (high[k % 4] - low[k % 4]);
  Situation row;
  row.gives(expected, {0, 0, 1, 1, 2, 2}, 3, {1, 1, 4}).names({"setosa", "versicolor", "virginica"});
  row.refused("CSV", file_of("iris.csv", text), {"--value-range", "columns"})
      .remedy({"--value-range", "columns"})
      .check();
}

TEST_CASE("wine: classes from 1 in the first column, no header", "[situations]") {
  std::string text;
  Array x = pattern({kSamples, 10}, "<f8", 0.25, 1700);
  for (long i = 0; i < kSamples; ++i) {
    text += std::to_string(1 + i % 3);
    for (long j = 0; j < 10; ++j) {
      double& value = x.numbers[static_cast<std::size_t>(i * 10 + j)];
      value = std::floor(value * 4) / 4;
      char number[32];
      std::snprintf(number, sizeof number, ",%.2f", value);
      text += number;
    }
    text += "\n";
  }
  Situation row;
  row.gives(unit(x, 0, 2048), as_labels(kThree), 3, kRow)
      .names({"1", "2", "3"})
      .with({"--value-range", "0:2048", "--renumber"});
  row.said("wine.data", file_of("wine.data", text), {"first"}).check();
}

TEST_CASE("series of the UCR archive: tabs, classes -1 and 1 first", "[situations]") {
  std::string text;
  const Array x = pattern({kSamples, 10}, "<f8", -2, 2);
  std::vector<int> labels;
  for (long i = 0; i < kSamples; ++i) {
    labels.push_back(static_cast<int>(i % 2));
    text += i % 2 ? "1" : "-1";
    for (long j = 0; j < 10; ++j) text += "\t" + std::to_string(x.numbers[static_cast<std::size_t>(i * 10 + j)]);
    text += "\n";
  }
  Situation row;
  row.gives(unit(x, -2, 2), labels, 2, kRow).names({"-1", "1"}).with({"--value-range=-2:2"});
  row.refused("ECG_TRAIN.tsv", file_of("ECG_TRAIN.tsv", text), {"-1", "--renumber"}).remedy({"--renumber"}).check();
}

TEST_CASE("decimal commas, comments and trailing separators are not guessed", "[situations]") {
  Situation row;
  row.refused("decimal commas", file_of("comma.csv", "label;a;b\n0;0,5;1,0\n1;0,25;0,75\n0;0,5;1,0\n1;1,0;0,0\n"),
              {"line 2"});
  row.refused("trailing separator", file_of("trail.csv", "label,a,b\n0,10,255,\n1,20,35,\n"), {"line 2"});
  row.refused("twice the same header", file_of("twice.csv", "label,a,label\n0,10,1\n1,255,0\n"), {"label", "--y"});
  row.check();
}

TEST_CASE("numbers in every spelling are numbers", "[situations]") {
  Array x;
  x.type = "<f8";
  x.shape = {4, 3};
  x.numbers = {0, 1, 0.001, 0.5, 0.25, 1, 0.125, 0, 0.75, 1, 0.5, 0};
  Situation row;
  row.gives(x, {0, 1, 0, 1}, 2, {1, 1, 3});
  row.right("CSV",
            file_of("spelled.csv", "label,a,b,c\n0,0,1.,1e-3\n1,.5,+0.25,1E0\n0, 0.125 ,0.0,7.5e-01\n1,1,0.5,-0\n"))
      .check();
}
