/// Kernel: a KernelSpec on a Backend, with the verbs matrix / apply / grad / diag.
///
/// K(x,y) for inputs x (N x D) and y (M x D) is never formed unless it is asked for: the verbs work on tiles that fit
/// the memory budget. Derivatives are hand-derived; for a cotangent C (N x M), with s = x.y/D and a = x.x/D,
///     dX = ( (C o dk/ds) Y + 2 diag(rowsum(C o dk/da)) X ) / D                                   (method, section 1)
/// and C is never formed either: it is given by two thin factors, C = U V^T. Gradients with respect to the second
/// argument follow from symmetry: grad(y, x, V, U).
///
/// Precision: the float overloads are the mixed path (float32 storage and products; pairs close to the kink of the
/// angle are recomputed in float64), the double overloads compute in float64 throughout. Derivative at coincident
/// inputs: the non-smooth part (the angle) counts as 0, never NaN; value bits never depend on whether a derivative is
/// computed. With Pairing::same the diagonal is exact, and the first-argument derivative there is half of the
/// derivative of x -> k(x,x).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>

#include "ntkrob/backend/backend.hpp"
#include "ntkrob/kernel/spec.hpp"

namespace ntkrob {

struct KernelOptions {
  Output output = Output::ntk;
  /// Bytes of scratch that one call may use, beside inputs and outputs. 0: 1 GiB or a quarter of the memory, whichever
  /// is less. On a device with memory of its own: bytes of that memory, with copies of inputs and outputs in host
  /// memory; 0: two thirds of what is free there.
  std::size_t memory_budget = 0;
  /// Of the samples; networks on images need it, others ignore it.
  ImageShape shape{0, 0, 0};
};

/// Which verb a plan is for.
enum class Verb { matrix, matrices, apply, grad, pull_back };

/// What one call will do, decided before the first operation. Pure data.
struct KernelPlan {
  index tile_rows = 0;  // height of a strip, one task
  index tile_cols = 0;  // pairs of a row worked on at once
  index band = 0;       // samples of y laid out for products at once; all of them where the budget allows
  index tiles = 0;
  std::size_t shared_bytes = 0;  // scratch of all workers together
  std::size_t scratch_bytes_per_worker = 0;
  std::size_t scratch_bytes = 0;  // shared, and every worker's own
};

/// The pure planning function. bytes_per_number 4 or 8; r = thin columns. With `prepared` the layouts of y are there
/// already and count as inputs. With `apart`, arrays do not lie in ordinary memory, and copies of all inputs and
/// outputs but matrices count.
/// throws: ResourceError with the bytes needed when the budget is too small for the smallest tile
KernelPlan plan_tiles(Verb verb, index n, index m, index d, index r, std::size_t bytes_per_number, int workers,
                      std::size_t budget, bool prepared = false, const TileSizes& sizes = {}, bool apart = false);

/// A second argument made ready once for many calls (the support set of an attack): its sample table, and the layouts
/// that products read, 2 M D numbers; where the backend has memory of its own and the samples do not lie there, a copy
/// of them too. It refers to the samples, which must outlive it and stay as they are. Not copyable.
template <class R>
struct PreparedSet {
  ConstView2D<R> samples;  // M x D
  Array<R> copy;           // of the samples, or empty
  SampleTable<R> table;
  Panels<R> transposed;  // samples^T (D x M), for values
  Panels<R> plain;       // samples (M x D), for gradients
  ImageTable<R> images;  // instead of the three, for networks on images; empty where it would be large

  /// The samples in the memory of the backend.
  ConstView2D<R> near() const { return copy.rows() > 0 ? copy.view() : samples; }
};

/// Inputs, results and right-hand sides of all verbs may be views of host memory or of the backend's arrays. Cotangents
/// are functions on host memory.
///
/// A value: copies share backend and scratch memory. One call at a time, as for its backend; scratch is kept between
/// calls of the same shape, so that a loop allocates only in its first round.
class Kernel {
 public:
  /// Views that follow the precision of another argument.
  template <class R>
  using In = ConstView2D<std::common_type_t<R>>;
  template <class R>
  using To = View2D<std::common_type_t<R>>;

  /// backend must outlive the kernel. throws: NotSupported when the backend cannot run the spec (with its reason)
  Kernel(KernelSpec spec, Backend& backend, KernelOptions options = {});

  const KernelSpec& spec() const { return spec_; }
  Backend& backend() const { return *backend_; }
  const KernelOptions& options() const { return options_; }
  /// The same spec, backend and budget for the other output.
  Kernel with_output(Output output) const;
  /// The budget in bytes, with the default put in; never 0.
  std::size_t memory_budget() const;
  /// The network compiled for options().shape, or null: a chain on vectors.
  const Program* program() const { return program_.get(); }

  /// out_ij = k(x_i, y_j). With Pairing::same only one half is computed and mirrored.
  ///   x: N x D   y: M x D   out: N x M (float64 output from float32 inputs is allowed: the Gram matrix of a solve)
  ///   throws: ShapeError; NonFinite (inputs or results); ResourceError (budget)
  void matrix(ConstView2D<float> x, ConstView2D<float> y, Pairing pairing, View2D<float> out) const;
  void matrix(ConstView2D<float> x, ConstView2D<float> y, Pairing pairing, View2D<double> out) const;
  void matrix(ConstView2D<double> x, ConstView2D<double> y, Pairing pairing, View2D<double> out) const;

  /// Both kernels of the net in one pass: products, angles and layers are shared.   ntk, nngp: N x M
  ///   ensures: the bits of matrix with either output   requires: options().output is ntk
  void matrices(ConstView2D<float> x, ConstView2D<float> y, Pairing pairing, View2D<float> ntk,
                View2D<float> nngp) const;
  void matrices(ConstView2D<double> x, ConstView2D<double> y, Pairing pairing, View2D<double> ntk,
                View2D<double> nngp) const;

  /// out = K(x,y) v.   v: M x r   out: N x r (overwritten). Sums over M are accumulated in float64.
  void apply(ConstView2D<float> x, ConstView2D<float> y, Pairing pairing, ConstView2D<float> v,
             View2D<float> out) const;
  void apply(ConstView2D<double> x, ConstView2D<double> y, Pairing pairing, ConstView2D<double> v,
             View2D<double> out) const;

  /// dx = d/dx sum_ij (u_i . v_j) k(x_i, y_j), first argument only.   u: N x r   v: M x r   dx: N x D (overwritten)
  void grad(ConstView2D<float> x, ConstView2D<float> y, Pairing pairing, ConstView2D<float> u, ConstView2D<float> v,
            View2D<float> dx) const;
  void grad(ConstView2D<double> x, ConstView2D<double> y, Pairing pairing, ConstView2D<double> u, ConstView2D<double> v,
            View2D<double> dx) const;

  /// apply and grad in one pass, two products and one elementwise pass: out = K(x,y) v, then u = cotangent(out), then
  /// dx as in grad. cotangent(first_row, out block, u block) is called once per strip of rows, from several workers at
  /// once. It is the one who looks whether out is finite (Loss::evaluate does, attacks do): nobody looks a second time.
  ///   ensures: out has the bits of apply
  template <class R>
  using StripCotangent = std::function<void(index first_row, ConstView2D<R> out, View2D<R> u)>;
  void apply_grad(ConstView2D<float> x, ConstView2D<float> y, Pairing pairing, ConstView2D<float> v,
                  const StripCotangent<float>& cotangent, View2D<float> out, View2D<float> dx) const;
  void apply_grad(ConstView2D<double> x, ConstView2D<double> y, Pairing pairing, ConstView2D<double> v,
                  const StripCotangent<double>& cotangent, View2D<double> out, View2D<double> dx) const;

  /// Makes y (M x D) ready for the verbs below; memory of an earlier use of `set` is kept.   throws: NonFinite
  template <class R>
  void prepare(ConstView2D<R> y, PreparedSet<R>& set) const;
  /// The same for products with operands rounded to bfloat16: values and derivatives are then good to some 1e-3 of
  /// their size, enough for the direction of an attack. gram and gram_grad refuse such a set.
  ///   throws: NonFinite; NotSupported where the backend has no such products
  void prepare_bfloat16(ConstView2D<float> y, PreparedSet<float>& set) const;
  /// The verbs above with Pairing::cross and a prepared second argument: the same bits, without its preparation.
  template <class R>
  void apply(In<R> x, const PreparedSet<R>& y, In<R> v, To<R> out) const;
  template <class R>
  void grad(In<R> x, const PreparedSet<R>& y, In<R> u, In<R> v, To<R> dx) const;
  template <class R>
  void apply_grad(In<R> x, const PreparedSet<R>& y, In<R> v, const StripCotangent<std::common_type_t<R>>& cotangent,
                  To<R> out, To<R> dx) const;
  /// The Gram matrix of a prepared set, and the inner products it was made from, so that gram_grad need not form them
  /// again.   out: N x N   products: N x N (overwritten: x_i . x_j / D) or empty
  template <class R>
  void gram(const PreparedSet<R>& x, View2D<double> out, To<R> products) const;
  /// out = K(x,x) v with v and all sums in float64, by tiles: the operator of an iterative solve. Every pair is formed
  /// once and serves both halves, so the operator is exactly symmetric, and its entries have the bits of gram().
  ///   v: N x r   out: N x r (overwritten; not v)   cost: half the pairs of apply
  ///   progress(done, total), if given, is called from the calling thread some N / 512 times and may throw to stop
  ///   throws: ResourceError when gram_apply_bytes exceed the budget; NonFinite
  template <class R>
  void gram_apply(const PreparedSet<R>& x, ConstView2D<double> v, View2D<double> out,
                  const std::function<void(index done, index total)>& progress = {}) const;
  /// Scratch memory of gram_apply.
  template <class R>
  std::size_t gram_apply_bytes(index n, index r) const;
  /// dx += grad(x, x, Pairing::same, u, v) from products as left by gram (or empty: they are formed again).
  template <class R>
  void gram_grad(const PreparedSet<R>& x, In<R> products, In<R> u, In<R> v, To<R> dx) const;

  /// Prediction at y from x, and the derivative back to x, in one pass over the pairs: out = K(y,x) v; g =
  /// cotangent(out); h = K(x,y) g; dx = d/dx sum_ij (v_i . g_j) k(x_i, y_j). This is the cross part of a loss on
  /// predictions (krr).
  ///   x: N x D   y: M x D   v: N x r   out: M x r   h: N x r   dx: N x D (all three overwritten)
  ///   cotangent is called once per strip of y, in order, from the calling thread only; it looks whether out is finite
  void pull_back(ConstView2D<float> x, ConstView2D<float> y, ConstView2D<float> v,
                 const StripCotangent<float>& cotangent, View2D<float> out, View2D<float> h, View2D<float> dx) const;
  void pull_back(ConstView2D<double> x, ConstView2D<double> y, ConstView2D<double> v,
                 const StripCotangent<double>& cotangent, View2D<double> out, View2D<double> h,
                 View2D<double> dx) const;

  /// out_i = k(x_i, x_i).   x: N x D   out: N. Cost O(N D).
  void diag(ConstView2D<float> x, double* out) const;
  void diag(ConstView2D<double> x, double* out) const;
  /// dx = d/dx sum_i w_i k(x_i, x_i).   w: N   dx: N x D (added to)
  void add_diag_grad(ConstView2D<float> x, const double* w, View2D<float> dx) const;
  void add_diag_grad(ConstView2D<double> x, const double* w, View2D<double> dx) const;

  /// Text for --explain: layers and who runs them, precision, tile shape, bytes.
  std::string explain(Verb verb, index n, index m, index d, index r) const;

  /// Scratch memory, known to the implementation only.
  template <class R>
  struct Scratch;
  template <class R>
  Scratch<R>& scratch() const;

 private:
  KernelSpec spec_;
  Backend* backend_;
  KernelOptions options_;
  std::shared_ptr<const Program> program_;
  std::shared_ptr<Scratch<float>> scratch_float_;
  std::shared_ptr<Scratch<double>> scratch_double_;
};

}  // namespace ntkrob
