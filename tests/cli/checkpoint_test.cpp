/// What all checkpoints have in common: the rules of --resume and --force, of which job they are, and on what they were
/// computed.
#include <signal.h>

#include <chrono>
#include <thread>

#include "run.hpp"

using namespace ntkrob::cli_test;

namespace {

struct Job {
  std::string name, output, checkpoint;
  std::vector<std::string> arguments;
  std::vector<std::string> other_option;  // on which the result depends
};

std::vector<std::string> with(std::vector<std::string> all, const std::vector<std::string>& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::vector<Job> jobs(const Folder& folder, const std::string& data, const std::string& net) {
  const auto at = [&](const char* name) { return folder / name; };
  return {{"robustify",
           at("r.h5"),
           at("r.h5.ckpt.h5"),
           {"robustify", data, "--kernel", "fc:2", "--n", "30", "--steps", "400", "--batch", "60", "--validation", "0",
            "--checkpoint-every", "2", "--quiet", "-o", at("r.h5")},
           {"--eps", "0.07"}},
          {"train",
           at("n.h5"),
           at("n.h5.ckpt.h5"),
           {"train", data, "--model", "mlp:200,100", "--steps", "6000", "--quiet", "-o", at("n.h5")},
           {"--lr", "0.07"}},
          {"evaluate",
           at("e.json"),
           at("e.json.ckpt.h5"),
           {"evaluate", net, "--data", data, "--eps", "0.05", "--attacks", "fgsm,autoattack", "--batch", "6", "--quiet",
            "--json", at("e.json")},
           {"--seed", "9"}},
          {"kernel",
           at("k.h5"),
           at("k.h5.ckpt"),
           {"kernel", data, "--kernel", "cnn:3", "--quiet", "-o", at("k.h5")},
           {"--nngp"}},
          {"predict",
           at("p.h5"),
           at("p.h5.ckpt"),
           {"predict", "--kernel", "cnn:3", "--support", data, "--n-support", "500", "--data", data, "--split", "train",
            "--quiet", "-o", at("p.h5")},
           {"--variance"}}};
}

/// Interrupts the job until it leaves a checkpoint.
Finished break_off(const Job& job) {
  for (int tries = 0; tries < 60; ++tries) {
    Process process(job.arguments);
    const auto start = std::chrono::steady_clock::now();
    while (
        process.running() && !std::filesystem::exists(job.checkpoint) &&
        (job.name != "train" || std::chrono::steady_clock::now() < start + std::chrono::milliseconds(60 + 20 * tries)))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (process.running()) process.signal(SIGTERM);
    const Finished finished = process.wait();
    if (finished.code == 130 && std::filesystem::exists(job.checkpoint)) return finished;
    std::filesystem::remove(job.output);
    std::filesystem::remove(job.checkpoint);
  }
  FAIL("no run of " << job.name << " could be interrupted");
  return {};
}

struct Files {
  Folder folder;
  std::string data = folder / "strokes.h5", other = folder / "other.h5", net = folder / "net.h5";
  Files() {
    run_ok({"synth", "strokes", "--train", "1600", "--test", "60", "--quiet", "-o", data});
    run_ok({"synth", "strokes", "--train", "1600", "--test", "60", "--seed", "5", "--quiet", "-o", other});
    run_ok({"train", data, "--model", "mlp:24", "--loss", "ce", "--steps", "200", "--quiet", "-o", net});
  }
  static const Files& get() {
    static const Files files;
    return files;
  }
};

}  // namespace

TEST_CASE("--resume and --force mean the same in every job, and a checkpoint knows its options and data", "[cli]") {
  const Files& f = Files::get();
  const Folder folder;
  for (const Job& job : jobs(folder, f.data, f.net)) {
    INFO(job.name);
    CHECK_FAILS(run(with(job.arguments, {"--resume"})), 3, "no checkpoint " + job.checkpoint, "--resume");
    const Finished stopped = break_off(job);
    CHECK_FAILS(stopped, 130, "interrupted", job.checkpoint, "go on with", "ntkrob " + job.name, "--resume");
    CHECK(!std::filesystem::exists(job.output));

    CHECK_FAILS(run(job.arguments), 2, job.checkpoint + " exists", "--resume", "--force");
    CHECK_FAILS(run(with(job.arguments, with(job.other_option, {"--resume"}))), 2, job.other_option[0]);
    std::vector<std::string> of_other = job.arguments;
    for (std::string& argument : of_other)
      if (argument == f.data) argument = f.other;
    CHECK_FAILS(run(with(of_other, {"--resume"})), 2, "data");
    CHECK(std::filesystem::exists(job.checkpoint));

    run_ok(with(job.arguments, {"--resume"}));
    CHECK(std::filesystem::exists(job.output));
    CHECK(!std::filesystem::exists(job.checkpoint));
  }
}

TEST_CASE("a checkpoint of one job is refused by another, and no other file is taken for one", "[cli]") {
  const Files& f = Files::get();
  const Folder folder;
  const std::vector<Job> all = jobs(folder, f.data, f.net);
  break_off(all[1]);  // train
  std::filesystem::copy_file(all[1].checkpoint, all[0].checkpoint);
  CHECK_FAILS(run(with(all[0].arguments, {"--resume"})), 2, "is the checkpoint of ntkrob train",
              "this is ntkrob robustify");
  break_off(all[3]);  // kernel
  std::filesystem::copy_file(all[3].checkpoint, all[4].checkpoint);
  CHECK_FAILS(run(with(all[4].arguments, {"--resume"})), 2, "is the checkpoint of ntkrob kernel",
              "this is ntkrob predict");

  const std::string net = read_file(f.net);
  for (const std::size_t k : {0u, 1u, 2u, 3u, 4u}) {
    INFO(all[k].name);
    const std::string precious = folder / "precious.h5";
    write_file(precious, net);
    CHECK_FAILS(run(with(all[k].arguments, {"--checkpoint", precious, "--force"})), 2, precious,
                "no checkpoint of ntkrob");
    CHECK(read_file(precious) == net);
  }
}

TEST_CASE("a checkpoint knows its instruction set: the same bytes go on with a note, others are refused", "[cli]") {
  const Files& f = Files::get();
  const Folder folder;
  const Job job = jobs(folder, f.data, f.net)[0];
  const auto loud = [](std::vector<std::string> arguments) {
    arguments.erase(std::remove(arguments.begin(), arguments.end(), "--quiet"), arguments.end());
    return arguments;
  };
  {
    const Environment set("NTKROB_SIMD", "baseline");
    break_off(job);
  }
  const Finished refused = run(with(job.arguments, {"--resume"}));
  if (!contains(refused.err, "baseline")) return;  // this processor has no other set
  CHECK_FAILS(refused, 2, "was computed with baseline", "NTKROB_SIMD=baseline", "--force");
  {
    const Environment set("NTKROB_SIMD", "baseline");
    run_ok(with(job.arguments, {"--resume"}));
  }
  std::filesystem::remove(job.output);

  {
    const Environment set("NTKROB_SIMD", "avx2");
    break_off(job);
  }
  const Finished resumed = run(loud(with(job.arguments, {"--resume"})));
  CHECK(resumed.code == 0);
  if (contains(run_ok({"info", "--backends"}), "avx512")) CHECK(contains(resumed.err, "was written on avx2"));
  const std::string mixed = read_file(job.output);
  run_ok(with(job.arguments, {"--force"}));
  CHECK(read_file(job.output) == mixed);
}

TEST_CASE("the demo advises what it has when it is interrupted", "[cli]") {
  const Folder folder;
  Process process({"demo", "--out", folder / "demo", "--steps", "2000", "--quiet"});
  while (process.running() && !std::filesystem::exists(folder / "demo/robustify.csv"))
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  process.signal(SIGINT);
  const Finished stopped = process.wait();
  CHECK_FAILS(stopped, 130, "interrupted", "starts anew", "ntkrob demo", "--force");
  CHECK(!contains(stopped.err, "--resume"));
}

TEST_CASE("eigenvalues have no checkpoint", "[cli]") {
  const Files& f = Files::get();
  CHECK_FAILS(run({"kernel", f.data, "--eigenvalues", "2", "--resume"}), 2, "--resume");
}
