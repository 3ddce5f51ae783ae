/// Checks on every backend of this build that this machine can run.
#pragma once

#include <cstdio>
#include <functional>

#include "kit/check.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob::kit {

/// Calls check(backend) for all of them but the reference; says which are left out and why.
inline void for_each_backend(const std::function<void(Backend& tested)>& check, int workers = 2) {
  for (const BackendState& state : backends()) {
    if (state.name == "reference") continue;
    if (!state.available) {
      static bool said = false;
      if (!said) std::printf("skipped: backend %s: %s\n", state.name.c_str(), state.reason.c_str());
      said = true;
      continue;
    }
    INFO("backend " << state.name);
    check(*make_backend(state.name, workers));
  }
}

/// A matrix in the memory of a backend, to be compared on the host.
template <class T>
Matrix<T> on_host(Backend& backend, View2D<const T> a) {
  Matrix<T> copy(a.rows, a.cols);
  backend.arrays().copy(a, copy.view());
  return copy;
}

/// An array with these numbers.
template <class T>
Array<T> in_array(Backend& backend, const Matrix<T>& from) {
  Array<T> a(backend.arrays(), from.rows(), from.cols());
  backend.arrays().copy(from.view(), a.view());
  return a;
}

}  // namespace ntkrob::kit
