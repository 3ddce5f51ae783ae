/// The operations of a Program on one pair of samples, or on one x and several y: values, and adjoints in reverse.
/// Compiled once per instruction set (NTKROB_ISA), as simd.cpp is.
#include "backend_cpu/images/steps.hpp"

#include "backend_cpu/images/linear.hpp"
#include "backend_cpu/images/pointwise.hpp"

namespace ntkrob::NTKROB_ISA {
namespace {

template <class R>
void run(const ImageStep<R>& s, ImageValue<R>* values, bool back) {
  const ImageValue<R>&in = values[s.in], &out = values[s.out];
  const index n = out.rows * out.stride;
  switch (s.type) {
    case Operation::pointwise:
      return layers::visit(s.layer.kind, [&](auto layer) { pointwise<decltype(layer)>(s, in, out, back); });
    case Operation::normalise:
      return pointwise<Unchanged>(s, in, out, back);
    case Operation::sum: {
      const ImageValue<R>& other = values[s.other];
      for (index k = 0; k < n; ++k) {
        if (back) {
          in.gd[k] += out.gd[k];
          in.gt[k] += out.gt[k];
          other.gd[k] += out.gd[k];
          other.gt[k] += out.gt[k];
        } else {
          out.d[k] = in.d[k] + other.d[k];
          out.t[k] = in.t[k] + other.t[k];
        }
      }
      return;
    }
    case Operation::pool:
      if (!back) {
        clear(out.d, n);
        clear(out.t, n);
        pool_distances(s, in, out, back);
        return pool_both<false>(s, in, out, in.t, out.t, s.scratch);
      }
      pool_distances(s, in, out, back);
      return pool_both<true>(s, in, out, in.gt, out.gt, s.scratch);
    default:
      linear(s, in, out, back ? in.gd : in.d, back ? out.gd : out.d, true, back);
      linear(s, in, out, back ? in.gt : in.t, back ? out.gt : out.t, false, back);
  }
}

/// D of the inputs, T = 0; or the derivative by x from D's adjoint.
template <class R>
void inputs(const ImageJob<R>& job, bool back) {
  const ImageValue<R>& v = job.values[0];
  const index c = job.channels;
  const R inverse = R(1) / static_cast<R>(c);
  const double factor = 2.0 / static_cast<double>(c);
  for (index p = 0; p < v.rows; ++p) {
    R* d = v.d + p * v.stride;
    if (!back) {
      clear(d, v.stride);
      clear(v.t + p * v.stride, v.stride);
    }
    for (index k = 0; k < c; ++k) {
      const R* y = job.y + k * job.y_plane + p * v.y_row;
      if (!back) {
        for (index q = 0; q < v.cols; ++q) {
          const R difference = job.x[(v.line ? q : p) * c + k] - y[q];
          d[q] += inverse * difference * difference;
        }
        continue;
      }
      const R* gd = v.gd + p * v.stride;
      for (index q = 0; q < v.cols; ++q) {
        const index at = (v.line ? q : p) * c + k;
        job.dx[at] +=
            factor * static_cast<double>(gd[q]) * (static_cast<double>(job.x[at]) - static_cast<double>(y[q]));
      }
    }
  }
}

template <class R>
void forward(const ImageJob<R>& job, int begin, int end) {
  if (begin == 0) inputs(job, false);
  for (int k = begin; k < end; ++k) run(job.steps[k], job.values, false);
}

template <class R>
void backward(const ImageJob<R>& job, int end) {
  for (int k = end - 1; k >= 0; --k) run(job.steps[k], job.values, true);
  inputs(job, true);
}

}  // namespace

extern const ImageFunctions<float> kImageFloat;
const ImageFunctions<float> kImageFloat{&forward<float>, &backward<float>};
extern const ImageFunctions<double> kImageDouble;
const ImageFunctions<double> kImageDouble{&forward<double>, &backward<double>};

}  // namespace ntkrob::NTKROB_ISA
