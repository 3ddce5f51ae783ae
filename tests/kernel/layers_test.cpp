// Every nonlinearity against quadrature of the expectations that define its kernel, and what single layers promise.
#include <functional>

#include "kernel/inputs.hpp"
#include "kit/check.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

namespace {

using Function = std::function<double(double)>;

/// E[f(X) g(Y)], (X, Y) Gaussian with variances a, b and correlation rho. f and g may have kinks at 0 and must be
/// homogeneous of one degree each: the radius integrates to 2 (degrees 1 and 1) or 1 (degrees 0 and 0).
double circle(const Function& f, double a, double b, double rho, int degree) {
  const int n = 200000;
  const double root = std::sqrt(1 - rho * rho);
  double sum = 0;
  for (int k = 0; k < n; ++k) {
    const double angle = 6.283185307179586 * (k + 0.37) / n, c = std::cos(angle), s = std::sin(angle);
    sum += f(std::sqrt(a) * c) * f(std::sqrt(b) * (rho * c + root * s));
  }
  return sum / n * (degree == 1 ? 2 : 1);
}

Matrix<double> matrix(Backend& backend, const std::string& spec, const Matrix<double>& x, const Matrix<double>& y,
                      Output output) {
  Matrix<double> k(x.rows(), y.rows());
  Kernel(KernelSpec::parse(spec), backend, {output, 0}).matrix(x.view(), y.view(), Pairing::cross, k.view());
  return k;
}

/// The covariance and the derivative's expectation of one layer, read off a net of dense (w = 1, b = 0) - layer -
/// dense: NNGP = E[phi phi], NTK = E[phi phi] + q E[phi' phi'].
struct Moments {
  Matrix<double> phi, slope;
};
Moments moments(Backend& backend, const std::string& layer, const Matrix<double>& x, const Matrix<double>& y) {
  const std::string spec = "dense(w=1,b=0)-" + layer + "-dense(w=1,b=0)";
  Moments m{matrix(backend, spec, x, y, Output::nngp), matrix(backend, spec, x, y, Output::ntk)};
  for (index k = 0; k < m.slope.size(); ++k) m.slope.data()[k] -= m.phi.data()[k];
  return m;
}

/// Pairs of variances and correlations: row i of x and row i of y, in two dimensions.
struct Pairs {
  Matrix<double> x{6, 2}, y{6, 2};
  Pairs() {
    const double length[6][2] = {{1, 1}, {0.3, 1.2}, {2, 0.1}, {1, 1}, {0.8, 0.7}, {1.5, 1.5}},
                 rho[6] = {0.3, 0.9, -0.6, -0.99, 0.999, 0};
    for (index i = 0; i < 6; ++i) {
      x(i, 0) = std::sqrt(2.0) * length[i][0];
      y(i, 0) = std::sqrt(2.0) * length[i][1] * rho[i];
      y(i, 1) = std::sqrt(2.0) * length[i][1] * std::sqrt(1 - rho[i] * rho[i]);
    }
  }
  double a(index i) const { return (x(i, 0) * x(i, 0) + x(i, 1) * x(i, 1)) / 2; }
  double b(index i) const { return (y(i, 0) * y(i, 0) + y(i, 1) * y(i, 1)) / 2; }
  double q(index i) const { return (x(i, 0) * y(i, 0) + x(i, 1) * y(i, 1)) / 2; }
};

}  // namespace

TEST_CASE("layers with a kink equal quadrature of their expectations over the circle", "[kernel][layers]") {
  struct Case {
    const char* layer;
    double negative, positive;
  };
  const auto backend = make_backend("cpu", 1);
  const Pairs pairs;
  for (const Case& c : {Case{"relu", 0, 1}, Case{"leaky", 0.01, 1}, Case{"leaky(-0.7)", -0.7, 1}, Case{"abs", -1, 1},
                        Case{"abrelu(0.3,0.2)", 0.3, 0.2}, Case{"sign", 0, 0}}) {
    const bool sign = c.negative == c.positive;
    const Moments m = moments(*backend, c.layer, pairs.x, pairs.y);
    const Function phi = [&](double x) {
      return sign ? (x > 0 ? 1.0 : -1.0) : c.negative * std::min(x, 0.0) + c.positive * std::max(x, 0.0);
    };
    const Function slope = [&](double x) { return sign ? 0.0 : x > 0 ? c.positive : c.negative; };
    for (index i = 0; i < pairs.x.rows(); ++i) {
      const double a = pairs.a(i), b = pairs.b(i), q = pairs.q(i), rho = q / std::sqrt(a * b),
                   bound = 2e-5 * (sign ? 1 : std::sqrt(a * b));
      INFO(c.layer << ", pair " << i);
      CHECK(m.phi(i, i) == Approx(circle(phi, a, b, rho, sign ? 0 : 1)).margin(bound));
      CHECK(m.slope(i, i) == Approx(q * circle(slope, a, b, rho, 0)).margin(bound));
    }
  }
}

TEST_CASE("abrelu(0,1) is relu, abrelu(1,1) and identity are nothing", "[kernel][layers]") {
  const auto backend = make_backend("cpu", 1);
  const Matrix<double> x = kit::difficult_matrix<double>(9, 1);
  for (const Output output : {Output::ntk, Output::nngp}) {
    const auto relu = matrix(*backend, "fc:3", x, x, output),
               plain = matrix(*backend, "dense-dense-dense", x, x, output);
    NTKROB_CHECK_SAME(
        kit::compare(matrix(*backend, "dense-abrelu(0,1)-dense-abrelu-dense-leaky(0)-dense", x, x, output).view(),
                     relu.view(), 1e-14 * kit::largest(relu)));
    NTKROB_CHECK_SAME(kit::compare(matrix(*backend, "dense-abrelu(1,1)-dense-identity-dense", x, x, output).view(),
                                   plain.view(), 1e-14 * kit::largest(plain)));
  }
}

TEST_CASE("after abs an input and its negative coincide exactly", "[kernel][layers]") {
  const auto backend = make_backend("cpu", 1);
  const Matrix<double> x = kit::uniform_matrix<double>(8, 6, 2, -1, 1);
  Matrix<double> negative = x;
  for (index i = 0; i < x.size(); ++i) negative.data()[i] *= -1;
  const auto k = matrix(*backend, "dense(b=0)-abs-dense-relu-dense", x, x, Output::nngp),
             mirrored = matrix(*backend, "dense(b=0)-abs-dense-relu-dense", negative, x, Output::nngp);
  NTKROB_CHECK_SAME(kit::compare(mirrored.view(), k.view(), 1e-14 * kit::largest(k)));
}

TEST_CASE("behind a sign only the layers after it are trained", "[kernel][layers]") {
  const auto backend = make_backend("cpu", 1);
  const Matrix<double> x = kit::uniform_matrix<double>(8, 6, 3, -1, 1);
  const auto k = matrix(*backend, "dense-relu-dense-sign-dense", x, x, Output::nngp);
  NTKROB_CHECK_SAME(
      kit::compare(matrix(*backend, "dense-relu-dense-sign-dense", x, x, Output::ntk).view(), k.view(), 0));
}

TEST_CASE("layernorm makes a kernel depend on directions alone", "[kernel][layers]") {
  const auto backend = make_backend("cpu", 1);
  const Matrix<double> x = kit::uniform_matrix<double>(8, 6, 4, -1, 1);
  Matrix<double> scaled = x;
  for (index i = 0; i < x.size(); ++i) scaled.data()[i] *= 1 + static_cast<double>(i / 6);
  const char* spec = "dense(b=0)-layernorm(1e-30)-relu-dense-relu-dense";
  const auto k = matrix(*backend, spec, x, x, Output::ntk);
  NTKROB_CHECK_SAME(
      kit::compare(matrix(*backend, spec, scaled, x, Output::ntk).view(), k.view(), 1e-14 * kit::largest(k)));
}
