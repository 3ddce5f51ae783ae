/// The long job: interruption, resumption, determinism; and the whole way from robustify to evaluate.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <tuple>

#include "run.hpp"

using namespace ntkrob::cli_test;

namespace {

constexpr int kSteps = 100;

/// Long enough to be interrupted in the middle, short enough for a test.
std::vector<std::string> job(const std::string& data, const std::string& output) {
  return {"robustify",
          data,
          "--kernel",
          "fc:2",
          "--n",
          "40",
          "--steps",
          std::to_string(kSteps),
          "--batch",
          "60",
          "--attack-steps",
          "3",
          "--validation",
          "50",
          "--validate-every",
          "5",
          "--checkpoint-every",
          "4",
          "--eps",
          "0.05",
          "-o",
          output};
}

std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// Rows of a CSV log that are complete; 0 while there is none.
int log_rows(const std::string& path) {
  if (!std::filesystem::exists(path)) return 0;
  const std::string log = read_file(path);
  return static_cast<int>(std::count(log.begin(), log.end(), '\n')) - 1;
}

/// Waits until the log has this many rows; false if the process ended before.
bool wait_for_rows(Process& process, const std::string& log, int rows) {
  while (log_rows(log) < rows) {
    if (!process.running()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return process.running();
}

struct Strokes {
  Folder folder;
  std::string data = folder / "strokes.h5";
  Strokes() { run_ok({"synth", "strokes", "--train", "300", "--test", "60", "--quiet", "-o", data}); }
};

}  // namespace

TEST_CASE("several kernels share one set, also after an interruption, and the set says so", "[cli]") {
  const Strokes strokes;
  const Folder& folder = strokes.folder;
  const std::vector<std::string> several{"--kernel", "fc:1", "--kernel", "fc:2(b=0.2)", "--steps", "30", "--quiet"};
  const auto job_to = [&](const std::string& output, const std::vector<std::string>& more) {
    std::vector<std::string> all = job(strokes.data, output);
    all.erase(all.begin() + 2, all.begin() + 4);  // its kernel
    all.erase(std::find(all.begin(), all.end(), "--steps"), std::find(all.begin(), all.end(), "--batch"));
    return with(with(all, several), more);
  };
  for (const char* mix : {"average", "sample"}) {
    INFO(mix);
    const std::string whole = folder / (std::string(mix) + ".h5"), cut = folder / (std::string(mix) + "-cut.h5");
    run_ok(job_to(whole, {"--kernel-mix", mix}));
    Process process(job_to(cut, {"--kernel-mix", mix, "--log", cut + ".csv", "--threads", "1"}));
    if (wait_for_rows(process, cut + ".csv", 5)) {
      process.signal(SIGINT);
      if (process.wait().code == 130) run_ok(job_to(cut, {"--kernel-mix", mix, "--resume"}));
    } else {
      process.wait();
    }
    const auto provenance = nlohmann::json::parse(run_ok({"info", whole, "--json", "-"}))["file"]["provenance"];
    CHECK(contains(provenance.dump(), "--kernel fc:1 --kernel fc:2(b=0.2) --kernel-mix " + std::string(mix)));
    const auto checksum = [](const std::string& path) {
      return nlohmann::json::parse(run_ok({"info", path, "--json", "-"}))["file"]["checksum"];
    };
    CHECK(checksum(whole) == checksum(cut));
  }
  CHECK_FAILS(run(job_to(folder / "x.h5", {"--kernel", "nonsense"})), 2, "nonsense");
}

TEST_CASE("interrupted and killed runs resume to the bytes of the uninterrupted one", "[cli]") {
  const Strokes s;
  run_ok(job(s.data, s.folder / "whole.h5"));
  const std::string whole = read_file(s.folder / "whole.h5");

  SECTION("Ctrl-C: code 130, a checkpoint, and the command to go on") {
    const std::string output = s.folder / "a.h5", log = s.folder / "a.csv";
    const auto command = with(job(s.data, output), {"--log", log});
    Process process(command);
    REQUIRE(wait_for_rows(process, log, 6));
    process.signal(SIGINT);
    CHECK_FAILS(process.wait(), 130, "a.h5.ckpt.h5", "--resume", "interrupted after step");
    CHECK(!std::filesystem::exists(output));
    CHECK_FAILS(run(command), 2, "a.csv exists");

    run_ok(with(command, {"--resume"}));

    CHECK(read_file(output) == whole);
    CHECK(!std::filesystem::exists(output + ".ckpt.h5"));
    CHECK(log_rows(log) == kSteps);
  }
  SECTION("kill -9: the last checkpoint is whole") {
    const std::string output = s.folder / "b.h5", log = s.folder / "b.csv";
    const auto command = with(job(s.data, output), {"--log", log});
    Process process(command);
    REQUIRE(wait_for_rows(process, log, 10));
    process.signal(SIGKILL);
    CHECK(process.wait().code == 128 + SIGKILL);
    CHECK(!std::filesystem::exists(output));

    const Finished resumed = run(with(command, {"--resume"}));

    CHECK_FAILS(resumed, 0, "resumed after step");
    CHECK(read_file(output) == whole);
    CHECK(log_rows(log) == kSteps);
  }
}

TEST_CASE("a checkpoint is not overwritten by accident and refuses other options and data", "[cli]") {
  const Strokes s;
  const std::string output = s.folder / "a.h5", log = s.folder / "a.csv";
  CHECK_FAILS(run(with(job(s.data, output), {"--resume"})), 3, "no checkpoint");
  Process process(with(job(s.data, output), {"--log", log}));
  REQUIRE(wait_for_rows(process, log, 5));
  process.signal(SIGINT);
  REQUIRE(process.wait().code == 130);

  CHECK_FAILS(run(job(s.data, output)), 2, "ckpt.h5 exists", "--resume", "--force");
  auto other_eps = with(job(s.data, output), {"--resume"});
  *std::find(other_eps.begin(), other_eps.end(), "0.05") = "0.06";
  CHECK_FAILS(run(other_eps), 2, "eps", "0.05", "0.06");
  run_ok({"synth", "strokes", "--train", "300", "--test", "0", "--seed", "9", "--quiet", "-o", s.folder / "other.h5"});
  CHECK_FAILS(run(with(job(s.folder / "other.h5", output), {"--resume"})), 2, "other training data");
  CHECK_FAILS(run(with(job(s.data, output), {"--resume", "--backend", "reference"})), 2, "--backend cpu");
  CHECK(std::filesystem::exists(output + ".ckpt.h5"));
  CHECK(contains(run_ok({"info", output + ".ckpt.h5"}), "checkpoint"));
}

TEST_CASE("1 and 2 threads write the same bytes, another seed others", "[cli]") {
  const Strokes s;
  auto short_job = [&](const std::string& name) {
    auto arguments = job(s.data, s.folder / name);
    *(std::find(arguments.begin(), arguments.end(), "--steps") + 1) = "6";
    return arguments;
  };

  run_ok(with(short_job("one.h5"), {"--threads", "1"}));
  run_ok(with(short_job("two.h5"), {"--threads", "2"}));
  run_ok(with(short_job("seed.h5"), {"--seed", "1"}));

  CHECK(read_file(s.folder / "one.h5") == read_file(s.folder / "two.h5"));
  CHECK(read_file(s.folder / "one.h5") != read_file(s.folder / "seed.h5"));
}

TEST_CASE("a bfloat16 attack: the same bytes for 1 and 2 threads, stored, and no other precision resumes it", "[cli]") {
  const Strokes s;
  const auto rough_job = [&](const std::string& name, const std::string& steps) {
    auto arguments = with(job(s.data, s.folder / name), {"--attack-precision", "bfloat16"});
    *(std::find(arguments.begin(), arguments.end(), "--steps") + 1) = steps;
    return arguments;
  };
  {
    const Environment forced("NTKROB_SIMD", "baseline");
    CHECK_FAILS(run(rough_job("no.h5", "6")), 2, "--attack-precision bfloat16", "AVX512_BF16",
                "give --attack-precision float32");
    CHECK(!std::filesystem::exists(s.folder / "no.h5"));
  }
  const Finished one = run(with(rough_job("one.h5", "6"), {"--threads", "1", "--json", s.folder / "one.json"}));
  if (contains(one.err, "AVX512_BF16")) {
    std::printf("skipped: %s", one.err.c_str());
    return;
  }
  CHECK_FAILS(one, 0);
  run_ok(with(rough_job("two.h5", "6"), {"--threads", "2"}));
  CHECK(read_file(s.folder / "one.h5") == read_file(s.folder / "two.h5"));
  CHECK(read_json(s.folder / "one.json")["options"]["attack-precision"] == "bfloat16");
  CHECK(contains(run_ok({"info", s.folder / "one.h5"}), "attack-precision  bfloat16"));

  const std::string log = s.folder / "cut.csv";
  const auto command = with(rough_job("cut.h5", std::to_string(kSteps)), {"--log", log});
  Process process(command);
  REQUIRE(wait_for_rows(process, log, 5));
  process.signal(SIGINT);
  REQUIRE(process.wait().code == 130);
  auto other = with(command, {"--resume"});
  *std::find(other.begin(), other.end(), "bfloat16") = "float32";
  CHECK_FAILS(run(other), 2, "--attack-precision bfloat16", "--attack-precision float32");
  run_ok(with(command, {"--resume"}));
}

TEST_CASE("a set optimised without clipping is saved and read with its pixels outside [0,1]", "[cli]") {
  const Folder folder;
  write_easy_h5(folder / "data.h5", 120, 3);
  const std::string set = folder / "set.h5";

  const auto into = [&](const std::string& output, const std::string& steps) {
    return std::vector<std::string>{"robustify",    folder / "data.h5",
                                    "--kernel",     "fc:1",
                                    "--n",          "6",
                                    "--steps",      steps,
                                    "--batch",      "30",
                                    "--lr",         "0.5",
                                    "--validation", "0",
                                    "--no-clip",    "-o",
                                    output};
  };
  run_ok(into(set, "4"));
  const std::string archive = folder / "set.npz";
  const Finished packed = run(into(archive, "4"));
  REQUIRE(packed.code == 0);
  CHECK(contains(packed.err, "set.npz cannot hold and drops: provenance"));

  for (const std::string& one : {set, archive})
    run_ok({"evaluate", "--kernel", "fc:1", "--support", one, "--data", folder / "data.h5", "--split", "train", "--eps",
            "0.1", "--attacks", "clean"});
  // A format that cannot say so is refused before the work.
  CHECK_FAILS(run(into(folder / "set.idx", "1000000")), 2, "--no-clip", "write .h5 or .npz");
}

TEST_CASE("robustify, train and evaluate fit together, and the reports have the promised names", "[cli]") {
  const Strokes s;
  const std::string robust = s.folder / "robust.h5", net = s.folder / "net.h5";
  run_ok(with(job(s.data, robust), {"--learn-labels", "--json", s.folder / "robustify.json"}));

  const std::string about = run_ok({"info", robust});
  CHECK(contains(about, "40 images of 28 x 28 x 1, float32"));
  CHECK(contains(about, "real-valued targets"));
  CHECK(contains(about, "strokes.h5  crc32:"));
  CHECK(contains(about, "eps               0.05"));
  const auto robustify = read_json(s.folder / "robustify.json");
  CHECK(robustify["schema"] == "ntkrob.robustify/1");
  CHECK(robustify["curve"].size() == kSteps);
  CHECK(robustify["curve"][kSteps - 1]["loss"] < robustify["curve"][0]["loss"]);
  run_ok({"show", robust, "--initial", "--n", "20", "--quiet", "-o", s.folder / "pairs.png"});

  const std::string trained = run_ok({"train", robust, "--test", s.data, "--model", "mlp:32", "--steps", "200", "-o",
                                      net, "--json", s.folder / "train.json"});
  CHECK(contains(trained, "test      accuracy"));
  const auto train = read_json(s.folder / "train.json");
  CHECK(train["accuracy"] > 0.9);
  CHECK(train["test_accuracy"] > 0.2);

  const auto evaluate = [&](const std::string& name, const std::vector<std::string>& model) {
    auto arguments = with({"evaluate"}, model);
    const std::string out =
        run_ok(with(arguments, {"--data", s.data, "--eps", "0.05", "--n", "50", "--seed", "3", "--attacks",
                                "clean,fgsm,pgd-10,pgd-10(loss=margin)", "--json", s.folder / name}));
    CHECK(contains(out, "worst case"));
    return read_json(s.folder / name);
  };
  for (const auto& report :
       {evaluate("net.json", {net}), evaluate("machine.json", {"--kernel", "fc:2", "--support", robust})}) {
    CHECK(report["schema"] == "ntkrob.evaluate/1");
    CHECK(report["norm"] == "linf");
    CHECK(report["eps"] == 0.05);
    CHECK(report["seed"] == 3);
    CHECK(report["n"] == 50);
    const auto& accuracy = report["accuracy"];
    CHECK(accuracy["clean"] >= accuracy["fgsm"]);
    CHECK(accuracy["clean"] >= accuracy["pgd-10"]);
    CHECK(report["worst_case"] <= accuracy["pgd-10(loss=margin)"]);
    CHECK(report["eps0"] == accuracy["clean"]);
    CHECK(report["attacks"]["pgd-10"]["constants"].size() > 2);
    REQUIRE(report["samples"].size() == 50);
    int robust_samples = 0;
    for (const auto& sample : report["samples"]) robust_samples += sample["attacks"]["pgd-10"]["robust"] ? 1 : 0;
    CHECK(robust_samples == Approx(50 * accuracy["pgd-10"].get<double>()));
  }
}

TEST_CASE("the adversarial baseline trains another net than plain training", "[cli]") {
  const Strokes s;
  const std::vector<std::string> plain{"train", s.data,    "--model", "mlp:16", "--steps",
                                       "30",    "--batch", "50",      "--quiet"};

  run_ok(with(plain, {"-o", s.folder / "plain.h5"}));
  run_ok(with(plain, {"-o", s.folder / "again.h5", "--threads", "1"}));
  run_ok(with(plain, {"-o", s.folder / "madry.h5", "--adversarial", "--eps", "0.1", "--attack-steps", "2"}));

  CHECK(read_file(s.folder / "plain.h5") == read_file(s.folder / "again.h5"));
  CHECK(read_file(s.folder / "plain.h5") != read_file(s.folder / "madry.h5"));
  CHECK_FAILS(run(with(plain, {"-o", s.folder / "x.h5", "--adversarial", "--eps", "2"})), 2, "eps", "2");
}

TEST_CASE("a training that diverges ends with code 4 and a remedy", "[cli]") {
  const Strokes s;

  CHECK_FAILS(
      run({"train", s.data, "--model", "mlp:16", "--lr", "1e30", "--steps", "20", "--quiet", "-o", s.folder / "n.h5"}),
      4, "lr");
  CHECK(!std::filesystem::exists(s.folder / "n.h5"));
}

TEST_CASE("a small demo leaves table, pictures and report, which say how the nets were trained", "[cli]") {
  const Folder folder;
  const std::vector<std::string> small{"demo", "--out",   folder / "demo", "--train", "300",     "--test", "50",
                                       "--n",  "30",      "--steps",       "5",       "--judge", "30",     "--kernel",
                                       "fc:2", "--model", "mlp:16",        "--quiet"};
  const std::string table = run_ok(with(small, {"--baseline-decay", "0.25"}));

  CHECK(contains(table, "An upper bound of the true robustness"));
  CHECK(contains(table, "model          trained on  decay"));
  for (const char* name :
       {"strokes.png", "pairs.png", "robust.h5", "originals.h5", "net-robust.h5", "net-originals.h5"}) {
    INFO(name);
    CHECK(std::filesystem::exists(folder / ("demo/" + std::string(name))));
  }
  const auto report = read_json(folder / "demo/demo.json");
  CHECK(report["schema"] == "ntkrob.demo/1");
  REQUIRE(report["models"].size() == 4);
  for (const auto& model : report["models"]) CHECK(model["accuracy"]["autoattack"] <= model["accuracy"]["pgd-40"]);
  for (const auto& [at, set, decay] : {std::tuple(1, "originals", 0.25), std::tuple(3, "robust", 0.005)}) {
    CHECK(report["models"][at]["trained_on"] == set);
    CHECK(report["models"][at]["weight_decay"] == decay);
    const std::string net = run_ok({"info", folder / ("demo/net-" + std::string(set) + ".h5")});
    CHECK(contains(net, "--weight-decay " + std::string(at == 1 ? "0.25" : "0.005")));
  }
  CHECK_FALSE(report["models"][0].contains("weight_decay"));  // a kernel machine
  CHECK_FAILS(run({"demo", "--out", folder / "demo"}), 2, "not empty", "--force");
  CHECK_FAILS(run({"demo", "--out", folder / "x", "--baseline-decay", "-1"}), 2, "--baseline-decay is -1, must be in");
  CHECK_FAILS(run({"demo", "--out", folder / "x", "--weight-decay", "nan"}), 2, "--weight-decay");
}
