/// Closed and full standard streams: what was to be printed and is lost is an error, what stderr does costs nothing.
#include <algorithm>

#include "run.hpp"

using namespace ntkrob::cli_test;

namespace {

/// Commands that print a result.
std::vector<std::string> printing(const Folder& folder) {
  run_ok({"synth", "strokes", "--train", "40", "--test", "10", "--quiet", "-o", folder / "a.h5"});
  run_ok({"train", folder / "a.h5", "--model", "mlp:4", "--steps", "2", "--quiet", "-o", folder / "net.h5"});
  const std::string a = " '" + folder / "a.h5" + "'", net = " '" + folder / "net.h5" + "'";
  return {"--help",
          "--version",
          "train --help",
          "info --formats",
          "info" + a,
          "info" + net + " --json -",
          "evaluate" + net + " --eps 0.1 --attacks clean --data" + a,
          "predict --kernel fc:1 --support" + a + " --data" + a,
          "kernel --kernel fc:1 --eigenvalues 2" + a,
          "kernel --kernel fc:1 --dry-run -o '" + folder / "k.h5" + "'" + a,
          "robustify --n 4 --batch 4 --dry-run -o '" + folder / "r.h5" + "'" + a,
          "train --model mlp:2 --steps 1 --force -o '" + folder / "n.h5" + "'" + a,
          "convert --dry-run -o '" + folder / "c.h5" + "'" + a};
}

long lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

}  // namespace

TEST_CASE("a result that cannot be printed is an error of one line, code 5", "[faults]") {
  const Folder folder;
  for (const std::string& command : printing(folder)) {
    INFO(command);
    const Finished full = run_shell("\"$NTKROB\" " + command + " --quiet > /dev/full");
    const bool top = command.rfind("--", 0) == 0;
    CHECK(full.code == 5);
    CHECK(contains(full.err, "standard output: No space left on device"));
    if (top) CHECK(lines(full.err) == 1);
    const Finished closed = run_shell("\"$NTKROB\" " + command + " --quiet >&-");
    CHECK(closed.code == 5);
    CHECK(contains(closed.err, "standard output: it is closed"));
  }
}

TEST_CASE("a file that is written takes no standard stream's place", "[faults]") {
  const Folder folder;
  const std::string name = folder / "s.h5";
  run_ok({"synth", "strokes", "--train", "9", "--test", "0", "--quiet", "-o", folder / "good.h5"});
  const std::string good = read_file(folder / "good.h5");
  for (const char* closed : {">&-", "2>&-", "<&-", ">&- 2>&-", ">&- 2>&- <&-"}) {
    INFO(closed);
    CHECK(run_shell("\"$NTKROB\" synth strokes --train 9 --test 0 --force -o '" + name + "' " + closed).code == 0);
    CHECK(read_file(name) == good);
  }
}

TEST_CASE("a full, closed or abandoned stderr costs no run", "[faults]") {
  const Folder folder;
  write_easy_h5(folder / "a.h5", 40, 2);
  const auto job = [&](const std::string& out) {
    return "\"$NTKROB\" robustify '" + folder / "a.h5" +
           "' --kernel fc:1 --n 4 --batch 4 --steps 30 --validation 0 -o '" + folder / out + "'";
  };
  REQUIRE(run_shell(job("good.h5")).code == 0);
  const std::string good = read_file(folder / "good.h5");
  CHECK(run_shell(job("full.h5") + " 2> /dev/full").code == 0);
  CHECK(read_file(folder / "full.h5") == good);
  CHECK(run_shell(job("closed.h5") + " 2>&-").code == 0);
  CHECK(read_file(folder / "closed.h5") == good);
  CHECK(run_shell("{ " + job("gone.h5") + "; echo $? > '" + folder / "code" + "'; } 2>&1 | true").code == 0);
  for (int waited = 0; waited < 100 && !std::filesystem::exists(folder / "code"); ++waited) run_shell("sleep 0.1");
  CHECK(read_file(folder / "code") == "0\n");
  CHECK(read_file(folder / "gone.h5") == good);
}

TEST_CASE("a reader that goes away ends the command quietly, with its files complete", "[faults]") {
  const Folder folder;
  run_ok({"synth", "strokes", "--train", "40", "--test", "10", "--quiet", "-o", folder / "a.h5"});
  const Finished finished =
      run_shell("{ sleep 0.3; \"$NTKROB\" train '" + folder / "a.h5" + "' --model mlp:2 --steps 1 --quiet -o '" +
                folder / "n.h5" + "'; echo $? > '" + folder / "code" + "'; } | true; sleep 1.5");
  CHECK(finished.err.empty());
  CHECK(std::filesystem::exists(folder / "n.h5"));
  CHECK(read_file(folder / "code") == "141\n");
  CHECK(contains(run_shell("\"$NTKROB\" evaluate --help | head -1").out, "attack"));
}

TEST_CASE("a limit on the size of files is an error of one line and leaves nothing", "[faults]") {
  const Folder folder;
  run_ok({"synth", "strokes", "--train", "400", "--test", "0", "--quiet", "-o", folder / "a.h5"});
  const std::string a = "'" + folder / "a.h5" + "'";
  const auto entries = [&] {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(folder / "a.h5").parent_path()))
      names.push_back(entry.path().filename());
    return names;
  };
  for (const std::string& command :
       {"convert " + a + " -o '" + folder / "b.h5'", "convert " + a + " -o '" + folder / "b.npz'",
        "kernel --kernel fc:1 " + a + " -o '" + folder / "k.h5'", "show " + a + " -o '" + folder / "p.png'"}) {
    INFO(command);
    const Finished finished = run_shell("ulimit -f 8; \"$NTKROB\" " + command + " --quiet");
    INFO(finished.err);
    CHECK(finished.code == 5);
    CHECK(lines(finished.err) == 1);
    CHECK(entries() == std::vector<std::string>{"a.h5"});
  }
}
