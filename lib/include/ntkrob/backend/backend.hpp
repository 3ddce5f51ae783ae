/// Backend: where the numbers are crunched. Abstract.
///
/// The kernel layer above walks tiles and strips; a backend supplies what happens inside one. Operations come in
/// float32 (the mixed-precision path) and float64. Every operation writes only its outputs, so a caller that gives each
/// task its own outputs gets the same bits for any number of workers.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ntkrob/backend/arrays.hpp"
#include "ntkrob/backend/chain.hpp"
#include "ntkrob/backend/net.hpp"
#include "ntkrob/backend/program.hpp"
#include "ntkrob/backend/steps.hpp"
#include "ntkrob/base/error.hpp"
#include "ntkrob/base/stop.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// Tiles of pairs that a backend is fastest with: of a size that stays in a processor's cache, or fills a device.
struct TileSizes {
  index rows = 84;           // of a strip, one task, at most
  index row_step = 14;       // whole register blocks
  index cols = 1024;         // pairs of a row worked on at once; a multiple of 1024
  index pull_columns = 512;  // samples of y that pull_back works on at once; a multiple of kPanelStep
};

/// For plans, messages, reports and provenance.
struct DeviceInfo {
  std::string name;         // "cpu", "reference", "cuda"
  std::string description;  // e.g. "2 workers, avx512, eigenvalues by libopenblas.so.0 or Eigen 3.4.0"
  int workers = 1;
  std::size_t memory_bytes = 0;  // physical, of the machine: for matrices in ordinary memory; 0: unknown
  std::size_t array_bytes = 0;   // free for arrays, tables and panels when the backend was made; 0: ordinary memory
  TileSizes tiles{};
  // What results may depend on, for checkpoints; empty: they do not.
  std::string instructions;  // the instruction set in use, or the device
  std::string eigenvalues;   // the library that finds eigenvalues
  bool winograd = true;      // nets may compute convolutions by Winograd's filtering

  /// Bytes of host memory for whoever was given no budget: a quarter of the machine's, at most 1 GiB.
  std::size_t default_host_budget() const;
  /// Bytes of arrays for whoever was given no budget: two thirds of what is free on a device; in ordinary memory
  /// default_host_budget().
  std::size_t default_array_budget() const;
  /// The most bytes that arrays may ever take: what is free on a device, or the machine's memory; 0: unknown.
  std::size_t most_array_bytes() const { return array_bytes != 0 ? array_bytes : memory_bytes; }
};

enum class Transpose { no, yes };

/// What a backend keeps of a table or layout in memory of its own. Shared by copies, and never written again while it
/// is.
using Resident = std::shared_ptr<void>;

/// Per-sample quantities of a chain: variances, layer coefficients, and their derivatives. Opaque outside backends.
/// Built once per call for each side; cost O(N D + N layers).
template <class R>
struct SampleTable {
  index n = 0;             // samples
  Matrix<R> coefficients;  // one row per quantity (see layers/samples.hpp), one column per sample, padded with zeros
  std::vector<double> inverse_norm;  // n: 1 / sqrt(x.x / D), float64; 0 for a zero sample
  Resident resident;                 // instead of the others, on a device
};

/// How products read their operands. bfloat16: rounded to 8 significant bits on the way in, with sums in float32;
/// subnormal numbers may count as zero.
enum class Operands { full, bfloat16 };

/// The right-hand operand op(b) (k x n) of many products, laid out for them once. Opaque outside backends.
template <class R>
struct Panels {
  index k = 0, n = 0;
  Operands operands = Operands::full;  // of both sides of a product
  Matrix<R> data;
  Resident resident;  // instead of data, on a device
};
/// Products with Panels begin at a column that is a multiple of this.
constexpr index kPanelStep = 64;
/// Bytes of Panels of this shape, at most.
constexpr std::size_t panel_bytes(index k, index n, std::size_t bytes_per_number) {
  return static_cast<std::size_t>(k) * static_cast<std::size_t>((n + kPanelStep - 1) / kPanelStep * kPanelStep) *
         bytes_per_number;
}

/// Arguments of Backend::pair_tile: kernel values, and on request derivatives, of all pairs of x rows and y rows.
template <class R>
struct PairTile {
  const Chain* chain = nullptr;
  Output output = Output::ntk;
  ConstView2D<R> x;  // n x D
  ConstView2D<R> y;  // m x D
  const SampleTable<R>* x_table = nullptr;
  const SampleTable<R>* y_table = nullptr;
  index x_begin = 0;                  // first row of x in x_table
  index y_begin = 0;                  // first row of y in y_table
  bool same = false;                  // Pairing::same: pairs with x_begin + i == y_begin + j are one sample
  const Panels<R>* panels = nullptr;  // y^T (D x ...), or null: then value holds x_i . y_j / D on entry
  index panel_begin = 0;              // column of panels that is the first row of y, a multiple of kPanelStep
  View2D<R> value;                    // n x m: k(x_i, y_j)
  View2D<R> nngp;                     // n x m or empty: with output ntk, the other kernel too
  View2D<R> dq;                       // n x m or empty: dk / d(x_i . y_j / D)
  View2D<R> da;                       // n x m or empty: dk / d(x_i . x_i / D)
};

/// Samples y laid out for many calls of image_tile. Opaque outside backends.
template <class R>
struct ImageTable {
  index n = 0;
  Matrix<R> numbers;
  std::vector<double> scale;
  Resident resident;  // instead of the others, on a device
};
/// Tables are read from a sample that is a multiple of this.
constexpr index kImageStep = 16;

/// Arguments of Backend::image_tile: kernel values of all pairs of x rows and y rows, or the derivative of a weighted
/// sum of them.
template <class R>
struct ImageTile {
  const Program* program = nullptr;
  Output output = Output::ntk;
  ConstView2D<R> x;                      // n x D, rows of H W C numbers
  ConstView2D<R> y;                      // m x D
  const ImageTable<R>* table = nullptr;  // of y, or null: then it is made on the way
  index table_begin = 0;                 // the sample of the table that is the first row of y, a multiple of kImageStep
  View2D<R> value;                       // n x m: k(x_i, y_j), or empty
  View2D<R> nngp;                        // n x m or empty: beside value, with output ntk, the other kernel too
  ConstView2D<R> cotangent;              // n x m, or empty
  View2D<R> dx;                          // n x D, with cotangent: sum_j cotangent(i,j) dk(x_i, y_j)/dx_i (overwritten)
};

/// A computing device. Not copyable; one caller at a time, except inside for_each.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual DeviceInfo info() const = 0;
  /// What it has done so far beside computing, as a line for --explain; may be empty.
  virtual std::string account() const { return {}; }
  /// Whom its loops and long passes ask whether to go on; null: nobody. Not during a call. It must outlive the backend,
  /// or the next call of this function. Operations then throw Interrupted; their outputs are to be thrown away.
  virtual void set_stop(const Stop* stop) { stop_ = stop; }
  const Stop* stop() const { return stop_; }
  /// Memory of this backend. Every view among the arguments below may be of host memory or of an array.
  virtual Arrays& arrays() { return host_arrays(); }
  /// Steps of attacks on its arrays, or null: attacks keep their points in host memory.
  virtual Steps* steps() { return nullptr; }

  /// Empty if this chain can be run here, else the reason.
  virtual std::string supports(const Chain& chain) const = 0;

  /// The same for a network on images.
  virtual std::string supports_images(const Program&) const { return "it runs fully connected networks only"; }

  /// A finite net in the memory of this backend, with parameters 0; null: component nn runs it in host memory. The
  /// backend must outlive it.   throws: ConfigError (a layer too large for the device), ResourceError
  virtual std::unique_ptr<NetRunner> make_net(const NetProgram&) { return nullptr; }

  /// Runs task(i, worker) for i in [0, n), in parallel where the device can; worker in [0, info().workers).
  virtual void for_each(index n, const std::function<void(index task, int worker)>& task) = 0;

  /// c = alpha op(a) op(b) + beta c. Serial inside for_each; outside it large products are split over the workers
  /// by a partition that does not depend on their number.
  virtual void gemm(Transpose ta, Transpose tb, float alpha, ConstView2D<float> a, ConstView2D<float> b, float beta,
                    View2D<float> c) = 0;
  virtual void gemm(Transpose ta, Transpose tb, double alpha, ConstView2D<double> a, ConstView2D<double> b, double beta,
                    View2D<double> c) = 0;

  /// Lays out op(b) for multiply. Parallel outside for_each.   b: k x n, or n x k with Transpose::yes
  virtual void pack(Transpose t, ConstView2D<float> b, Panels<float>& panels) = 0;
  virtual void pack(Transpose t, ConstView2D<double> b, Panels<double>& panels) = 0;
  /// Empty if pack_bfloat16 can be used here, else the reason.
  virtual std::string supports_bfloat16() const { return "it has no products of bfloat16 numbers"; }
  /// As pack, for products with Operands::bfloat16.   throws: NotSupported
  virtual void pack_bfloat16(Transpose, ConstView2D<float>, Panels<float>&) {
    throw NotSupported("backend " + info().name + ": " + supports_bfloat16());
  }
  /// c = alpha a op(b)[:, begin .. begin + m) + beta c. Serial: one task's share. An element's bits depend on its row
  /// of a, its column and k alone; of bfloat16 products on a device, on n and m too.   a: n x k   c: n x m   begin: a
  /// multiple of kPanelStep
  virtual void multiply(float alpha, ConstView2D<float> a, const Panels<float>& panels, index begin, float beta,
                        View2D<float> c) = 0;
  virtual void multiply(double alpha, ConstView2D<double> a, const Panels<double>& panels, index begin, double beta,
                        View2D<double> c) = 0;
  /// sum += a vt^T for few columns; at most 1024 terms are summed in R, the rest in float64. Serial; bits as for
  /// multiply, and the same for a cut at multiples of 1024.   a: n x m   vt: r x m   sum: n x r
  virtual void add_thin(ConstView2D<float> a, ConstView2D<float> vt, View2D<double> sum) = 0;
  virtual void add_thin(ConstView2D<double> a, ConstView2D<double> vt, View2D<double> sum) = 0;
  /// sum += a^T v for few columns; 1024 terms at a time are summed in R, the rest in float64. Parallel outside
  /// for_each.
  ///   a: n x m   v: n x r   sum: m x r
  virtual void add_thin_transposed(ConstView2D<float> a, ConstView2D<float> v, View2D<double> sum);
  virtual void add_thin_transposed(ConstView2D<double> a, ConstView2D<double> v, View2D<double> sum);

  /// In-place Cholesky factor, lower triangle (the upper one is left as it was). a: n x n
  /// returns: -1, or the index of the first pivot that is not positive (then a holds no factor)
  virtual index factor_spd(View2D<float> a) = 0;
  virtual index factor_spd(View2D<double> a) = 0;
  /// x = (L L^T)^-1 b. factor: n x n, as left by factor_spd; b: n x r (overwritten by x)
  virtual void solve_spd(ConstView2D<float> factor, View2D<float> b) = 0;
  virtual void solve_spd(ConstView2D<double> factor, View2D<double> b) = 0;
  /// Eigenvalues of a symmetric matrix, ascending, and its orthonormal eigenvectors as rows: a = sum_k values[k] v_k
  /// v_k^T with v_k = row k of a afterwards. Serial.   a: n x n (overwritten)   values: n (overwritten)   cost: O(n^3),
  /// scratch 2 n^2 numbers   throws: NonFinite; NumericalError where the iteration does not converge; NotSupported
  virtual void symmetric_eigen(View2D<double> /*a*/, double* /*values*/) {
    throw NotSupported("backend " + info().name + " has no eigenvalue solver; use cpu");
  }

  /// throws: NonFinite naming the first sample with a value that is not finite or too large for the precision. x: N x D
  virtual void sample_table(const Chain& chain, ConstView2D<float> x, SampleTable<float>& table) = 0;
  virtual void sample_table(const Chain& chain, ConstView2D<double> x, SampleTable<double>& table) = 0;
  /// Fills value (and dq, da). The value's bits do not depend on whether derivatives are asked for. With bfloat16
  /// panels, pairs whose gap 1 - |cosine| comes out above 0.03 are taken from the rounded product, others from the
  /// samples.
  virtual void pair_tile(const PairTile<float>& tile) = 0;
  virtual void pair_tile(const PairTile<double>& tile) = 0;
  /// dq(i,j) *= g, row_sum(i) += sum_j g da(i,j), with g = u_i . v_j; the tile's own sums are formed first.
  ///   dq, da: n x m   u: n x r   vt: r x m   row_sum: n x 1
  virtual void weigh_tile(ConstView2D<float> u, ConstView2D<float> vt, View2D<float> dq, ConstView2D<float> da,
                          View2D<double> row_sum) = 0;
  virtual void weigh_tile(ConstView2D<double> u, ConstView2D<double> vt, View2D<double> dq, ConstView2D<double> da,
                          View2D<double> row_sum) = 0;

  /// Values, and with a cotangent derivatives by x, of a network on images. Serial: one task's share. Where an angle is
  /// 0 its derivative counts as 0, so that a pair of one sample has half of the derivative of x -> k(x,x).
  ///   throws: NotSupported
  virtual void image_tile(const ImageTile<float>&) { refuse_images(); }
  virtual void image_tile(const ImageTile<double>&) { refuse_images(); }
  /// Lays out y for image_tile. Parallel outside for_each.   throws: NotSupported
  virtual void image_table(const Program&, ConstView2D<float>, ImageTable<float>&) { refuse_images(); }
  virtual void image_table(const Program&, ConstView2D<double>, ImageTable<double>&) { refuse_images(); }
  virtual std::size_t image_table_bytes(const Program&, index /*n*/, std::size_t /*bytes_per_number*/) const {
    return 0;
  }
  /// Scratch memory of one image_tile, beside what is proportional to its samples.
  virtual std::size_t image_bytes(const Program&, std::size_t /*bytes_per_number*/, bool /*gradient*/) const {
    return 0;
  }
  /// What each row of x adds to it.
  virtual std::size_t image_row_bytes(const Program&, std::size_t /*bytes_per_number*/, bool /*gradient*/) const {
    return 0;
  }

 private:
  void refuse_images() const { throw NotSupported("backend " + info().name + ": " + supports_images(Program())); }
  const Stop* stop_ = nullptr;
};

/// While it lives, nobody stops the backend: for the few passes that change what must stay whole.
class Unstoppable {
 public:
  explicit Unstoppable(Backend& backend) : backend_(backend), stop_(backend.stop()) { backend_.set_stop(nullptr); }
  ~Unstoppable() { backend_.set_stop(stop_); }
  Unstoppable(const Unstoppable&) = delete;
  Unstoppable& operator=(const Unstoppable&) = delete;

 private:
  Backend& backend_;
  const Stop* stop_;
};

}  // namespace ntkrob
