/// What smooth nonlinearities share: a layer states its formulas once, derivatives come from jets.
///
///   struct Layer : Smooth<Layer> {
///     static constexpr int kCoefficients, kParameterCount; static constexpr LayerParameter kParameters[];
///     // Variance E[phi(X)^2] behind the layer, from the variance a before it; the coefficients of the sample.
///     template <class N> static N coefficients(N a, const double* params, N* c);
///     template <class N> static N slope(N a, const double* params);      // E[phi'(X)^2]
///     // u <- 1 - E[phi phi] / sqrt(a'b'), t <- t E[phi' phi'] sqrt(ab) / sqrt(a'b').
///     template <class N> NTKROB_HD static void pair(N& u, N& t, const N* x, const N* y);
///     template <class S> static Covariance<S> textbook(Covariance<S> in, const double* params);
///   };
///
/// Most layers write u' = (angular part) + (mismatch). The angular part is the fall of E[phi phi] from cos theta = 1 to
/// the cosine at hand: proportional to u, without cancellation. The mismatch is what remains at theta = 0 for samples
/// of different variances. Where these are close it is written as a difference of terms of second order in their
/// difference, exactly 0 for equal variances; elsewhere plainly as 1 - E/sqrt(a'b').
#pragma once

#include "layers/jet.hpp"
#include "ntkrob/base/error.hpp"
#include "ntkrob/layers/layer.hpp"

namespace ntkrob::layers {

template <class Layer>
struct Smooth {
  static constexpr Law kLaw = Law::needs_gaussian;

  NTKROB_HD static Variance sample(Variance in, const double* params, double* c, double* dc) {
    constexpr int n = Layer::kCoefficients;
    Jet<double> jets[n + 1];
    const Jet<double> out = Layer::coefficients(Jet<double>(in.a, in.da, 0), params, jets);
    for (int k = 0; k < n; ++k) {
      c[k] = jets[k].v;
      dc[k] = jets[k].d;
    }
    return {out.v, out.d};
  }

  NTKROB_HD static SelfState self(SelfState in, const double* params) {
    Jet<double> unused[Layer::kCoefficients + 1];
    const Jet<double> a(in.a, in.da, 0), t(in.t, in.dt, 0);
    const Jet<double> variance = Layer::coefficients(a, params, unused), kernel = Layer::slope(a, params) * t;
    return {variance.v, kernel.v, variance.d, kernel.d};
  }

  template <class V>
  NTKROB_HD static void value(PairValue<V>& s, const V* x, const V* y) {
    Layer::pair(s.u, s.t, x, y);
  }

  template <class V>
  NTKROB_HD static void gradient(PairGradient<V>& s, const V* x, const V* dx, const V* y) {
    constexpr int n = Layer::kCoefficients;
    Jet<V> jx[n + 1], jy[n + 1], u(s.u, s.du, s.eu), t(s.t, s.dt, s.et);
    for (int k = 0; k < n; ++k) {
      jx[k] = Jet<V>(x[k], V(0), dx[k]);
      jy[k] = Jet<V>(y[k], V(0), V(0));
    }
    Layer::pair(u, t, jx, jy);
    s = {u.v, t.v, u.d, t.d, u.e, t.e};
  }
};

}  // namespace ntkrob::layers
