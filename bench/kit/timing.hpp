/// Timing by alternation: the candidates run in turn, round after round, so that a machine whose speed drifts is fair
/// to all.
#pragma once

#include <time.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace ntkrob::bench {

struct Candidate {
  std::string name;
  std::function<void()> run;
};

struct Timing {
  std::string name;
  double median = 0, best = 0, worst = 0;  // seconds
};

inline double seconds_of(const std::function<void()>& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/// One warm-up each, then `rounds` rounds A B C A B C ...
inline std::vector<Timing> alternate(const std::vector<Candidate>& candidates, int rounds) {
  std::vector<std::vector<double>> seconds(candidates.size());
  for (const Candidate& c : candidates) c.run();
  for (int round = 0; round < rounds; ++round)
    for (std::size_t k = 0; k < candidates.size(); ++k) seconds[k].push_back(seconds_of(candidates[k].run));
  std::vector<Timing> result;
  for (std::size_t k = 0; k < candidates.size(); ++k)
    result.push_back({candidates[k].name, median_of(seconds[k]),
                      *std::min_element(seconds[k].begin(), seconds[k].end()),
                      *std::max_element(seconds[k].begin(), seconds[k].end())});
  return result;
}

/// Processor time of this process, all threads: what a busy machine does not inflate by waiting.
inline double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// Median over rounds of the ratio a/b taken round by round, in wall time and in processor time.
struct Ratio {
  double median = 0, best = 0, worst = 0, cpu_median = 0;
};
inline Ratio paired_ratio(const std::function<void()>& a, const std::function<void()>& b, int rounds) {
  std::vector<double> wall, cpu;
  a();
  b();
  for (int round = 0; round < rounds; ++round) {
    const double start = cpu_seconds(), first = seconds_of(a), middle = cpu_seconds();
    wall.push_back(first / seconds_of(b));
    cpu.push_back((middle - start) / (cpu_seconds() - middle));
  }
  return {median_of(wall), *std::min_element(wall.begin(), wall.end()), *std::max_element(wall.begin(), wall.end()),
          median_of(cpu)};
}

}  // namespace ntkrob::bench
