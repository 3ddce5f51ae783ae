/// Progress at a terminal: one row per job that is rewritten; through a pipe, lines.
#include "terminal.hpp"

#include <algorithm>

#include "run.hpp"

using namespace ntkrob::cli_test;

namespace {

using Arguments = std::vector<std::string>;

long count(const std::string& text, const std::string& part) {
  long found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

/// The rows that the terminal shows in the end, without the empty one behind the last line feed.
std::vector<std::string> rows_after(const Arguments& arguments, int columns, std::string* all = nullptr) {
  const Finished finished = run_at_terminal(arguments, columns);
  INFO(finished.out);
  REQUIRE(finished.code == 0);
  if (all != nullptr) *all = finished.out;
  std::vector<std::string> rows = screen_of(finished.out, columns);
  REQUIRE(rows.back().empty());
  rows.pop_back();
  return rows;
}

struct Strokes {
  Environment term{"TERM", "xterm"};  // whatever the tests run in
  Folder folder;
  std::string data = folder / "a.h5";
  Strokes() { run_ok({"synth", "strokes", "--train", "300", "--test", "60", "--quiet", "-o", data}); }
  Arguments robustify(const std::string& output) const {
    return {"robustify", data,           "--n", "30",       "--steps", "20", "--batch",
            "50",        "--validation", "50",  "--kernel", "fc:2",    "-o", folder / output};
  }
  Arguments train(const std::string& output) const {
    return {"train", data, "--model", "mlp:16", "--steps", "60", "--batch", "50", "-o", folder / output};
  }
};

}  // namespace

TEST_CASE("at a terminal a job has one row, in a narrow window too, and what it made takes its place", "[cli]") {
  const Strokes s;
  for (const int columns : {200, 80, 40, 12}) {
    INFO(columns << " columns");
    const std::string number = std::to_string(columns);
    std::string all;
    const Arguments robustify = s.robustify("r" + number + ".h5");
    const auto rows = rows_after(robustify, columns, &all);
    // A note may need several rows of a narrow window; joined they are the one line that is left.
    std::string joined;
    for (const std::string& row : rows) joined += row;
    CHECK(joined.rfind("wrote ", 0) == 0);
    CHECK(count(joined, "step ") == 1);  // "the set of step ..."
    CHECK(count(all, "\n") == 1);
    CHECK(count(all, "\rstep ") == 19);  // rewritten by every step but the last

    const auto trained = rows_after(s.train("n" + number + ".h5"), columns, &all);
    CHECK(count(all, "\n") == 3);  // loss and accuracy of the training and of the test, and what was written
    CHECK(count(all, "\rstep ") == 59);
    CHECK(trained.front().rfind("training  lo", 0) == 0);
  }
}

TEST_CASE("an evaluation with a sequence of attacks and checks has one row until its report", "[cli]") {
  const Strokes s;
  run_ok({"train", s.data, "--model", "mlp:16", "--steps", "60", "--batch", "50", "--quiet", "-o", s.folder / "n.h5"});
  const Arguments evaluate{"evaluate",
                           s.folder / "n.h5",
                           "--data",
                           s.data,
                           "--n",
                           "20",
                           "--attacks",
                           "clean,pgd-5,autoattack",
                           "--batch",
                           "7",
                           "--check-samples",
                           "10",
                           "--curve",
                           "0,0.1,1"};
  for (const int columns : {80, 40}) {
    std::string all;
    const auto rows = rows_after(evaluate, columns, &all);
    CHECK(rows.front().rfind("model     ", 0) == 0);
    for (const char* stage :
         {"\rclean, ", "\rpgd-5, ", "\rautoattack 1/4 apgd-ce, ", "\rautoattack 4/4 square, ", "\rmasking checks, "})
      CHECK(count(all, stage) > 0);
    CHECK(count(all.substr(0, all.find("model     ")), "\n") == 0);
  }
}

TEST_CASE("a demo at a terminal has a heading for each job and no line of progress that stays", "[cli]") {
  const Environment term("TERM", "xterm");
  const Folder folder;
  std::string all;
  const auto rows =
      rows_after({"demo", "--out", folder / "demo", "--train", "300", "--test", "50", "--n", "30", "--steps", "5",
                  "--judge", "20", "--kernel", "fc:2", "--model", "mlp:16", "--attacks", "clean,pgd-5"},
                 100, &all);
  const auto table =
      std::find_if(rows.begin(), rows.end(), [](const std::string& row) { return row.rfind("Accuracy on ", 0) == 0; });
  REQUIRE(table != rows.end());
  for (auto row = rows.begin(); row != table; ++row) {
    INFO(*row);
    CHECK((row->empty() || (*row)[1] == '/'));  // "2/3  ..."
  }
  CHECK(count(all, "\rstep ") > 0);
}

TEST_CASE("an error at a terminal begins a row of its own", "[cli]") {
  const Strokes s;
  const Finished finished = run_at_terminal({"train", s.data, "--model", "mlp:16", "--lr", "1e6", "--schedule",
                                             "constant", "--steps", "300", "-o", s.folder / "x.h5"},
                                            80);
  CHECK(finished.code == 4);
  CHECK(count(finished.out, "\rstep 1/300") == 1);
  CHECK(count(finished.out, "\nntkrob train: ") == 1);
}

TEST_CASE("through a pipe progress is a line about every tenth of the way, without control characters", "[cli]") {
  const Strokes s;
  for (const Arguments& job : {s.robustify("r.h5"), s.train("n.h5")}) {
    const Finished finished = run(job);
    REQUIRE(finished.code == 0);
    CHECK(count(finished.err, "step ") - count(finished.err, "the set of step ") == 10);
    CHECK(count(finished.err, "\n") == 11);  // and "wrote ..."
    CHECK(finished.err.find_first_of("\r\033") == std::string::npos);
  }
}

TEST_CASE("a terminal that cannot rewrite a line gets lines", "[cli]") {
  const Strokes s;
  const Environment dumb("TERM", "dumb");
  std::string all;
  rows_after(s.train("n.h5"), 200, &all);
  CHECK(count(all, "\033") == 0);
  CHECK(count(all, "step ") == 10);
}

TEST_CASE("a line is cut to whole characters, wide ones counted as two columns, control characters as blanks",
          "[cli]") {
  using ntkrob::cli::cut_to_columns;
  const std::string line = "a\u00e9\u65e5\U0001F600z";  // 1, 1, 2, 2 and 1 columns
  const std::vector<std::string> expected{
      "", "a", "a\u00e9", "a\u00e9", "a\u00e9\u65e5", "a\u00e9\u65e5", "a\u00e9\u65e5\U0001F600", line, line};
  for (int columns = 0; columns <= 8; ++columns) {
    INFO(columns << " columns");
    CHECK(cut_to_columns(line, columns) == expected[static_cast<std::size_t>(columns)]);
  }
  CHECK(cut_to_columns("x\n\ty\033[K", 20) == "x  y [K");
  CHECK(cut_to_columns("\xe6\x97", 20) ==
        "\xe6\x97");  // a sequence that breaks off ends the line, and is not read past
  CHECK(cut_to_columns("\x97\x97", 1) == "\x97");
}
