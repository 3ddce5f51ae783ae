/// Runs that are killed, or stopped by Ctrl-C, SIGTERM and SIGHUP, at random moments, and resumed until they are done:
/// the result has the bytes of an uninterrupted run, and nothing broken is ever under its name. NTKROB_KILLS says how
/// many signals each job gets; ctest -R faults_kill_all takes 100.
#include <cstdio>
#include <functional>

#include "kill_kit.hpp"

using namespace ntkrob::cli_test;
using namespace ntkrob::kill_test;

namespace {

struct Job {
  std::string name, output, checkpoint;
  std::vector<std::string> arguments;
  std::function<std::string(const std::string& path)> content;  // what must be the same
};

/// Without times.
std::string report_text(const std::string& path) {
  const std::function<void(nlohmann::json&)> strip = [&](nlohmann::json& value) {
    if (value.is_object()) value.erase("seconds");
    if (value.is_structured())
      for (auto& one : value) strip(one);
  };
  nlohmann::json report = read_json(path);
  strip(report);
  return report.dump();
}

/// Signals to one job until it has got `kills`; every finished run is compared and begun again.
void kill_and_resume(const Job& job, int kills) {
  const int numbers[] = {SIGKILL, SIGINT, SIGTERM, SIGHUP};
  const auto start = Clock::now();
  run_ok(job.arguments);
  const double whole_seconds = since(start);
  const std::string whole = job.content(job.output);
  std::filesystem::remove(job.output);
  CHECK(!std::filesystem::exists(job.checkpoint));
  const std::string folder = std::filesystem::path(job.output).parent_path().string();

  std::mt19937 random(20260101);
  std::uniform_real_distribution<double> moment(0, 1.05 * whole_seconds);
  int sent = 0, resumed = 0, finished = 0;
  double slowest = 0;
  const auto compare = [&] {
    ++finished;
    CHECK(job.content(job.output) == whole);
    CHECK(leftovers(folder).empty());
    CHECK(!std::filesystem::exists(job.checkpoint));
    std::filesystem::remove(job.output);
  };
  for (int tries = 0; sent < kills && tries < 20 * kills; ++tries) {
    std::vector<std::string> arguments = job.arguments;
    const bool resumes = std::filesystem::exists(job.checkpoint);
    if (resumes) arguments.push_back("--resume");
    resumed += resumes;
    const int number = numbers[sent % 4];
    const std::string before = leftovers(folder);  // of what was killed: swept by the run, once it has begun
    const Stopped stopped = stop_after(arguments, moment(random), number);
    INFO(job.name << ", signal " << number << ", number " << sent << "\n" << stopped.finished.err);
    if (stopped.met) {
      ++sent;
      slowest = std::max(slowest, stopped.latency);
      CHECK(stopped.latency < kPromised);
    }
    if (stopped.finished.code == 0) {
      compare();
      continue;
    }
    REQUIRE(stopped.met);
    if (stopped.before_main(number)) continue;
    CHECK(stopped.finished.code == (number == SIGKILL ? 128 + SIGKILL : 130));
    if (std::filesystem::exists(job.output)) {
      // Between the last step of the output and the end: it is whole, and the checkpoint may still be there.
      CHECK(job.content(job.output) == whole);
      ++finished;
      std::filesystem::remove(job.output);
      std::filesystem::remove(job.checkpoint);
    }
    if (number == SIGKILL) continue;
    CHECK(leftovers(folder, before).empty());
    CHECK(contains(stopped.finished.err, "interrupted"));
    // What was asked for an end says how to go on.
    if (contains(stopped.finished.err, "stopping") && std::filesystem::exists(job.checkpoint))
      CHECK(contains(stopped.finished.err, "--resume"));
  }
  std::vector<std::string> last = job.arguments;
  if (std::filesystem::exists(job.checkpoint)) last.push_back("--resume");
  run_ok(last);
  compare();
  std::printf("%s: %d signals, %d runs went on from a checkpoint, %d results, all the same; slowest end %.2f s\n",
              job.name.c_str(), sent, resumed, finished, slowest);
  CHECK(sent == kills);
  if (kills >= 20) CHECK(resumed > 0);
}

int kills() { return count_of("NTKROB_KILLS", 5); }

/// Data and a net, made once.
struct Files {
  Folder folder;
  std::string data = folder / "strokes.h5", net = folder / "net.h5";
  Files() {
    run_ok({"synth", "strokes", "--train", "1500", "--test", "60", "--quiet", "-o", data});
    run_ok({"train", data, "--model", "mlp:24", "--loss", "ce", "--steps", "200", "--quiet", "-o", net});
  }
  static const Files& get() {
    static const Files files;
    return files;
  }
};

}  // namespace

TEST_CASE("robustify killed at any moment", "[faults]") {
  const Files& f = Files::get();
  const Folder out;
  kill_and_resume({"robustify",
                   out / "robust.h5",
                   out / "robust.h5.ckpt.h5",
                   {"robustify",        f.data, "--kernel",           "fc:2", "--n",       "60",   "--steps",      "40",
                    "--batch",          "200",  "--attack-steps",     "5",    "--eps",     "0.05", "--validation", "40",
                    "--validate-every", "8",    "--checkpoint-every", "5",    "--threads", "2",    "--quiet",      "-o",
                    out / "robust.h5"},
                   read_file},
                  kills());
}

TEST_CASE("train killed at any moment", "[faults]") {
  const Files& f = Files::get();
  const Folder out;
  kill_and_resume({"train",
                   out / "net.h5",
                   out / "net.h5.ckpt.h5",
                   {"train", f.data, "--model", "cnn:small", "--epochs", "6", "--batch", "100", "--adversarial",
                    "--eps", "0.05", "--attack-steps", "2", "--threads", "2", "--quiet", "-o", out / "net.h5"},
                   read_file},
                  kills());
}

TEST_CASE("evaluate killed at any moment", "[faults]") {
  const Files& f = Files::get();
  const Folder out;
  kill_and_resume(
      {"evaluate",
       out / "report.json",
       out / "report.json.ckpt.h5",
       {"evaluate", f.net, "--data", f.data, "--eps", "0.05", "--attacks", "fgsm,autoattack", "--n", "30", "--batch",
        "6", "--check-samples", "20", "--threads", "2", "--quiet", "--json", out / "report.json"},
       report_text},
      kills());
}

TEST_CASE("kernel killed at any moment", "[faults]") {
  const Files& f = Files::get();
  const Folder out;
  // Several strips of rows of a network on images.
  kill_and_resume({"kernel",
                   out / "matrix.h5",
                   out / "matrix.h5.ckpt",
                   {"kernel", f.data, "--kernel", "cnn:3", "--n", "1400", "--nngp", "--threads", "2", "--quiet", "-o",
                    out / "matrix.h5"},
                   read_file},
                  kills());
}

TEST_CASE("predict killed at any moment", "[faults]") {
  const Files& f = Files::get();
  const Folder out;
  kill_and_resume({"predict",
                   out / "mean.h5",
                   out / "mean.h5.ckpt",
                   {"predict", "--kernel", "cnn:3", "--support", f.data, "--n-support", "800", "--data", f.data,
                    "--split", "train", "--n", "1400", "--threads", "2", "--quiet", "-o", out / "mean.h5"},
                   read_file},
                  kills());
}
