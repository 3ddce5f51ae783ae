/// Every rule of the readers, as the documents list them, has a situation.
#include <algorithm>
#include <map>
#include <set>

#include "ntkrob/data/format.hpp"
#include "samples.hpp"

using namespace ntkrob::situations;

namespace {

/// Rule and the test case that tries it.
const std::map<std::string, std::string> kTried = {
    {"names_usual", "both splits of the usual names are read"},
    {"names_other", "usual names of other spelling are read in HDF5 and NPZ alike"},
    {"names_unknown", "arrays of unknown names are refused with the names that there are"},
    {"names_ambiguous", "two arrays that may be the images are refused until the user names one"},
    {"parts", "files of one array each are images and labels by option"},
    {"test_useless", "a test split without labels does not block the training split"},
    {"validation", "a validation split beside is named"},
    {"test_made", "the test split may be another file"},
    {"labels_whole", "whole labels of every type are classes"},
    {"labels_text", "text labels become classes in sorted order, and their names are kept"},
    {"labels_one_hot", "one-hot rows of any numeric type are labels"},
    {"labels_targets", "real-valued targets stay targets"},
    {"labels_several", "several ones in a row are no label"},
    {"labels_fraction", "labels with fractions, without number or without value are refused"},
    {"labels_negative", "negative labels are refused until they are renumbered"},
    {"labels_empty", "labels that begin with 1 are said, and renumbered on request"},
    {"labels_members", "an enumeration of any width names the classes"},
    {"values_bytes", "bytes and whole numbers up to 255 are bytes in every type"},
    {"values_unit", "zeros and ones are 0 and 1 in every type"},
    {"values_dim", "pictures darker than half are read, and the factor is said"},
    {"values_dark", "values 0 to 16 are asked for, not drowned in darkness"},
    {"values_float255", "floating-point values up to 255 are taken so, and it is said"},
    {"values_wide", "values below zero are asked for"},
    {"values_splits", "splits on different scales are refused"},
    {"values_nan", "values that are no numbers are refused with their place"},
    {"axes_last", "one to four channels behind the picture are channels"},
    {"axes_first", "one to four channels before the picture are recognised and said"},
    {"axes_samples_last", "samples in the last axis are recognised by the number of labels"},
    {"axes_ambiguous", "what both readings fit is refused with both, and each can be asked for"},
    {"axes_rank", "one axis and five axes are refused"},
    {"axes_signal", "a signal of one channel is a signal"},
    {"axes_rows", "rows of features are a table"},
    {"axes_square_rows", "rows of square length with bytes are square pictures in every format, and it is said"},
    {"table_named", "a column of a usual name is the label wherever it stands, and it is said"},
    {"table_unnamed", "a header without a usual name is refused with the names, and --y chooses"},
    {"table_evidence", "without a header the label is first or last by evidence, and it is said"},
    {"table_doubt", "where first and last column may both be the label the table is refused with both"},
    {"table_index", "a column that counts rows is no feature, and it is said"},
    {"table_text", "a text column that is no label is refused until it is left out"},
    {"left_arrays", "further arrays are named"},
    {"left_links", "links inside the file are followed"},
    {"left_unwritten", "an array of which part was never written is refused with the count"},
    {"left_pictures", "pictures of another kind are named with their number"},
    {"left_hidden", "hidden files and folders are no pictures"},
    {"folder_splits", "folders of splits are recognised in every spelling, and what is left out is said"},
    {"folder_deeper", "classes one level deeper are found, or the folder is named"},
    {"picture_mixed", "grey pictures among colour are widened, and it is said with their number"},
    {"foreign_file", "older MATLAB files are refused with the two ways out"},
    {"newer_hdf5", "HDF5 of a newer library is refused as newer, not as damaged"},
    {"own_file", "files that ntkrob wrote say how they are read"},
};

}  // namespace

TEST_CASE("every rule of reading has a situation, and no other is listed", "[situations]") {
  std::set<std::string> names;
  for (const Catch::TestCase& test : Catch::getAllTestCasesSorted(*Catch::getCurrentContext().getConfig()))
    names.insert(test.name);
  std::set<std::string> rules;
  for (const ntkrob::ReadingRule& rule : ntkrob::reading_rules()) {
    INFO("rule " << rule.id << ": " << rule.content);
    rules.insert(rule.id);
    CHECK(kTried.count(rule.id) == 1);
  }
  for (const auto& [rule, test] : kTried) {
    INFO("rule " << rule << ", test \"" << test << "\"");
    CHECK(rules.count(rule) == 1);
    CHECK(names.count(test) == 1);
  }
}
