/// What does not look for a request to stop: a signal is answered by the deadline of the handler.
#include <csignal>

#include "kill_kit.hpp"

using namespace ntkrob::cli_test;
using namespace ntkrob::kill_test;

namespace {

/// n images of 8 x 8 pixels by a formula, as ntkrob stores them.
std::string small_images(const Folder& folder, int n) {
  constexpr int kD = 64;
  std::vector<float> pixels;
  std::vector<int> labels;
  for (int i = 0; i < n; ++i) {
    labels.push_back(i % 4);
    for (int j = 0; j < kD; ++j) pixels.push_back(static_cast<float>((i * 37 + j * (11 + i % 4)) % 256) / 255);
  }
  write_h5(folder / "flat.h5", pixels, kD, labels);
  run_ok({"convert", folder / "flat.h5", "--image-shape", "8x8x1", "--quiet", "-o", folder / "data.h5"});
  return folder / "data.h5";
}

/// Until a file is there, two minutes at most.
bool appears(const std::string& path) {
  const auto start = Clock::now();
  while (since(start) < 120) {
    std::error_code error;
    if (std::filesystem::exists(path, error) && std::filesystem::file_size(path, error) > 0) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

std::string folder_of(const Folder& folder) { return std::filesystem::path(folder / "x").parent_path().string(); }

}  // namespace

TEST_CASE("work that does not look for a stop is ended by the deadline, and the last checkpoint named", "[faults]") {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_DFL);
  const Folder in;
  const std::string data = small_images(in, 240);
  // The reference backend does not look inside a tile; one tile, the derivatives by the set, takes some 40 % of a step.
  // Where in the step the signal comes depends on the machine, so it is tried at several places.
  bool reached = false;
  for (const double place : {0.35, 0.4, 0.3, 0.5}) {
    const Folder out;
    const std::string set = out / "set.h5", checkpoint = set + ".ckpt.h5";
    Process process({"robustify",
                     data,
                     "--backend",
                     "reference",
                     "--kernel",
                     "conv(3)-relu-conv(3)-relu-flatten-dense",
                     "--n",
                     "4",
                     "--batch",
                     "200",
                     "--eps",
                     "0",
                     "--validation",
                     "0",
                     "--threads",
                     "1",
                     "--checkpoint-every",
                     "1",
                     "--quiet",
                     "-o",
                     set});
    const auto start = Clock::now();
    REQUIRE(appears(checkpoint));
    std::this_thread::sleep_for(std::chrono::duration<double>(place * since(start)));
    REQUIRE(process.running());
    process.signal(SIGINT);
    const auto sent = Clock::now();
    const Finished finished = process.wait();
    const double latency = since(sent);
    INFO("signal at " << place << " of a step\n" << finished.err);
    CHECK(latency < kPromised);
    CHECK(finished.code == 130);
    CHECK(contains(finished.err, "the state is in " + checkpoint));
    CHECK(contains(finished.err, " --resume"));
    CHECK(leftovers(folder_of(out)).empty());
    CHECK(std::filesystem::exists(checkpoint));
    CHECK(!std::filesystem::exists(set));
    reached = contains(finished.err, "the step in hand did not end in time, what it did is lost");
    if (!reached) continue;
    CHECK(latency > 1.1);
    break;
  }
  CHECK(reached);
}

TEST_CASE("a child process that looks at a file ends with the command that a signal ends", "[faults]") {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_DFL);
  const Folder folder;
  write_easy_h5(folder / "foreign.h5", 8, 2);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    INFO("signal " << number);
    const std::string child = folder / ("child" + std::to_string(number));
    const Environment preload("LD_PRELOAD", NTKROB_FAILING_CALLS), sleeps("FAULT_CHILD", child.c_str());
    Process process({"info", folder / "foreign.h5"});
    REQUIRE(appears(child));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    REQUIRE(process.running());
    const pid_t id = std::stoi(read_file(child));
    REQUIRE(::kill(id, 0) == 0);
    process.signal(number);
    const auto sent = Clock::now();
    const Finished finished = process.wait();
    CHECK(since(sent) < kPromised);
    CHECK(finished.code == 130);
    CHECK(contains(finished.err, "interrupted"));
    // Whoever adopts it collects it, or it stays as a zombie: its command line is empty then.
    const auto gone = [&] {
      return ::kill(id, 0) != 0 || read_file("/proc/" + std::to_string(id) + "/cmdline").empty();
    };
    for (int i = 0; i < 100 && !gone(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(gone());
    if (!gone()) ::kill(id, SIGKILL);
  }
}

TEST_CASE("a disk that does not take the checkpoint is not waited for without end", "[faults][.stuck]") {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_DFL);
  const Folder folder;
  write_easy_h5(folder / "a.h5", 200, 2);
  const std::string net = folder / "net.h5";
  const Environment preload("LD_PRELOAD", NTKROB_FAILING_CALLS), stuck("FAULT_STUCK", "1");
  Process process({"train", folder / "a.h5", "--model", "mlp:64", "--steps", "100000000", "--epochs", "0", "--quiet",
                   "--checkpoint", folder / "c.h5", "-o", net});
  std::this_thread::sleep_for(std::chrono::seconds(2));  // before the first checkpoint is due
  REQUIRE(process.running());
  process.signal(SIGTERM);
  const auto sent = Clock::now();
  const Finished finished = process.wait();
  const double latency = since(sent);
  INFO(finished.err);
  CHECK(latency > 29);
  CHECK(latency < 33);
  CHECK(finished.code == 130);
  CHECK(contains(finished.err, "the checkpoint could not be written in time"));
  CHECK(contains(finished.err, "no state was kept"));
  CHECK(leftovers(folder_of(folder)).empty());
  CHECK(!std::filesystem::exists(folder / "c.h5"));
}
