// Every nonlinearity against quadrature of the expectations that define its kernel, and what single layers promise.
#include <functional>

#include "kernel/inputs.hpp"
#include "kernel/nonlinearities.hpp"
#include "kit/check.hpp"
#include "ntkrob/base/spec_text.hpp"
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

/// E[f(X) f(Y)] for analytic f: the trapezoidal rule on independent normal coordinates, exact to rounding.
double plane(const Function& f, double a, double b, double rho) {
  constexpr double kStep = 0.1, kEnd = 12;
  const double root = std::sqrt(1 - rho * rho);
  double sum = 0;
  for (double z1 = -kEnd; z1 <= kEnd; z1 += kStep) {
    const double fx = f(std::sqrt(a) * z1);
    for (double z2 = -kEnd; z2 <= kEnd; z2 += kStep)
      sum += fx * f(std::sqrt(b) * (rho * z1 + root * z2)) * std::exp(-(z1 * z1 + z2 * z2) / 2);
  }
  return sum * kStep * kStep / 6.283185307179586;
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

namespace {

ChainLayer parsed(const std::string& layer) {
  return KernelSpec::parse("dense(w=1,b=0)-" + layer + "-dense(w=1,b=0)").layers().at(1);
}

/// Checks one layer, as it is written in a spec, against quadrature.
void check_against_quadrature(Backend& backend, const std::string& layer) {
  const Pairs pairs;
  const std::optional<kit::Nonlinearity> f = kit::nonlinearity(parsed(layer));
  REQUIRE(f);
  const Moments m = moments(backend, layer, pairs.x, pairs.y);
  for (index i = 0; i < pairs.x.rows(); ++i) {
    const double a = pairs.a(i), b = pairs.b(i), q = pairs.q(i), rho = q / std::sqrt(a * b);
    INFO(layer << ", pair " << i);
    if (f->kink) {
      const double bound = 2e-5 * (f->flat ? 1 : std::sqrt(a * b));
      CHECK(m.phi(i, i) == Approx(circle(f->phi, a, b, rho, f->flat ? 0 : 1)).margin(bound));
      CHECK(m.slope(i, i) == Approx(q * circle(f->slope, a, b, rho, 0)).margin(bound));
      continue;
    }
    const double unit = std::sqrt(plane(f->phi, a, a, 1) * plane(f->phi, b, b, 1)),
                 slope_unit = std::sqrt(a * b * plane(f->slope, a, a, 1) * plane(f->slope, b, b, 1));
    CHECK(std::abs(m.phi(i, i) - plane(f->phi, a, b, rho)) <= 1e-13 * unit);
    CHECK(std::abs(m.slope(i, i) - q * plane(f->slope, a, b, rho)) <= 1e-13 * (unit + slope_unit));
    std::vector<double> diagonal(static_cast<std::size_t>(pairs.x.rows()));
    const KernelSpec spec = KernelSpec::parse("dense(w=1,b=0)-" + layer + "-dense(w=1,b=0)");
    Kernel(spec, backend).diag(pairs.x.view(), diagonal.data());
    const double own = plane(f->phi, a, a, 1) + a * plane(f->slope, a, a, 1);
    CHECK(std::abs(diagonal[static_cast<std::size_t>(i)] - own) <= 1e-13 * own);
  }
}

/// The layers of this name in a chain, as they are written there.
std::vector<std::string> layers_named(const std::string& name, const std::string& chain) {
  std::vector<std::string> found;
  for (const SpecItem& item : parse_spec(chain)) {
    if (item.name != name) continue;
    std::string arguments;
    for (const SpecArgument& argument : item.arguments)
      arguments += (arguments.empty() ? "" : ",") + (argument.key.empty() ? "" : argument.key + "=") + argument.value;
    found.push_back(arguments.empty() ? name : name + "(" + arguments + ")");
  }
  return found;
}

}  // namespace

TEST_CASE("every layer of the list equals quadrature of the expectations that define it", "[kernel][layers]") {
  const auto backend = make_backend("cpu", 1);
  for (int kind = 0; kind < layers::kKinds; ++kind) {
    const layers::Info& info = layers::info(kind);
    INFO("layer " << info.name << " of layers.def");
    const bool apart = kit::tested_apart(info.name) != nullptr;
    // A layer without a row in kernel/nonlinearities.hpp is tested by nobody.
    REQUIRE(kit::nonlinearity({kind, {1, 1, 1, 1}}).has_value() == !apart);
    if (apart) continue;
    const std::vector<std::string> examples = layers_named(info.name, info.example);
    REQUIRE_FALSE(examples.empty());
    for (const std::string& example : examples) check_against_quadrature(*backend, example);
  }
}

TEST_CASE("the example of every layer has the layer in it, and all of its parameters", "[kernel][layers]") {
  for (int kind = 0; kind < layers::kKinds; ++kind) {
    const layers::Info& info = layers::info(kind);
    INFO("layer " << info.name << " of layers.def: " << info.example);
    bool there = false, changed = info.n_parameters == 0;
    const KernelSpec spec = KernelSpec::parse(info.example);
    for (const ChainLayer& layer : spec.layers()) {
      if (layer.kind != kind) continue;
      there = true;
      for (int p = 0; p < info.n_parameters; ++p)
        changed = changed || layer.params[static_cast<std::size_t>(p)] != info.parameters[p].fallback;
    }
    CHECK(there);
    CHECK(changed);
  }
}

TEST_CASE("layers equal quadrature at further parameters", "[kernel][layers]") {
  const auto backend = make_backend("cpu", 1);
  for (const char* layer : {"leaky(-0.7)", "abrelu(0.3,0.2)", "erf(0.7,0.5,-0.4)", "sin(2,0.8,0.3)", "cos(0.5,1.3,-1)",
                            "gaussian(0.7,0.02)", "exp(0.5,0.8)", "monomial(1)", "monomial(6)", "hermite(4)"})
    check_against_quadrature(*backend, layer);
}

TEST_CASE("angles keep their relative accuracy through smooth layers down to nearly coincident inputs",
          "[kernel][layers]") {
  // Behind sign, 1 - k = 2 theta/pi; for inputs at distance e theta/e tends to a limit. A gap computed by subtraction
  // from 1 would be wrong by a factor at e = 1e-8.
  const auto backend = make_backend("cpu", 1);
  const index d = 12;
  const Matrix<double> x = kit::uniform_matrix<double>(4, d, 5, -1, 1),
                       step = kit::uniform_matrix<double>(4, d, 6, -1, 1);
  const auto rates = [&](const std::string& layer, double e) {
    Matrix<double> y = x;
    for (index i = 0; i < x.size(); ++i) y.data()[i] += e * step.data()[i];
    Matrix<double> k = matrix(*backend, "dense-" + layer + "-dense(b=0)-sign-dense(w=1,b=0)", x, y, Output::nngp);
    Matrix<double> rate(4, 1);
    for (index i = 0; i < 4; ++i) rate(i, 0) = (1 - k(i, i)) / e;
    return rate;
  };
  for (const char* layer :
       {"erf", "erf(1,30,0)", "erf(c=0.5)", "gelu", "sin", "sin(b=0.1)", "cos", "cos(1,1,1)", "gaussian",
        "gaussian(1,0.1)", "exp", "monomial(3)", "hermite(3)", "leaky", "abs", "identity", "layernorm"}) {
    INFO(layer);
    const Matrix<double> coarse = rates(layer, 1e-4), fine = rates(layer, 1e-8);
    NTKROB_CHECK_SAME(kit::compare(fine.view(), coarse.view(), 2e-2 * kit::largest(coarse)));
  }
}

TEST_CASE("values and gradients are finite at every depth and scale, in both precisions", "[kernel][layers]") {
  const auto backend = make_backend("cpu", 2);
  for (const char* layer : {"leaky", "abs", "erf", "erf(2,0.3,0.1)", "gelu", "sin", "cos", "sin(1,1,1)", "gaussian",
                            "identity", "layernorm-relu", "layernorm-gelu", "layernorm-exp(b=0.5)",
                            "layernorm-monomial(3)", "layernorm-hermite", "sign"})
    for (const char* dense : {"dense(w=1)", "dense(b=0,w=1)"}) {
      std::string spec = dense;
      for (int l = 0; l < 50; ++l) spec += std::string("-") + layer + "-" + dense;
      for (const double scale : {1e-3, 1.0, 1e3}) {
        INFO(layer << ", " << dense << ", scale " << scale);
        Matrix<double> x = kit::difficult_matrix<double>(10, 7), dx(14, 10), k(14, 14);
        const Matrix<double> v = kit::uniform_matrix<double>(14, 2, 8);
        for (index i = 0; i < 7 * 10; ++i) x.data()[i] *= scale;
        const Matrix<float> xf = kit::converted<float>(x), vf = kit::converted<float>(v);
        Matrix<float> dxf(14, 10), kf(14, 14);
        const Kernel kernel(KernelSpec::parse(spec), *backend);
        for (const Pairing pairing : {Pairing::cross, Pairing::same}) {
          kernel.matrix(x.view(), x.view(), pairing, k.view());
          kernel.grad(x.view(), x.view(), pairing, v.view(), v.view(), dx.view());
          kernel.matrix(xf.view(), xf.view(), pairing, kf.view());
          kernel.grad(xf.view(), xf.view(), pairing, vf.view(), vf.view(), dxf.view());
          bool finite = true;
          for (index i = 0; i < k.size(); ++i)
            finite = finite && std::isfinite(k.data()[i]) && std::isfinite(kf.data()[i]);
          CHECK(finite);
          for (index i = 0; i < dx.size(); ++i)
            finite = finite && std::isfinite(dx.data()[i]) && std::isfinite(dxf.data()[i]);
          CHECK(finite);
        }
      }
    }
}

TEST_CASE("expectations that do not exist are refused by sample, on either backend", "[kernel][layers]") {
  using Catch::Matchers::Contains;
  Matrix<double> x = kit::uniform_matrix<double>(3, 5, 9), k(3, 3);
  for (const char* name : {"cpu", "reference"}) {
    const auto backend = make_backend(name);
    const Kernel kernel(KernelSpec::parse("dense-gaussian(b=1)-dense"), *backend);
    CHECK_THROWS_WITH(kernel.matrix(x.view(), x.view(), Pairing::same, k.view()),
                      Contains("gaussian") && Contains("1/(4b) = 0.25"));
    double diagonal[3];
    CHECK_THROWS_AS(kernel.diag(x.view(), diagonal), NumericalError);
  }
  const auto backend = make_backend("cpu");
  for (index i = 0; i < x.size(); ++i) x.data()[i] *= 1000;
  CHECK_THROWS_AS(
      Kernel(KernelSpec::parse("dense-exp-dense"), *backend).matrix(x.view(), x.view(), Pairing::same, k.view()),
      NonFinite);
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

TEST_CASE("dropout lowers covariances against variances, and raises the kernel of a sample with itself",
          "[kernel][layers]") {
  const Matrix<double> x = kit::uniform_matrix<double>(8, 6, 5, -1, 1);
  for (const char* name : {"cpu", "reference"}) {
    const auto backend = make_backend(name, 1);
    const auto of = [&](const char* spec, Pairing pairing) {
      Matrix<double> k(8, 8);
      Kernel(KernelSpec::parse(spec), *backend).matrix(x.view(), x.view(), pairing, k.view());
      return k;
    };
    // dense(1,0)-relu-dropout(r)-dense(1,0): T(new) = K(new) + T, both as without dropout, or both over r.
    const Matrix<double> plain = of("dense(1,0)-relu-dense(1,0)", Pairing::cross),
                         cross = of("dense(1,0)-relu-dropout(0.4)-dense(1,0)", Pairing::cross),
                         same = of("dense(1,0)-relu-dropout(0.4)-dense(1,0)", Pairing::same);
    NTKROB_CHECK_SAME(kit::compare(cross.view(), plain.view(), 1e-14));
    std::vector<double> diagonal(8), nngp(8);
    const Kernel kernel(KernelSpec::parse("dense(1,0)-relu-dropout(0.4)-dense(1,0)"), *backend);
    kernel.diag(x.view(), diagonal.data());
    for (index i = 0; i < 8; ++i)
      for (index j = 0; j < 8; ++j) {
        INFO(name << " (" << i << "," << j << ")");
        CHECK(std::abs(same(i, j) - plain(i, j) / (i == j ? 0.4 : 1)) <= 1e-14);
        if (i == j) CHECK(std::abs(same(i, i) - diagonal[static_cast<std::size_t>(i)]) <= 1e-14);
      }
    NTKROB_CHECK_SAME(kit::compare(of("dense-relu-dropout(1)-dense-relu-dense", Pairing::same).view(),
                                   of("fc:2", Pairing::same).view(), 1e-14));
  }
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
