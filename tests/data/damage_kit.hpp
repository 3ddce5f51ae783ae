/// Damage to files: cut short, and byte by byte. A reader must refuse with a one-line IoError or read something valid.
/// NTKROB_DAMAGE=all in the environment tries every byte instead of a sample.
#pragma once

#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "data/data_kit.hpp"

namespace ntkrob::kit {

/// One file to damage, its siblings already in the folder, and how to read it.
struct DamageCase {
  std::string path;
  std::function<void()> read;
};

/// All bytes where headers lie, a sample of the rest.
inline std::vector<std::size_t> offsets(std::size_t n_bytes, std::size_t dense, std::size_t sample) {
  std::vector<std::size_t> result;
  const bool all = std::getenv("NTKROB_DAMAGE") != nullptr;
  const std::size_t step = std::max<std::size_t>(1, n_bytes / sample);
  for (std::size_t i = 0; i < n_bytes; ++i)
    if (all || i < dense || i + dense / 2 >= n_bytes || i % step == 0) result.push_back(i);
  return result;
}

struct DamageOutcome {
  int refused = 0, read = 0;
};

/// Reads one damaged version. Anything but success or a one-line IoError fails the test.
inline void attempt(const DamageCase& c, const std::string& content, const std::string& what, DamageOutcome& outcome) {
  spill(c.path, content);
  try {
    c.read();
    ++outcome.read;
  } catch (const IoError& error) {
    const std::string message = error.what();
    if (message.find('\n') != std::string::npos || message.size() > 2000)
      FAIL(c.path << ", " << what << ": not one line: " << message);
    ++outcome.refused;
  } catch (const std::exception& error) {
    FAIL(c.path << ", " << what << ": not an IoError: " << error.what());
  }
}

/// Cut at many lengths: all but a file that reads the same without its last bytes must be refused.
inline DamageOutcome cut(const DamageCase& c, std::size_t dense, std::size_t sample) {
  const std::string good = slurp(c.path);
  DamageOutcome outcome;
  for (const std::size_t n : offsets(good.size(), dense, sample))
    attempt(c, good.substr(0, n), "cut to " + std::to_string(n) + " bytes", outcome);
  spill(c.path, good);
  CHECK_NOTHROW(c.read());
  return outcome;
}

inline DamageOutcome corrupt(const DamageCase& c, std::size_t dense, std::size_t sample) {
  const std::string good = slurp(c.path);
  DamageOutcome outcome;
  for (const std::size_t i : offsets(good.size(), dense, sample))
    for (const int change : {0x01, 0x80, 0xff}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ change);
      attempt(c, bad, "byte " + std::to_string(i) + " xor " + std::to_string(change), outcome);
    }
  spill(c.path, good);
  CHECK_NOTHROW(c.read());
  return outcome;
}

inline DamageCase dataset_case(const std::string& path) {
  return {path, [path] { open_dataset({path}).validate(path); }};
}

}  // namespace ntkrob::kit
