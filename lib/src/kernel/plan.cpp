/// Tile sizes from shapes and a budget: pure functions.
///
/// The bits of a result do not depend on tile_rows, nor on tile_cols and band where they are multiples of 1024 (see
/// Backend::multiply and add_thin); only a budget too tight for that changes the order of sums.
#include <algorithm>

#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/kernel/kernel.hpp"

namespace ntkrob {
namespace {

constexpr index kMinCols = kPanelStep;

index round_up(index n, index to) { return (n + to - 1) / to * to; }
std::size_t size(index n) { return static_cast<std::size_t>(std::max<index>(n, 0)); }

struct Shape {
  Verb verb;
  index n, m, d, r;
  std::size_t number;  // bytes
  bool prepared, apart;
};

/// Copies of inputs and outputs, where these lie in host memory and arrays do not.
std::size_t copied_numbers(const Shape& s) {
  if (!s.apart) return 0;
  const std::size_t inputs = size(s.d) * (size(s.n) + (s.prepared ? 0 : size(s.m)));
  switch (s.verb) {
    case Verb::matrix:
    case Verb::matrices:
      return inputs;
    case Verb::apply:
      return inputs + size(s.n) * size(s.r);
    case Verb::grad:
      return inputs + size(s.n) * (size(s.d) + 2 * size(s.r));
    case Verb::pull_back:
      return inputs + size(s.n) * (size(s.d) + 2 * size(s.r)) + size(s.m) * size(s.r);
  }
  return inputs;
}

std::size_t shared_bytes(const Shape& s, index band) {
  const bool gradient = s.verb == Verb::grad || s.verb == Verb::pull_back;
  const std::size_t panels =
      (s.prepared ? 0 : (gradient ? 2 : 1) * panel_bytes(s.d, band, s.number)) + copied_numbers(s) * s.number;
  switch (s.verb) {
    case Verb::matrix:
    case Verb::matrices:
      return panels;
    case Verb::apply:
    case Verb::grad:  // v transposed, sums of rows
      return panels + size(s.r) * size(s.m) * s.number + size(s.n) * size(s.r + 1) * sizeof(double);
    case Verb::pull_back:  // value, dq and da of all x against a band of y
      return panels + 3 * size(s.n) * size(band) * s.number + 2 * size(band) * size(s.r) * (s.number + sizeof(double)) +
             size(s.n) * size(s.r + 1) * sizeof(double);
  }
  return panels;
}

std::size_t worker_bytes(const Shape& s, index rows, index cols, index band) {
  if (s.verb == Verb::pull_back) return size(rows) * sizeof(double);
  const std::size_t tile = size(rows) * size(cols) * s.number;
  if (s.verb == Verb::matrices) return 2 * tile;
  if (s.verb != Verb::grad) return tile;
  return tile + 2 * size(rows) * size(band) * s.number + size(rows) * size(s.r) * s.number;
}

}  // namespace

KernelPlan plan_tiles(Verb verb, index n, index m, index d, index r, std::size_t bytes_per_number, int workers,
                      std::size_t budget, bool prepared, const TileSizes& sizes, bool apart) {
  const Shape shape{verb, n, m, d, r, bytes_per_number, prepared, apart};
  const index step = sizes.row_step;
  const index share = (n + workers - 1) / workers;
  index rows = std::clamp<index>(round_up(share, step), step, sizes.rows);
  index band = verb == Verb::pull_back ? std::min(m, sizes.pull_columns) : m;
  index cols = verb == Verb::pull_back ? band : std::min(m, sizes.cols);
  const auto total = [&] {
    return shared_bytes(shape, band) + worker_bytes(shape, rows, cols, band) * static_cast<std::size_t>(workers);
  };
  // What costs least first: bands of whole column blocks, rows of one register block, then anything.
  while (total() > budget) {
    if (band > sizes.cols && !prepared)
      band = std::max(sizes.cols, round_up(band / 2, sizes.cols));
    else if (rows > step)
      rows = std::max(step, rows / 2 / step * step);
    else if (band > kMinCols && !prepared)
      band = std::max(kMinCols, round_up(band / 2, kMinCols));
    else
      break;
    cols = std::min(cols, band);
  }
  NTKROB_CHECK(total() <= budget, ResourceError, "memory budget of ", limit(budget),
               " bytes is too small: the smallest tile (", rows, " x ", cols, " pairs, ", workers, " workers) needs ",
               given(total()), " bytes; ", advice("raise ", field("memory"), " or lower ", field("threads")));
  KernelPlan plan;
  plan.tile_rows = rows;
  plan.tile_cols = cols;
  plan.band = band;
  plan.tiles = ((n + rows - 1) / rows) * ((m + cols - 1) / std::max<index>(cols, 1));
  plan.shared_bytes = shared_bytes(shape, band);
  plan.scratch_bytes_per_worker = worker_bytes(shape, rows, cols, band);
  plan.scratch_bytes = total();
  return plan;
}

}  // namespace ntkrob
