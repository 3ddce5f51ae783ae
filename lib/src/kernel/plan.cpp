/// Tile sizes from shapes and a budget: pure functions.
///
/// Shapes, not the number of workers, decide the tiles, because the bits of a sum may depend on its blocking; the
/// budget does too, when it is tight.
#include <algorithm>

#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/kernel/kernel.hpp"

namespace ntkrob {
namespace {

constexpr index kRows = 512;    // rows of a strip: long enough for the matrix product, short enough to balance
constexpr index kSquare = 256;  // tiles of a matrix
constexpr index kCols = 1024;   // columns worked on at once
constexpr index kMinRows = 8;
constexpr index kMinCols = 64;

index round_up(index n, index to) { return (n + to - 1) / to * to; }

/// Scratch of one worker for a tile of this shape; of all workers together for pull_back, which shares one strip.
std::size_t worker_bytes(Verb verb, index rows, index cols, index m, index r, std::size_t number) {
  const auto size = [](index n) { return static_cast<std::size_t>(std::max<index>(n, 0)); };
  const std::size_t tile = size(rows) * size(cols) * number;
  const std::size_t thin = size(rows) * size(r) * (2 * number + sizeof(double));
  switch (verb) {
    case Verb::pull_back:  // value, dq and da of all N x samples against a strip of y; `rows` counts y, m counts x
      return 3 * size(rows) * size(m) * number + thin + size(m) * size(r + 1) * sizeof(double);
    case Verb::matrix:
      return tile;
    case Verb::apply:
      return tile + thin;
    case Verb::grad:
      return tile + thin + 2 * size(rows) * size(round_up(m, 16)) * number + size(rows) * sizeof(double);
  }
  return tile;
}

}  // namespace

KernelPlan plan_tiles(Verb verb, index n, index m, index d, index r, std::size_t bytes_per_number, int workers,
                      std::size_t budget) {
  static_cast<void>(d);
  KernelPlan plan;
  index rows = verb == Verb::matrix ? kSquare : kRows;
  // Strips of equal height, about four of them where there are rows enough to share.
  if (verb != Verb::matrix) rows = std::min(rows, std::max<index>(32, round_up((n + 3) / 4, 8)));
  rows = std::min(rows, std::max<index>(n, 1));
  index cols = std::min(verb == Verb::matrix ? kSquare : kCols, std::max<index>(round_up(m, 16), 16));
  const auto total = [&] {
    return worker_bytes(verb, rows, cols, m, r, bytes_per_number) * static_cast<std::size_t>(workers);
  };
  while (total() > budget && (rows > kMinRows || cols > kMinCols)) {
    if (rows > kMinRows)
      rows = std::max(kMinRows, rows / 2);
    else
      cols = std::max(kMinCols, cols / 2);
  }
  NTKROB_CHECK(total() <= budget, ResourceError, "memory budget of ", budget,
               " bytes is too small: the smallest tile (", rows, " x ", cols, " pairs, ", workers, " workers) needs ",
               total(), " bytes; raise --memory or lower --threads");
  plan.tile_rows = rows;
  plan.tile_cols = cols;
  plan.tiles = ((n + rows - 1) / rows) * ((m + cols - 1) / cols);
  plan.scratch_bytes_per_worker = worker_bytes(verb, rows, cols, m, r, bytes_per_number);
  plan.scratch_bytes = total();
  return plan;
}

}  // namespace ntkrob
