/// Checkpoints with one entry edited, written with a valid checksum, and resumed by the command: one line that names
/// the entry, or the result of the checkpoint as it was. NTKROB_EDITS says how many of each kind are tried; in CI some.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <set>

#include "kill_kit.hpp"
#include "kit/edits.hpp"
#include "ntkrob/data/format.hpp"

using namespace ntkrob;
using namespace ntkrob::cli_test;
using namespace ntkrob::kill_test;

namespace {

/// Whether an error names the edited entry, or the one that it does not fit: counts and shapes are about each other.
bool names(const std::string& error, const std::string& entry, const StateDict& state) {
  const std::size_t options = entry.find("options/");
  if (options != std::string::npos) {
    const std::string option = entry.substr(options + 8);
    return contains(error, "--" + option) || contains(error, entry) || contains(error, " had " + option) ||
           (option == "data" && contains(error, "other training data"));
  }
  const std::pair<const char*, const char*> spoken[] = {{"run/job", "is the checkpoint of ntkrob"},
                                                        {"run/instructions", "was computed with"},
                                                        {"run/version", "was written by version"},
                                                        {"run/backend", "was written by backend"},
                                                        {"run/samples", "is about"},
                                                        {"recipe", "resume with the recipe of the checkpoint"},
                                                        {"recipe", "before it had recipes"},
                                                        {"data", "other training data"},
                                                        {"format", "has format"}};
  for (const auto& [name, words] : spoken)
    if (entry == name && contains(error, words)) return true;
  // Numbers that are found anew, and must be those of the checkpoint.
  if (contains(error, "another model or other data")) return true;
  // A count that is too large: the first of what it counts is missing.
  if (entry.find("parts") != std::string::npos && contains(error, "is missing")) return true;
  for (const auto& one : state.entries())
    if (contains(error, "\"" + one.first + "\"")) return true;
  return false;
}

struct Kind {
  std::string name, output, checkpoint;
  std::vector<std::string> arguments;
  std::string broken_off;  // a state that an interrupted run has left
  std::function<std::string(const std::string&)> content;
};

/// Entries whose plausible edits nothing else in the state contradicts: results of finished work. The file's checksum
/// is what guards them; here it is right.
bool unverifiable(const std::string& entry) {
  for (const char* part : {"margin",
                           "queries",
                           "distance",
                           "seconds",
                           "loss",
                           "lambda",
                           "gradient_norm",
                           "eps",
                           "lr",
                           "robust",
                           "predicted",
                           "changed",
                           "zero_gradients",
                           "attacked",
                           "support",
                           "labels",
                           "adam",
                           "parameters",
                           "velocity",
                           "initial",
                           "history",
                           "best",
                           "step",
                           "trace",
                           "curve",
                           "zero_share",
                           "risen",
                           "examples/attacks",
                           "examples/inputs",
                           "noise",
                           "square",
                           "gradient",
                           "adversarial"})
    if (entry.find(part) != std::string::npos) return true;
  return false;
}

void edit_all(const Kind& kind) {
  const StateDict state = load_state(kind.broken_off, "ntkrob.checkpoint/1");
  const auto resume = [&](const StateDict& edited) {
    save_state(edited, "ntkrob.checkpoint/1", kind.checkpoint, true);
    std::filesystem::remove(kind.output);
    std::vector<std::string> arguments = kind.arguments;
    arguments.push_back("--resume");
    return run(arguments);
  };
  const Finished sound = resume(state);
  INFO(sound.err);
  REQUIRE(sound.code == 0);
  const std::string whole = kind.content(kind.output);

  int all = 0;
  kit::for_each_edit(state, [&](const kit::Edit&) { ++all; });
  const int wanted = count_of("NTKROB_EDITS", 40), stride = std::max(1, all / wanted);
  int at = 0, tried = 0, refused = 0, same = 0, believed = 0;
  std::set<std::string> entries;
  kit::for_each_edit(state, [&](const kit::Edit& edit) {
    if (at++ % stride != 0) return;
    ++tried;
    entries.insert(edit.entry);
    const Finished finished = resume(edit.state);
    INFO(kind.name << ": " << edit.entry << ": " << edit.what << "\n" << finished.err);
    if (finished.code == 0) {
      if (kind.content(kind.output) == whole) {
        ++same;
        return;
      }
      ++believed;
      if (std::getenv("NTKROB_SHOW") != nullptr)
        std::printf("  believed: %s: %s\n", edit.entry.c_str(), edit.what.c_str());
      CHECK(edit.plausible);
      CHECK(unverifiable(edit.entry));
      return;
    }
    ++refused;
    // A training that goes on from huge numbers diverges.
    const bool diverged = finished.code == 4 && edit.plausible && unverifiable(edit.entry);
    CHECK((finished.code == 2 || finished.code == 3 || diverged));
    CHECK((diverged || names(finished.err, edit.entry, state)));
    CHECK(std::count(finished.err.begin(), finished.err.end(), '\n') == 1);
    CHECK(!contains(finished.err, "internal error"));
    CHECK(!std::filesystem::exists(kind.output));
  });
  std::printf("%s: %d of %d edits of %zu entries: %d refused, %d with the same result, %d results of finished work\n",
              kind.name.c_str(), tried, all, entries.size(), refused, same, believed);
}

struct Files {
  Folder folder;
  std::string data = folder / "strokes.h5", net = folder / "net.h5";
  Files() {
    run_ok({"synth", "strokes", "--train", "120", "--test", "30", "--quiet", "-o", data});
    run_ok({"train", data, "--model", "mlp:8", "--loss", "ce", "--steps", "60", "--quiet", "-o", net});
  }
  static const Files& get() {
    static const Files files;
    return files;
  }
};

/// Interrupts a job again and again, and keeps the last checkpoint that `wanted` likes. The moments are spread over the
/// time that a whole run takes from its first checkpoint on, here and now.
std::string broken_off(const Kind& kind, const std::function<bool(const StateDict&)>& wanted) {
  using Clock = std::chrono::steady_clock;
  const std::string kept = kind.checkpoint + ".kept.h5";
  std::chrono::duration<double> span{0};
  int wrong = 0;
  for (int tries = 0; tries < 400; ++tries) {
    std::filesystem::remove(kind.checkpoint);
    std::filesystem::remove(kind.output);  // of a run that ended before it was stopped
    Process process(kind.arguments);
    while (process.running() && !std::filesystem::exists(kind.checkpoint))
      std::this_thread::sleep_for(std::chrono::microseconds(300));
    const Clock::time_point begin = Clock::now();
    if (span.count() == 0) {  // undisturbed
      process.wait();
      span = Clock::now() - begin;
      continue;
    }
    const double golden = 0.6180339887;  // its multiples spread evenly, however many there are
    std::this_thread::sleep_for(span * std::fmod(tries * golden, 1.0));
    if (process.running()) process.signal(SIGINT);
    if (process.wait().code != 130) continue;
    if (!std::filesystem::exists(kind.checkpoint)) {  // stopped behind its end
      REQUIRE(std::filesystem::exists(kind.output));
      continue;
    }
    if (!wanted(load_state(kind.checkpoint, "ntkrob.checkpoint/1"))) {
      ++wrong;
      continue;
    }
    std::filesystem::rename(kind.checkpoint, kept);
    return kept;
  }
  FAIL("no run could be interrupted where it was wanted: a run takes " << span.count() << " s, " << wrong
                                                                       << " of 400 stopped elsewhere");
  return kept;
}

std::string report_text(const std::string& path) {
  nlohmann::json report = read_json(path);
  const std::function<void(nlohmann::json&)> strip = [&](nlohmann::json& value) {
    if (value.is_object()) value.erase("seconds");
    if (value.is_structured())
      for (auto& one : value) strip(one);
  };
  strip(report);
  return report.dump();
}

}  // namespace

TEST_CASE("edited checkpoints of robustify", "[faults]") {
  const Files& f = Files::get();
  const Folder out;
  Kind kind{"robustify", out / "r.h5", out / "r.h5.ckpt.h5", {}, "", read_file};
  kind.arguments = {"robustify",
                    f.data,
                    "--kernel",
                    "fc:1",
                    "--n",
                    "10",
                    "--steps",
                    "30",
                    "--batch",
                    "40",
                    "--validation",
                    "20",
                    "--validate-every",
                    "2",
                    "--learn-labels",
                    "--checkpoint-every",
                    "1",
                    "--quiet",
                    "-o",
                    kind.output};
  kind.broken_off = broken_off(kind, [](const StateDict& s) { return s.get<std::int64_t>("step") > 3; });
  edit_all(kind);
}

TEST_CASE("edited checkpoints of train", "[faults]") {
  const Files& f = Files::get();
  const Folder out;
  Kind kind{"train", out / "n.h5", out / "n.h5.ckpt.h5", {}, "", read_file};
  kind.arguments = {"train", f.data, "--model", "mlp:64", "--steps", "3000", "--quiet", "-o", kind.output};
  // Training is written by time or at the end: any moment will do.
  const std::string kept = kind.checkpoint + ".kept.h5";
  for (int tries = 0; tries < 50 && !std::filesystem::exists(kept); ++tries) {
    const Stopped stopped = stop_after(kind.arguments, 0.05 + 0.01 * tries, SIGTERM);
    if (stopped.finished.code == 130 && std::filesystem::exists(kind.checkpoint))
      std::filesystem::rename(kind.checkpoint, kept);
    std::filesystem::remove(kind.output);
  }
  REQUIRE(std::filesystem::exists(kept));
  kind.broken_off = kept;
  edit_all(kind);
}

TEST_CASE("edited checkpoints of evaluate, inside a sequence and inside the masking checks", "[faults]") {
  const Files& f = Files::get();
  for (const bool checks : {false, true}) {
    const Folder out;
    Kind kind{checks ? "evaluate, masking checks" : "evaluate, inside AutoAttack",
              out / "r.json",
              out / "r.json.ckpt.h5",
              {},
              "",
              report_text};
    kind.arguments = {"evaluate",
                      f.net,
                      "--data",
                      f.data,
                      "--eps",
                      "0.03",
                      "--n",
                      "24",
                      "--batch",
                      "8",
                      "--seed",
                      "2",
                      "--attacks",
                      checks ? "fgsm" : "fgsm,autoattack",
                      "--checks",
                      checks ? "on" : "off",
                      "--check-samples",
                      "12",
                      "--quiet",
                      "--json",
                      kind.output};
    kind.broken_off = broken_off(kind, [&](const StateDict& s) {
      return checks ? s.contains("masking/radii") && s.get<std::int64_t>("masking/radii") > 4
                    : s.get<std::int64_t>("batch/samples") > 0;
    });
    edit_all(kind);
  }
}
