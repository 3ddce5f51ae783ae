/// Classes that are empty, rare, many or alone, through every command behind the readers: draws, choices of the first
/// N, reports per class, and names that people have not typed. One file, although it is long: all of it lives on
/// write_classes.
#include <algorithm>
#include <map>
#include <numeric>

#include "run.hpp"

using namespace ntkrob::cli_test;
using nlohmann::json;

namespace {

constexpr int kPixels = 64;

/// Noisy images of 8 x 8 pixels with one pattern for each class.   counts: images of each class
/// shuffled: classes in turn, else sorted
enum class Order { in_turn, sorted };
void write_classes(const std::string& path, std::vector<int> counts, Order order = Order::in_turn) {
  std::vector<float> pixels;
  std::vector<int> labels;
  unsigned state = 12345;
  const auto random = [&] { return static_cast<float>((state = state * 1664525U + 1013904223U) >> 8) / 16777216.0F; };
  const auto add = [&](int label) {
    labels.push_back(label);
    for (unsigned j = 0; j < kPixels; ++j) {
      const unsigned hash = (static_cast<unsigned>(label) * 2654435761U ^ j * 2246822519U) * 3266489917U;
      pixels.push_back((hash >> 16) % 2 == 0 ? 0.15F + 0.3F * random() : 0.55F + 0.3F * random());
    }
  };
  if (order == Order::sorted)
    for (std::size_t c = 0; c < counts.size(); ++c)
      for (int k = 0; k < counts[c]; ++k) add(static_cast<int>(c));
  else
    for (bool any = true; any;) {
      any = false;
      for (std::size_t c = 0; c < counts.size(); ++c)
        if (counts[c]-- > 0) add(static_cast<int>(c)), any = true;
    }
  write_h5(path, pixels, kPixels, labels);
}

std::vector<std::string> robustify(const std::string& data, const std::string& output, const std::string& n) {
  return {
      "robustify", data,   "--kernel",       "fc:1", "--n",          n,    "--steps",          "2", "--batch", "30",
      "--eps",     "0.05", "--attack-steps", "2",    "--validation", "30", "--validate-every", "1", "-o",      output};
}

std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::vector<std::string> train(const std::string& data, const std::string& output) {
  return {"train", data, "--model", "mlp:24", "--loss", "ce", "--steps", "80", "--lr", "0.05", "--quiet", "-o", output};
}

/// Every sample of the report, counted again.
void check_against_samples(const json& report) {
  std::map<std::pair<int, int>, int> clean, worst;
  std::map<int, int> count;
  for (const json& sample : report["samples"]) {
    const int label = sample["label"], predicted = sample["predicted"];
    ++count[label];
    ++clean[{label, predicted}];
    bool right = label == predicted;
    for (const json& attack : sample["attacks"]) right = right && attack["robust"].get<bool>();
    if (right || label != predicted) ++worst[{label, predicted}];
  }
  const json &per_class = report["per_class"], &confusion = report["confusion"];
  int right = 0, survived = 0;
  for (std::size_t c = 0; c < per_class.size(); ++c) {
    INFO("class " << c << ": " << per_class[c].dump());
    const int k = static_cast<int>(c), n = count[k];
    CHECK(per_class[c]["class"] == k);
    CHECK(per_class[c]["n"] == n);
    const std::vector<int> row = confusion["clean"][c], attacked = confusion["worst_case"][c];
    CHECK(std::accumulate(row.begin(), row.end(), 0) == n);
    CHECK(std::accumulate(attacked.begin(), attacked.end(), 0) == n);
    for (std::size_t d = 0; d < row.size(); ++d) {
      const int other = static_cast<int>(d);
      CHECK(row[d] == clean[{k, other}]);
      if (d == c)
        CHECK(attacked[d] == worst[{k, other}]);
      else
        CHECK(attacked[d] >= worst[{k, other}]);  // and what attacks made of right ones
    }
    CHECK(per_class[c]["clean"].is_null() == (n == 0));
    CHECK(per_class[c]["worst_case"].is_null() == (n == 0));
    if (n == 0) continue;
    right += row[c];
    survived += attacked[c];
    CHECK(per_class[c]["clean"] == static_cast<double>(row[c]) / n);
    CHECK(per_class[c]["worst_case"] == static_cast<double>(attacked[c]) / n);
  }
  const double n = static_cast<double>(report["samples"].size());
  CHECK(report["accuracy"]["clean"] == right / n);
  CHECK(report["worst_case"] == survived / n);
}

}  // namespace

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

TEST_CASE("names of classes reach the reports and break neither table nor page", "[cli]") {
  const Folder folder;
  const std::string data = folder / "names.h5", net = folder / "net.h5";
  write_classes(data, std::vector<int>(4, 20));
  const std::string endless(3000, 'y');
  set_h5_class_names(data, {"a\tb\nc", "<script>alert(\"1\")</script>", endless,
                            "\x1b[31mr\xe9"
                            "d"});
  run_ok(with(train(data, net), {"--json", folder / "t.json"}));
  const std::string out =
      run_ok({"evaluate", net, "--data", data, "--split", "train", "--eps", "0.3", "--attacks", "fgsm", "--checks",
              "off", "--quiet", "--json", folder / "r.json", "--html", folder / "r.html"});
  INFO(out);
  CHECK(contains(out, "\na\\x09b\\x0Ac "));
  CHECK(contains(out, "\n\\x1B[31mr\\xE9d "));
  CHECK(contains(out, "\n2 yyyyyyyyyyyy"));
  std::size_t longest = 0, begin = 0;
  for (std::size_t end = out.find('\n'); end != std::string::npos; begin = end + 1, end = out.find('\n', begin))
    longest = std::max(longest, end - begin);
  CHECK(longest < 200);
  for (const char c : out) CHECK((static_cast<unsigned char>(c) >= 0x20 || c == '\n'));

  const std::string page = read_file(folder / "r.html");
  CHECK(!contains(page, "<script"));
  CHECK(contains(page, "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;"));
  CHECK(contains(page, "\\x1B[31mr\\xE9d"));
  for (const char c : page) CHECK((static_cast<unsigned char>(c) >= 0x20 || c == '\n'));
  const json report = read_json(folder / "r.json");
  check_against_samples(report);
  CHECK(report["class_names"][1] == "<script>alert(\"1\")</script>");
  CHECK(report["per_class"][0]["name"] == "a\tb\nc");
  CHECK(report["per_class"][3]["name"] == "\x1b[31mr\uFFFDd");  // JSON holds UTF-8 only
  const std::string info = run_ok({"info", data});
  CHECK(contains(info, "a\\x09b\\x0Ac, <script>"));
  run_ok({"info", data, "--json", folder / "i.json"});
  CHECK(read_json(folder / "i.json")["file"]["class_names"].size() == 4);
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

TEST_CASE("sets that call a class by different names are warned about", "[cli]") {
  const Folder folder;
  for (const char* name : {"a.h5", "b.h5"}) write_classes(folder / name, {20, 20});
  set_h5_class_names(folder / "a.h5", {"cat", "dog"});
  set_h5_class_names(folder / "b.h5", {"cat", "cow"});
  const auto predict = [&](const char* support) {
    return run({"predict", "--kernel", "fc:1", "--support", folder / support, "--data", folder / "b.h5", "--split",
                "train", "--quiet"});
  };
  CHECK_FAILS(predict("a.h5"), 0, "warning: class 1 is called dog in", "and cow in");
  CHECK(predict("b.h5").err.empty());

  // A net keeps the names that it was trained with.
  run_ok(train(folder / "a.h5", folder / "net.h5"));
  write_classes(folder / "c.h5", {20, 20});
  const auto evaluate = [&](const char* data) {
    return run(
        {"evaluate", folder / "net.h5", "--data", folder / data, "--split", "train", "--attacks", "clean", "--quiet"});
  };
  CHECK_FAILS(evaluate("b.h5"), 0, "warning: class 1 is called dog in", "and cow in");
  for (const char* same : {"a.h5", "c.h5"}) {
    const Finished judged = evaluate(same);
    INFO(same << judged.err);
    CHECK(judged.err.empty());
    CHECK(contains(judged.out, "\ndog "));
  }
}

TEST_CASE("exports name classes without images and with few, and a budget's remedy fits", "[cli]") {
  const Folder folder;
  const std::string data = folder / "gaps.h5";
  write_classes(data, {0, 40, 40, 0, 2});
  const auto device = [&](const std::vector<std::string>& more) {
    return run(with({"export", data, "--force", "-o", folder / "out.nkd"}, more));
  };
  const Finished all = device({"--per-class", "10"});
  CHECK_FAILS(all, 0, "2 of 5 classes have no image in split train: 0, 3", "--classes 1,2,4 leaves them out",
              "classes with fewer than 10 images give all they have: 4: 2 images", "22 images");
  const Finished some = device({"--classes", "1,2,4"});
  CHECK_FAILS(some, 0, "82 images", "3 classes");
  CHECK(!contains(some.err, "no image in split"));
  // 64 bytes of pixels and 2 of the label for an image: 3 classes and not 5 share the budget, one of them with 2
  // images.
  const Finished over = device({"--budget", "1000"});
  CHECK_FAILS(over, 5, "--per-class 6 fits");
  CHECK_FAILS(device({"--budget", "1000", "--per-class", "6"}), 0, "14 images");
  CHECK_FAILS(device({"--budget", "1000", "--per-class", "7"}), 5, "--per-class 6 fits");
  CHECK_FAILS(device({"--classes", "0,3"}), 2, "no image", "0,3");
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

TEST_CASE("control characters in names of files cut no message and reach no terminal", "[cli]") {
  const Folder folder;
  const std::string name = folder / "a\x1b[2Jb\rc\x7f.h5";
  const Finished absent = run({"info", name});
  CHECK_FAILS(absent, 3, "a\\x1B[2Jb\\x0Dc\\x7F.h5: cannot be read");
  write_classes(name, {40, 40});
  const Finished made = run(robustify(name, folder / "set.h5", "10"));
  CHECK(made.code == 0);
  for (const Finished& finished : {absent, made, run({"info", name}), run({"train", name, "-o", name + "/x"})})
    for (const char c : finished.out + finished.err)
      CHECK(((static_cast<unsigned char>(c) >= 0x20 && c != '\x7f') || c == '\n'));
}
