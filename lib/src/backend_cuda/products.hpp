/// c = alpha a b + beta c, and transposition. An element's bits depend on its row of a, its column of b and the inner
/// length alone, as Backend::multiply promises (a BLAS picks its order by shape): its sum runs over the inner length
/// in order, in parts of 1024 that are added to c one after the other, whatever the shape of the blocks and whether or
/// not the parts are summed side by side. So the shape may be chosen by time alone (choose).
#pragma once

#include "backend_cuda/program.hpp"
#include "backend_cuda/quad.hpp"

namespace ntkrob::cuda {

/// What is to be multiplied.
template <class R>
struct Product {
  R alpha = 1, beta = 0;
  DeviceView<const R> a;  // n x k
  DeviceView<const R> b;  // k x m
  DeviceView<R> c;        // n x m
};

/// Terms of a sum that are added in R before the sum is added to c.
constexpr index kProductPart = 1024;
NTKROB_HD inline index product_parts(index inner) {
  return inner <= kProductPart ? 1 : (inner + kProductPart - 1) / kProductPart;
}

/// A shape of blocks: warps_down x warps_across warps of 4 x 8 threads, a thread with squares x squares squares of
/// 4 x 4 elements, `depth` of the inner length at a time; `resident` blocks share a multiprocessor's registers.
template <int warps_down, int warps_across, int squares, int depth, int resident>
struct BlockShape {
  static constexpr int kWarpsDown = warps_down, kWarpsAcross = warps_across, kSquares = squares, kDepth = depth,
                       kResident = resident, kThreads = 32 * warps_down * warps_across;
  static constexpr int kBand = 16 * warps_down, kRows = squares * kBand;           // of c
  static constexpr int kStripe = 32 * warps_across, kColumns = squares * kStripe;  //
  static_assert(kProductPart % depth == 0 && depth % 8 == 0, "stages end where parts end");
};
template <class R>
struct BlockShapes {  // 128 x 128, 64 x 64 and 32 x 64 elements
  using Large = BlockShape<4, 2, 2, 8, 2>;
  using Medium = BlockShape<2, 1, 2, 8, 6>;
  using Small = BlockShape<2, 2, 1, 32, 4>;
};
template <>
struct BlockShapes<double> {  // 64 x 64 and 32 x 64
  using Large = BlockShape<4, 2, 1, 8, 2>;
  using Medium = Large;
  using Small = BlockShape<2, 2, 1, 16, 4>;
};

/// The product on blocks of a shape. While a stage of the inner length is multiplied from one half of the memory of a
/// block, the numbers of the next one are on their way to registers, and then go to the other half: threads meet once
/// per stage. Reads of shared memory are quads without conflicts of banks.
template <class R, class Shape>
struct ProductBlocks {
  static constexpr int kThreads = Shape::kThreads, kResident = Shape::kResident;
  static constexpr int kDepth = Shape::kDepth, kSquares = Shape::kSquares, kEach = 4 * kSquares;
  static constexpr int kLeft = Shape::kRows * kDepth / 4, kRight = Shape::kColumns * kDepth / 4;  // quads of a stage
  static constexpr int kOwnLeft = (kLeft + kThreads - 1) / kThreads, kOwnRight = (kRight + kThreads - 1) / kThreads;
  static constexpr int kGroup = 8;  // rows of blocks that go through b side by side, for the sake of the cache

  struct Half {
    alignas(16) R a[kDepth][Shape::kRows + 4];  // transposed; 4: so that columns are written without conflicts
    alignas(16) R b[kDepth][Shape::kColumns];
  };
  struct Shared {
    Half half[2];
  };
  struct Own {
    R sum[kEach][kEach];
    Quad<R> left[kOwnLeft], right[kOwnRight];  // of the next stage
    const R *from_a[kOwnLeft], *from_b[kOwnRight];
    int columns[kOwnRight];  // that are left to the right of from_b, at most 4
    int rest;                // of the inner length, behind the stages that were fetched
  };

  Product<R> product;
  bool quads_a = false, quads_b = false, quads_c = false;
  bool apart = false;     // each part of the inner length has blocks of its own
  index part_stride = 0;  // and numbers of its own, so far behind each other, in product.c

  explicit ProductBlocks(const Product<R>& p)
      : product(p), quads_a(has_quads(p.a)), quads_b(has_quads(p.b)), quads_c(has_quads(p.c)) {}

  NTKROB_HD long long down() const { return (product.c.rows + Shape::kRows - 1) / Shape::kRows; }
  NTKROB_HD long long across() const { return (product.c.cols + Shape::kColumns - 1) / Shape::kColumns; }
  long long blocks() const { return down() * across() * (apart ? product_parts(product.a.cols) : 1); }
  int phases() const {
    const index inner = apart && product.a.cols > kProductPart ? kProductPart : product.a.cols;
    return 1 + static_cast<int>(inner <= kDepth ? 1 : (inner + kDepth - 1) / kDepth);
  }

  NTKROB_HD void run(int phase, long long block, int thread, Own& own, Shared& shared) const {
    if (phase == 0) {
      begin(place(block), thread, own);
      fetch(thread, own);
      put(thread, own, shared.half[0]);
      return;
    }
    if (own.rest <= -kDepth && phase > 1) return;  // a shorter part than others
    const bool more = own.rest > 0;
    if (more)
      fetch(thread, own);
    else
      own.rest -= kDepth;
    add(thread, shared.half[(phase - 1) % 2], own);
    if (more) put(thread, own, shared.half[phase % 2]);
    if (!more || phase % (kProductPart / kDepth) == 0)
      finish(place(block), phase <= kProductPart / kDepth, thread, own);
  }

 private:
  /// First row and column of c, and part of the inner length.
  struct Place {
    index i, j, part;
  };
  NTKROB_HD Place place(long long block) const {
    const long long each = down() * across(), part = quotient(block, each), here = block - part * each;
    const long long group = quotient(here, kGroup * across()), first = group * kGroup, within = here - first * across();
    const long long height = down() - first < kGroup ? down() - first : kGroup, column = quotient(within, height);
    return {(first + within - column * height) * Shape::kRows, column * Shape::kColumns, part};
  }

  /// Rows beyond the last are copies of it, columns beyond the last are 0: nobody stores what comes of them.
  NTKROB_HD void begin(const Place& at, int thread, Own& own) const {
    const DeviceView<const R>&a = product.a, &b = product.b;
    const index first = at.part * kProductPart, length = a.cols - first;
    own.rest = static_cast<int>(apart && length > kProductPart ? kProductPart : length);
    for (int r = 0; r < kEach; ++r)
      for (int s = 0; s < kEach; ++s) own.sum[r][s] = R(0);
    for (int q = 0; q < kOwnLeft; ++q) {
      const int e = thread + q * kThreads;
      const index wanted = at.i + e / (kDepth / 4), row = wanted < product.c.rows ? wanted : product.c.rows - 1;
      own.from_a[q] = a.data + row * a.stride + first + e % (kDepth / 4) * 4;
    }
    for (int q = 0; q < kOwnRight; ++q) {
      const int e = thread + q * kThreads;
      const index k = first + e / (Shape::kColumns / 4), column = at.j + e % (Shape::kColumns / 4) * 4;
      own.from_b[q] = b.data + k * b.stride + column;
      const index columns = product.c.cols - column;
      own.columns[q] = static_cast<int>(columns < 0 ? 0 : columns > 4 ? 4 : columns);
    }
  }

  /// The numbers of the next stage: 0 beyond the inner length.
  NTKROB_HD void fetch(int thread, Own& own) const {
    const bool whole = own.rest >= kDepth;
#pragma unroll
    for (int q = 0; q < kOwnLeft; ++q) {
      const int e = thread + q * kThreads, k = e % (kDepth / 4) * 4;
      if (kLeft % kThreads != 0 && e >= kLeft) break;
      if (whole && quads_a) {
        own.left[q] = load_quad(own.from_a[q]);
      } else {
        for (int z = 0; z < 4; ++z) own.left[q].v[z] = k + z < own.rest ? own.from_a[q][z] : R(0);
      }
      own.from_a[q] += kDepth;
    }
#pragma unroll
    for (int q = 0; q < kOwnRight; ++q) {
      const int e = thread + q * kThreads, k = e / (Shape::kColumns / 4);
      if (kRight % kThreads != 0 && e >= kRight) break;
      if (whole && quads_b && own.columns[q] == 4) {
        own.right[q] = load_quad(own.from_b[q]);
      } else {
        for (int z = 0; z < 4; ++z) own.right[q].v[z] = k < own.rest && z < own.columns[q] ? own.from_b[q][z] : R(0);
      }
      own.from_b[q] += kDepth * product.b.stride;
    }
    own.rest -= kDepth;
  }

  NTKROB_HD static void put(int thread, const Own& own, Half& half) {
#pragma unroll
    for (int q = 0; q < kOwnLeft; ++q) {
      const int e = thread + q * kThreads, k = e % (kDepth / 4) * 4, row = e / (kDepth / 4);
      if (kLeft % kThreads != 0 && e >= kLeft) break;
      for (int z = 0; z < 4; ++z) half.a[k + z][row] = own.left[q].v[z];
    }
#pragma unroll
    for (int q = 0; q < kOwnRight; ++q) {
      const int e = thread + q * kThreads;
      if (kRight % kThreads != 0 && e >= kRight) break;
      store_quad(&half.b[e / (Shape::kColumns / 4)][e % (Shape::kColumns / 4) * 4], own.right[q]);
    }
  }

  /// The first row and column of a thread's squares inside a band and a stripe: threads of a warp are laid out so that
  /// any eight neighbours read few different quads.
  NTKROB_HD static int row_of(int thread) {
    const int lane = thread % 32, warp = thread / 32;
    return (warp / Shape::kWarpsAcross * 4 + ((lane >> 3 & 2) | (lane & 1))) * 4;
  }
  NTKROB_HD static int column_of(int thread) {
    const int lane = thread % 32, warp = thread / 32;
    return (warp % Shape::kWarpsAcross * 8 + (lane >> 1 & 7)) * 4;
  }

  NTKROB_HD static void add(int thread, const Half& half, Own& own) {
    const int row = row_of(thread), column = column_of(thread);
#pragma unroll
    for (int k = 0; k < kDepth; ++k) {
      Quad<R> left[kSquares], right[kSquares];
      for (int q = 0; q < kSquares; ++q) {
        left[q] = load_quad(&half.a[k][q * Shape::kBand + row]);
        right[q] = load_quad(&half.b[k][q * Shape::kStripe + column]);
      }
      for (int r = 0; r < kEach; ++r)
        for (int s = 0; s < kEach; ++s)
          own.sum[r][s] = std::fma(left[r / 4].v[r % 4], right[s / 4].v[s % 4], own.sum[r][s]);
    }
  }

  /// Adds the sums of a part to c and begins the next.
  NTKROB_HD void finish(const Place& at, bool first, int thread, Own& own) const {
    const R beta = first ? product.beta : R(1);
    R* const c = product.c.data + at.part * part_stride;
    for (int r = 0; r < kEach; ++r)
      for (int q = 0; q < kSquares; ++q) {
        const index row = at.i + r / 4 * Shape::kBand + row_of(thread) + r % 4,
                    column = at.j + q * Shape::kStripe + column_of(thread);
        if (row >= product.c.rows) continue;
        R* const to = c + row * product.c.stride + column;
        const bool whole = quads_c && column + 4 <= product.c.cols;
        Quad<R> old = {}, now;
        if (beta != R(0)) {
          if (whole)
            old = load_quad(to);
          else
            for (int z = 0; z < 4; ++z) old.v[z] = column + z < product.c.cols ? to[z] : R(0);
        }
        for (int z = 0; z < 4; ++z) {  // + 0: stages of another depth end with other zeros
          const R value = product.alpha * (own.sum[r][q * 4 + z] + R(0));
          now.v[z] = beta == R(0) ? value : std::fma(beta, old.v[z], value);
          own.sum[r][q * 4 + z] = R(0);
        }
        if (whole)
          store_quad(to, now);
        else
          for (int z = 0; z < 4; ++z)
            if (column + z < product.c.cols) to[z] = now.v[z];
      }
  }
};

/// c = beta c + part 0 + part 1 + ..., in this order, for parts that were summed apart.
template <class R>
struct AddProductParts {
  static constexpr int kThreads = 128;
  using Shared = None;
  using Own = None;
  R beta = 0;
  index parts = 0, part_stride = 0;
  DeviceView<const R> part;  // the first
  DeviceView<R> c;

  NTKROB_HD long long per_row() const { return (c.cols + kThreads - 1) / kThreads; }
  long long blocks() const { return c.rows * per_row(); }
  int phases() const { return 1; }
  NTKROB_HD void run(int, long long block, int thread, Own&, Shared&) const {
    const index i = quotient(block, per_row()), j = (block - i * per_row()) * kThreads + thread;
    if (j >= c.cols) return;
    const R* from = &part(i, j);
    R sum = beta == R(0) ? from[0] : std::fma(beta, c(i, j), from[0]);
    for (index p = 1; p < parts; ++p) sum = sum + from[p * part_stride];
    c(i, j) = sum;
  }
};

enum class BlockSize { large, medium, small };
struct ProductPlan {
  BlockSize size = BlockSize::large;
  bool apart = false;
};

/// The shape of blocks that promises the shortest time, by a coarse model of a device with so many multiprocessors: a
/// stage takes its multiply-adds (128 in R a cycle and multiprocessor for float, half of that for double), or the way
/// of its numbers through the memory where too few blocks share a multiprocessor.
template <class R>
ProductPlan choose_blocks(index n, index m, index inner, int processors) {
  constexpr double kWay = 700;             // cycles
  constexpr double kBytesPerCycle = 1500;  // of parts, beside about 5000 cycles for one more launch
  using Shapes = BlockShapes<R>;
  ProductPlan best;
  double least = -1;
  const auto consider = [&](BlockSize size, auto shape, double share) {
    using S = decltype(shape);
    const double tiles =
        static_cast<double>((n + S::kRows - 1) / S::kRows) * static_cast<double>((m + S::kColumns - 1) / S::kColumns);
    const double work = S::kRows * S::kColumns * S::kDepth / (sizeof(R) == 4 ? 128.0 : 64.0) / share;
    const double alone = S::kThreads >= 128 ? work : work * 128 / S::kThreads;  // a warp has one of four schedulers
    const index parts = product_parts(inner);
    for (const bool apart : {false, true}) {
      if (apart && parts == 1) continue;
      const double blocks = tiles * static_cast<double>(apart ? parts : 1);
      const double deep = static_cast<double>(apart && inner > kProductPart ? kProductPart : inner) / S::kDepth;
      const double turns = static_cast<double>((static_cast<long long>(blocks) + processors - 1) /
                                               processors);  // of the busiest multiprocessor
      const double stage = turns * work > alone ? turns * work : alone;
      const double fill = turns > S::kResident ? turns / S::kResident : 1;
      double time = deep * (stage > fill * kWay ? stage : fill * kWay);
      if (apart)
        time += 5000 + static_cast<double>((parts + 1) * static_cast<index>(sizeof(R)) * n * m) / kBytesPerCycle;
      if (least >= 0 && time >= least) continue;
      least = time;
      best = {size, apart};
    }
  };
  consider(BlockSize::large, typename Shapes::Large(), 0.85);
  if (sizeof(R) == 4) consider(BlockSize::medium, typename Shapes::Medium(), 0.8);
  consider(BlockSize::small, typename Shapes::Small(), 0.6);
  return best;
}

/// Starts what computes a product.   launch(program)   scratch(count): room for so many numbers, until the next product
template <class R, class Launch, class Scratch>
void start_product(const Product<R>& product, const ProductPlan& plan, const Launch& launch, const Scratch& scratch) {
  const auto start = [&](auto shape) {
    ProductBlocks<R, decltype(shape)> blocks(product);
    if (!plan.apart) {
      launch(blocks);
      return;
    }
    const index n = product.c.rows, m = product.c.cols, parts = product_parts(product.a.cols);
    const index stride = (m + 3) / 4 * 4;
    const DeviceView<R> first(scratch(parts * n * stride), n, m, stride);
    Product<R> apart = product;
    apart.beta = R(0);
    apart.c = first;
    blocks = ProductBlocks<R, decltype(shape)>(apart);
    blocks.apart = true;
    blocks.part_stride = n * stride;
    launch(blocks);
    launch(AddProductParts<R>{product.beta, parts, n * stride, first, product.c});
  };
  using Shapes = BlockShapes<R>;
  if (plan.size == BlockSize::large)
    start(typename Shapes::Large());
  else if (plan.size == BlockSize::medium)
    start(typename Shapes::Medium());
  else
    start(typename Shapes::Small());
}

/// b transposed: pieces of 32 x 32 through the memory of a block, read and written along rows.
template <class R>
struct Transposition {
  static constexpr int kThreads = 256;
  static constexpr int kTile = 32;
  struct Shared {
    R piece[kTile][kTile + 1];
  };
  using Own = None;
  DeviceView<const R> from;
  DeviceView<R> to;

  NTKROB_HD long long per_row() const { return (from.cols + kTile - 1) / kTile; }
  long long blocks() const { return (from.rows + kTile - 1) / kTile * per_row(); }
  int phases() const { return 2; }

  NTKROB_HD void run(int phase, long long block, int thread, Own&, Shared& shared) const {
    const index down = quotient(block, per_row()), i = down * kTile, j = (block - down * per_row()) * kTile;
    for (int e = thread; e < kTile * kTile; e += kThreads) {
      const int one = e / kTile, two = e % kTile;
      if (phase == 0 && i + one < from.rows && j + two < from.cols) shared.piece[one][two] = from(i + one, j + two);
      if (phase == 1 && i + two < from.rows && j + one < from.cols) to(j + one, i + two) = shared.piece[two][one];
    }
  }
};

}  // namespace ntkrob::cuda
