/// Conformance test for any implementer of Model: NTKROB_CHECK_MODEL(model, x) inside a TEST_CASE.
///
/// Looks at: shapes and their refusal, strided views, outputs overwritten and nothing else, repeatability, independence
/// of the cut into batches, logits_and_grad against logits and input_grad, linearity in the cotangent, iterates where
/// there are any, for_each, and input_grad against central differences of the logits. The difference test needs inputs
/// away from kinks by about `step`, or a looser bound.
///
/// Every function of Model and of Iterates is called here, and by check_forwarding.hpp on wrappers:
/// tests/architecture/check_forwarding.py asks that a new one is.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "ntkrob/base/random.hpp"
#include "ntkrob/model/iterates.hpp"
#include "ntkrob/model/model.hpp"

namespace ntkrob::kit {

struct CheckModelOptions {
  double split_bound = 0;   // allowed difference of logits between batch cuts; 0: bit for bit
  double step = 1.0 / 128;  // of the central differences; a power of two moves float32 inputs exactly
  double gradient_bound =
      1e-2;  // |numeric - analytic| <= gradient_bound * (largest |component| of that sample's gradient)
  double fused_bound = 1e-5;  // the same measure between logits_and_grad and input_grad
  index probes = 16;          // coordinates per sample
};

namespace detail {

/// A matrix inside a larger one whose other entries must not change, filled with NaN.
class Guarded {
 public:
  Guarded(index rows, index cols) : block_(rows + 2, cols + 3), rows_(rows), cols_(cols) {
    for (index k = 0; k < block_.size(); ++k) block_.data()[k] = std::nanf("");
  }
  View2D<float> view() { return block_.view().middle_rows(1, rows_).middle_cols(1, cols_); }
  void fill(ConstView2D<float> source) {
    for (index i = 0; i < rows_; ++i)
      for (index j = 0; j < cols_; ++j) view()(i, j) = source(i, j);
  }
  bool intact() const {
    for (index i = 0; i < block_.rows(); ++i)
      for (index j = 0; j < block_.cols(); ++j)
        if ((i < 1 || i > rows_ || j < 1 || j > cols_) && !std::isnan(block_(i, j))) return false;
    return true;
  }

 private:
  Matrix<float> block_;
  index rows_, cols_;
};

/// Empty, or the first entry where a and b differ by more than bound(i).
template <class Bound>
std::string difference(const char* what, ConstView2D<float> a, ConstView2D<float> b, Bound&& bound) {
  for (index i = 0; i < a.rows; ++i)
    for (index j = 0; j < a.cols; ++j) {
      const double error = std::abs(static_cast<double>(a(i, j)) - static_cast<double>(b(i, j)));
      if (!(error <= bound(i))) {
        std::ostringstream out;
        out.precision(9);
        out << what << ": entry (" << i << "," << j << ") is " << a(i, j) << " and " << b(i, j) << ", difference "
            << error << ", bound " << bound(i);
        return out.str();
      }
    }
  return {};
}

inline double largest(ConstView2D<float> m, index i) {
  double result = 0;
  for (index j = 0; j < m.cols; ++j) result = std::max(result, std::abs(static_cast<double>(m(i, j))));
  return result;
}

}  // namespace detail

/// Every breach of the Model contract found on the inputs x (N x D, N >= 3), one line each. Empty: the model conforms.
inline std::vector<std::string> model_problems(const Model& model, ConstView2D<float> x,
                                               const CheckModelOptions& options = {}) {
  std::vector<std::string> problems;
  const auto note = [&](const std::string& line) {
    if (!line.empty()) problems.push_back(line);
  };
  const index n = x.rows, d = x.cols, classes = model.classes();
  if (model.input_shape().size() != d || classes < 1 || n < 3) {
    note(
        text("input_shape ", model.input_shape().size(), ", classes ", classes, ": does not fit inputs ", n, " x ", d));
    return problems;
  }
  const auto zero = [](index) { return 0.0; };

  // Logits: overwritten whole, nothing else written, the same from strided views, again, and from any cut into batches.
  Matrix<float> f(n, classes);
  model.logits(x, f);
  for (index i = 0; i < n; ++i)
    if (!std::isfinite(detail::largest(f.view(), i))) note(text("logits of row ", i, " are not finite"));
  detail::Guarded strided_x(n, d), strided_f(n, classes);
  strided_x.fill(x);
  model.logits(strided_x.view(), strided_f.view());
  note(detail::difference("logits with strided views", strided_f.view(), f.view(), zero));
  if (!strided_f.intact()) note("logits wrote outside its output");
  Matrix<float> again(n, classes);
  model.logits(x, again);
  note(detail::difference("logits called twice", again.view(), f.view(), zero));
  for (const index cut : {index{1}, index{2}, n / 2}) {
    Matrix<float> pieces(n, classes);
    for (index begin = 0; begin < n; begin += cut) {
      const index rows = std::min(cut, n - begin);
      model.logits(x.middle_rows(begin, rows), pieces.view().middle_rows(begin, rows));
    }
    note(detail::difference(text("logits in batches of ", cut).c_str(), pieces.view(), f.view(),
                            [&](index) { return options.split_bound; }));
  }
  bool refused = false;
  try {
    Matrix<float> wide(n, d + 1);
    model.logits(wide.view(), again);
  } catch (const ShapeError&) {
    refused = true;
  }
  if (!refused) note("inputs with one column too many were not refused with ShapeError");

  // A fixed cotangent without symmetry, which depends on row and class.
  Matrix<float> c(n, classes), twice(n, classes);
  for (index i = 0; i < n; ++i)
    for (index j = 0; j < classes; ++j) {
      c(i, j) = static_cast<float>(std::cos(1.0 + 2.0 * static_cast<double>(i) + 3.0 * static_cast<double>(j)));
      twice(i, j) = 2 * c(i, j);
    }
  Matrix<float> dx(n, d), other(n, d);
  model.input_grad(x, c.view(), dx);
  detail::Guarded strided_dx(n, d);
  model.input_grad(strided_x.view(), c.view(), strided_dx.view());
  note(detail::difference("input_grad with strided views", strided_dx.view(), dx.view(), zero));
  if (!strided_dx.intact()) note("input_grad wrote outside its output");
  model.input_grad(x, twice.view(), other);
  for (index k = 0; k < other.size(); ++k) other.data()[k] /= 2;
  const auto fused_bound = [&](index i) { return options.fused_bound * detail::largest(dx.view(), i); };
  note(detail::difference("input_grad is not linear in the cotangent", other.view(), dx.view(), fused_bound));
  Matrix<float> nothing(n, classes);
  model.input_grad(x, nothing.view(), other);
  note(detail::difference("input_grad of a zero cotangent", other.view(), Matrix<float>(n, d).view(), zero));

  // The fused pass: logits to the bit, every row handed out exactly once, the same gradient.
  Matrix<float> fused(n, classes);
  std::vector<int> seen(static_cast<std::size_t>(n), 0);
  bool handed_out_right = true;
  model.logits_and_grad(
      x,
      [&](index first, ConstView2D<float> block, View2D<float> out) {
        for (index i = 0; i < block.rows; ++i) {
          ++seen[static_cast<std::size_t>(first + i)];
          for (index j = 0; j < classes; ++j) {
            handed_out_right = handed_out_right && block(i, j) == f(first + i, j);
            out(i, j) = c(first + i, j);
          }
        }
      },
      fused, other);
  note(detail::difference("logits_and_grad and logits", fused.view(), f.view(), zero));
  note(detail::difference("logits_and_grad and input_grad", other.view(), dx.view(), fused_bound));
  if (!handed_out_right) note("logits_and_grad handed the cotangent function other logits than logits()");
  for (index i = 0; i < n; ++i)
    if (seen[static_cast<std::size_t>(i)] != 1)
      note(
          text("logits_and_grad asked for the cotangent of row ", i, " ", seen[static_cast<std::size_t>(i)], " times"));

  // Points that the model keeps: the passes of the model itself, from the centres to a step in the box.
  if (const std::unique_ptr<Iterates> points = model.iterates(x)) {
    points->start_at_centres();
    points->read(other);
    note(detail::difference("iterates at their centres", other.view(), x, zero));
    points->logits(again);
    note(detail::difference("logits of iterates and of the model", again.view(), f.view(), zero));
    points->gradient(
        [&](index first, ConstView2D<float> block, View2D<float> out) {
          for (index i = 0; i < block.rows; ++i) std::copy_n(c.row(first + i), classes, out.row(i));
        },
        again);
    note(detail::difference("logits of a gradient of iterates and of the model", again.view(), f.view(), zero));
    std::vector<index> all;
    for (index i = 0; i < n; ++i) all.push_back(i);
    points->keep(all);
    const Ball ball{Norm::linf, 0.125f, -1000, 1000};
    points->ascend(ball, 0.0625f);
    points->read(other);
    for (index i = 0; i < n; ++i)
      for (index j = 0; j < d; ++j) {
        const float moved = other(i, j) - x(i, j), slope = dx(i, j);
        // A gradient within its rounding of 0 may have either sign.
        const bool sure = std::abs(slope) > fused_bound(i);
        if (std::abs(moved) > 0.07f || (sure && (slope > 0 ? moved <= 0 : moved >= 0)))
          note(text("a step of iterates moved (", i, ",", j, ") by ", moved, " along the gradient ", slope));
      }
    const std::vector<index> zeros = points->zero_gradients();
    for (index i = 0; i < n; ++i) {
      const bool flat = !(detail::largest(dx.view(), i) > 0);
      if (static_cast<index>(zeros.size()) != n || (zeros[static_cast<std::size_t>(i)] != 0) != flat)
        note(text("iterates count a gradient of zeros in row ", i, " where there is none, or none where there is one"));
    }
    points->read_kept(other);
    note(detail::difference("iterates kept at their centres", other.view(), x, zero));
    const Rng rng(1, "kit/iterates");
    std::vector<RandomStream> streams;
    for (index i = 0; i < n; ++i) streams.push_back(rng.fork(static_cast<std::uint64_t>(i)).stream());
    points->start_at_random(ball, streams);
    points->read(other);
    note(detail::difference("iterates at random", other.view(), x,
                            [&](index i) { return 0.125 + 1e-6 * detail::largest(x, i); }));
    if (detail::difference("", other.view(), x, zero).empty()) note("iterates at random are at their centres");
    points->start_at_centres();
    points->read(other);
    note(detail::difference("iterates back at their centres", other.view(), x, zero));
  }

  // The lent workers: every task once, and of two failures the lower one.
  constexpr index kTasks = 41;
  std::vector<int> runs(kTasks, 0);
  model.for_each(kTasks, [&](index i) { ++runs[static_cast<std::size_t>(i)]; });
  for (index i = 0; i < kTasks; ++i)
    if (runs[static_cast<std::size_t>(i)] != 1)
      note(text("for_each ran task ", i, " ", runs[static_cast<std::size_t>(i)], " times"));
  std::string caught = "nothing";
  try {
    model.for_each(kTasks, [](index i) { NTKROB_CHECK(i != 7 && i != 23, ConfigError, "task ", i); });
  } catch (const ConfigError& error) {
    caught = error.what();
  }
  if (caught != "task 7") note("for_each with tasks 7 and 23 failing threw " + caught + ", expected task 7");

  // input_grad against 4-point central differences, all rows at once; the sums over classes in double.
  Matrix<float> moved(x);
  const auto values = [&](index j, double offset) {
    for (index i = 0; i < n; ++i) moved(i, j) = static_cast<float>(x(i, j) + offset);
    model.logits(moved.view(), again);
    std::vector<double> sums(static_cast<std::size_t>(n), 0.0);
    for (index i = 0; i < n; ++i) {
      for (index k = 0; k < classes; ++k)
        sums[static_cast<std::size_t>(i)] += static_cast<double>(c(i, k)) * static_cast<double>(again(i, k));
      moved(i, j) = x(i, j);
    }
    return sums;
  };
  const double h = options.step;
  for (index p = 0, probes = std::min(options.probes, d); p < probes; ++p) {
    const index j = p * d / probes;
    const std::vector<double> up = values(j, h), down = values(j, -h), up2 = values(j, 2 * h),
                              down2 = values(j, -2 * h);
    for (index i = 0; i < n; ++i) {
      const auto s = static_cast<std::size_t>(i);
      const double numeric = (8 * (up[s] - down[s]) - (up2[s] - down2[s])) / (12 * h);
      const double bound = options.gradient_bound * detail::largest(dx.view(), i);
      if (!(std::abs(numeric - dx(i, j)) <= bound))
        note(text("input_grad (", i, ",", j, "): analytic ", dx(i, j), ", numeric ", numeric, ", bound ", bound));
    }
  }
  return problems;
}

}  // namespace ntkrob::kit

/// CHECK that model_problems(model, x[, options]) finds nothing; prints each problem.
#define NTKROB_CHECK_MODEL(...)                                                                       \
  do {                                                                                                \
    std::string lines_;                                                                               \
    for (const std::string& line : ::ntkrob::kit::model_problems(__VA_ARGS__)) lines_ += line + "\n"; \
    INFO(lines_);                                                                                     \
    CHECK(lines_.empty());                                                                            \
  } while (false)
