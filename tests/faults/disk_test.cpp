/// A disk that is full, or breaks, at every call that needs it: exit code 5 in one line, every output as it was or
/// whole, nothing half written and nothing left; and the same command succeeds when there is room.
///
/// NTKROB_DISK_POINTS: how many points of all commands together; the run prints how many were tried.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <sstream>

#include "run.hpp"

using namespace ntkrob::cli_test;
namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

struct Job {
  std::string name;
  Words words;    // OUT stands for the folder of the outputs
  Words outputs;  // names in it
};

std::vector<Job> jobs(const Folder& f) {
  const std::string a = f / "a.h5", s = f / "s.h5", net = f / "net.h5";
  std::vector<Job> all;
  all.push_back({"robustify",
                 {"robustify",
                  a,
                  "--kernel",
                  "fc:1",
                  "--n",
                  "4",
                  "--batch",
                  "4",
                  "--validation",
                  "0",
                  "--attack-steps",
                  "1",
                  "--steps",
                  "4",
                  "--checkpoint-every",
                  "1",
                  "-o",
                  "OUT/r.h5",
                  "--log",
                  "OUT/r.csv",
                  "--json",
                  "OUT/r.json"},
                 {"r.h5", "r.csv", "r.json"}});
  all.push_back({"train",
                 {"train", a, "--model", "mlp:4", "--steps", "2", "-o", "OUT/n.h5", "--json", "OUT/n.json"},
                 {"n.h5", "n.json"}});
  all.push_back({"train npz", {"train", a, "--model", "mlp:4", "--steps", "2", "-o", "OUT/n.npz"}, {"n.npz"}});
  all.push_back({"evaluate",
                 {"evaluate", net, "--data", a, "--split", "train", "--n", "8", "--attacks", "clean,fgsm", "--checks",
                  "off", "--json", "OUT/e.json", "--html", "OUT/e.html"},
                 {"e.json", "e.html"}});
  for (const char* name : {"c.h5", "c.npz", "c.png"})
    all.push_back({std::string("convert ") + name, {"convert", s, "-o", std::string("OUT/") + name}, {name}});
  all.push_back({"convert idx",
                 {"convert", s, "-o", "OUT/c.idx"},
                 {"c-train-images-idx3-ubyte", "c-train-labels-idx1-ubyte", "c-t10k-images-idx3-ubyte",
                  "c-t10k-labels-idx1-ubyte"}});
  all.push_back({"kernel", {"kernel", a, "--kernel", "fc:1", "-o", "OUT/k.h5"}, {"k.h5"}});
  all.push_back({"predict",
                 {"predict", "--kernel", "fc:1", "--support", a, "--data", a, "--split", "train", "-o", "OUT/p.h5"},
                 {"p.h5"}});
  all.push_back({"show", {"show", s, "-o", "OUT/s.png"}, {"s.png"}});
  all.push_back({"export", {"export", net, "-o", "OUT/n.hpp"}, {"n.hpp"}});
  all.push_back({"export onnx", {"export", net, "-o", "OUT/n.onnx"}, {"n.onnx"}});
  all.push_back({"info", {"info", a, "--json", "OUT/i.json"}, {"i.json"}});
  return all;
}

Words in_folder(Words words, const std::string& out) {
  for (std::string& word : words)
    if (word.rfind("OUT/", 0) == 0) word = out + word.substr(3);
  words.insert(words.end(), {"--quiet", "--force"});
  return words;
}

std::map<std::string, std::string> content(const std::string& folder) {
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::directory_iterator(folder)) all[entry.path().filename()] = read_file(entry.path());
  return all;
}

/// Reports hold times: they are whole where they parse.
bool is_whole(const std::string& name, const std::string& bytes, const std::string& expected) {
  const std::string end = fs::path(name).extension();
  if (end == ".json") return nlohmann::json::accept(bytes);
  if (end == ".html") return contains(bytes, "</html>");
  // Rows of the log appear one by one.
  if (end == ".csv") return bytes.rfind(expected.substr(0, 20), 0) == 0;
  return bytes == expected;
}

Finished run_with(const Words& words, long at, int error, bool once, const std::string& count) {
  const Environment preload("LD_PRELOAD", NTKROB_FAILING_CALLS), a("FAULT_AT", std::to_string(at).c_str()),
      e("FAULT_ERROR", std::to_string(error).c_str()), o("FAULT_ONCE", once ? "1" : "0"),
      c("FAULT_COUNT", count.c_str());
  return run(words);
}

/// Lines that are no warnings.
long error_lines(const std::string& err) {
  long lines = 0;
  std::istringstream in(err);
  for (std::string line; std::getline(in, line);) lines += line.rfind("warning: ", 0) != 0;
  return lines;
}

long points_wanted() {
  const char* wanted = std::getenv("NTKROB_DISK_POINTS");
  return wanted == nullptr ? 42 : std::atol(wanted);
}

}  // namespace

TEST_CASE("a full or broken disk costs one line, code 5, and no byte of what was there", "[faults]") {
  const Folder f;
  write_easy_h5(f / "a.h5", 40, 2);
  run_ok({"synth", "strokes", "--train", "12", "--test", "6", "--quiet", "-o", f / "s.h5"});
  run_ok({"train", f / "a.h5", "--model", "mlp:4", "--steps", "2", "--quiet", "-o", f / "net.h5"});
  const std::vector<Job> all = jobs(f);
  const long each = std::max(1L, points_wanted() / static_cast<long>(all.size()));
  const int errors[] = {ENOSPC, EIO, EDQUOT, EMFILE, ENFILE};
  long tried = 0;
  for (const Job& job : all) {
    const std::string good = f / ("good " + job.name), out = f / "out";
    fs::create_directory(good);
    const Finished clean = run_with(in_folder(job.words, good), 0, 0, false, f / "count");
    INFO(job.name << ": " << clean.err);
    REQUIRE(clean.code == 0);
    const auto expected = content(good);
    REQUIRE(expected.size() == job.outputs.size());
    const long calls = std::stol(read_file(f / "count"));
    REQUIRE(calls >= 3);
    // All calls twice where there are few, else those that are evenly apart, the first and the last among them.
    const long points = std::min(each, 2 * calls);
    for (long p = 0; p < points; ++p) {
      const long at = points == 1 ? 1 + tried % calls : 1 + p * (calls - 1) / (points - 1);
      const int error = errors[tried % 5];
      // What replaces several files moves the old ones back, for which there must be a disk.
      const bool moves = job.name == "convert idx" && at > calls - 8;
      // Existing outputs every second time.
      const bool replaces = p % 2 == 0;
      fs::remove_all(out);
      fs::create_directory(out);
      if (replaces)
        for (const std::string& name : job.outputs) write_file(out + "/" + name, "old " + name);
      ++tried;
      const Finished finished = run_with(in_folder(job.words, out), at, error, moves, f / "count");
      INFO(job.name << ", call " << at << " of " << calls << ", errno " << error << ": " << finished.err);
      // Rows are kept where that costs little beside computing them, by the clock: a run may make fewer calls than the
      // one before, and where one that keeps rows fails, a warning says so and the result is there.
      // (The count is written by runs that end well.)
      const bool well = finished.code == 0 && (contains(finished.err, "the run goes on without it") ||
                                               std::stol(read_file(f / "count")) < at);
      CHECK((finished.code == 5 || well));
      CHECK(error_lines(finished.err) == (finished.code == 5 ? 1 : 0));
      CHECK(!contains(finished.err, "internal error"));
      for (const auto& [name, bytes] : content(out)) {
        INFO(name);
        CHECK(!contains(name, ".tmp-"));
        if (contains(name, ".ckpt")) continue;
        REQUIRE(expected.count(name) == 1);
        CHECK((bytes == "old " + name || is_whole(name, bytes, expected.at(name))));
      }
      // A set of several files is all new, all old or absent.
      if (job.outputs.size() > 1 && job.name == "convert idx")
        for (const std::string& name : job.outputs) CHECK(fs::exists(out + "/" + name) == replaces);
      const Finished again = run(in_folder(job.words, out));
      INFO(again.err);
      CHECK(again.code == 0);
      for (const std::string& name : job.outputs) CHECK(is_whole(name, read_file(out + "/" + name), expected.at(name)));
      CHECK(content(out).size() == job.outputs.size());
    }
  }
  std::printf("disk faults: %ld points in %zu commands\n", tried, all.size());
}

TEST_CASE("a checkpoint or a log that cannot be written costs no result", "[faults]") {
  const Folder f;
  write_easy_h5(f / "a.h5", 40, 2);
  const std::string good = f / "good", out = f / "out";
  fs::create_directory(good);
  const Words job{"robustify",
                  f / "a.h5",
                  "--kernel",
                  "fc:1",
                  "--n",
                  "4",
                  "--batch",
                  "4",
                  "--validation",
                  "0",
                  "--attack-steps",
                  "1",
                  "--steps",
                  "6",
                  "--checkpoint-every",
                  "1",
                  "-o",
                  "OUT/r.h5",
                  "--log",
                  "OUT/r.csv"};
  REQUIRE(run_with(in_folder(job, good), 0, 0, false, f / "count").code == 0);
  const long calls = std::stol(read_file(f / "count"));
  long checkpoints = 0, logs = 0;
  for (long at = 1; at <= calls; ++at) {
    fs::remove_all(out);
    fs::create_directory(out);
    const Finished finished = run_with(in_folder(job, out), at, ENOSPC, true, f / "count");
    INFO("call " << at << " of " << calls << ": " << finished.err);
    if (contains(finished.err, "warning: the checkpoint cannot be written")) {
      ++checkpoints;
      CHECK(finished.code == 0);
      CHECK(read_file(out + "/r.h5") == read_file(good + "/r.h5"));
      CHECK(content(out).size() == 2);
    } else if (contains(finished.err, "warning: cannot append step")) {
      ++logs;
      CHECK(finished.code == 5);
      CHECK(contains(finished.err, "the log"));
      CHECK(read_file(out + "/r.h5") == read_file(good + "/r.h5"));
    } else {
      CHECK(finished.code == 5);
      CHECK(!contains(finished.err, "r.h5.ckpt.h5.tmp"));
    }
  }
  CHECK(checkpoints >= 10);
  CHECK(logs >= 5);
}

TEST_CASE("finished rows of a kernel that cannot be kept cost no result", "[faults]") {
  const Folder f;
  const std::string s = f / "s.h5", good = f / "good", out = f / "out";
  REQUIRE(run({"synth", "strokes", "--train", "40", "--test", "0", "--quiet", "-o", s}).code == 0);
  fs::create_directory(good);
  const Words job{"kernel", s, "--kernel", "cnn:3", "-o", "OUT/k.h5"};
  REQUIRE(run_with(in_folder(job, good), 0, 0, false, f / "count").code == 0);
  const long calls = std::stol(read_file(f / "count"));
  long checkpoints = 0;
  for (long at = 1; at <= calls; ++at) {
    fs::remove_all(out);
    fs::create_directory(out);
    const Finished finished = run_with(in_folder(job, out), at, ENOSPC, true, f / "count");
    INFO("call " << at << " of " << calls << ": " << finished.err);
    if (!contains(finished.err, "warning: the checkpoint cannot be written")) continue;
    ++checkpoints;
    CHECK(finished.code == 0);
    CHECK(read_file(out + "/k.h5") == read_file(good + "/k.h5"));
    CHECK(content(out).size() == 1);
  }
  CHECK(checkpoints >= 1);
}
