/// evaluate --solver: the iterative solve at the command line.
#include <signal.h>

#include <chrono>
#include <thread>

#include "run.hpp"

using namespace ntkrob::cli_test;

namespace {

struct Files {
  Folder folder;
  std::string data;
  explicit Files(int train = 200) : data(folder / "strokes.h5") {
    run_ok({"synth", "strokes", "--train", std::to_string(train), "--test", "50", "--quiet", "-o", data});
  }
  std::vector<std::string> evaluate(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments{"evaluate", "--kernel", "fc:2", "--support", data,         "--data",
                                       data,       "--eps",    "0.05", "--attacks", "clean,pgd-5"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
};

}  // namespace

TEST_CASE("both solvers give the same machine, and cg reports its residual", "[cli]") {
  const Files files;
  const std::string direct = files.folder / "direct.json", cg = files.folder / "cg.json";
  run_ok(files.evaluate({"--n-support", "150", "--precision", "float64", "--json", direct}));
  const Finished solved = run(files.evaluate(
      {"--n-support", "150", "--precision", "float64", "--solver", "cg", "--tolerance", "1e-9", "--json", cg}));
  CHECK_FAILS(solved, 0, "solved in", "rank 30", "residual", "predictions within");

  const auto a = read_json(direct), b = read_json(cg);
  CHECK(a["accuracy"] == b["accuracy"]);
  for (std::size_t i = 0; i < 50; ++i)
    for (const char* attack : {"clean", "pgd-5"})
      CHECK(a["samples"][i]["attacks"][attack]["margin"].get<double>() ==
            Approx(b["samples"][i]["attacks"][attack]["margin"].get<double>()).margin(1e-5));
  CHECK(!a.contains("solve"));
  CHECK(b["solve"]["solver"] == "cg");
  CHECK(b["solve"]["residual"].size() == 10);
  for (const double residual : b["solve"]["residual"]) CHECK(residual <= 1e-9);
  CHECK(b["solve"]["history"].size() == b["solve"]["iterations"]);
}

TEST_CASE("a Gram matrix that does not fit is refused with the remedy, which works", "[cli]") {
  const Files files(1500);
  CHECK_FAILS(run(files.evaluate({"--memory", "17M"})), 5, "18000000 bytes", "--solver cg");
  const Finished solved = run(files.evaluate({"--memory", "17M", "--solver", "cg", "--threads", "2"}));
  CHECK_FAILS(solved, 0, "solved in");
  const std::string plan = run_ok(files.evaluate({"--memory", "17M", "--solver", "cg", "--threads", "2", "--dry-run"}));
  CHECK(contains(plan, "solver     cg: rank "));
  CHECK(contains(plan, "1125750 kernel values"));  // 1500 * 1501 / 2
  CHECK(contains(run_ok(files.evaluate({"--n-support", "100", "--dry-run"})), "solver     direct: "));
}

TEST_CASE("options of the solve are checked", "[cli]") {
  const Files files(60);
  CHECK_FAILS(run(files.evaluate({"--solver", "qr"})), 2, "--solver is \"qr\"", "direct or cg");
  CHECK_FAILS(run(files.evaluate({"--rank", "20"})), 2, "--solver cg");
  CHECK_FAILS(run(files.evaluate({"--solver", "cg", "--rank", "61"})), 2, "--rank is 61", "[0, 60]");
  CHECK_FAILS(run(files.evaluate({"--solver", "cg", "--tolerance", "0"})), 2, "--tolerance is 0");
  CHECK_FAILS(run(files.evaluate({"--solver", "cg", "--ridge", "0"})), 2, "ridge is 0", "above 0");
  CHECK_FAILS(run(files.evaluate({"--n-support", "61"})), 2, "--n-support is 61", "only 60");
  CHECK_FAILS(run(files.evaluate({"--solver", "cg", "--rank", "1", "--iterations", "2"})), 4, "after 2 iterations",
              "--rank");
}

TEST_CASE("Ctrl-C during a solve ends with code 130 and one line", "[cli]") {
  const Files files(4000);
  // A tolerance that takes hundreds of iterations: long enough to be interrupted.
  Process process(files.evaluate({"--solver", "cg", "--rank", "1", "--tolerance", "1e-12"}));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  while (process.running() && !contains(process.said(), "solve: iteration") && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  REQUIRE(process.running());
  process.signal(SIGINT);
  CHECK_FAILS(process.wait(), 130, "interrupted");
}
