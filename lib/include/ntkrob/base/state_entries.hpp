/// Entries of a StateDict read with their limits: what comes from a file is never trusted as a size, an index or a
/// number.
///
/// Every function throws IoError that names the entry, what it holds and what it may hold; where it is missing or of
/// another type, StateDict does.
#pragma once

#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "ntkrob/base/fields.hpp"
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

/// `size` numbers, each from low to high, which NaN and infinity never are; with size 0 nothing is read.
///   throws: IoError naming the entry, the place and the value
template <class Stored, class T>
void get_vector(const StateDict& state, const std::string& name, std::size_t size, std::vector<T>& values,
                Stored low = static_cast<Stored>(std::numeric_limits<T>::lowest()),
                Stored high = static_cast<Stored>(std::numeric_limits<T>::max())) {
  values.clear();
  if (size == 0) return;
  const NdArray<Stored>& stored = state.get<NdArray<Stored>>(name);
  NTKROB_CHECK(stored.shape.size() == 1 && stored.values.size() == size, IoError, "entry \"", name, "\" has ",
               stored.values.size(), " values, expected ", size);
  values.reserve(size);
  for (std::size_t i = 0; i < size; ++i) {
    const Stored value = stored.values[i];
    NTKROB_CHECK(value >= low && value <= high, IoError, "entry \"", name, "\" has the value ", +value, " at place ", i,
                 ", must be from ", +low, " to ", +high);
    values.push_back(static_cast<T>(value));
  }
}

inline void set_index(StateDict& state, const std::string& name, index value) {
  state.set(name, static_cast<std::int64_t>(value));
}

/// A whole number from low to high.
inline index get_index(const StateDict& state, const std::string& name, index high = std::numeric_limits<index>::max(),
                       index low = 0) {
  const std::int64_t value = state.get<std::int64_t>(name);
  NTKROB_CHECK(value >= low && value <= high, IoError, "entry \"", name, "\" is ", value, ", must be from ", low,
               " to ", high);
  return static_cast<index>(value);
}

/// A number from low to high, never NaN or infinite.
inline double get_number(const StateDict& state, const std::string& name,
                         double low = std::numeric_limits<double>::lowest(),
                         double high = std::numeric_limits<double>::max()) {
  const double value = state.get<double>(name);
  NTKROB_CHECK(value >= low && value <= high, IoError, "entry \"", name, "\" is ", value, ", must be from ", low,
               " to ", high);
  return value;
}

/// A matrix of this shape of numbers from low to high. The shape is compared before memory is taken.
template <class R>
Matrix<R> get_matrix(const StateDict& state, const std::string& name, index rows, index cols,
                     R low = std::numeric_limits<R>::lowest(), R high = std::numeric_limits<R>::max()) {
  const NdArray<R>& stored = state.get<NdArray<R>>(name);
  NTKROB_CHECK(stored.shape.size() == 2 && stored.shape[0] == rows && stored.shape[1] == cols, IoError, "entry \"",
               name, "\" has ", stored.values.size(), " values in another shape than ", rows, " x ", cols);
  Matrix<R> matrix(rows, cols);
  state.get_matrix(name, matrix.view());
  for (index i = 0; i < rows; ++i)
    for (index j = 0; j < cols; ++j)
      NTKROB_CHECK(matrix(i, j) >= low && matrix(i, j) <= high, IoError, "entry \"", name, "\" has the value ",
                   matrix(i, j), " at (", i, ",", j, "), must be from ", low, " to ", high);
  return matrix;
}

/// Options on which a result depends, by the names that the command line gives them.
inline void set_options(StateDict& state, const std::string& prefix, const OptionTexts& options) {
  for (const auto& [name, value] : options) state.set(prefix + name, value);
}
/// what: "the interrupted evaluation"   throws: ConfigError where the state was made with other options, naming the
/// first and both values
inline void check_options(const StateDict& state, const std::string& prefix, const OptionTexts& options,
                          const std::string& what) {
  const auto option = [](const std::string& name, const std::string& value) {
    return value.empty() ? text(field(name), " \"\"") : text(field(name, value));
  };
  for (const auto& [name, here] : options) {
    const std::string& there = state.get<std::string>(prefix + name);
    NTKROB_CHECK(there == here, ConfigError, what, " had ", option(name, there), ", this one has ", option(name, here),
                 "; ", advice("resume with the options it was started with"));
  }
}

}  // namespace ntkrob
