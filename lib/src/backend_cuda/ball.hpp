/// Steps of attacks (ntkrob/base/ball.hpp): rows of 16 threads, one for each lane of the sums, 8 rows to a block.
#pragma once

#include "backend_cuda/program.hpp"
#include "ntkrob/base/ball.hpp"

namespace ntkrob::cuda {

constexpr int kBallThreads = 128;
constexpr int kBallRows = kBallThreads / static_cast<int>(ball::kLanes);

/// z += a step along g, then the nearest point of ball and box: ThreatModel::ascend and project. Without g only the
/// latter. Rounds take two phases: shares of the sums, and their folding; what needs no sum follows in the same phase.
/// Every thread of a row keeps the state of the row.
struct BallStep {
  static constexpr int kThreads = kBallThreads;
  struct Shared {
    double share[kBallRows][ball::kLanes], other[kBallRows][ball::kLanes];
    double sum[kBallRows], other_sum[kBallRows];
  };
  struct Own {
    ball::Ascent up;
    ball::Projection onto;
  };
  Ball of;
  float step = 0;
  DeviceView<const float> x;  // n x d
  DeviceView<const float> g;  // n x d, or empty
  DeviceView<float> z;        // n x d
  DeviceView<double> zeros;   // n x 1, with g: how often a row of g was 0, or -1 once it was not finite

  long long blocks() const { return (z.rows + kBallRows - 1) / kBallRows; }
  /// At most; blocks end before.
  int phases() const { return 2 * static_cast<int>(z.cols + kMostRounds); }

  /// Whether the block has more to do.
  NTKROB_HD bool run(int phase, long long block, int thread, Own& own, Shared& shared) const {
    const int slot = thread / static_cast<int>(ball::kLanes), lane = thread % static_cast<int>(ball::kLanes);
    const index i = block * kBallRows + slot;
    if (i >= z.rows) return false;
    if (phase % 2 != 0) {
      if (lane == 0) fold(own, slot, shared);
      return true;
    }
    if (phase == 0) {
      own.up = ball::Ascent(of.norm, step);
      if (g.empty()) own.up.round = ball::Ascent::done;
      own.onto = ball::Projection(of);
    } else {
      if (finished(own)) return false;
      decide(own, i, lane, shared.sum[slot], shared.other_sum[slot]);
    }
    double share = 0, other = 0;
    while (!finished(own)) {
      const bool sums = climbs(own) ? own.up.sums() : own.onto.sums();
      if (climbs(own))
        share = climb(own.up, i, lane);
      else
        approach(own.onto, i, lane, share, other);
      if (sums) break;
      decide(own, i, lane, 0, 0);
    }
    shared.share[slot][lane] = share;
    shared.other[slot][lane] = other;
    return !finished(own);
  }

 private:
  // l1: 31 to select, the bracket of the threshold; and what draws a point into the ball.
  static constexpr index kMostRounds = 300;

  NTKROB_HD static bool climbs(const Own& own) { return own.up.round != ball::Ascent::done; }
  NTKROB_HD static bool finished(const Own& own) { return !climbs(own) && own.onto.round == ball::Projection::done; }

  NTKROB_HD void decide(Own& own, index i, int lane, double sum, double other) const {
    if (!climbs(own)) {
      own.onto.decide(sum, other, z.cols);
      return;
    }
    const bool gauged = own.up.round == ball::Ascent::gauge;
    own.up.decide(sum, z.cols);
    if (!gauged || lane != 0) return;
    if (own.up.verdict == ball::Ascent::not_finite)
      zeros(i, 0) = -1;
    else if (own.up.verdict == ball::Ascent::zero && zeros(i, 0) >= 0)
      zeros(i, 0) += 1;
  }

  /// As sum_over folds its lanes.
  NTKROB_HD static void fold(const Own& own, int slot, Shared& shared) {
    double* const share = shared.share[slot];
    double* const other = shared.other[slot];
    const bool widest = !climbs(own) && own.onto.round == ball::Projection::widest;
    for (int half = static_cast<int>(ball::kLanes) / 2; half > 0; half /= 2)
      for (int l = 0; l < half; ++l) {
        share[l] = widest ? ball::larger(share[l], share[l + half]) : share[l] + share[l + half];
        other[l] += other[l + half];
      }
    shared.sum[slot] = share[0];
    shared.other_sum[slot] = other[0];
  }

  /// This lane's part of a round of the ascent.   returns: its share of the sum
  NTKROB_HD double climb(const ball::Ascent& up, index i, int lane) const {
    double share = 0;
    const float least = up.least_size();
    for (index j = lane; j < z.cols; j += ball::kLanes) {
      const float slope = g(i, j);
      switch (up.round) {
        case ball::Ascent::gauge:
          share += static_cast<double>(slope) * static_cast<double>(slope);
          break;
        case ball::Ascent::signs:
          z(i, j) += ball::sign(slope) * up.step;
          break;
        case ball::Ascent::along:
          z(i, j) = ball::moved_along(up.scale, slope, z(i, j));
          break;
        case ball::Ascent::selecting:
          share += ball::Ascent::bits_of(std::fabs(slope)) >= up.candidate() ? 1.0 : 0.0;
          break;
        case ball::Ascent::counting:
          share += ball::takes_part(slope, least) ? 1.0 : 0.0;
          break;
        case ball::Ascent::sharing:
          if (ball::takes_part(slope, least)) z(i, j) = ball::moved_sparsely(up.share, slope, z(i, j));
          break;
        case ball::Ascent::done:
          break;
      }
    }
    return share;
  }

  /// This lane's part of a round of the projection.
  NTKROB_HD void approach(const ball::Projection& onto, index i, int lane, double& share, double& other) const {
    share = other = 0;
    for (index j = lane; j < z.cols; j += ball::kLanes) {
      const float from = x(i, j), here = z(i, j);
      switch (onto.round) {
        case ball::Projection::centre:
          z(i, j) = from;
          break;
        case ball::Projection::bounds:
          z(i, j) = ball::smaller(ball::larger(here, ball::least_linf(of, from)), ball::most_linf(of, from));
          break;
        case ball::Projection::fits:
          share += ball::size(of.norm, from, ball::clip(of, here));
          break;
        case ball::Projection::clipping:
          z(i, j) = ball::clip(of, here);
          break;
        case ball::Projection::scaling: {
          const ball::Split split = ball::split(of, onto.s, from, here);
          share += split.fixed;
          other += split.free;
          break;
        }
        case ball::Projection::widest:
          share = ball::larger(share, std::fabs(ball::difference(from, here)));
          break;
        case ball::Projection::thresholds: {
          const ball::Split split = ball::shifted(of, onto.s, from, here);
          share += split.fixed;
          other += split.free;
          break;
        }
        case ball::Projection::placing:
        case ball::Projection::drawing_in: {
          const float nearer = onto.round == ball::Projection::drawing_in ? ball::drawn_in(onto.s, from, here)
                               : of.norm == Norm::l2                      ? ball::scaled(of, onto.s, from, here)
                                                                          : ball::thresholded(of, onto.s, from, here);
          z(i, j) = nearer;
          share += ball::size(of.norm, from, nearer);
          break;
        }
        case ball::Projection::done:
          break;
      }
    }
  }
};

/// Random points of the balls around the rows of x, before their projection: ThreatModel::random_start. In l2 and l1 a
/// part of the offsets is made at a time, and one thread adds their shares in the order of the components.
struct BallStart {
  static constexpr int kThreads = kBallThreads;
  static constexpr index kPart = 4 * ball::kLanes;
  struct Shared {
    double share[kBallRows][kPart];
    double sum[kBallRows], scale[kBallRows];
  };
  using Own = None;
  Ball of;
  DeviceView<const RandomStream> streams;  // 1 x n
  DeviceView<const float> x;               // n x d
  DeviceView<float> z;                     // n x d

  long long blocks() const { return (z.rows + kBallRows - 1) / kBallRows; }
  int phases() const { return of.norm == Norm::linf ? 1 : 2 * static_cast<int>(parts()) + 1; }

  NTKROB_HD void run(int phase, long long block, int thread, Own&, Shared& shared) const {
    const int slot = thread / static_cast<int>(ball::kLanes), lane = thread % static_cast<int>(ball::kLanes);
    const index i = block * kBallRows + slot, part = phase / 2;
    if (i >= z.rows) return;
    const RandomStream random = streams(0, i);
    if (of.norm == Norm::linf) {
      for (index block_of_four = lane; 4 * block_of_four < z.cols; block_of_four += ball::kLanes) {
        const base::PhiloxCounter bits = random.block(static_cast<std::uint64_t>(block_of_four));
        for (index k = 0; k < 4 && 4 * block_of_four + k < z.cols; ++k) {
          const index j = 4 * block_of_four + k;
          z(i, j) = ball::RandomStart::at_linf(of, x(i, j), RandomStream::symmetric(bits.word[k]));
        }
      }
      return;
    }
    ball::RandomStart start(of);
    if (part == parts()) {
      start.sum = shared.sum[slot];
      start.scale = shared.scale[slot];
      for (index j = lane; j < z.cols; j += ball::kLanes) z(i, j) = start.at(x(i, j), start.offset(random, j));
    } else if (phase % 2 == 0) {
      for (index j = lane; j < kPart && part * kPart + j < z.cols; j += ball::kLanes)
        shared.share[slot][j] = start.share(start.offset(random, part * kPart + j));
    } else if (lane == 0) {
      double sum = part == 0 ? start.first(random, z.cols) : shared.sum[slot];
      for (index j = 0; j < kPart && part * kPart + j < z.cols; ++j) sum += shared.share[slot][j];
      shared.sum[slot] = sum;
      if (part + 1 < parts()) return;
      start.close(random, z.cols, sum);
      shared.scale[slot] = start.scale;
    }
  }

 private:
  NTKROB_HD index parts() const { return (z.cols + kPart - 1) / kPart; }
};

/// Rows of a matrix, one to a block, become those of another.
struct RowCopy {
  static constexpr int kThreads = kBallThreads;
  using Shared = None;
  using Own = None;
  DeviceView<const index> rows;  // 1 x m
  DeviceView<const float> from;  // n x d
  DeviceView<float> to;          // n x d

  long long blocks() const { return rows.cols; }
  int phases() const { return 1; }
  NTKROB_HD void run(int, long long block, int thread, Own&, Shared&) const {
    const index i = rows(0, block);
    for (index j = thread; j < to.cols; j += kThreads) to(i, j) = from(i, j);
  }
};

}  // namespace ntkrob::cuda
