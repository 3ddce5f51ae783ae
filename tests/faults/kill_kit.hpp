/// What the tests of killed and stopped runs share: a run that gets a signal, and what it leaves.
#pragma once

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include "run.hpp"

namespace ntkrob::kill_test {

using cli_test::Finished;
using cli_test::Folder;
using cli_test::Process;

using Clock = std::chrono::steady_clock;
inline double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// From a signal to the end of the process: what the command promises.
constexpr double kPromised = 2;

/// How many of something, from the environment; in CI few.
inline int count_of(const char* variable, int few) {
  const char* text = std::getenv(variable);
  return text == nullptr ? few : std::atoi(text);
}

/// Names of temporary files in a folder, beside those in `known`.
inline std::string leftovers(const std::string& folder, const std::string& known = {}) {
  std::string names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.find(".tmp-") != std::string::npos && known.find(name) == std::string::npos) names += name + " ";
  }
  return names;
}

/// What became of a run that was left alone for `seconds` and then got a signal.
struct Stopped {
  bool met = false;    // it was still running
  double latency = 0;  // seconds from the signal to its end
  Finished finished;
  /// The signal came before main(): then the system ends the process, which has done nothing yet.
  bool before_main(int number) const {
    return number != SIGKILL && finished.code == 128 + number && finished.err.empty();
  }
};

inline Stopped stop_after(const std::vector<std::string>& arguments, double seconds, int number) {
  // Not what nohup or a shell in the background has left, nor the handlers of this program.
  for (const int answered : {SIGINT, SIGTERM, SIGHUP}) ::signal(answered, SIG_DFL);
  Process process(arguments);
  const Clock::time_point start = Clock::now();
  seconds = std::max(seconds, 0.02);  // until then it may be a copy of this program
  while (since(start) < seconds && process.running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  Stopped stopped;
  stopped.met = process.running();
  if (stopped.met) process.signal(number);
  const Clock::time_point sent = Clock::now();
  stopped.finished = process.wait();
  stopped.latency = since(sent);
  return stopped;
}

}  // namespace ntkrob::kill_test
