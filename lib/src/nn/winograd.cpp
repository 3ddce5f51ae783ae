#include "nn/winograd.hpp"

#include <algorithm>
#include <functional>

#include "ntkrob/base/multiversion.hpp"

namespace ntkrob::nn {
namespace {

constexpr index kStrip = 16;                       // channels at a time, in registers
constexpr index kCacheNumbers = index{150} << 10;  // transformed numbers of one task: 600 KiB of float32
constexpr index kRowStep = 14;                     // rows of a tile of products

/// The transforms of one line of N = m + 2 numbers, element by element of a strip.
template <int N>
struct Lines;

template <>
struct Lines<4> {
  static constexpr int kSide = 2;
  template <class R>
  static void inputs(const R (*d)[kStrip], R (*t)[kStrip], int in_step, int out_step) {
    for (index l = 0; l < kStrip; ++l) {
      const R a = d[0][l], b = d[in_step][l], c = d[2 * in_step][l], e = d[3 * in_step][l];
      t[0][l] = a - c;
      t[out_step][l] = b + c;
      t[2 * out_step][l] = c - b;
      t[3 * out_step][l] = b - e;
    }
  }
  template <class R>
  static void outputs(const R (*d)[kStrip], R (*t)[kStrip], int in_step, int out_step) {
    for (index l = 0; l < kStrip; ++l) {
      const R a = d[0][l], b = d[in_step][l], c = d[2 * in_step][l], e = d[3 * in_step][l];
      t[0][l] = a + b + c;
      t[out_step][l] = b - c - e;
    }
  }
  template <class R>
  static void spread(const R (*d)[kStrip], R (*t)[kStrip], int in_step, int out_step) {
    for (index l = 0; l < kStrip; ++l) {
      const R a = d[0][l], b = d[in_step][l];
      t[0][l] = a;
      t[out_step][l] = a + b;
      t[2 * out_step][l] = a - b;
      t[3 * out_step][l] = -b;
    }
  }
  static constexpr double kWeights[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
};

/// Points 0, -+5/8, -+3/2 and infinity: exact in binary, with half of the rounding of the usual 0, -+1, -+2.
template <>
struct Lines<6> {
  static constexpr int kSide = 4;
  static constexpr double kA = 0.625, kB = 1.5, kA2 = kA * kA, kB2 = kB * kB, kA3 = kA2 * kA, kB3 = kB2 * kB;
  template <class R>
  static void inputs(const R (*d)[kStrip], R (*t)[kStrip], int in_step, int out_step) {
    constexpr R a1 = R(kA), b1 = R(kB), a2 = R(kA2), b2 = R(kB2), ab = R(kA2 * kB2), sum = R(kA2 + kB2);
    for (index l = 0; l < kStrip; ++l) {
      const R a = d[0][l], b = d[in_step][l], c = d[2 * in_step][l], e = d[3 * in_step][l], f = d[4 * in_step][l],
              g = d[5 * in_step][l];
      const R even_a = f - b2 * c, odd_a = a1 * (e - b2 * b), even_b = f - a2 * c, odd_b = b1 * (e - a2 * b);
      t[0][l] = (ab * a - sum * c) + f;
      t[out_step][l] = even_a + odd_a;
      t[2 * out_step][l] = even_a - odd_a;
      t[3 * out_step][l] = even_b + odd_b;
      t[4 * out_step][l] = even_b - odd_b;
      t[5 * out_step][l] = (ab * b - sum * e) + g;
    }
  }
  template <class R>
  static void outputs(const R (*d)[kStrip], R (*t)[kStrip], int in_step, int out_step) {
    constexpr R a1 = R(kA), b1 = R(kB), a2 = R(kA2), b2 = R(kB2), a3 = R(kA3), b3 = R(kB3);
    for (index l = 0; l < kStrip; ++l) {
      const R a = d[0][l], b = d[in_step][l], c = d[2 * in_step][l], e = d[3 * in_step][l], f = d[4 * in_step][l],
              g = d[5 * in_step][l];
      const R even_a = b + c, odd_a = b - c, even_b = e + f, odd_b = e - f;
      t[0][l] = (a + even_a) + even_b;
      t[out_step][l] = a1 * odd_a + b1 * odd_b;
      t[2 * out_step][l] = a2 * even_a + b2 * even_b;
      t[3 * out_step][l] = (a3 * odd_a + b3 * odd_b) + g;
    }
  }
  template <class R>
  static void spread(const R (*d)[kStrip], R (*t)[kStrip], int in_step, int out_step) {
    constexpr R a1 = R(kA), b1 = R(kB), a2 = R(kA2), b2 = R(kB2), a3 = R(kA3), b3 = R(kB3);
    for (index l = 0; l < kStrip; ++l) {
      const R a = d[0][l], b = d[in_step][l], c = d[2 * in_step][l], e = d[3 * in_step][l];
      const R even_a = a + a2 * c, odd_a = a1 * b + a3 * e, even_b = a + b2 * c, odd_b = b1 * b + b3 * e;
      t[0][l] = a;
      t[out_step][l] = even_a + odd_a;
      t[2 * out_step][l] = even_a - odd_a;
      t[3 * out_step][l] = even_b + odd_b;
      t[4 * out_step][l] = even_b - odd_b;
      t[5 * out_step][l] = e;
    }
  }
  static constexpr double kNa = 2 * kA2 * (kA2 - kB2), kNb = 2 * kB2 * (kB2 - kA2), kN0 = kA2 * kB2;
  static constexpr double kWeights[6][3] = {{1 / kN0, 0, 0},
                                            {1 / kNa, kA / kNa, kA2 / kNa},
                                            {1 / kNa, -kA / kNa, kA2 / kNa},
                                            {1 / kNb, kB / kNb, kB2 / kNb},
                                            {1 / kNb, -kB / kNb, kB2 / kNb},
                                            {0, 0, 1}};
};

/// Where a tile is: its first position, and what it reads.
struct Place {
  index image, y, x;
};

/// What the loops of tiles need to know.
struct Grid {
  index down, across, side, height, width, channels;
  index top, left;
  Place place(index tile) const {
    const index image = tile / (down * across), rest = tile % (down * across);
    return {image, rest / across * side, rest % across * side};
  }
};

template <int N, class R>
inline void inputs_of(const Grid& g, ConstView2D<R> x, index first, index n, R* v) {
  const index c = g.channels;
  alignas(64) R d[N * N][kStrip], t[N * N][kStrip];
  for (index k = 0; k < n; ++k) {
    const Place at = g.place(first + k);
    const R* const image = x.row(at.image);
    for (index c0 = 0; c0 < c; c0 += kStrip) {
      const index w = std::min(kStrip, c - c0);
      for (int i = 0; i < N; ++i)
        for (int j = 0; j < N; ++j) {
          const index y = at.y - g.top + i, z = at.x - g.left + j;
          R* const to = d[i * N + j];
          const bool inside = y >= 0 && y < g.height && z >= 0 && z < g.width;
          if (inside && w == kStrip) {
            const R* const from = image + (y * g.width + z) * c + c0;
            for (index l = 0; l < kStrip; ++l) to[l] = from[l];
          } else {
            for (index l = 0; l < kStrip; ++l) to[l] = R(0);
            if (inside) std::copy_n(image + (y * g.width + z) * c + c0, w, to);
          }
        }
      for (int j = 0; j < N; ++j) Lines<N>::inputs(d + j, t + j, N, N);
      for (int i = 0; i < N; ++i) Lines<N>::inputs(t + i * N, d + i * N, 1, 1);
      for (int p = 0; p < N * N; ++p) {
        R* const to = v + (p * n + k) * c + c0;
        if (w == kStrip)
          for (index l = 0; l < kStrip; ++l) to[l] = d[p][l];
        else
          std::copy_n(d[p], w, to);
      }
    }
  }
}

template <int N, class R>
inline void outputs_of(const Grid& g, const R* m, index first, index n, const R* bias, bool relu, R* y) {
  constexpr int kSide = Lines<N>::kSide;
  const index c = g.channels;
  alignas(64) R d[N * N][kStrip], t[N * N][kStrip];
  for (index k = 0; k < n; ++k) {
    const Place at = g.place(first + k);
    R* const image = y + at.image * g.height * g.width * c;
    const int rows = static_cast<int>(std::min<index>(kSide, g.height - at.y)),
              cols = static_cast<int>(std::min<index>(kSide, g.width - at.x));
    for (index c0 = 0; c0 < c; c0 += kStrip) {
      const index w = std::min(kStrip, c - c0);
      for (int p = 0; p < N * N; ++p) {
        const R* const from = m + (p * n + k) * c + c0;
        if (w == kStrip)
          for (index l = 0; l < kStrip; ++l) d[p][l] = from[l];
        else
          std::copy_n(from, w, d[p]);
      }
      for (int j = 0; j < N; ++j) Lines<N>::outputs(d + j, t + j, N, N);
      for (int i = 0; i < kSide; ++i) Lines<N>::outputs(t + i * N, d + i * N, 1, 1);
      for (int i = 0; i < rows; ++i)
        for (int j = 0; j < cols; ++j) {
          R* const to = image + ((at.y + i) * g.width + at.x + j) * c + c0;
          const R* const from = d[i * N + j];
          for (index l = 0; l < w; ++l) {
            const R value = bias == nullptr ? from[l] : from[l] + bias[c0 + l];
            to[l] = relu && R(0) > value ? R(0) : value;
          }
        }
    }
  }
}

template <int N, class R>
inline void spread_of(const Grid& g, const R* dy, index first, index n, R* m) {
  constexpr int kSide = Lines<N>::kSide;
  const index c = g.channels;
  alignas(64) R d[N * N][kStrip], t[N * N][kStrip];
  for (index k = 0; k < n; ++k) {
    const Place at = g.place(first + k);
    const R* const image = dy + at.image * g.height * g.width * c;
    for (index c0 = 0; c0 < c; c0 += kStrip) {
      const index w = std::min(kStrip, c - c0);
      for (int i = 0; i < kSide; ++i)
        for (int j = 0; j < kSide; ++j) {
          R* const to = d[i * kSide + j];
          const bool inside = at.y + i < g.height && at.x + j < g.width;
          for (index l = 0; l < kStrip; ++l) to[l] = R(0);
          if (inside) std::copy_n(image + ((at.y + i) * g.width + at.x + j) * c + c0, w, to);
        }
      // Columns: kSide x kSide -> N x kSide, then rows: N x kSide -> N x N.
      for (int j = 0; j < kSide; ++j) Lines<N>::spread(d + j, t + j, kSide, kSide);
      for (int i = 0; i < N; ++i) Lines<N>::spread(t + i * kSide, d + i * N, 1, 1);
      for (int p = 0; p < N * N; ++p) std::copy_n(d[p], w, m + (p * n + k) * c + c0);
    }
  }
}

// Bits are the same for every instruction set: sums and products in the order that is written, nothing fused.
#define NTKROB_WINOGRAD(R)                                                                                        \
  NTKROB_MULTIVERSION void run_inputs(int n, const Grid& g, ConstView2D<R> x, index first, index count, R* v) {   \
    n == 6 ? inputs_of<6, R>(g, x, first, count, v) : inputs_of<4, R>(g, x, first, count, v);                     \
  }                                                                                                               \
  NTKROB_MULTIVERSION void run_outputs(int n, const Grid& g, const R* m, index first, index count, const R* bias, \
                                       bool relu, R* y) {                                                         \
    n == 6 ? outputs_of<6, R>(g, m, first, count, bias, relu, y)                                                  \
           : outputs_of<4, R>(g, m, first, count, bias, relu, y);                                                 \
  }                                                                                                               \
  NTKROB_MULTIVERSION void run_spread(int n, const Grid& g, const R* dy, index first, index count, R* m) {        \
    n == 6 ? spread_of<6, R>(g, dy, first, count, m) : spread_of<4, R>(g, dy, first, count, m);                   \
  }
NTKROB_WINOGRAD(float)
NTKROB_WINOGRAD(double)
#undef NTKROB_WINOGRAD

/// Row i, column k of G.
double g_of(index m, index i, index k) { return m == 4 ? Lines<6>::kWeights[i][k] : Lines<4>::kWeights[i][k]; }

/// u(row, place * step + column) = G w G^T of weight(ky, kx, row, column).
template <class R, class Weight>
void weights_to(const Winograd& w, index rows, index columns, index step, Matrix<R>& u, const Weight& weight) {
  const index n = w.side() + 2;
  if (u.rows() != rows || u.cols() != w.places() * step) u = Matrix<R>(rows, w.places() * step);
  for (index r = 0; r < rows; ++r)
    for (index c = 0; c < columns; ++c)
      for (index i = 0; i < n; ++i) {
        double line[3] = {0, 0, 0};
        for (index ky = 0; ky < 3; ++ky)
          for (index kx = 0; kx < 3; ++kx)
            line[kx] += g_of(w.side(), i, ky) * static_cast<double>(weight(ky, kx, r, c));
        for (index j = 0; j < n; ++j)
          u(r, (i * n + j) * step + c) = static_cast<R>(
              line[0] * g_of(w.side(), j, 0) + line[1] * g_of(w.side(), j, 1) + line[2] * g_of(w.side(), j, 2));
      }
}

}  // namespace

Winograd::Winograd(ImageShape in, index height, index width, index top, index left, index outputs)
    : in_(in), height_(height), width_(width), top_(top), left_(left), outputs_(outputs) {
  const auto count = [](index extent, index m) { return (extent + m - 1) / m; };
  const auto products = [&](index m) { return count(height, m) * count(width, m) * (m + 2) * (m + 2); };
  m_ = products(4) <= products(2) ? 4 : 2;
  down_ = count(height, m_);
  across_ = count(width, m_);
  const index most = kCacheNumbers / (places() * (in.channels + outputs));
  step_ = std::max<index>(1, most / kRowStep) * kRowStep;
}

bool Winograd::pays(index inputs, index outputs) { return inputs >= 16 && outputs >= 16; }

template <class R>
void Winograd::transform_inputs(ConstView2D<R> x, index first, index n, R* v) const {
  run_inputs(static_cast<int>(m_ + 2), Grid{down_, across_, m_, in_.height, in_.width, in_.channels, top_, left_}, x,
             first, n, v);
}

template <class R>
void Winograd::transform_outputs(const R* m, index first, index n, const R* bias, bool relu, R* y) const {
  run_outputs(static_cast<int>(m_ + 2), Grid{down_, across_, m_, height_, width_, outputs_, 0, 0}, m, first, n, bias,
              relu, y);
}

template <class R>
void Winograd::spread_outputs(const R* dy, index first, index n, R* m) const {
  run_spread(static_cast<int>(m_ + 2), Grid{down_, across_, m_, height_, width_, outputs_, 0, 0}, dy, first, n, m);
}

template <class R>
void transform_weights(const Winograd& w, ConstView2D<R> weight, Matrix<R>& u) {
  const index in = w.inputs();
  weights_to(w, in, w.outputs(), w.column_step(), u,
             [&](index ky, index kx, index i, index o) { return weight(o, (ky * 3 + kx) * in + i); });
}

template <class R>
void transform_turned_weights(const Winograd& w, ConstView2D<R> weight, Matrix<R>& u) {
  // Here w reads the outputs of the layer and writes its inputs.
  const index in = w.outputs();
  weights_to(w, w.inputs(), in, w.column_step(), u,
             [&](index ky, index kx, index o, index i) { return weight(o, ((2 - ky) * 3 + 2 - kx) * in + i); });
}

template <class R>
void gather_weight_gradient(Backend& backend, const Winograd& w, const R* s, R beta, R* weight) {
  const index in = w.inputs(), out = w.outputs(), n = w.side() + 2;
  const auto task = [&](index i, int) {
    for (index o = 0; o < out; ++o) {
      double lines[6][3];  // s G
      for (index a = 0; a < n; ++a)
        for (index kx = 0; kx < 3; ++kx) {
          lines[a][kx] = 0;
          for (index b = 0; b < n; ++b)
            lines[a][kx] += g_of(w.side(), b, kx) * static_cast<double>(s[((a * n + b) * in + i) * out + o]);
        }
      for (index ky = 0; ky < 3; ++ky)
        for (index kx = 0; kx < 3; ++kx) {
          double sum = 0;
          for (index a = 0; a < n; ++a) sum += g_of(w.side(), a, ky) * lines[a][kx];
          R& to = weight[o * 9 * in + (ky * 3 + kx) * in + i];
          to = static_cast<R>(beta == R(0) ? sum : sum + static_cast<double>(beta) * static_cast<double>(to));
        }
    }
  };
  backend.for_each(in, std::ref(task));
}

#define NTKROB_INSTANTIATE(R)                                                                     \
  template void Winograd::transform_inputs<R>(ConstView2D<R>, index, index, R*) const;            \
  template void Winograd::transform_outputs<R>(const R*, index, index, const R*, bool, R*) const; \
  template void Winograd::spread_outputs<R>(const R*, index, index, R*) const;                    \
  template void transform_weights<R>(const Winograd&, ConstView2D<R>, Matrix<R>&);                \
  template void transform_turned_weights<R>(const Winograd&, ConstView2D<R>, Matrix<R>&);         \
  template void gather_weight_gradient<R>(Backend&, const Winograd&, const R*, R, R*);
NTKROB_INSTANTIATE(float)
NTKROB_INSTANTIATE(double)
#undef NTKROB_INSTANTIATE

}  // namespace ntkrob::nn
