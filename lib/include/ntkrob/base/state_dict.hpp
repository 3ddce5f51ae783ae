/// Named arrays, numbers and texts: what long-running objects hand out (state()) and take back (restore()).
///
/// Only ntkrob::data writes files, and it writes a StateDict; so objects that can be saved depend on this header and
/// not on a file format. Names may contain "/" to form groups ("layers/0/weight"). Entries keep the order of insertion.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// An owning n-dimensional array. shape {} is a scalar.
template <class T>
struct NdArray {
  std::vector<index> shape;
  std::vector<T> values;
};

/// Insertion-ordered map from name to text, whole number, number or array. Looking up and adding take the same time
/// however many entries there are.
class StateDict {
 public:
  using Value = std::variant<std::string, std::int64_t, double, NdArray<float>, NdArray<double>, NdArray<std::int64_t>,
                             NdArray<std::uint8_t>>;

  /// Adds or replaces.
  void set(const std::string& name, Value value);
  void set_matrix(const std::string& name, ConstView2D<float> matrix);
  void set_matrix(const std::string& name, ConstView2D<double> matrix);

  bool contains(const std::string& name) const;
  /// throws: IoError naming the entry when it is absent or of another type.
  const Value& at(const std::string& name) const;
  template <class T>
  const T& get(const std::string& name) const {
    const T* value = std::get_if<T>(&at(name));
    NTKROB_CHECK(value != nullptr, IoError, "entry \"", name, "\" has another type than expected");
    return *value;
  }
  /// Copies a stored matrix of exactly this shape into target. throws: IoError naming the entry and both shapes.
  void get_matrix(const std::string& name, View2D<float> target) const;
  void get_matrix(const std::string& name, View2D<double> target) const;

  const std::vector<std::pair<std::string, Value>>& entries() const { return entries_; }

 private:
  std::vector<std::pair<std::string, Value>> entries_;
  std::unordered_map<std::string, std::size_t> places_;  // of the names in entries_
};

}  // namespace ntkrob
