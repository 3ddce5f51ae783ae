#include "ntkrob/krr/gradient_flow.hpp"

#include <cstring>

#include "kit/check.hpp"
#include "kit/small_models.hpp"
#include "ntkrob/krr/machine.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {
namespace {

using Flow = BasicGradientFlow<double>;
constexpr index kN = 9, kM = 5, kD = 4, kC = 3;

Backend& backend() {
  static const std::unique_ptr<Backend> instance = make_backend("cpu", 2);
  return *instance;
}

Matrix<double> numbers(index rows, index cols, std::uint64_t seed, double low = -1, double high = 1) {
  Matrix<double> result(rows, cols);
  convert(kit::uniform_matrix(rows, cols, seed, low, high).view(), result.view());
  return result;
}

Kernel make_kernel(const char* spec, Output output, Backend& on = backend()) {
  return Kernel(KernelSpec::parse(spec), on, KernelOptions{output, 0});
}

Matrix<double> matrix(const char* spec, Output output, const Matrix<double>& x, const Matrix<double>& y) {
  Matrix<double> k(x.rows(), y.rows());
  make_kernel(spec, output).matrix(x.view(), y.view(), x.data() == y.data() ? Pairing::same : Pairing::cross, k.view());
  return k;
}

struct Prediction {
  Matrix<double> mean;
  std::vector<double> variance;
};

Prediction predict(Flow& flow, const Matrix<double>& x, double time) {
  Prediction p{Matrix<double>(x.rows(), flow.classes()), std::vector<double>(static_cast<std::size_t>(x.rows()))};
  flow.predict(x.view(), time, p.mean.view(), p.variance.data());
  return p;
}

ConstView2D<double> row_view(const std::vector<double>& v) { return {v.data(), 1, static_cast<index>(v.size())}; }

/// Solves a x = b by Gaussian elimination with pivoting: shares nothing with the code under test.
Matrix<double> solved(Matrix<double> a, Matrix<double> b) {
  const index n = a.rows();
  for (index k = 0; k < n; ++k) {
    index pivot = k;
    for (index i = k + 1; i < n; ++i)
      if (std::abs(a(i, k)) > std::abs(a(pivot, k))) pivot = i;
    if (pivot != k) {
      std::swap_ranges(a.row(k), a.row(k) + n, a.row(pivot));
      std::swap_ranges(b.row(k), b.row(k) + b.cols(), b.row(pivot));
    }
    for (index i = 0; i < n; ++i) {
      if (i == k) continue;
      const double factor = a(i, k) / a(k, k);
      for (index j = 0; j < n; ++j) a(i, j) -= factor * a(k, j);
      for (index j = 0; j < b.cols(); ++j) b(i, j) -= factor * b(k, j);
    }
  }
  for (index i = 0; i < n; ++i)
    for (index j = 0; j < b.cols(); ++j) b(i, j) /= a(i, i);
  return b;
}

/// Gradient descent with tiny steps in the space of functions: f(z) -= eta / (n C) K(z, S) (f(S) - y), all points of S
/// and T at once, from given initial outputs. Richardson extrapolation over two step sizes removes the first-order
/// error.
Matrix<double> descended(const Matrix<double>& k_all_s, const Matrix<double>& start, const Matrix<double>& y,
                         double time, index steps) {
  const index n = y.rows(), c = y.cols();
  const auto run = [&](index count) {
    Matrix<double> f = start, slope(n, c);
    const double step = time / static_cast<double>(count) / static_cast<double>(n * c);
    for (index s = 0; s < count; ++s) {
      for (index i = 0; i < n; ++i)
        for (index j = 0; j < c; ++j) slope(i, j) = step * (f(i, j) - y(i, j));
      for (index z = 0; z < f.rows(); ++z)
        for (index i = 0; i < n; ++i)
          for (index j = 0; j < c; ++j) f(z, j) -= k_all_s(z, i) * slope(i, j);
    }
    return f;
  };
  const Matrix<double> coarse = run(steps), fine = run(2 * steps);
  Matrix<double> f = fine;
  for (index i = 0; i < f.size(); ++i) f.data()[i] = 2 * fine.data()[i] - coarse.data()[i];
  return f;
}

Matrix<double> stacked(const Matrix<double>& a, const Matrix<double>& b) {
  Matrix<double> all(a.rows() + b.rows(), a.cols());
  convert(a.view(), all.view().middle_rows(0, a.rows()));
  convert(b.view(), all.view().middle_rows(a.rows(), b.rows()));
  return all;
}

}  // namespace

TEST_CASE("one sample follows the scalar exponential", "[krr][flow]") {
  const Matrix<double> s = numbers(1, kD, 1), y = numbers(1, 2, 2), x = numbers(1, kD, 3);
  for (const Output output : {Output::ntk, Output::nngp}) {
    const double k = matrix("fc:2", output, s, s)(0, 0), kx = matrix("fc:2", output, x, s)(0, 0);
    const double nx = matrix("fc:2", Output::nngp, x, x)(0, 0), ns = matrix("fc:2", Output::nngp, s, s)(0, 0),
                 nxs = matrix("fc:2", Output::nngp, x, s)(0, 0);
    Flow flow(make_kernel("fc:2", output), s.view(), y.view());
    for (const double t : {0.0, 1e-3, 1.0, 20.0, Flow::kForever}) {
      const double left = std::exp(-k * t / 2), w = kx / k * (1 - left);  // n C = 2
      const Prediction p = predict(flow, x, t);
      INFO((output == Output::ntk ? "ntk" : "nngp") << ", t = " << t);
      CHECK(p.mean(0, 1) == Approx(w * y(0, 1)).epsilon(1e-12).margin(1e-14));
      const double variance =
          output == Output::ntk ? nx - 2 * w * nxs + w * w * ns : nx - kx * kx / k * (1 - left * left);
      CHECK(p.variance[0] == Approx(variance).epsilon(1e-11));
    }
  }
}

TEST_CASE("at time 0 the mean is 0 and the variance that of the untrained nets", "[krr][flow]") {
  const Matrix<double> s = numbers(kN, kD, 1), y = numbers(kN, kC, 2), x = numbers(kM, kD, 3);
  std::vector<double> prior(kM);
  make_kernel("fc:3", Output::nngp).diag(ConstView2D<double>(x.view()), prior.data());
  for (const Output output : {Output::ntk, Output::nngp}) {
    Flow flow(make_kernel("fc:3", output), s.view(), y.view());
    const Prediction p = predict(flow, x, 0);
    NTKROB_CHECK_SAME(kit::compare(p.mean.view(), Matrix<double>(kM, kC).view(), 0));
    NTKROB_CHECK_SAME(kit::compare(row_view(p.variance), row_view(prior), 0));
  }
}

TEST_CASE("means at finite times are those of gradient descent with tiny steps, before and after training fits",
          "[krr][flow]") {
  const Matrix<double> s = numbers(kN, kD, 1), y = numbers(kN, kC, 2), x = numbers(kM, kD, 3);
  for (const char* spec : {"fc:1", "fc:3", "dense-erf-dense"}) {
    const Matrix<double> k = stacked(matrix(spec, Output::ntk, s, s), matrix(spec, Output::ntk, x, s));
    Flow flow(make_kernel(spec, Output::ntk), s.view(), y.view());
    for (const double t : {0.1, 3.0, 40.0}) {
      INFO(spec << ", t = " << t);
      const Matrix<double> f = descended(k, Matrix<double>(kN + kM, kC), y, t, 20000);
      Matrix<double> mean(kN + kM, kC);
      flow.predict(stacked(s, x).view(), t, mean.view());
      NTKROB_CHECK_SAME(kit::compare(mean.view(), f.view(), 1e-6));
    }
  }
}

TEST_CASE("mean and variance are those of an ensemble of linear nets whose parameters are trained", "[krr][flow]") {
  // f(x) = theta . x / sqrt(D), theta ~ N(0, 1): its NTK and its NNGP are x.y/D. Gradient descent on theta is affine in
  // where it starts, so that runs from 0 and from each unit vector give mean and variance exactly, but for the step.
  const char* spec = "dense(w=1,b=0)";
  const Matrix<double> s = numbers(6, kD, 4), y = numbers(6, 1, 5), x = numbers(kM, kD, 6);
  const double t = 5;
  const auto trained = [&](Matrix<double> theta, double target, index steps) {
    const double step = t / static_cast<double>(steps) / static_cast<double>(s.rows());
    for (index k = 0; k < steps; ++k) {
      std::vector<double> gradient(kD, 0.0);
      for (index i = 0; i < s.rows(); ++i) {
        double residual = -target * y(i, 0);
        for (index j = 0; j < kD; ++j) residual += theta(0, j) * s(i, j) / std::sqrt(double(kD));
        for (index j = 0; j < kD; ++j)
          gradient[static_cast<std::size_t>(j)] += residual * s(i, j) / std::sqrt(double(kD));
      }
      for (index j = 0; j < kD; ++j) theta(0, j) -= step * gradient[static_cast<std::size_t>(j)];
    }
    return theta;
  };
  const auto output = [&](const Matrix<double>& theta, index i) {
    double f = 0;
    for (index j = 0; j < kD; ++j) f += theta(0, j) * x(i, j) / std::sqrt(double(kD));
    return f;
  };
  Matrix<double> mean(kM, 1);
  std::vector<double> variance(kM, 0.0);
  const Matrix<double> from_zero = trained(Matrix<double>(1, kD), 1, 100000);
  for (index i = 0; i < kM; ++i) mean(i, 0) = output(from_zero, i);
  for (index j = 0; j < kD; ++j) {
    Matrix<double> unit(1, kD);
    unit(0, j) = 1;
    const Matrix<double> theta = trained(unit, 0, 100000);
    for (index i = 0; i < kM; ++i) variance[static_cast<std::size_t>(i)] += std::pow(output(theta, i), 2);
  }

  for (const Output kind : {Output::ntk, Output::nngp}) {  // the same for one layer
    Flow flow(make_kernel(spec, kind), s.view(), y.view());
    const Prediction p = predict(flow, x, t);
    NTKROB_CHECK_SAME(kit::compare(p.mean.view(), mean.view(), 1e-4));
    NTKROB_CHECK_SAME(kit::compare(row_view(p.variance), row_view(variance), 1e-4));
  }
}

TEST_CASE("after infinite time the tangent kernel's mean is kernel ridge regression", "[krr][flow]") {
  const Matrix<double> s = numbers(kN, kD, 1), y = numbers(kN, kC, 2);
  const Matrix<float> x = kit::uniform_matrix(kM, kD, 3, -1, 1);
  Matrix<double> wide(kM, kD);
  convert(x.view(), wide.view());
  for (const double ridge : {0.0, 1e-3}) {
    Flow flow(make_kernel("fc:3", Output::ntk), s.view(), y.view(), {ridge});
    const BasicKernelMachine<double> machine(make_kernel("fc:3", Output::ntk), {1, 1, kD}, s.view(), y.view(), {ridge});
    Matrix<double> mean(kM, kC), late(kM, kC);
    Matrix<float> logits(kM, kC);
    flow.predict(wide.view(), Flow::kForever, mean.view());
    flow.predict(wide.view(), 1e9, late.view());
    machine.logits(x.view(), logits.view());
    NTKROB_CHECK_SAME(kit::compare(mean.view(), logits.view(), 1e-6));
    NTKROB_CHECK_SAME(kit::compare(mean.view(), late.view(), 1e-9));
  }
}

TEST_CASE("the NNGP posterior is Bayes' rule with the ridge as noise", "[krr][flow]") {
  const Matrix<double> s = numbers(kN, kD, 1), y = numbers(kN, kC, 2), x = numbers(kM, kD, 3);
  Matrix<double> k = matrix("fc:2", Output::nngp, s, s);
  const Matrix<double> kx = matrix("fc:2", Output::nngp, x, s), kxx = matrix("fc:2", Output::nngp, x, x);
  Ridge noise;
  noise.value = 0.05;
  noise.relative = false;
  for (index i = 0; i < kN; ++i) k(i, i) += noise.value;
  Matrix<double> kt(kN, kM), mean(kM, kC);
  for (index i = 0; i < kM; ++i)
    for (index j = 0; j < kN; ++j) kt(j, i) = kx(i, j);
  const Matrix<double> alpha = solved(k, y), w = solved(k, kt);
  std::vector<double> variance(kM);
  for (index i = 0; i < kM; ++i) {
    variance[static_cast<std::size_t>(i)] = kxx(i, i);
    for (index j = 0; j < kN; ++j) {
      variance[static_cast<std::size_t>(i)] -= kx(i, j) * w(j, i);
      for (index c = 0; c < kC; ++c) mean(i, c) += kx(i, j) * alpha(j, c);
    }
  }

  Flow flow(make_kernel("fc:2", Output::nngp), s.view(), y.view(), noise);
  const Prediction p = predict(flow, x, Flow::kForever);

  NTKROB_CHECK_SAME(kit::compare(p.mean.view(), mean.view(), 1e-11));
  NTKROB_CHECK_SAME(kit::compare(row_view(p.variance), row_view(variance), 1e-12));
}

TEST_CASE("without noise nothing is uncertain at the samples, with noise something is", "[krr][flow]") {
  const Matrix<double> s = numbers(kN, kD, 1), y = numbers(kN, kC, 2), far = numbers(kM, kD, 3, 5, 6);
  for (const Output output : {Output::ntk, Output::nngp}) {
    Flow exact(make_kernel("fc:2", output), s.view(), y.view());
    Flow noisy(make_kernel("fc:2", output), s.view(), y.view(), {1e-2});
    const Prediction at = predict(exact, s, Flow::kForever), late = predict(exact, s, 1e12),
                     with_noise = predict(noisy, s, Flow::kForever), away = predict(exact, far, Flow::kForever);
    NTKROB_CHECK_SAME(kit::compare(at.mean.view(), y.view(), 1e-9));
    for (std::size_t i = 0; i < kN; ++i) {
      INFO(i << ": " << at.variance[i] << ", " << late.variance[i] << ", " << with_noise.variance[i]);
      CHECK(at.variance[i] >= 0);
      CHECK(at.variance[i] < 1e-10);
      CHECK(late.variance[i] < 1e-10);
      CHECK(with_noise.variance[i] > 1e-6);
    }
    for (const double v : away.variance) CHECK(v > 1e-2);
  }
}

TEST_CASE("duplicates and zero images leave predictions finite at every time", "[krr][flow]") {
  Matrix<double> s = numbers(kN, kD, 1);
  const Matrix<double> y = numbers(kN, kC, 2), x = stacked(numbers(kM, kD, 3), s);
  for (index j = 0; j < kD; ++j) {
    s(1, j) = s(0, j);
    s(2, j) = 0;
  }
  for (const Output output : {Output::ntk, Output::nngp}) {
    Flow flow(make_kernel("dense(b=0)-relu-dense(b=0)", output), s.view(), y.view());  // the zero image has K = 0
    for (const double t : {1e-3, 1.0, 1e6, 1e18, Flow::kForever}) {
      const Prediction p = predict(flow, x, t);
      for (index i = 0; i < p.mean.size(); ++i) CHECK(std::isfinite(p.mean.data()[i]));
      for (const double v : p.variance) CHECK((v >= 0 && std::isfinite(v)));
    }
  }
}

TEST_CASE("descent below the largest learning rate converges, above it diverges, with and without momentum",
          "[krr][flow]") {
  const Matrix<double> s = numbers(kN, kD, 1), y = numbers(kN, kC, 2);
  const Matrix<double> k = matrix("fc:2", Output::ntk, s, s);
  Flow flow(make_kernel("fc:2", Output::ntk), s.view(), y.view());
  const double largest = flow.eigenvalues().back();
  for (const double momentum : {0.0, 0.9}) {
    const auto residual_after = [&](double lr) {
      Matrix<double> f(kN, kC), velocity(kN, kC);
      double worst = 0;
      for (index step = 0; step < 4000; ++step) {
        Matrix<double> next = f;
        for (index i = 0; i < kN; ++i)
          for (index c = 0; c < kC; ++c) {
            double slope = 0;
            for (index j = 0; j < kN; ++j) slope += k(i, j) * (f(j, c) - y(j, c));
            velocity(i, c) = momentum * velocity(i, c) - lr * slope / static_cast<double>(kN * kC);
            next(i, c) = f(i, c) + velocity(i, c);
          }
        f = next;
      }
      for (index i = 0; i < f.size(); ++i) {
        const double error = std::abs(f.data()[i] - y.data()[i]);
        if (kit::is_worse(error, worst)) worst = error;
      }
      return worst;
    };
    const double lr = largest_learning_rate(largest, kN, kC, momentum);
    INFO("momentum " << momentum << ", learning rate " << lr);
    CHECK(residual_after(0.98 * lr) < 1);
    CHECK_FALSE(residual_after(1.02 * lr) < 1e10);
  }
  CHECK_THROWS_WITH(largest_learning_rate(1, 2, 3, 1.0), Catch::Contains("momentum is 1"));
  CHECK_THROWS_AS(largest_learning_rate(0, 2, 3), ConfigError);
}

TEST_CASE("predictions do not depend on workers, nor on how many samples are predicted together", "[krr][flow]") {
  const Matrix<double> s = numbers(40, kD, 1), y = numbers(40, kC, 2), x = numbers(300, kD, 3);
  const auto three = make_backend("cpu", 3);
  for (const double t : {2.0, Flow::kForever}) {
    Flow here(make_kernel("fc:2", Output::ntk), s.view(), y.view()),
        there(make_kernel("fc:2", Output::ntk, *three), s.view(), y.view());
    const Prediction p = predict(here, x, t), q = predict(there, x, t);
    CHECK(std::memcmp(p.mean.data(), q.mean.data(), sizeof(double) * static_cast<std::size_t>(p.mean.size())) == 0);
    CHECK(std::memcmp(p.variance.data(), q.variance.data(), sizeof(double) * p.variance.size()) == 0);
    const Prediction some = predict(here, Matrix<double>(x.view().middle_rows(250, 7)), t);
    NTKROB_CHECK_SAME(kit::compare(some.mean.view(), p.mean.view().middle_rows(250, 7), 1e-12));
  }
}

TEST_CASE("mixed precision predicts what float64 does", "[krr][flow]") {
  const Matrix<float> s = kit::uniform_matrix(40, 20, 1), y = kit::uniform_matrix(40, kC, 2, -1, 1),
                      x = kit::uniform_matrix(kM, 20, 3);
  Matrix<double> s64(40, 20), y64(40, kC), x64(kM, 20), mean(kM, kC), mean64(kM, kC);
  convert(s.view(), s64.view());
  convert(y.view(), y64.view());
  convert(x.view(), x64.view());
  for (const Output output : {Output::ntk, Output::nngp})
    for (const double t : {10.0, Flow::kForever}) {
      std::vector<double> v(kM), v64(kM);
      GradientFlow(make_kernel("fc:2", output), s.view(), y.view(), {1e-4}).predict(x.view(), t, mean.view(), v.data());
      Flow(make_kernel("fc:2", output), s64.view(), y64.view(), {1e-4})
          .predict(x64.view(), t, mean64.view(), v64.data());
      NTKROB_CHECK_SAME(kit::compare(mean.view(), mean64.view(), 1e-3));
      NTKROB_CHECK_SAME(kit::compare(row_view(v), row_view(v64), 1e-4));
    }
}

TEST_CASE("negative times, wrong shapes, NaN labels and matrices beyond the budget are refused", "[krr][flow]") {
  const Matrix<double> s = numbers(kN, kD, 1), x = numbers(kM, kD, 3);
  Matrix<double> y = numbers(kN, kC, 2), mean(kM, kC);
  Flow flow(make_kernel("fc:1", Output::ntk), s.view(), y.view());
  CHECK_THROWS_WITH(flow.predict(x.view(), -1, mean.view()), Catch::Contains("time is -1"));
  CHECK_THROWS_AS(flow.predict(x.view(), std::nan(""), mean.view()), ConfigError);
  CHECK_THROWS_AS(flow.predict(numbers(kM, kD + 1, 3).view(), 1, mean.view()), ShapeError);
  CHECK_THROWS_AS(Flow(make_kernel("fc:1", Output::ntk), s.view(), y.view().middle_rows(0, 3)), ShapeError);
  CHECK_THROWS_AS(Flow(make_kernel("fc:1", Output::ntk), s.view(), y.view(), {-1.0}), ConfigError);
  Flow tight(Kernel(KernelSpec::parse("fc:1"), backend(), KernelOptions{Output::ntk, 1000}), s.view(), y.view());
  CHECK_THROWS_WITH(tight.predict(x.view(), 1, mean.view()), Catch::Contains("1944 bytes"));
  y(1, 2) = std::nan("");
  CHECK_THROWS_WITH(Flow(make_kernel("fc:1", Output::ntk), s.view(), y.view()), Catch::Contains("label (1,2)"));
}

}  // namespace ntkrob
