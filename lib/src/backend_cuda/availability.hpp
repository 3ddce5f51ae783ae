/// What the driver says, in words.
#pragma once

#include <string>

#include "ntkrob/base/error.hpp"

namespace ntkrob::cuda {

/// Compute capability of the oldest devices that this library has code for (backend_cuda/CMakeLists.txt).
constexpr int kOldestMajor = 7, kOldestMinor = 5;

/// Versions as 1000 major + 10 minor, 0 where there is no driver.
struct DriverState {
  int driver_version = 0;
  int runtime_version = 0;
  int devices = 0;
  std::string error;  // of counting the devices, empty if there was none
};

inline std::string version_text(int version) { return text(version / 1000, ".", version % 1000 / 10); }

/// Why no device can be used, with the remedy; empty if one can.
inline std::string why_unavailable(const DriverState& state) {
  if (state.driver_version == 0) return "no NVIDIA driver on this machine; install one, or use cpu";
  if (state.driver_version / 1000 < state.runtime_version / 1000)
    return text("the NVIDIA driver is too old: it supports CUDA ", version_text(state.driver_version),
                ", this build needs ", version_text(state.runtime_version), "; update the driver, or use cpu");
  if (state.devices > 0) return {};
  return text("no CUDA device", state.error.empty() ? std::string() : " (" + state.error + ")",
              "; see nvidia-smi and CUDA_VISIBLE_DEVICES, or use cpu");
}

/// Why this one cannot; empty if it can.
inline std::string why_too_old(const std::string& name, int major, int minor) {
  if (major > kOldestMajor || (major == kOldestMajor && minor >= kOldestMinor)) return {};
  return text("device ", name, " has compute capability ", major, ".", minor, ", the oldest supported is ",
              kOldestMajor, ".", kOldestMinor, "; choose another with cuda:i, or use cpu");
}

inline std::string no_such_device(int number, int devices) {
  return text("backend cuda: there is no device ", number, ", this machine has ", devices, ": cuda:0",
              devices > 1 ? text(" to cuda:", devices - 1) : std::string());
}

inline std::string out_of_memory(std::size_t needed, std::size_t free, std::size_t total) {
  return text("backend cuda: device out of memory: ", given(needed), " bytes needed, ", limit(free), " of ", total,
              " are free; ", advice("lower ", field("memory"), ", the batch or the number of images, or use cpu"));
}

}  // namespace ntkrob::cuda
