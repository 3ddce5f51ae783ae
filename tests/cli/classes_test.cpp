/// Classes that are empty, rare, many or alone, through every command behind the readers: draws, choices of the first
/// N, and reports per class. What classes are called is in class_names_test.cpp.
#include <algorithm>
#include <numeric>

#include "classes_kit.hpp"

using namespace ntkrob::cli_test;
using nlohmann::json;

TEST_CASE("the whole job runs where class 0 and a middle class are empty and one has two images", "[cli]") {
  const Folder folder;
  const std::string data = folder / "gaps.h5", set = folder / "set.h5", net = folder / "net.h5";
  write_classes(data, {0, 40, 60, 0, 50, 2});

  const Finished made = run(with(robustify(data, set, "40"), {"--json", folder / "set.json"}));
  INFO(made.err);
  REQUIRE(made.code == 0);
  CHECK(contains(made.err, "2 of 6 classes have no training images, and the set gets none: 0, 3"));
  CHECK(contains(made.err, "the others fill up: 5: "));
  const std::vector<int> counts = read_json(folder / "set.json")["class_counts"];
  CHECK(counts[0] == 0);
  CHECK(counts[3] == 0);
  CHECK((counts[5] == 1 || counts[5] == 2));  // one may be held out, the other is there
  for (const std::size_t full : {1U, 2U, 4U}) CHECK((counts[full] == 12 || counts[full] == 13));
  CHECK(std::accumulate(counts.begin(), counts.end(), 0) == 40);
  auto again = robustify(data, folder / "again.h5", "40");
  run_ok(with(again, {"--quiet", "--threads", "1"}));
  const json first = json::parse(run_ok({"info", set, "--json", "-"}));
  CHECK(first["file"]["checksum"] ==
        json::parse(run_ok({"info", folder / "again.h5", "--json", "-"}))["file"]["checksum"]);
  CHECK(!contains(run(with(robustify(data, folder / "quiet.h5", "40"), {"--quiet"})).err, "classes"));

  run_ok(train(set, net));
  const Finished judged =
      run({"evaluate", net, "--data", data, "--split", "train", "--n", "62", "--balanced", "--eps", "0.1", "--attacks",
           "clean,fgsm,pgd-5", "--checks", "off", "--json", folder / "r.json", "--html", folder / "r.html"});
  INFO(judged.err);
  REQUIRE(judged.code == 0);
  CHECK(contains(judged.err, "--balanced: classes of split train of " + data +
                                 " with fewer than 20 images give all they have, and the others fill up: 5: 2 images"));
  CHECK(!contains(judged.err, "warning"));
  const json report = read_json(folder / "r.json");
  check_against_samples(report);
  CHECK(report["per_class"].size() == 6);
  CHECK(report["per_class"][1]["n"] == 20);
  CHECK(report["per_class"][5]["n"] == 2);
  CHECK(report["per_class"][0]["n"] == 0);
  CHECK(contains(read_file(folder / "r.html"), "4 of the model's 6 classes have samples here."));
}

TEST_CASE("noise starts have no images of classes that do not exist", "[cli]") {
  const Folder folder;
  write_classes(folder / "gaps.h5", {0, 40, 0, 40});
  run_ok(with(robustify(folder / "gaps.h5", folder / "set.h5", "9"),
              {"--init", "noise", "--quiet", "--json", folder / "set.json"}));
  CHECK(read_json(folder / "set.json")["class_counts"] == json({0, 5, 0, 4}));
}

TEST_CASE("fewer images than classes are refused with a remedy that works", "[cli]") {
  const Folder folder;
  write_classes(folder / "gaps.h5", {0, 30, 30, 0, 30});
  CHECK_FAILS(run(robustify(folder / "gaps.h5", folder / "set.h5", "2")), 2, "--n is 2", "3 classes",
              "give --n 3 or more");
  run_ok(with(robustify(folder / "gaps.h5", folder / "set.h5", "3"), {"--quiet"}));
}

TEST_CASE("training on one class is refused in one line, before anything else", "[cli]") {
  const Folder folder;
  const std::string data = folder / "one.h5";
  write_classes(data, {0, 0, 50});
  set_h5_class_names(data, {"ant", "bee", "cat"});
  for (const auto& command : {std::vector<std::string>{"train", data, "-o", folder / "out.h5"},
                              robustify(data, folder / "out.h5", "10"),
                              {"train", data, "-o", folder / "out.h5", "--dry-run"},
                              with(robustify(data, folder / "out.h5", "10"), {"--dry-run"})}) {
    const Finished refused = run(with(command, {"--quiet"}));
    CHECK_FAILS(refused, 2, "one.h5: all 50 training images are of class 2 (cat)", "ntkrob info", "2 classes or more");
    CHECK(std::count(refused.err.begin(), refused.err.end(), '\n') == 1);
    CHECK(refused.out.empty());
  }
  CHECK(!std::filesystem::exists(folder / "out.h5"));
}

TEST_CASE("the first N of a set sorted by class are said to be of few classes, and the remedy draws from all",
          "[cli]") {
  const Folder folder;
  const std::string data = folder / "sorted.h5", net = folder / "net.h5";
  write_classes(data, std::vector<int>(5, 30), Order::sorted);
  run_ok(train(data, net));
  const std::string first =
      "the first 20 images of split train of " + data + " hold 1 of its 5 classes (0): the set is sorted by class; ";
  struct Case {
    std::vector<std::string> command;
    std::string option, remedy;
  };
  for (const Case& c : std::vector<Case>{
           {{"evaluate", net, "--data", data, "--attacks", "clean", "--split", "train"}, "--n", "--balanced"},
           {{"predict", "--support", data, "--data", data, "--kernel", "fc:1", "--split", "train"},
            "--n",
            "--balanced"},
           {{"kernel", data, "--kernel", "fc:1", "--eigenvalues", "2"}, "--n", "--balanced"},
           {{"predict", "--support", data, "--data", data, "--kernel", "fc:1", "--split", "train"},
            "--n-support",
            "--balanced-support"},
           {{"evaluate", "--kernel", "fc:1", "--support", data, "--data", data, "--attacks", "clean", "--split",
             "train"},
            "--n-support",
            "--balanced-support"}}) {
    INFO(c.command.front() << " " << c.option);
    const Finished some = run(with(c.command, {c.option, "20", "--quiet"}));
    CHECK_FAILS(some, 0, "warning: " + first + c.remedy + " draws from all\n");
    CHECK(!contains(some.err, "scaled"));
    CHECK(!contains(run(with(c.command, {c.option, "20", c.remedy, "--quiet"})).err, "warning"));
    CHECK(!contains(run(with(c.command, {"--quiet"})).err, "warning"));
    CHECK_FAILS(run(with(c.command, {c.option, "3", c.remedy, "--quiet"})), 0, "3 of its 5 classes", c.option + " 5");
    CHECK(!contains(run(with(c.command, {c.option, "5", c.remedy, "--quiet"})).err, "warning"));
    CHECK_FAILS(run(with(c.command, {c.remedy})), 2, c.remedy + " needs " + c.option);
  }
  CHECK_FAILS(run({"evaluate", net, "--data", data, "--n-support", "5"}), 2, "--n-support", "--kernel");

  // In another order the cause is another.
  write_classes(folder / "turn.h5", std::vector<int>(5, 30));
  const Finished few = run({"kernel", folder / "turn.h5", "--kernel", "fc:1", "--eigenvalues", "2", "--n", "4"});
  CHECK_FAILS(few, 0, "4 of its 5 classes: --n 5 --balanced is the least");
  CHECK(!contains(few.err, "sorted"));
}

TEST_CASE("files say which images were drawn", "[cli]") {
  const Folder folder;
  const std::string data = folder / "sorted.h5";
  write_classes(data, std::vector<int>(5, 30), Order::sorted);
  run_ok({"predict", "--support", data, "--data", data, "--kernel", "fc:1", "--split", "train", "--n", "10",
          "--balanced", "--n-support", "15", "--balanced-support", "--quiet", "-o", folder / "p.h5"});
  run_ok({"kernel", data, "--kernel", "fc:1", "--n", "7", "--balanced", "--quiet", "-o", folder / "k.h5"});
  const std::string p = run_ok({"info", folder / "p.h5"}), k = run_ok({"info", folder / "k.h5"});
  INFO(p << k);
  CHECK(contains(p, "  rows             int64 10 "));
  CHECK(contains(p, "  support_rows     int64 15 "));
  const json rows = json::parse(run_ok({"info", folder / "k.h5", "--json", "-"}))["file"]["entries"]["rows"]["values"];
  REQUIRE(rows.size() == 7);
  std::vector<int> count(5);
  for (const json& row : rows) ++count[row.get<std::size_t>() / 30];
  CHECK(count == std::vector<int>{2, 2, 1, 1, 1});
}

TEST_CASE("a single class is no sign of wrong scaling", "[cli]") {
  const Folder folder;
  write_classes(folder / "two.h5", {40, 40});
  write_classes(folder / "one.h5", {0, 40});
  run_ok(train(folder / "two.h5", folder / "net.h5"));
  const Finished judged =
      run({"evaluate", folder / "net.h5", "--data", folder / "one.h5", "--split", "train", "--attacks", "clean"});
  CHECK_FAILS(judged, 0, "warning: all 40 samples are of class 1", "nothing about other classes");
  CHECK(!contains(judged.err, "scaled"));
}

TEST_CASE("reports of a hundred classes show the worst and hold all", "[cli]") {
  const Folder folder;
  write_classes(folder / "many.h5", std::vector<int>(100, 6));
  run_ok(with(train(folder / "many.h5", folder / "net.h5"), {"--batch", "60"}));
  const std::string out = run_ok({"evaluate", folder / "net.h5", "--data", folder / "many.h5", "--split", "train",
                                  "--eps", "0.1", "--attacks", "fgsm", "--checks", "off", "--quiet", "--json",
                                  folder / "r.json", "--html", folder / "r.html"});
  INFO(out);
  CHECK(contains(out, "the 10 worst of 100 classes; the others have "));
  CHECK(std::count(out.begin(), out.end(), '\n') < 40);
  check_against_samples(read_json(folder / "r.json"));
  const std::string page = read_file(folder / "r.html");
  CHECK(contains(page, "The 15 worst of 100 classes:"));
  CHECK(contains(page, "<summary>All 100 classes</summary>"));
  CHECK(contains(page, "class=\"matrix\""));

  const Finished made = run(robustify(folder / "many.h5", folder / "set.h5", "150"));
  INFO(made.err);
  CHECK(made.code == 0);
}

TEST_CASE("train reports the test split per class, and refuses labels that the net has not before it trains", "[cli]") {
  const Folder folder;
  run_ok({"synth", "strokes", "--train", "100", "--test", "30", "--quiet", "-o", folder / "s.h5"});
  run_ok(with(train(folder / "s.h5", folder / "net.h5"), {"--json", folder / "t.json"}));
  const json report = read_json(folder / "t.json");
  REQUIRE(report["per_class"].size() == 10);
  double right = 0;
  for (const json& row : report["per_class"]) {
    CHECK(row["n"] == 3);
    CHECK(!row.contains("worst_case"));
    right += row["clean"].get<double>() * row["n"].get<double>();
  }
  CHECK(report["test_accuracy"].get<double>() == Approx(right / 30));

  write_classes(folder / "few.h5", {20, 20});
  const Finished refused = run(with(train(folder / "few.h5", folder / "out.h5"), {"--test", folder / "s.h5"}));
  CHECK(refused.code == 2);
  CHECK(!contains(refused.err, "step"));
}

TEST_CASE("a picture spreads its images over the classes that there are", "[cli]") {
  const Folder folder;
  std::string images{0, 0, 8, 3, 0, 0, 0, 20, 0, 0, 0, 4, 0, 0, 0, 4}, labels{0, 0, 8, 1, 0, 0, 0, 20};
  for (int i = 0; i < 20 * 16; ++i) images += static_cast<char>(i * 37);
  for (int i = 0; i < 20; ++i) labels += static_cast<char>(i % 2 == 0 ? 1 : 4);
  write_file(folder / "images", images);
  write_file(folder / "labels", labels);
  run_ok({"convert", "--train-images", folder / "images", "--train-labels", folder / "labels", "--quiet", "-o",
          folder / "gaps.h5"});
  CHECK(contains(run_ok({"show", folder / "gaps.h5", "--n", "8", "--dry-run", "-o", folder / "x.png"}),
                 "8 images, 4 in a row"));
}
