/// The contract of a pointwise kernel layer, and the plain types it is written in.
///
/// There is no type `Layer`; this file documents the concept that every struct in lib/src/layers/<name>.hpp models. The
/// same struct serves every loop (reference, vectorised CPU, device), so it holds scalar mathematics only.
///
/// State of a pair of samples (x, y), normalised by the pair's own scale:
///     u = 1 - q / sqrt(a b)      the gap: 1 - cos of the angle between pre-activations, in [0, 2]
///     t = Theta / sqrt(a b)
/// with q the covariance (NNGP), Theta the tangent kernel, a and b the two variances. Carrying the gap instead of q
/// keeps full relative accuracy where inputs nearly coincide, which is the normal case for adversarial examples: no
/// subtraction of nearly equal numbers happens after the first layer. What depends on one sample alone (variances,
/// their square roots) is computed once per sample as "coefficients", in float64.
///
/// Derivatives are carried forward with the value: (du, dt) with respect to the gap at the input, (eu, et) with respect
/// to log a, the variance of x at the input. y's derivatives follow by symmetry of the kernel.
///
///   struct Layer {
///     static constexpr Law kLaw;                         // what may stand before it
///     static constexpr int kCoefficients;                // numbers per sample, at most kMaxCoefficients
///     static constexpr int kParameterCount;
///     static constexpr LayerParameter kParameters[];     // name, default, range: grammar, help and checks
///     // Variance of one sample through the layer; coefficients and their derivatives with respect to log a(input).
///     NTKROB_HD static Variance sample(Variance in, const double* params, double* c, double* dc);
///     // k(x,x): tangent kernel of one sample, and d/da of variance and kernel. Smooth: no angle involved.
///     NTKROB_HD static SelfState self(SelfState in, const double* params);
///     // The textbook formula on (q, Theta, a, b), for S = double or a dual number: fast forms are tested against it.
///     template <class S> static Covariance<S> textbook(Covariance<S> in, const double* params);
///     // Fast forms. V: a vector of pairs (one x, several y). x, y: coefficients; dx: derivatives of x's.
///     template <class V> NTKROB_HD static void value(PairValue<V>& s, const V* x, const V* y);
///     template <class V> NTKROB_HD static void gradient(PairGradient<V>& s, const V* x, const V* dx, const V* y);
///   };
///
/// NTKROB_HD marks what runs once per pair or sample, and so on a device too; the rest runs on the host only.
/// V offers + - *, fma(a,b,c) = a b + c, sqrt, rsqrt_or_zero(x, limit) (0 where x <= limit), min,
/// select_greater(a,b,p,q) = a > b ? p : q, conversion from a number, and V::scalar (float or double). gradient() must
/// compute u and t by the very operations of value(): a value's bits do not depend on whether derivatives are asked
/// for. At a kink (gap 0) the derivative of the angle counts as 0.
#pragma once

#include "ntkrob/base/device_code.hpp"

namespace ntkrob {

constexpr int kMaxCoefficients = 12;

/// A parameter in the spec grammar.
struct LayerParameter {
  const char* name;
  double fallback;
  double low;
  double high;
  bool whole = false;  // whole numbers only
};

/// What a layer asks of the law of its input and makes of it: formulas of nonlinearities hold for Gaussian input.
enum class Law {
  makes_gaussian,
  keeps,
  needs_gaussian,
  adds_noise  // of its own in every sample; not Gaussian. Pairs of one sample then go through self()
};

/// Variance of one sample and its derivative with respect to log a(input).
struct Variance {
  double a;
  double da;
};

/// k(x,x) of one sample: variance, tangent kernel, and their derivatives with respect to a(input).
struct SelfState {
  double a, t;
  double da, dt;
};

template <class S>
struct Covariance {
  S q, t, a, b;
};

template <class V>
struct PairValue {
  V u, t;
};

template <class V>
struct PairGradient {
  V u, t, du, dt, eu, et;
};

}  // namespace ntkrob
