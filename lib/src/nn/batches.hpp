/// Which rows of the training set a step uses.
#pragma once

#include <algorithm>
#include <vector>

#include "ntkrob/base/random.hpp"

namespace ntkrob::nn {

class Batches {
 public:
  /// n: rows of the set   held_out: so many of them, drawn at random, are in no batch   batch: 0: all others
  Batches(index n, index held_out, index batch, std::uint64_t seed) : rng_(seed, "train") {
    if (held_out > 0) {
      rows_ = Rng(seed, "validation").permutation(n);
      held_out_.assign(rows_.end() - held_out, rows_.end());
      rows_.resize(static_cast<std::size_t>(n - held_out));
      std::sort(rows_.begin(), rows_.end());
      std::sort(held_out_.begin(), held_out_.end());
    }
    n_ = n - held_out;
    size_ = batch == 0 ? n_ : std::min(n_, batch);
  }

  index size() const { return size_; }
  index per_epoch() const { return n_ / size_; }
  /// Every step sees the whole set as it is: no shuffling and no copy.
  bool full() const { return size_ == n_ && held_out_.empty(); }
  const std::vector<index>& held_out() const { return held_out_; }
  /// Rows of step t, t = 0, 1, ...; a fresh permutation per epoch, whose incomplete last batch is dropped.
  const index* rows(index t) {
    if (size_ == n_) return rows_.data();
    const index epoch = t / per_epoch();
    if (epoch != epoch_) {
      permutation_ = rng_.fork(static_cast<std::uint64_t>(epoch)).permutation(n_);
      if (!rows_.empty())
        for (index& row : permutation_) row = rows_[static_cast<std::size_t>(row)];
      epoch_ = epoch;
    }
    return permutation_.data() + t % per_epoch() * size_;
  }

 private:
  index n_, size_;
  Rng rng_;
  std::vector<index> rows_, held_out_;  // empty where nothing is held out
  index epoch_ = -1;
  std::vector<index> permutation_;
};

}  // namespace ntkrob::nn
