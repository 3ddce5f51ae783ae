#include "table.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "ntkrob/data/format.hpp"

namespace ntkrob::situations {

namespace {

using cli_test::contains;
using cli_test::Finished;
using cli_test::Folder;
using cli_test::run;
using Json = nlohmann::json;

bool is_note(const std::string& line) { return line.rfind("reading ", 0) == 0; }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::string notes_of(const std::string& stderr_text) {
  std::string notes;
  for (const std::string& line : lines_of(stderr_text))
    if (is_note(line)) notes += line + "\n";
  return notes;
}

std::vector<std::string> joined(std::initializer_list<std::vector<std::string>> lists) {
  std::vector<std::string> all;
  for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

std::string command_text(const std::vector<std::string>& arguments) {
  std::string text = "ntkrob";
  for (const std::string& argument : arguments) text += " " + argument;
  return text;
}

/// As reports and provenance spell options, which are no command line: "--layout NWH" is "layout=NWH".
std::string plain(std::string part) {
  if (part.rfind("--", 0) != 0) return part;
  part.erase(0, 2);
  std::replace(part.begin(), part.end(), ' ', '=');
  return part;
}

std::vector<std::string> plain(std::vector<std::string> parts) {
  for (std::string& part : parts) part = plain(part);
  return parts;
}

/// One check for all parts, which names those that are missing.
void check_parts(const std::string& where, const std::string& found, const std::vector<std::string>& parts) {
  std::string missing;
  for (const std::string& part : parts)
    if (!contains(found, part)) missing += (missing.empty() ? "\"" : ", \"") + part + "\"";
  INFO(where << " holds: " << found);
  INFO("not in it: " << missing);
  CHECK(missing.empty());
}

long count_files(const std::string& folder) {
  return std::distance(std::filesystem::recursive_directory_iterator(folder), {});
}

std::vector<long> class_counts(const std::vector<int>& labels, long classes) {
  std::vector<long> counts(static_cast<std::size_t>(classes), 0);
  for (const int label : labels) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

void check_split(const char* name, const Dataset& data, const Array& pixels, const std::vector<int>& labels) {
  INFO("split " << name);
  const Split& split = std::string(name) == "train" ? data.train : data.test;
  CHECK(split.n == static_cast<index>(labels.size()));
  CHECK(split.labels == labels);
  if (split.n != static_cast<index>(labels.size()) || split.empty()) return;
  const Matrix<float> found = data.images(name);
  CHECK(found.size() == static_cast<index>(pixels.numbers.size()));
  if (found.size() != static_cast<index>(pixels.numbers.size())) return;
  // float32 numbers in [0,1] after at most one subtraction and one division each; ranges beyond [0,1] round like their
  // span.
  constexpr double kBound = 2e-6;
  for (std::size_t i = 0; i < pixels.numbers.size(); ++i) {
    const double value = found.data()[i], expected = pixels.numbers[i];
    if (std::abs(value - expected) <= kBound) continue;
    INFO("number " << i << " is " << value << ", expected " << expected << ", bound " << kBound);
    CHECK(std::abs(value - expected) <= kBound);
    return;
  }
}

}  // namespace

Array unit(const Array& bytes, double low, double high) {
  return mapped(
      bytes, [&](double value) { return (value - low) / (high - low); }, "<f8");
}

Situation& Situation::gives(const Array& pixels, std::vector<int> labels, long classes, std::vector<long> shape) {
  pixels_ = pixels;
  labels_ = std::move(labels);
  classes_ = classes;
  shape_ = std::move(shape);
  return *this;
}

Situation& Situation::gives_test(const Array& pixels, std::vector<int> labels) {
  test_pixels_ = pixels;
  test_labels_ = std::move(labels);
  return *this;
}

Situation& Situation::names(std::vector<std::string> class_names) {
  names_ = std::move(class_names);
  return *this;
}

Situation& Situation::any_names() {
  any_names_ = true;
  return *this;
}

Situation& Situation::kind(const std::string& word) {
  kind_ = word;
  return *this;
}

Situation& Situation::with(std::vector<std::string> options) {
  options_ = std::move(options);
  return *this;
}

void Situation::add(const std::vector<Format>& formats, Verdict verdict, const std::vector<std::string>& parts) {
  for (const Format format : formats)
    cells_.push_back({name_of(format),
                      [this, format](const std::string& folder) { return write(content_, format, folder); },
                      verdict,
                      parts,
                      {}});
}

Situation& Situation::right(const std::vector<Format>& formats) {
  add(formats, Verdict::right, {});
  return *this;
}

Situation& Situation::read(const std::vector<Format>& formats) {
  add(formats, Verdict::read, {});
  return *this;
}

Situation& Situation::said(const std::vector<Format>& formats, std::vector<std::string> parts) {
  add(formats, Verdict::said, parts);
  return *this;
}

Situation& Situation::refused(const std::vector<Format>& formats, std::vector<std::string> parts) {
  add(formats, Verdict::refused, parts);
  return *this;
}

Situation& Situation::remedy(std::vector<std::string> options) {
  // For all cells of the refusal before: those at the end that are refused and have none.
  for (auto cell = cells_.rbegin(); cell != cells_.rend(); ++cell) {
    if (cell->verdict != Verdict::refused || !cell->remedy.empty()) break;
    cell->remedy = options;
  }
  return *this;
}

Situation& Situation::right(const std::string& what, Maker maker) {
  cells_.push_back({what, std::move(maker), Verdict::right, {}, {}});
  return *this;
}

Situation& Situation::read(const std::string& what, Maker maker) {
  cells_.push_back({what, std::move(maker), Verdict::read, {}, {}});
  return *this;
}

Situation& Situation::said(const std::string& what, Maker maker, std::vector<std::string> parts) {
  cells_.push_back({what, std::move(maker), Verdict::said, std::move(parts), {}});
  return *this;
}

Situation& Situation::refused(const std::string& what, Maker maker, std::vector<std::string> parts) {
  cells_.push_back({what, std::move(maker), Verdict::refused, std::move(parts), {}});
  return *this;
}

Situation& Situation::either(const std::string& what, Maker maker, std::vector<std::string> parts) {
  cells_.push_back({what, std::move(maker), Verdict::either, std::move(parts), {}});
  return *this;
}

Situation& Situation::either(const std::vector<Format>& formats, std::vector<std::string> parts) {
  add(formats, Verdict::either, parts);
  return *this;
}

void Situation::check() {
  REQUIRE(!cells_.empty());
  for (const Cell& cell : cells_) {
    INFO("format: " << cell.what);
    check_cell(cell);
  }
}

void Situation::check_cell(const Cell& cell) {
  const Folder folder;
  const std::string inside = std::filesystem::path(folder / "x").parent_path().string();
  const Input input = cell.maker(inside);
  if (cell.verdict == Verdict::either) {
    Cell decided = cell;
    const Finished finished =
        run(joined({{"convert"}, input.paths, input.options, options_, {"-o", folder / "either.h5"}}));
    decided.verdict = finished.code == 0 ? Verdict::said : Verdict::refused;
    if (decided.verdict == Verdict::said) return check_read(decided, input, options_, folder / "out.h5");
    return check_refused(decided, input, folder / "refused.h5");
  }
  if (cell.verdict != Verdict::refused) return check_read(cell, input, options_, folder / "out.h5");
  check_refused(cell, input, folder / "refused.h5");
  if (cell.remedy.empty()) return;
  std::vector<std::string> remedy = cell.remedy;
  for (std::string& option : remedy)
    if (option == "FILE") option = input.paths.at(0);
  check_read(cell, input, joined({options_, remedy}), folder / "out.h5");
}

void Situation::check_refused(const Cell& cell, const Input& input, const std::string& output) const {
  const auto arguments = joined({{"convert"}, input.paths, input.options, options_, {"-o", output}});
  const std::string folder = std::filesystem::path(output).parent_path().string();
  const long before = count_files(folder);
  const Finished finished = run(arguments);
  INFO(command_text(arguments) << "\nstderr: " << finished.err);
  const bool refused = finished.code == 2 || finished.code == 3;
  CHECK(refused);
  if (!refused) return;
  CHECK(count_files(folder) == before);  // nothing written, nothing half-written
  const auto lines = lines_of(finished.err);
  CHECK(std::count_if(lines.begin(), lines.end(), [](const std::string& line) { return !is_note(line); }) == 1);
  const std::string message = lines.empty() ? "" : lines.back();
  std::vector<std::string> parts = cell.parts;
  for (const std::string& option : cell.remedy)
    if (option.rfind("--", 0) == 0) parts.push_back(option.substr(0, option.find('=')));
  check_parts("the refusal", message, parts);
  if (input.paths.size() != 1 || !input.options.empty()) return;
  // Every command that opens data refuses alike; options that it has not are named without dashes.
  const Finished info = run(joined({{"info"}, input.paths, options_}));
  CHECK(info.code == finished.code);
  const auto sentence = [](const std::string& line) {
    std::string rest = line.substr(std::min(line.find(": "), line.size()));
    for (std::size_t at; (at = rest.find(" --")) != std::string::npos;) rest.erase(at + 1, 2);
    return rest;
  };
  const auto info_lines = lines_of(info.err);
  CHECK(sentence(info_lines.empty() ? "" : info_lines.back()) == sentence(message));
}

void Situation::check_read(const Cell& cell, const Input& input, const std::vector<std::string>& options,
                           const std::string& output) {
  const auto arguments = joined({{"convert"}, input.paths, input.options, options, {"-o", output}});
  const Finished finished = run(arguments);
  INFO(command_text(arguments) << "\nstderr: " << finished.err);
  CHECK(finished.code == 0);
  if (finished.code != 0) return;
  const std::string notes = notes_of(finished.err);
  if (cell.verdict == Verdict::said) {
    const std::string file =
        std::filesystem::path(input.paths.empty() ? input.options.at(1) : input.paths[0]).filename().string();
    check_parts("the reading note", notes, joined({cell.parts, {file}}));
  }
  if (cell.verdict == Verdict::right) CHECK(notes.empty());
  check_content(output);

  const Finished written = run({"info", output, "--json", "-"});
  CHECK(written.code == 0);
  if (written.code != 0) return;
  Json file = Json::parse(written.out)["file"];
  if (cell.verdict == Verdict::said) check_parts("the provenance", file["provenance"].dump(), plain(cell.parts));
  const std::string checksum = file["checksum"];
  if (checksum_.empty()) {
    checksum_ = checksum;
    checksum_of_ = cell.what;
  }
  INFO("the other checksum is of " << checksum_of_);
  CHECK(checksum == checksum_);
  check_info(cell, input, options, checksum);
}

void Situation::check_content(const std::string& file) const {
  const Dataset data = open_dataset({file});
  CHECK(std::vector<long>{data.shape.height, data.shape.width, data.shape.channels} == shape_);
  CHECK(data.classes == classes_);
  std::vector<std::string> numbered;  // what folders of numbers may be called
  for (long c = 0; c < classes_; ++c) numbered.push_back(std::to_string(c));
  const bool unnamed = names_.empty() && (data.class_names.empty() || data.class_names == numbered);
  if (!any_names_ && !unnamed) CHECK(data.class_names == names_);
  check_split("train", data, pixels_, labels_);
  check_split("test", data, test_pixels_, test_labels_);
}

void Situation::check_info(const Cell& cell, const Input& input, const std::vector<std::string>& options,
                           const std::string& checksum) const {
  if (input.paths.size() != 1 || !input.options.empty()) return;  // info describes one file
  const Finished text = run(joined({{"info"}, input.paths, options}));
  const Finished json = run(joined({{"info"}, input.paths, options, {"--json", "-", "--quiet"}}));
  INFO("info: " << text.out << text.err << json.err);
  CHECK(text.code == 0);
  CHECK(json.code == 0);
  if (text.code != 0 || json.code != 0) return;
  CHECK(json.err.empty());                                     // --quiet
  Json report = Json::parse(json.out), file = report["file"];  // not const: an absent entry is null
  CHECK(file["shape"] == Json(shape_));
  CHECK(file["classes"] == classes_);
  CHECK(file["train"]["n"] == labels_.size());
  CHECK(file["train"]["class_counts"] == Json(class_counts(labels_, classes_)));
  CHECK(file["checksum"] == checksum);
  CHECK(file.contains("test") == !test_labels_.empty());
  if (!kind_.empty()) check_parts("info", text.out, {kind_});
  if (cell.verdict != Verdict::said) return;
  std::string noted;
  for (const std::string& line : lines_of(text.out))
    if (line.rfind("note ", 0) == 0) noted += line + "\n";
  check_parts("info's notes", noted, cell.parts);
  const Json reading = report.contains("reading") ? report["reading"] : file["reading"];
  std::string clauses;
  for (const auto& [name, list] : reading.items())
    for (const auto& clause : list) clauses += clause.get<std::string>() + "\n";
  check_parts("info's JSON", clauses, plain(cell.parts));
}

}  // namespace ntkrob::situations
