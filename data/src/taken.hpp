/// What an array or a text takes of a ReadBudget while it is made.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "read_budget.hpp"

namespace ntkrob::io {

/// Memory that is free again at the end of a scope: a file's bytes while an array is made of them.
class Taken {
 public:
  /// throws: ResourceError, as ReadBudget::take
  Taken(ReadBudget& budget, std::size_t n_bytes, const std::string& where) : budget_(budget) { more(n_bytes, where); }
  ~Taken() { budget_.give_back(n_bytes_); }
  /// What is taken stays so after the scope.
  void keep() { n_bytes_ = 0; }
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;
  void more(std::size_t n_bytes, const std::string& where) {
    budget_.take(n_bytes, where);
    n_bytes_ += n_bytes;
  }

 private:
  ReadBudget& budget_;
  std::size_t n_bytes_ = 0;
};

/// Room for `count` more values in a vector that grows, asked of the budget before it is taken. Growth is by halves;
/// where that does not fit, by what is needed.   cost: amortised constant for each value
///   throws: ResourceError, as ReadBudget::take
template <class T>
void make_room(std::vector<T>& values, std::size_t count, ReadBudget& budget, const std::string& where) {
  if (count <= values.capacity() - values.size()) return;
  const std::size_t before = values.capacity(), needed = values.size() + count;
  const std::size_t left = (budget.limit() - budget.taken()) / sizeof(T);
  const std::size_t room = std::max(needed, std::min(before + before / 2, left));
  budget.take(room * sizeof(T), where);
  values.reserve(room);
  budget.give_back(before * sizeof(T));
}

}  // namespace ntkrob::io
