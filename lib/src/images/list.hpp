/// Lists of lists in two arrays.
#pragma once

namespace ntkrob {

/// Items begin[k] .. begin[k + 1] of k.
struct List {
  const int* begin;
  const int* item;
};

}  // namespace ntkrob
