/// Features of two inputs of one command: their names, their ranges, their classes.
#include "run.hpp"

using namespace ntkrob::cli_test;

namespace {

/// A table of two classes that the first feature tells apart around `middle`.   from, to: extent of that feature
std::string table(const std::string& header, double from, double to, bool swapped) {
  std::string text = header + "\n";
  constexpr int kRows = 60;
  for (int i = 0; i < kRows; ++i) {
    const double a = from + (to - from) * (i * 7 % kRows) / (kRows - 1), b = 1000 + i % 13;
    const std::string x = std::to_string(a), z = std::to_string(b);
    text += (swapped ? z + "," + x : x + "," + z) + "," + (a > 50 ? "1" : "0") + "\n";
  }
  return text;
}

std::vector<std::string> train(const std::string& data, const std::string& test, const std::string& net) {
  return {"train",  data, "--test", test,  "--model", "mlp:16", "--steps", "600",
          "--loss", "ce", "--lr",   "0.1", "--force", "-o",     net};
}

std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace

TEST_CASE("features of a second input are scaled by the ranges of the first, or of the model", "[cli]") {
  const Folder folder;
  write_file(folder / "a.csv", table("x,z,label", 0, 100, false));
  write_file(folder / "b.csv", table("x,z,label", 40, 60, false));  // by its own extremes the border lies elsewhere
  const std::vector<std::string> columns{"--value-range", "columns"};

  const Finished trained = run(with(train(folder / "a.csv", folder / "b.csv", folder / "net.h5"), columns));
  INFO(trained.err);
  CHECK(trained.code == 0);
  CHECK(contains(trained.err, "each of 2 features is scaled by the ranges of"));
  for (const std::string& range : {std::string("columns"), folder / "net.h5"}) {
    const Finished judged = run({"evaluate", folder / "net.h5", "--data", folder / "b.csv", "--split", "train",
                                 "--value-range", range, "--attacks", "clean"});
    INFO(judged.err);
    CHECK(judged.code == 0);
    CHECK(contains(judged.err, "net.h5"));
  }
  run_ok({"convert", folder / "a.csv", "--value-range", "columns", "--quiet", "-o", folder / "a.h5"});
  run_ok({"convert", folder / "b.csv", "--value-range", "columns", "--quiet", "-o", folder / "b.h5"});
  CHECK_FAILS(run(train(folder / "a.h5", folder / "b.h5", folder / "net2.h5")), 2,
              "scaled by other ranges than those of", "--value-range");
  CHECK_FAILS(run({"convert", folder / "a.h5", "--test-file", folder / "b.h5", "-o", folder / "ab.h5"}), 2,
              "scaled by other ranges");
  run_ok({"convert", folder / "b.csv", "--value-range", folder / "a.h5", "--quiet", "--force", "-o", folder / "b.h5"});
  CHECK(run(train(folder / "a.h5", folder / "b.h5", folder / "net2.h5")).code == 0);
  CHECK(contains(run({"export", folder / "net.h5", "-o", folder / "net.hpp"}).err,
                 "the ranges of its features are not in it"));
}

TEST_CASE("columns in another order or of another name are refused wherever two tables meet", "[cli]") {
  const Folder folder;
  write_file(folder / "a.csv", table("x,z,label", 0, 100, false));
  write_file(folder / "turned.csv", table("z,x,label", 0, 100, true));
  const std::vector<std::string> columns{"--value-range", "columns"};
  const std::string net = folder / "net.h5";

  CHECK_FAILS(
      run(with({"convert", folder / "a.csv", "--test-file", folder / "turned.csv", "-o", folder / "x.h5"}, columns)), 3,
      "feature 1 is called \"z\"", "\"x\"");
  CHECK_FAILS(run(with(train(folder / "a.csv", folder / "turned.csv", net), columns)), 2, "feature 1 is called \"z\"");
  run_ok(with({"train", folder / "a.csv", "--model", "mlp:4", "--steps", "3", "--quiet", "-o", net}, columns));
  CHECK_FAILS(
      run(with({"evaluate", net, "--data", folder / "turned.csv", "--split", "train", "--attacks", "clean"}, columns)),
      2, "feature 1 is called \"z\"", "net.h5");
}

TEST_CASE("a test file that numbers its classes by itself is matched by their names", "[cli]") {
  const Folder folder;
  std::string three = "a,b,label\n", two = three;
  for (int i = 0; i < 9; ++i) {
    three += "0.1,0.9,ant\n0.5,0.5,bee\n0.9,0.1,cat\n";
    two += "0.5,0.5,bee\n0.9,0.1,cat\n";
  }
  write_file(folder / "three.csv", three);
  write_file(folder / "two.csv", two);
  run_ok({"convert", folder / "three.csv", "--quiet", "-o", folder / "three.h5"});
  run_ok({"convert", folder / "two.csv", "--quiet", "-o", folder / "two.h5"});
  run_ok({"convert", folder / "three.h5", "--test-file", folder / "two.h5", "--quiet", "-o", folder / "both.h5"});

  const auto both = nlohmann::json::parse(run_ok({"info", folder / "both.h5", "--json", "-"}))["file"];
  CHECK(both["test"]["class_counts"] == nlohmann::json({0, 9, 9}));
}

TEST_CASE("headers of few numbers, tabs among blanks and sparse tests of fewer features are read as they are",
          "[cli]") {
  const Folder folder;
  write_file(folder / "numbered.csv", "0,1,2\n0.5,0.25,1\n0.75,0.5,0\n0.1,0.9,1\n");
  write_file(folder / "mixed.dat", "  0  0.5\t0.25\n  1  0.1\t0.75\n  0  0.4\t0.2\n");
  write_file(folder / "a.svm", "0 1:0.5 4:1\n1 2:0.25\n");
  write_file(folder / "b.svm", "1 1:0.5\n0 2:1\n");

  const auto described = [&](const std::vector<std::string>& arguments) {
    return nlohmann::json::parse(run_ok(with({"info"}, with(arguments, {"--json", "-"}))))["file"];
  };
  CHECK(described({folder / "numbered.csv"})["train"]["n"] == 3);
  const auto mixed = described({folder / "mixed.dat"});
  CHECK(mixed["shape"] == nlohmann::json({1, 1, 2}));
  CHECK(mixed["train"]["class_counts"] == nlohmann::json({2, 1}));
  const auto sparse = described({folder / "a.svm", "--test-file", folder / "b.svm"});
  CHECK(sparse["shape"] == nlohmann::json({1, 1, 4}));
  CHECK(sparse["test"]["n"] == 2);
}
