#include "ntkrob/base/state_dict.hpp"

#include <algorithm>

namespace ntkrob {
namespace {

template <class T>
NdArray<T> to_array(ConstView2D<T> matrix) {
  NdArray<T> result;
  result.shape = {matrix.rows, matrix.cols};
  result.values.reserve(static_cast<std::size_t>(matrix.rows * matrix.cols));
  for (index i = 0; i < matrix.rows; ++i)
    result.values.insert(result.values.end(), matrix.row(i), matrix.row(i) + matrix.cols);
  return result;
}

std::string shape_text(const std::vector<index>& shape) {
  std::string result = "[";
  for (const index extent : shape) result += (result.size() > 1 ? ", " : "") + std::to_string(extent);
  return result + "]";
}

template <class T>
void copy_matrix(const StateDict& state, const std::string& name, View2D<T> target) {
  const NdArray<T>& array = state.get<NdArray<T>>(name);
  const std::vector<index> expected{target.rows, target.cols};
  NTKROB_CHECK(array.shape == expected, IoError, "entry \"", name, "\" has shape ", shape_text(array.shape),
               ", expected ", shape_text(expected));
  const std::size_t count = static_cast<std::size_t>(target.rows * target.cols);
  NTKROB_CHECK(array.values.size() == count, IoError, "entry \"", name, "\" holds ", array.values.size(),
               " values, expected ", count);
  for (index i = 0; i < target.rows; ++i)
    std::copy_n(array.values.begin() + i * target.cols, target.cols, target.row(i));
}

}  // namespace

void StateDict::set(const std::string& name, Value value) {
  NTKROB_CHECK(!name.empty(), ConfigError, "StateDict::set: the name is empty");
  const auto [at, fresh] = places_.emplace(name, entries_.size());
  if (fresh)
    entries_.emplace_back(name, std::move(value));
  else
    entries_[at->second].second = std::move(value);
}

void StateDict::set_matrix(const std::string& name, ConstView2D<float> matrix) { set(name, to_array(matrix)); }
void StateDict::set_matrix(const std::string& name, ConstView2D<double> matrix) { set(name, to_array(matrix)); }

bool StateDict::contains(const std::string& name) const { return places_.count(name) > 0; }

const StateDict::Value& StateDict::at(const std::string& name) const {
  const auto at = places_.find(name);
  if (at == places_.end()) throw IoError("entry \"" + name + "\" is missing");
  return entries_[at->second].second;
}

void StateDict::get_matrix(const std::string& name, View2D<float> target) const { copy_matrix(*this, name, target); }
void StateDict::get_matrix(const std::string& name, View2D<double> target) const { copy_matrix(*this, name, target); }

}  // namespace ntkrob
