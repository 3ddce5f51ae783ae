/// Address space and threads that are missing: one line, and an end.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include "run.hpp"

using namespace ntkrob::cli_test;

namespace {

/// Address space of what is started while it lives.
class AddressSpace {
 public:
  explicit AddressSpace(rlim_t n_bytes) {
    ::getrlimit(RLIMIT_AS, &before_);
    rlimit limit = before_;
    limit.rlim_cur = n_bytes;
    ::setrlimit(RLIMIT_AS, &limit);
  }
  ~AddressSpace() { ::setrlimit(RLIMIT_AS, &before_); }
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

 private:
  rlimit before_;
};

constexpr rlim_t kMiB = 1 << 20;

/// Runs ntkrob with so much address space; killed, with code 137, where it does not end.
Finished run_within(rlim_t n_bytes, const std::vector<std::string>& arguments) {
  std::unique_ptr<Process> process;
  {
    const AddressSpace limit(n_bytes);
    process = std::make_unique<Process>(arguments);
  }
  for (int tenths = 0; tenths < 300 && process->running(); ++tenths)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  if (process->running()) process->signal(SIGKILL);
  return process->wait();
}

}  // namespace

TEST_CASE("a job that needs no eigenvalues runs and ends in 120 MiB of address space", "[cli]") {
  const Folder folder;
  const Finished synth = run_within(
      120 * kMiB, {"synth", "strokes", "--train", "60", "--test", "20", "--threads", "2", "-o", folder / "strokes.h5"});
  INFO(synth.err);
  CHECK(synth.code == 0);
  const Finished robustify =
      run_within(120 * kMiB, {"robustify", folder / "strokes.h5", "--n", "20", "--steps", "2", "--validation", "20",
                              "--batch", "20", "--threads", "2", "--quiet", "-o", folder / "robust.h5"});
  INFO(robustify.err);
  CHECK(robustify.code == 0);
}

TEST_CASE("too little address space for eigenvalues is one line", "[cli]") {
  const Folder folder;
  const std::string data = folder / "strokes.h5";
  run_ok({"synth", "strokes", "--train", "60", "--test", "20", "-o", data});
  const std::vector<std::string> job = {
      "predict", "--support", data,        "--data", data,      "--kernel", "fc:2",
      "--time",  "100",       "--threads", "2",      "--quiet", "-o",       folder / "predicted.h5"};
  const std::string info = run_ok({"info", "--backends"});
  const Finished refused = run_within(150 * kMiB, job);
  if (refused.code == 0) {
    WARN("not run: this build has no LAPACK to load");
    return;
  }
  CHECK_FAILS(refused, 5, "eigenvalues: ", " MiB of address space", "raise its limit (ulimit -v)");
  CHECK(std::count(refused.err.begin(), refused.err.end(), '\n') == 1);
  CHECK_FALSE(std::filesystem::exists(folder / "predicted.h5"));
  CHECK(run(job).code == 0);
}

TEST_CASE("a stack that cannot grow is one line", "[cli]") {
  const Folder folder;
  const std::string data = folder / "strokes.h5";
  run_ok({"synth", "strokes", "--train", "300", "--test", "20", "--quiet", "-o", data});
  const std::vector<std::string> job = {"evaluate", "--kernel",  "fc:2",  "--support", data, "--data",
                                        data,       "--attacks", "clean", "--threads", "2",  "--quiet"};
  rlimit before;
  ::getrlimit(RLIMIT_STACK, &before);
  rlimit small = before;
  small.rlim_cur = 256 << 10;
  ::setrlimit(RLIMIT_STACK, &small);
  const Finished refused = run(job);
  ::setrlimit(RLIMIT_STACK, &before);
  CHECK_FAILS(refused, 5, "the limit of the stack is 256 KiB", "ulimit -s 1024");
  CHECK(std::count(refused.err.begin(), refused.err.end(), '\n') == 1);
  for (rlim_t n_mib = 44; n_mib <= 76; n_mib += 2) {
    const Finished finished = run_within(n_mib * kMiB, job);
    INFO(n_mib << " MiB: " << finished.err);
    // Less than the libraries take is not for us to say.
    if (finished.code != 127) CHECK((finished.code == 0 || finished.code == 5));
  }
}

TEST_CASE("more workers than the system has threads for are one line", "[cli]") {
  const Folder folder;
  const std::string data = folder / "strokes.h5";
  run_ok({"synth", "strokes", "--train", "60", "--test", "20", "-o", data});
  const Finished refused = run_within(300 * kMiB, {"robustify", data, "--n", "20", "--steps", "2", "--validation", "20",
                                                   "--batch", "20", "--threads", "500", "-o", folder / "robust.h5"});
  CHECK_FAILS(refused, 5, "cannot start 500 workers: after ", "the system gives no more threads", "use fewer");
  CHECK(std::count(refused.err.begin(), refused.err.end(), '\n') == 1);
}

TEST_CASE("models and weights are read within the memory limit of the command", "[cli]") {
  const Folder folder;
  const std::string data = folder / "a.h5", net = folder / "net.h5";
  write_easy_h5(data, 20, 2);
  run_ok({"train", data, "--model", "mlp:5000", "--steps", "1", "--epochs", "0", "--quiet", "-o", net});
  const std::vector<std::vector<std::string>> commands = {
      {"evaluate", net, "--data", data},
      {"evaluate", net, "--data", data, "--int8", "--calibrate", data},
      {"export", net, "-o", folder / "net.onnx"},
      {"convert", "--model", net, "--spec", "dense(5000)-relu-dense", "--input-shape", "4", "-o", folder / "other.h5"},
  };
  for (std::vector<std::string> command : commands) {
    command.insert(command.end(), {"--memory", "15K"});
    const Finished refused = run(command);
    INFO(command[0] << "\n" << refused.err);
    CHECK(refused.code == 5);
    CHECK(contains(refused.err, ": " + net + ": layers/0/"));
    CHECK(contains(refused.err, "the limit is 15360 bytes; raise the memory limit (--memory)"));
  }
  // What describes a file leaves values out.
  CHECK(contains(run_ok({"info", net, "--memory", "15K"}), "float32 "));
}
