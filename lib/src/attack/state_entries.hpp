/// Entries of a StateDict that hold vectors and counts.
#pragma once

#include <charconv>
#include <limits>
#include <string>
#include <vector>

#include "ntkrob/base/state_dict.hpp"

namespace ntkrob {

/// The shortest text that names this number and no other.
template <class R>
std::string shortest(R value) {
  char out[32];
  return {out, std::to_chars(out, out + sizeof out, value).ptr};
}

/// An empty vector is no entry.
template <class Stored, class T>
void set_vector(StateDict& state, const std::string& name, const std::vector<T>& values) {
  if (values.empty()) return;
  state.set(name, NdArray<Stored>{{static_cast<index>(values.size())}, {values.begin(), values.end()}});
}

/// throws: IoError naming the entry, where it is absent or has another size; with size 0 nothing is read
template <class Stored, class T>
void get_vector(const StateDict& state, const std::string& name, std::size_t size, std::vector<T>& values) {
  values.clear();
  if (size == 0) return;
  const std::vector<Stored>& stored = state.get<NdArray<Stored>>(name).values;
  NTKROB_CHECK(stored.size() == size, IoError, "entry \"", name, "\" has ", stored.size(), " values, expected ", size);
  values.reserve(size);
  for (const Stored value : stored) values.push_back(static_cast<T>(value));
}

inline void set_index(StateDict& state, const std::string& name, index value) {
  state.set(name, static_cast<std::int64_t>(value));
}

/// throws: IoError naming the entry, where it is absent, negative or above high
inline index get_index(const StateDict& state, const std::string& name,
                       index high = std::numeric_limits<index>::max()) {
  const std::int64_t value = state.get<std::int64_t>(name);
  NTKROB_CHECK(value >= 0 && value <= high, IoError, "entry \"", name, "\" is ", value, ", must be from 0 to ", high);
  return static_cast<index>(value);
}

/// Options on which a result depends, by the names that the command line gives them.
using OptionTexts = std::vector<std::pair<std::string, std::string>>;

inline void set_options(StateDict& state, const std::string& prefix, const OptionTexts& options) {
  for (const auto& [name, value] : options) state.set(prefix + name, value);
}
/// throws: ConfigError where the state was made with other options, naming the first and both values
inline void check_options(const StateDict& state, const std::string& prefix, const OptionTexts& options) {
  for (const auto& [name, here] : options) {
    const std::string& there = state.get<std::string>(prefix + name);
    NTKROB_CHECK(there == here, ConfigError, "the interrupted evaluation had --", name, " ", there, ", this one has --",
                 name, " ", here, "; resume with the options it was started with");
  }
}

}  // namespace ntkrob
