/// What lies where: numbers of a sample, memory of the values of a pair. Private to images.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "backend_cpu/images/runner.hpp"
#include "layers/all.hpp"

namespace ntkrob {

inline index padded(index n) { return (n + kImageLanes - 1) / kImageLanes * kImageLanes; }

/// Lanes beyond the last position repeat it: layers see numbers that can occur.
template <class R>
void pad(R* row, index n) {
  std::fill(row + n, row + padded(n), row[n - 1]);
}

/// Taps of an output index that lie inside.
struct Geometry {
  index in, out, taps, step, dilation, low;
  bool circular;

  template <class F>
  void for_each_source(index o, F&& f) const {
    for (index tap = 0; tap < taps; ++tap) {
      const index i = o * step + tap * dilation - low;
      if (circular)
        f(((i % in) + in) % in);
      else if (i >= 0 && i < in)
        f(i);
    }
  }
};

inline Geometry geometry(index in, index out, index taps, index step, const Window& w) {
  const index reach = (taps - 1) * w.dilation + 1;
  const index pad = w.padding == Padding::valid ? 0 : std::max<index>((out - 1) * step + reach - in, 0);
  return {in, out, taps, step, w.dilation, pad / 2, w.padding == Padding::circular};
}

/// Where the numbers of one sample lie in its table: all rows are padded(positions) long.
struct Layout {
  std::vector<index> root;  // by value
  std::vector<index> c;     // by operation: coefficients, then their derivatives
  index size = 0;
  std::vector<index> variance, slope;  // by value, by operation: in the double table
  index doubles = 0;
  std::vector<int> group;  // by value: values joined by linear operations are in one, named after its first member

  explicit Layout(const Program& program) {
    for (const ValueShape& v : program.values) {
      root.push_back(size);
      variance.push_back(doubles);
      size += padded(v.positions());
      doubles += padded(v.positions());
    }
    for (const Op& op : program.ops) {
      const index n = padded(program.values[static_cast<std::size_t>(op.in)].positions());
      const index k = op.type == Operation::pointwise ? layers::info(op.layer.kind).n_coefficients : 0;
      c.push_back(size);
      slope.push_back(doubles);
      size += 2 * k * n;
      doubles += n;
    }
    group_values(program);
  }

  void group_values(const Program& program) {
    for (int v = 0; v < static_cast<int>(program.values.size()); ++v) {
      group.push_back(v);
      if (v == 0) continue;
      const Op& op = program.ops[static_cast<std::size_t>(v) - 1];
      if (op.type == Operation::pointwise || op.type == Operation::normalise) continue;
      for (const int source : {op.in, op.other}) {
        if (source < 0) continue;
        const int one = group[static_cast<std::size_t>(source)], two = group.back();
        for (int& g : group)
          if (g == one || g == two) g = std::min(one, two);  // whose variance is known first
      }
    }
  }
};

/// Whether what follows a value reads its variances for more than linear operations.
bool read_by_nonlinear(const Program& program, std::size_t value);

template <class R>
struct ImageRunner<R>::State {
  State(const Program& p, bool gradient_) : program(p), layout(p), gradient(gradient_) {}

  const Program& program;
  Layout layout;
  bool gradient;
  bool pairs = false;      // any value needs pairs of positions
  std::vector<int> pools;  // operations whose pooled variances nonlinear layers read
  std::vector<ImageValue<R>> values;
  std::vector<ImageStep<R>> steps;
  std::vector<std::vector<R>> divisors;
  Matrix<R> memory;
  index memory_size = 0;

  /// One sample's numbers.
  struct Sample {
    std::vector<R> table;
    std::vector<double> wide;
    std::vector<double> scale;  // by value: roots in the table and the state are divided by it
    std::vector<R> pixels;      // divided by the scale of the input
    std::vector<double> root_grad, log_grad, dx;
  };
  std::vector<Sample> xs;
  Sample y;
  std::vector<R> own_block;  // of y, where no table is given
  std::array<double, kImageLanes> own_scale{};
  std::vector<R> self_planes;

  const ValueShape& shape(int v) const { return program.values[static_cast<std::size_t>(v)]; }
  /// Distance of two channels of y's pixels.
  index plane() const { return pairs ? length(0) : shape(0).positions() * kImageLanes; }
  index length(int v) const { return padded(shape(v).positions()); }

  void lay_out(bool allocate);
  void fill(const R* pixels, Sample& s, const ImageFunctions<R>& functions);
  void variances(const Op& op, int k, Sample& s) const;
  void roots(int v, Sample& s) const;
  void pool_variances(Sample& s, const ImageFunctions<R>& functions);
  void back_to_pixels(const R* pixels, Sample& s, const ImageFunctions<R>& functions);
  void back_through_pool(int k, const double* go, std::vector<double>& g, Sample& s,
                         const ImageFunctions<R>& functions);
  ImageJob<R> self_job(const Sample& s, Sample* grads);
  void bind(const Sample& x, const R* y_table, index stretch, Sample* grads);
};

}  // namespace ntkrob
