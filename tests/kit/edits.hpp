/// Typed edits of a StateDict: every entry replaced by what it must not hold, by its type. For tests of whatever
/// restores a state: a new entry gets its edits from here.
#pragma once

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "ntkrob/base/state_dict.hpp"

namespace ntkrob::kit {

struct Edit {
  std::string entry, what;
  StateDict state;
  /// In the type and the range that any number of its kind may have: a reader can only notice where something else in
  /// the state contradicts it.
  bool plausible = false;
};

namespace edits {

using Value = StateDict::Value;

struct Replacement {
  std::string what;
  Value value;
  bool plausible = false;
};

template <class T>
void add_array(const NdArray<T>& array, std::vector<Replacement>& all) {
  const auto with = [&](const char* what, std::size_t at, T value, bool plausible = false) {
    NdArray<T> edited = array;
    edited.values[at] = value;
    all.push_back({what, edited, plausible});
  };
  if (!array.values.empty()) {
    const std::size_t last = array.values.size() - 1;
    if constexpr (std::is_floating_point<T>::value) {
      with("the last number is NaN", last, std::numeric_limits<T>::quiet_NaN());
      with("the first number is infinite", 0, std::numeric_limits<T>::infinity());
      with("the first number is huge", 0, std::numeric_limits<T>::max(), true);
      with("the last number is negative", last, T(-1), true);
    } else {
      with("the first number is huge", 0, std::numeric_limits<T>::max());
      if (std::is_signed<T>::value) with("the last number is the smallest", last, std::numeric_limits<T>::lowest());
      if (std::is_signed<T>::value) with("the last number is -2", last, static_cast<T>(-2));
      with("the last number is one more", last, static_cast<T>(array.values[last] + 1), true);
      with("the first number is beyond 32 bits", 0, static_cast<T>((std::int64_t{1} << 32) + array.values[0]),
           sizeof(T) < 8);
    }
    NdArray<T> shorter = array, longer = array;
    shorter.shape = {static_cast<index>(last)};
    shorter.values.pop_back();
    if (last > 0) all.push_back({"one number less", shorter});
    longer.shape = {static_cast<index>(last) + 2};
    longer.values.push_back(array.values[0]);
    all.push_back({"one number more", longer});
    NdArray<T> turned = array;
    turned.shape = {1, 1, static_cast<index>(last) + 1};
    all.push_back({"another shape", turned});
  }
  all.push_back({"no numbers", NdArray<T>{{0}, {}}});
  all.push_back({"a text", std::string("0")});
  if constexpr (std::is_same<T, double>::value)
    all.push_back({"another type of array", NdArray<float>{array.shape, {array.values.begin(), array.values.end()}}});
  else
    all.push_back({"another type of array", NdArray<double>{array.shape, {array.values.begin(), array.values.end()}}});
}

inline std::vector<Replacement> of(const Value& value) {
  std::vector<Replacement> all;
  if (const auto* text = std::get_if<std::string>(&value)) {
    all.push_back({"another text", *text + "x"});
    all.push_back({"an empty text", std::string()});
    all.push_back({"a number", std::int64_t{1}});
  } else if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    all.push_back({"-1", std::int64_t{-1}, *whole == -1});
    if (*whole != 0) all.push_back({"0", std::int64_t{0}, true});
    all.push_back({"one more", *whole + 1, true});
    all.push_back({"huge", std::numeric_limits<std::int64_t>::max()});
    all.push_back({"the smallest", std::numeric_limits<std::int64_t>::lowest()});
    all.push_back({"beyond 32 bits", (std::int64_t{1} << 32) + *whole});
    all.push_back({"of another type", static_cast<double>(*whole)});
  } else if (const auto* number = std::get_if<double>(&value)) {
    all.push_back({"NaN", std::numeric_limits<double>::quiet_NaN()});
    all.push_back({"infinite", -std::numeric_limits<double>::infinity()});
    all.push_back({"-1", -1.0, *number < 0});
    all.push_back({"huge", 1e300, true});
    all.push_back({"of another type", std::int64_t{1}});
  } else {
    std::visit(
        [&](const auto& array) {
          using T = std::decay_t<decltype(array)>;
          if constexpr (!std::is_same<T, std::string>::value && !std::is_same<T, std::int64_t>::value &&
                        !std::is_same<T, double>::value)
            add_array(array, all);
        },
        value);
  }
  return all;
}

}  // namespace edits

/// Calls visit(edit) for every edit of every entry, and with each entry left out.
inline void for_each_edit(const StateDict& state, const std::function<void(const Edit&)>& visit) {
  for (const auto& [name, value] : state.entries()) {
    for (edits::Replacement& one : edits::of(value)) {
      Edit edit{name, one.what, state, one.plausible};
      edit.state.set(name, std::move(one.value));
      visit(edit);
    }
    Edit without{name, "left out", {}, false};
    for (const auto& entry : state.entries())
      if (entry.first != name) without.state.set(entry.first, entry.second);
    visit(without);
  }
}

}  // namespace ntkrob::kit
