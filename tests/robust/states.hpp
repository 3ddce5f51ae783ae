/// Comparing checkpoints, and the text of what is thrown.
#pragma once

#include <cstring>
#include <functional>
#include <string>

#include "ntkrob/base/state_dict.hpp"

namespace ntkrob {

inline std::string bytes_of(const std::string& value) { return value; }
inline std::string bytes_of(std::int64_t value) { return std::to_string(value); }
inline std::string bytes_of(double value) { return std::string(reinterpret_cast<const char*>(&value), sizeof value); }
template <class T>
std::string bytes_of(const NdArray<T>& array) {
  std::string all;
  for (const index extent : array.shape) all += std::to_string(extent) + " x ";
  return all + std::string(reinterpret_cast<const char*>(array.values.data()), array.values.size() * sizeof(T));
}

/// Names of the entries that differ in value or are missing on one side; times are not results.
inline std::string difference(const StateDict& a, const StateDict& b) {
  std::string names;
  const auto timed = [](const std::string& name) { return name.find("seconds") != std::string::npos; };
  for (const auto& [name, value] : a.entries()) {
    if (timed(name)) continue;
    const auto as_bytes = [](const auto& v) { return bytes_of(v); };
    if (!b.contains(name) || std::visit(as_bytes, value) != std::visit(as_bytes, b.at(name))) names += name + " ";
  }
  for (const auto& entry : b.entries())
    if (!a.contains(entry.first)) names += entry.first + " ";
  return names;
}

inline StateDict without(const StateDict& state, const std::string& name) {
  StateDict copy;
  for (const auto& entry : state.entries())
    if (entry.first != name) copy.set(entry.first, entry.second);
  return copy;
}

inline std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace ntkrob
