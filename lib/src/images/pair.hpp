/// The mathematics of a network on images at one pair of positions, for the loops of all backends. V: one pair or a
/// vector of pairs, as layers ask for it (ntkrob/layers/layer.hpp).
///
/// With D, T the means over a window, A = a^2 and B = b^2 the variances behind the dense layer:
///     D <- c_x c_y D + (c_x - c_y)(c_x A0 - c_y B0) + (beta_x - beta_y)^2      A0, B0: variances in front of it
///     u = (D - (a - b)^2) / 2ab,      t = 1 - u + c_x c_y T / ab
/// then the layers on (u, t), then D = (a - b)^2 + 2ab u and T = ab t with the roots of the output.
#pragma once

#include "ntkrob/layers/layer.hpp"

#ifdef __CUDACC__
#define NTKROB_PAIR NTKROB_HD __forceinline__
#else
#define NTKROB_PAIR inline __attribute__((always_inline))
#endif

namespace ntkrob::images {

/// Distance and tangent kernel, or their adjoints.
template <class V>
struct State {
  V d, t;
};

/// A window's divisor and the dense layer behind it.
template <class V>
struct Affine {
  V factor, difference, bias, dense, inverse_c;

  NTKROB_PAIR explicit Affine(V inverse_taps) : factor(inverse_taps), difference(0), bias(0), dense(0), inverse_c(0) {}
  NTKROB_PAIR Affine(V inverse_taps, V cx, V cy, V beta_x, V beta_y)
      : factor(cx * cy * inverse_taps), difference(cx - cy), bias((beta_x - beta_y) * (beta_x - beta_y)), dense(1) {
    // 0 where the bias is everything: then nothing depends on the input.
    inverse_c = select_greater(cx, V(1e-30f), V(1) / cx, V(0));
  }
};

/// Behind the dense layer. a, b: roots of the variances there
template <class V>
struct Point {
  V a, b, d;
  NTKROB_PAIR Point(const Affine<V>& affine, V root_x, V root_y, V share_x, V share_y, V sum)
      : a(root_x), b(root_y), d(fma(affine.factor, sum, fma(affine.difference, share_x - share_y, affine.bias))) {}
};

/// The same as gap and normalised tangent kernel. inverse: 1 / ab, or 0   scaled: the part of t proportional to T
template <class V>
struct Normal : Point<V> {
  V inverse, u, t, scaled;
  NTKROB_PAIR Normal(const Affine<V>& affine, const Point<V>& point, V inverse_, V t_sum)
      : Point<V>(point), inverse(inverse_) {
    const V difference = this->a - this->b;
    const V gap = max_with_zero(V(0.5f) * (this->d - difference * difference) * inverse);
    // Where a variance is 0 the angle counts as a right one.
    u = select_greater(inverse, V(0), min(gap, V(2)), V(1));
    scaled = affine.factor * inverse * t_sum;
    t = fma(affine.dense, V(1) - u, scaled);
  }
};

/// From gap and kernel behind the layers. a, b: roots of the output's variances
template <class V>
NTKROB_PAIR State<V> behind_layers(V a, V b, V u, V t) {
  const V difference = a - b, product = a * b;
  return {fma(difference, difference, V(2) * product * u), product * t};
}

/// Behind a window and a dense layer with no layer after them.
template <class V>
NTKROB_PAIR State<V> behind_dense(const Affine<V>& affine, const Point<V>& in, V t_sum) {
  // Where a variance is 0 so is the covariance, to the last bit.
  const V covariance = V(0.5f) * (fma(in.a, in.a, in.b * in.b) - in.d);
  return {in.d, affine.factor * t_sum + select_greater(in.a * in.b, V(0), covariance, V(0))};
}

/// The pointwise layer that changes neither gap nor normalised tangent kernel: layer norm.
struct Unchanged {
  static constexpr int kCoefficients = 0;
  template <class V>
  NTKROB_HD static void value(PairValue<V>&, const V*, const V*) {}
  template <class V>
  NTKROB_HD static void gradient(PairGradient<V>&, const V*, const V*, const V*) {}
};

/// Gap and kernel through layers, with derivatives by gap (d), by log A (e), and of t by t.
template <class V>
struct Slopes {
  V u, t, du, dt, eu, et, tt;
  Slopes() = default;
  NTKROB_PAIR Slopes(V gap, V kernel) : u(gap), t(kernel), du(1), dt(0), eu(0), et(0), tt(1) {}

  /// x, dx, y: coefficients of the layer, as its gradient() takes them
  template <class L>
  NTKROB_PAIR void through(const V* x, const V* dx, const V* y) {
    kernel_through<L>(x, y);
    gap_through<L>(x, dx, y);
  }
  /// Its two halves, in this order.
  template <class L>
  NTKROB_PAIR void kernel_through(const V* x, const V* y) {
    V zero[L::kCoefficients + 1];
    for (V& z : zero) z = V(0);
    PairGradient<V> by_t{u, t, V(0), tt, V(0), V(0)};
    L::gradient(by_t, x, zero, y);
    tt = by_t.dt;
  }
  template <class L>
  NTKROB_PAIR void gap_through(const V* x, const V* dx, const V* y) {
    PairGradient<V> by_u{u, t, du, dt, eu, et};
    L::gradient(by_u, x, dx, y);
    u = by_u.u;
    t = by_u.t;
    du = by_u.du;
    dt = by_u.dt;
    eu = by_u.eu;
    et = by_u.et;
  }
};

/// Adjoints of the sums over the window, and of the logarithms of the variances of x: in front of the layers, behind
/// them.
template <class V>
struct UnitAdjoint {
  V d, t, mid_log, out_log;
};

/// a, b: roots of the output's variances   g: adjoint of the output
template <class V>
NTKROB_PAIR UnitAdjoint<V> layers_back(const Affine<V>& affine, const Normal<V>& in, const Slopes<V>& s, V a, V b,
                                       State<V> g) {
  const V product = a * b;
  const V gu_out = V(2) * product * g.d, gt_out = product * g.t;
  const V out_log = a * fma(g.d, fma(b, s.u, a - b), V(0.5f) * g.t * b * s.t);
  const V g_kernel = gt_out * s.tt;
  const V gu = fma(gu_out, s.du, fma(gt_out, s.dt, -(affine.dense * g_kernel)));
  const V gd = V(0.5f) * in.inverse * gu;
  const V live = select_greater(in.inverse, V(0), in.u, V(0));
  const V explicit_part = fma(gu_out, s.eu, gt_out * s.et);
  const V through_root = fma(g_kernel, in.scaled, gu * fma(in.a - in.b, in.a * in.inverse, live));
  const V mid_log =
      fma(gd * affine.difference, in.a * in.a * affine.inverse_c, fma(V(-0.5f), through_root, explicit_part));
  return {affine.factor * gd, affine.factor * in.inverse * g_kernel, mid_log, out_log};
}

/// The adjoint of behind_dense. a: root of the variance of x behind the dense layer
template <class V>
NTKROB_PAIR UnitAdjoint<V> dense_back(const Affine<V>& affine, V a, State<V> g) {
  const V gd = fma(V(-0.5f), g.t, g.d), square = a * a;
  return {affine.factor * gd, affine.factor * g.t,
          fma(V(0.5f) * g.t, square, gd * affine.difference * (square * affine.inverse_c)), V(0)};
}

/// The product of two branches: K = K1 K2 and T = T1 K2 + K1 T2. With D1, D2 the distances, a1 = r1^2, a2 variances of
/// x and b1, b2 of y:
///     D = ((a1 - b1)(a2 - b2) + (a1 + b1) D2 + (a2 + b2) D1 - D1 D2) / 2
/// where no digits are lost for nearly equal patches. Scales differ: with f = scale1 scale2 / scale of each sample,
/// D <- f_x f_y D + (f_x - f_y)(f_x a1 a2 - f_y b1 b2).
template <class V>
struct Product {
  V f, fx, fy;  // scales
  State<V> one, two;
  V a1, b1, a2, b2;
  V gap1, gap2;  // a1 - b1, a2 - b2
  V k1, k2;

  /// r1, r2: roots of the variances of x; s1, s2: of y
  NTKROB_PAIR Product(V factor_x, V factor_y, V r1, V s1, V r2, V s2, State<V> first, State<V> second)
      : f(factor_x * factor_y),
        fx(factor_x),
        fy(factor_y),
        one(first),
        two(second),
        a1(r1 * r1),
        b1(s1 * s1),
        a2(r2 * r2),
        b2(s2 * s2),
        gap1((r1 - s1) * (r1 + s1)),
        gap2((r2 - s2) * (r2 + s2)),
        k1(V(0.5f) * (a1 + b1 - first.d)),
        k2(V(0.5f) * (a2 + b2 - second.d)) {}

  NTKROB_PAIR State<V> value() const {
    const V own = V(0.5f) * fma(gap1, gap2, fma(a1 + b1, two.d, fma(a2 + b2, one.d, -(one.d * two.d))));
    const V other = (fx - fy) * (fx * a1 * a2 - fy * b1 * b2);
    return {fma(f, own, other), f * fma(one.t, k2, k1 * two.t)};
  }

  /// Adjoints of the factors, and of their variances of x.
  struct Adjoint {
    State<V> one, two;
    V variance_one, variance_two;
  };
  NTKROB_PAIR Adjoint back(State<V> g) const {
    const V gd = f * g.d, gt = f * g.t, half = V(0.5f) * gt, scales = g.d * (fx - fy) * fx;
    return {{gd * k2 - half * two.t, gt * k2},
            {gd * k1 - half * one.t, gt * k1},
            fma(gd, a2 - k2, fma(half, two.t, scales * a2)),
            fma(gd, a1 - k1, fma(half, one.t, scales * a1))};
  }
};

}  // namespace ntkrob::images
