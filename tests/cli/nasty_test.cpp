/// Names that hold what terminals, compilers, browsers and readers of JSON obey: no command loses its work for one, and
/// nothing that it writes holds it raw.
#include <algorithm>
#include <sstream>

#include "run.hpp"

using namespace ntkrob::cli_test;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> kNames{"\x1b[31mred",
                                      "two\nlines",
                                      "Latin-\xe9",
                                      "*\\ int x;",
                                      "quo\"te'",
                                      "back\\slash\\",
                                      "what?"
                                      "?\\",
                                      "<b>&amp;",
                                      "tab\there",
                                      "\xc2\x9b"
                                      "31m",
                                      "del\x7f",
                                      "\xed\xa0\x80",
                                      "\xe2\x82\xac",
                                      "\u202Ecsv.exe",
                                      "x\u2066y\u2069\u200F\u061C",
                                      "a\u2028b\u2029c",
                                      "\uFEFFz\u200Bw",
                                      "\u05D0\u05D1 \U0001F468\u200D\U0001F467",
                                      "--force"};

/// Marks that turn the direction of a line, or break it, unseen.
const std::vector<std::string> kUnseen{"\u00AD", "\u061C", "\u200B", "\u200E", "\u200F", "\u2028",
                                       "\u2029", "\u202A", "\u202E", "\u2066", "\u2069", "\uFEFF"};

/// No control characters but line feeds, no unseen marks, and UTF-8 that a strict reader takes.
void check_clean(const std::string& what, const std::string& text) {
  INFO(what);
  bool clean = true;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto c = static_cast<unsigned char>(text[at]);
    clean = clean && (c >= 0x20 || c == '\n') && c != 0x7F &&
            !(c == 0xC2 && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xA0);
  }
  for (const std::string& mark : kUnseen) clean = clean && !contains(text, mark);
  CHECK(clean);
  CHECK(nlohmann::json::accept(nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
  bool strict = true;
  try {
    nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    strict = false;
  }
  CHECK(strict);
}

}  // namespace

TEST_CASE("no name of a file or class costs a report, and none reaches it raw", "[cli]") {
  for (const std::string& name : kNames) {
    const Folder f;
    INFO("name " << name);
    std::string table = "x,y,label\n";
    // Class names come from a table, which cannot hold all of these.
    const bool table_name =
        name.find_first_of("\n\t\"\\\x1b") == std::string::npos && name.find("\xed") == std::string::npos;
    const std::string label = table_name ? name : "b";
    for (int i = 0; i < 24; ++i)
      table +=
          "0." + std::to_string(i % 9) + ",0." + std::to_string((i * 5) % 9) + "," + (i % 2 == 0 ? "a" : label) + "\n";
    const std::string csv = f / (name + ".csv"), a = f / (name + ".h5"), net = f / (name + "n.h5"), out = f / name;
    write_file(csv, table);
    std::vector<std::vector<std::string>> jobs{
        {"convert", csv, "--value-range", "0:1", "-o", a},
        {"info", a, "--json", out + ".i.json"},
        {"info", a, "--json", "-"},
        {"info", a},
        {"train", a, "--model", "mlp:3", "--steps", "2", "-o", net, "--json", out + ".t.json"},
        {"info", net, "--json", "-"},
        {"info", net},
        {"evaluate", net, "--data", a, "--split", "train", "--attacks", "clean,fgsm", "--checks", "off", "--json",
         out + ".e.json", "--html", out + ".e.html"},
        {"evaluate", "--kernel", "fc:1", "--support", a, "--data", a, "--split", "train", "--attacks", "clean"},
        {"predict", "--kernel", "fc:1", "--support", a, "--data", a, "--split", "train", "-o", out + ".p.h5"},
        {"kernel", a, "--kernel", "fc:1", "--explain", "-o", out + ".k.h5"},
        {"robustify",    a,        "--kernel",       "fc:1",  "--n",         "4", "--batch",   "4",
         "--validation", "0",      "--attack-steps", "1",     "--steps",     "2", "--explain", "-o",
         out + ".r.h5",  "--json", out + ".r.json",  "--log", out + ".r.csv"},
        {"info", out + ".r.h5"},
        {"export", a, "-o", out + ".hpp"},
        {"export", net, "-o", out + ".net.hpp"},
        {"export", net, "-o", out + ".onnx"},
        {"convert", a, "--dry-run", "-o", out + ".npz"},
        {"train", a, "-o", "absent/" + name + ".h5"}};
    for (const auto& words : jobs) {
      const Finished finished = run(words);
      INFO(words[0] << " " << words[1] << ": " << finished.err);
      CHECK(finished.code == (words.back().rfind("absent", 0) == 0 ? 5 : 0));
      check_clean("stdout", finished.out);
      check_clean("stderr", finished.err);
    }
    for (const char* end : {".i.json", ".t.json", ".e.json", ".r.json", ".e.html", ".r.csv", ".hpp", ".net.hpp"})
      check_clean(end, read_file(out + end));
    for (const char* end : {".i.json", ".t.json", ".e.json", ".r.json"})
      CHECK(nlohmann::json::accept(read_file(out + end)));
    for (const char* end : {".hpp", ".net.hpp"}) {
      std::istringstream header(read_file(out + end));
      std::string first, second, third;
      std::getline(header, first), std::getline(header, second), std::getline(header, third);
      CHECK(first.rfind("// Made by", 0) == 0);
      CHECK(second.rfind("// ", 0) == 0);
      CHECK(third == "#pragma once");
      CHECK((first.back() != '\\' && second.back() != '\\'));
    }
    const bool unseen =
        std::any_of(kUnseen.begin(), kUnseen.end(), [&](const std::string& mark) { return contains(name, mark); });
    if (unseen || name.find_first_of("\x1b\n\xe9\xed\x7f") != std::string::npos)
      CHECK(!contains(read_file(out + ".onnx"), name));
    CHECK(!contains(read_file(out + ".e.html"), "<b>&amp;.h5"));
    // What is only written from right to left, or joined, is shown as it is.
    if (name.rfind("\u05D0", 0) == 0)
      for (const char* end : {".e.json", ".e.html", ".hpp", ".onnx"}) CHECK(contains(read_file(out + end), name));
  }
}

TEST_CASE("a header is not named by a word of C++", "[cli]") {
  const Folder f;
  write_easy_h5(f / "a.h5", 8, 2);
  for (const char* name :
       {"class", "int", "9lives", "a__b", "_Set", "_set", "set_", "a-b", "a b", "", "co_await", "main", "\xc3\xa9"}) {
    INFO(name);
    const Finished finished = run({"export", f / "a.h5", "--name=" + std::string(name), "-o", f / "a.hpp", "--force"});
    if (*name == '\0')
      CHECK(finished.code == 0);  // empty: the default
    else
      CHECK_FAILS(finished, 2, "--name");
  }
  run_ok({"export", f / "a.h5", "--name", "classy", "-o", f / "b.hpp"});
}
