/// The files of a command: compared before the work, by what they are; what fails at the end fails at the start.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>
#include <sstream>
#include <thread>

#include "run.hpp"

using namespace ntkrob::cli_test;
namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

/// Files of every kind that commands read.
class Files {
 public:
  Files() {
    write_easy_h5(folder / "a.h5", 40, 2);
    run_ok({"train", folder / "a.h5", "--model", "mlp:4", "--steps", "2", "--quiet", "-o", folder / "net.h5"});
  }
  std::string operator/(const std::string& name) const { return folder / name; }
  /// Every file with its content, to see that nothing was touched.
  std::map<std::string, std::string> content() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(folder / ""))
      if (entry.is_regular_file()) all[entry.path()] = read_file(entry.path());
    return all;
  }

 private:
  Folder folder;
};

Words with(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// Refused with exit code `code`, with one line that holds the parts, and without touching a file.
void check_refused(const Files& files, const Words& words, const Words& parts, int code = 2) {
  const auto before = files.content();
  const Finished finished = run(words);
  std::string line;
  for (const std::string& word : words) line += " " + word;
  INFO(line << "\n" << finished.err);
  CHECK(finished.code == code);
  CHECK(std::count(finished.err.begin(), finished.err.end(), '\n') == 1);
  for (const std::string& part : parts) {
    INFO("expected " << part);
    CHECK(contains(finished.err, part));
  }
  CHECK(files.content() == before);
}

const Words kTiny{"--kernel", "fc:1",           "--n", "4",      "--batch", "4", "--validation",
                  "0",        "--attack-steps", "1",   "--quiet"};

}  // namespace

TEST_CASE("two files of a command that are one are refused by the names of both options", "[cli]") {
  const Files f;
  const std::string a = f / "a.h5", net = f / "net.h5", r = f / "r.h5";
  const Words robustify = with({"robustify", a, "--force"}, kTiny);
  fs::create_symlink("r.h5", f / "link.h5");
  fs::create_hard_link(net, f / "hard.h5");
  fs::create_symlink(".", f / "here");

  check_refused(f, with(robustify, {"-o", r, "--checkpoint", r}), {"--checkpoint", "--output", "remove it"});
  check_refused(f, with(robustify, {"-o", r, "--checkpoint", f / "./r.h5"}), {"--checkpoint", "--output"});
  check_refused(f, with(robustify, {"-o", r, "--checkpoint", f / "here/r.h5"}), {"--checkpoint", "--output"});
  check_refused(f, with(robustify, {"-o", a}), {"--output", "DATA", "an input is not replaced"});
  check_refused(f, with(robustify, {"-o", r, "--log", a}), {"--log", "DATA"});
  check_refused(f, with(robustify, {"-o", r, "--log", f / "x", "--json", f / "x"}), {"--log", "--json"});
  check_refused(f, with(robustify, {"-o", r, "--log", r + ".ckpt.h5"}), {"--log", "the checkpoint of --output"});
  check_refused(f, with(robustify, {"-o", r, "--checkpoint", a}), {"--checkpoint", "DATA"});
  check_refused(f, {"train", a, "-o", f / "n.h5", "--test", net, "--json", net, "--force"}, {"--json", "--test"});
  check_refused(f, {"train", a, "-o", f / "hard.h5", "--test", net, "--force"}, {"--output", "--test"});
  const Words evaluate{"evaluate", net, "--data", a, "--split", "train", "--attacks", "clean", "--force", "--quiet"};
  check_refused(f, with(evaluate, {"--json", f / "j", "--html", f / "here/j"}), {"--json", "--html"});
  check_refused(f, with(evaluate, {"--json", f / "j", "--checkpoint", net}), {"--checkpoint", "MODEL"});
  check_refused(f, with(evaluate, {"--json", f / "j", "--checkpoint", f / "hard.h5"}), {"--checkpoint", "MODEL"});
  check_refused(f, with(evaluate, {"--json", f / "j", "--html", f / "j.ckpt.h5"}),
                {"--html", "the checkpoint of the report"});
  check_refused(f, {"convert", a, "-o", a, "--force"}, {"--output", "INPUT"});
  check_refused(f, {"kernel", a, "-o", a, "--force"}, {"--output", "A "});
  check_refused(f, {"predict", "--support", a, "--data", a, "-o", a, "--force"}, {"--output", "--support"});
  check_refused(f, {"export", net, "-o", f / "here/net.h5", "--force"}, {"--output", "FILE"});
  check_refused(f, {"info", a, "--json", a, "--force"}, {"--json", "FILE"});
  write_file(f / "c.toml", "seed = 1\n");
  check_refused(f, {"info", a, "--config", f / "c.toml", "--json", f / "c.toml", "--force"}, {"--json", "--config"});
}

TEST_CASE("sets of several files do not replace what is read", "[cli]") {
  const Files f;
  run_ok({"synth", "strokes", "--train", "20", "--test", "10", "--quiet", "-o", f / "d.idx"});
  run_ok({"convert", f / "d-train-images-idx3-ubyte", f / "d-train-labels-idx1-ubyte", "--quiet", "-o", f / "d/"});

  check_refused(f, {"convert", f / "d/", "-o", f / "d/", "--force"}, {"--output", "INPUT"});
  check_refused(
      f, {"convert", f / "d-train-images-idx3-ubyte", f / "d-train-labels-idx1-ubyte", "-o", f / "d.idx", "--force"},
      {"--output", "INPUT"});
  run_ok({"convert", f / "d/", "--quiet", "-o", f / "d/all.h5"});
}

TEST_CASE("only a checkpoint is ever replaced or removed as one", "[cli]") {
  const Files f;
  const std::string a = f / "a.h5";
  run_ok({"train", a, "--model", "mlp:3", "--steps", "1", "--quiet", "-o", f / "other.h5"});
  run_ok({"train", a, "--model", "mlp:3", "--steps", "1", "--quiet", "-o", f / "other.npz"});
  write_file(f / "text.h5", "a letter");
  for (const char* name : {"other.h5", "other.npz", "text.h5"}) {
    check_refused(f, with({"robustify", a, "--force", "-o", f / "r.h5", "--checkpoint", f / name}, kTiny),
                  {"--checkpoint", name, "no checkpoint"});
    check_refused(f, with({"robustify", a, "--resume", "-o", f / "r.h5", "--checkpoint", f / name}, kTiny),
                  {"--checkpoint", name, "no checkpoint"});
    check_refused(f,
                  {"evaluate", f / "net.h5", "--data", a, "--split", "train", "--force", "--json", f / "j",
                   "--checkpoint", f / name},
                  {"--checkpoint", name, "no checkpoint"});
  }
  write_file(f / "r.h5.ckpt.h5", "a letter");
  check_refused(f, with({"robustify", a, "--force", "-o", f / "r.h5"}, kTiny), {"r.h5.ckpt.h5", "no checkpoint"});
}

TEST_CASE("a name that promises another format is refused before the work, in every command", "[cli]") {
  const Files f;
  const std::string a = f / "a.h5", net = f / "net.h5";
  run_ok({"synth", "strokes", "--train", "20", "--test", "0", "--quiet", "-o", f / "s.h5"});
  struct Job {
    Words words;
    Words good, bad;  // endings
  };
  const Words other{".png", ".csv", ".json", ".onnx", ".npy", ".txt", ".h5x", ".html", "", "."};
  for (const Job& job : std::vector<Job>{
           {with({"robustify", a}, kTiny), {".h5", ".hdf5", ".npz", ".H5"}, other},
           {{"synth", "strokes", "--train", "9", "--test", "0"},
            {".h5", ".npz", ".idx"},
            {".csv", ".onnx", ".npy", ".txt", "-ubyte", ""}},
           {{"convert", a}, {".h5", ".npz", ".NPZ"}, {".csv", ".onnx", ".npy", ".arff", ".bin", ".svm", ""}},
           {{"train", a, "--model", "mlp:2", "--steps", "1"}, {".h5", ".npz"}, other},
           {{"kernel", a, "--kernel", "fc:1"}, {".h5", ".hdf5"}, with(other, {".npz"})},
           {{"kernel", a, "--kernel", "fc:1", "--eigenvalues", "1"}, {".h5", ".npz"}, other},
           {{"predict", "--kernel", "fc:1", "--support", a, "--data", a, "--split", "train"}, {".h5", ".npz"}, other},
           {{"show", f / "s.h5"}, {".png"}, {".h5", ".npz", ".jpg", ".PNGX", "", ".html"}},
           {{"export", net},
            {".hpp", ".h", ".onnx", ".nkw", ".ONNX", ".HPP", ".npz"},
            {".h5", ".npy", ".png", ".json", ".pt", ".safetensors"}}})
    for (const bool good : {true, false})
      for (const std::string& ending : good ? job.good : job.bad) {
        const Words words = with(job.words, {"--quiet", "-o", f / ("out" + ending)});
        if (!good) {
          check_refused(f, words, {"out" + ending});
          continue;
        }
        const Finished finished = run(words);
        INFO(ending << ": " << finished.err);
        CHECK(finished.code == 0);
        for (const auto& entry : fs::directory_iterator(f / ""))
          if (entry.path().filename().string().rfind("out", 0) == 0) fs::remove(entry.path());
      }
  for (const char* ending : {".h5", ".npz", ".png", ".onnx"})
    for (const char* option : {"--json", "--log"})
      check_refused(f, with({"robustify", a, "-o", f / "r.h5", option, f / ("x" + std::string(ending))}, kTiny),
                    {option});
}

TEST_CASE("the list of what is written holds nothing that is refused", "[cli]") {
  const Files f;
  run_ok({"synth", "strokes", "--train", "20", "--test", "0", "--quiet", "-o", f / "s.h5"});
  const std::string refusal = run({"convert", f / "s.h5", "-o", f / "out.csv"}).err;
  const std::size_t begin = refusal.find("use one of ") + 11;
  std::istringstream list(refusal.substr(begin, refusal.find(" or a folder") - begin));
  int tried = 0;
  for (std::string ending; list >> ending; ++tried) {
    const Finished finished = run({"convert", f / "s.h5", "-o", f / ("out" + ending)});
    INFO(ending << ": " << finished.err);
    CHECK(finished.code == 0);
  }
  CHECK(tried >= 4);
}

TEST_CASE("folders that are not there and names without room are refused before the work", "[cli]") {
  const Files f;
  const std::string a = f / "a.h5", long_name = std::string(240, 'n');
  const Words robustify = with({"robustify", a, "--steps", "1000000"}, kTiny);
  for (const char* option : {"--json", "--log"})
    check_refused(f, with(robustify, {"-o", f / "r.h5", option, f / "no/x.csv"}), {"x.csv", "no folder"}, 5);
  check_refused(f, with(robustify, {"-o", f / "r.h5", "--checkpoint", f / "no/x.h5"}), {"x.h5", "no folder"}, 5);
  check_refused(f, with(robustify, {"-o", f / (long_name + ".h5")}),
                {"--output", "room for temporary files", "choose a shorter"});
  check_refused(f, with(robustify, {"-o", f / "r.h5", "--log", f / (long_name + ".csv")}), {"--log", "shorter"});
  check_refused(f, with(robustify, {"-o", f / (std::string(221, 'n') + ".h5")}),
                {"the checkpoint of --output", "shorter"});
  check_refused(f, {"synth", "strokes", "-o", f / (std::string(210, 'n') + ".idx")}, {"--output", "shorter"});
  std::filesystem::create_symlink("no/x.h5", f / "dangling.h5");
  check_refused(f, with(robustify, {"-o", f / "dangling.h5"}), {"dangling.h5", "exists"});
  check_refused(f, with(robustify, {"-o", f / "r.h5", "--json", "/dev/null"}), {"not a regular file"});
  check_refused(f, with(robustify, {"-o", f / "r.h5", "--json", f / ""}), {"--json", "is a folder"});
  std::string deep = f / "";
  while (deep.size() < 5000) deep += "./";
  check_refused(f, with(robustify, {"-o", deep + "r.h5"}), {"--output", "shorter"});
  run_ok({"synth", "strokes", "--train", "3", "--test", "0", "--quiet", "-o", f / (std::string(226, 'n') + ".h5")});
}

TEST_CASE("what a format cannot hold is refused before the work", "[cli]") {
  const Files f;
  const std::string a = f / "a.h5";
  const Words robustify = with({"robustify", a, "--steps", "1000000"}, kTiny);
  check_refused(f, with(robustify, {"--learn-labels", "-o", f / "r.idx"}), {"r.idx", "learned targets"});
  std::vector<float> pixels;
  std::vector<int> labels;
  for (int i = 0; i < 600; ++i) {
    labels.push_back(i % 300);
    for (int j = 0; j < 4; ++j) pixels.push_back(static_cast<float>((i * 7 + j * 3) % 100) / 100);
  }
  write_h5(f / "many.h5", pixels, 4, labels);
  check_refused(f, with({"robustify", f / "many.h5", "--steps", "1000000", "-o", f / "r.idx"}, kTiny),
                {"r.idx", "300 classes"});
  check_refused(f, {"convert", f / "many.h5", "-o", f / "r.idx"}, {"r.idx", "300 classes"});
  std::vector<std::string> names;
  for (int i = 0; i < 300; ++i) names.push_back(std::string(250, 'c') + std::to_string(i));
  std::string table = "x,y,label\n";
  for (int i = 0; i < 600; ++i)
    table += "0." + std::to_string(i % 97) + ",0.5," + names[static_cast<std::size_t>(i % 300)] + "\n";
  write_file(f / "names.csv", table);
  check_refused(f, with({"robustify", f / "names.csv", "--steps", "1000000", "-o", f / "r.h5"}, kTiny),
                {"r.h5", "names"});
}

TEST_CASE("a second run of one output is refused and names the first one's process", "[cli]") {
  const Files f;
  const std::string a = f / "a.h5";
  const Words job = with({"robustify", a, "--steps", "1000000", "-o", f / "r.h5", "--log", f / "r.csv"}, kTiny);
  Process first(job);
  while (first.running() && !fs::exists(f / "r.csv")) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  REQUIRE(first.running());
  const std::string said = "another run of ntkrob, process ";
  CHECK_FAILS(run(with({"robustify", a, "-o", f / "r.h5"}, kTiny)), 5, "r.h5", said);
  CHECK_FAILS(run(with(job, {"--force"})), 5, "r.h5", said);
  CHECK_FAILS(run(with({"robustify", a, "-o", f / "s.h5", "--checkpoint", f / "r.h5.ckpt.h5", "--force"}, kTiny)), 5,
              "r.h5.ckpt.h5", said);
  CHECK_FAILS(run({"synth", "strokes", "-o", f / "r.h5"}), 5, said);
  run_ok({"synth", "strokes", "--train", "3", "--test", "0", "--quiet", "-o", f / "t.h5"});
  first.signal(SIGKILL);
  first.wait();
  // What it left is removed by the next run, and holds nobody up.
  CHECK(run(with({"robustify", a, "--steps", "2", "--force", "-o", f / "r.h5", "--log", f / "r.csv"}, kTiny)).code ==
        0);
  for (const auto& [name, content] : f.content()) CHECK(!contains(name, ".tmp-"));
}

TEST_CASE("the next run sweeps what dead processes left of the same output, and nothing else", "[cli]") {
  const Files f;
  for (const char* name : {"s.h5.tmp-999999999-0", "s.h5.tmp-999999999-lock"}) write_file(f / name, "left");
  const Words others{"s.h5.tmp-1-0",         "s.h5.tmp-x-0",          "s.h5.tmp-999999999",
                     "t.h5.tmp-999999999-0", "as.h5.tmp-999999999-0", "s.h5.tmp-999999999-0.txt"};
  for (const std::string& name : others) write_file(f / name, "other");
  fs::create_directory(f / "s.h5.tmp-999999999-7");
  run_ok({"synth", "strokes", "--train", "3", "--test", "0", "--quiet", "-o", f / "s.h5"});
  CHECK(!fs::exists(f / "s.h5.tmp-999999999-0"));
  CHECK(!fs::exists(f / "s.h5.tmp-999999999-lock"));
  CHECK(fs::exists(f / "s.h5.tmp-999999999-7"));
  for (const std::string& name : others) CHECK(read_file(f / name) == "other");
}

TEST_CASE("a file that another program has locked is called locked", "[cli]") {
  const Files f;
  const std::string a = f / "a.h5";
  const int file = open(a.c_str(), O_RDWR);
  REQUIRE(file >= 0);
  REQUIRE(flock(file, LOCK_EX) == 0);
  CHECK_FAILS(run({"info", a}), 3, "a.h5", "is locked", "another program");
  CHECK_FAILS(run({"train", a, "-o", f / "n.h5"}), 3, "is locked");
  close(file);
  run_ok({"info", a});
}

TEST_CASE("temporary files are never read as data", "[cli]") {
  const Files f;
  run_ok({"synth", "strokes", "--train", "20", "--test", "0", "--quiet", "-o", f / "d.idx"});
  fs::create_directory(f / "d");
  for (const char* part : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"})
    fs::rename(f / ("d-" + std::string(part)), f / ("d/" + std::string(part)));
  const std::string before = run_ok({"info", f / "d"});
  write_file(f / "d/t10k-images-idx3-ubyte.tmp-12-0", "half");
  write_file(f / "d/train-labels-idx1-ubyte.tmp-12-90", "half");
  CHECK(run_ok({"info", f / "d"}) == before);
}
