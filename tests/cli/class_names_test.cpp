/// Names of classes, and of files, that people have not typed: in reports, pages, exports and messages.
#include <algorithm>

#include "classes_kit.hpp"

using namespace ntkrob::cli_test;
using nlohmann::json;

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
