/// What does not look for a request to stop: a signal is answered by its handler.
#include <csignal>

#include "kill_kit.hpp"

using namespace ntkrob::cli_test;
using namespace ntkrob::kill_test;

namespace {

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

}  // namespace

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
