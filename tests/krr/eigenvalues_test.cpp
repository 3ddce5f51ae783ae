#include "ntkrob/krr/eigenvalues.hpp"

#include <cstring>

#include "kit/check.hpp"
#include "kit/small_models.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {
namespace {

constexpr double kEps = 2.2e-16;

Matrix<double> widened(const Matrix<float>& a) {
  Matrix<double> result(a.rows(), a.cols());
  convert(a.view(), result.view());
  return result;
}

/// A symmetric matrix with these eigenvalues: V^T diag(l) V for the orthogonal V of a random symmetric matrix.
Matrix<double> with_spectrum(const std::vector<double>& l, Backend& backend) {
  const auto n = static_cast<index>(l.size());
  Matrix<double> v = widened(kit::uniform_matrix(n, n, 3, -1, 1));
  for (index i = 0; i < n; ++i)
    for (index j = 0; j < i; ++j) v(i, j) = v(j, i);
  std::vector<double> ignored(l.size());
  backend.symmetric_eigen(v.view(), ignored.data());
  Matrix<double> scaled = v, a(n, n);
  for (index k = 0; k < n; ++k)
    for (index j = 0; j < n; ++j) scaled(k, j) *= l[static_cast<std::size_t>(k)];
  backend.gemm(Transpose::yes, Transpose::no, 1.0, v.view(), scaled.view(), 0.0, a.view());
  return a;
}

SymmetricOperator product_with(const Matrix<double>& a, Backend& backend) {
  return [&](ConstView2D<double> v, View2D<double> out) {
    backend.gemm(Transpose::no, Transpose::no, 1.0, a.view(), v, 0.0, out);
  };
}

}  // namespace

TEST_CASE("eigenvectors are orthonormal rows that give the matrix back, on every backend", "[krr][eigen]") {
  for (const char* name : {"cpu", "reference"})
    for (const index n : {1, 2, 17, 60}) {
      INFO(name << ", n = " << n);
      const auto backend = make_backend(name);
      Matrix<double> a = widened(kit::uniform_matrix(n, n, 7, -1, 1));
      for (index i = 0; i < n; ++i)
        for (index j = 0; j < i; ++j) a(i, j) = a(j, i);
      Matrix<double> v = a, identity(n, n), one(n, n), back(n, n), scaled(n, n);
      std::vector<double> values(static_cast<std::size_t>(n));

      backend->symmetric_eigen(v.view(), values.data());

      for (index k = 0; k < n; ++k) {
        one(k, k) = 1;
        if (k > 0) CHECK(values[static_cast<std::size_t>(k - 1)] <= values[static_cast<std::size_t>(k)]);
        for (index j = 0; j < n; ++j) scaled(k, j) = values[static_cast<std::size_t>(k)] * v(k, j);
      }
      backend->gemm(Transpose::no, Transpose::yes, 1.0, v.view(), v.view(), 0.0, identity.view());
      backend->gemm(Transpose::yes, Transpose::no, 1.0, v.view(), scaled.view(), 0.0, back.view());
      const double bound = 20 * kEps * static_cast<double>(n);
      NTKROB_CHECK_SAME(kit::compare(identity.view(), one.view(), bound));
      NTKROB_CHECK_SAME(kit::compare(back.view(), a.view(), bound * std::sqrt(static_cast<double>(n))));
    }
}

TEST_CASE("a matrix that is not finite has no eigenvalues", "[krr][eigen]") {
  for (const char* name : {"cpu", "reference"}) {
    Matrix<double> a(3, 3);
    a(2, 1) = a(1, 2) = std::nan("");
    double values[3];
    CHECK_THROWS_AS(make_backend(name)->symmetric_eigen(a.view(), values), NonFinite);
  }
}

TEST_CASE("top eigenvalues of known spectra are within their bounds, clusters and rank defects included",
          "[krr][eigen]") {
  const auto backend = make_backend("cpu", 2);
  const index n = 150;
  std::vector<std::vector<double>> spectra(4, std::vector<double>(n));
  for (index k = 0; k < n; ++k) {
    const auto i = static_cast<std::size_t>(k);
    const double r = static_cast<double>(n - k);  // rank from the top, 1 ..
    spectra[0][i] = 1 / (r * r);                  // as Gram matrices of nets decay
    spectra[1][i] = r <= 6 ? 2 : 1 / r;           // a cluster of six
    spectra[2][i] = r <= 3 ? 4 - r : 0;           // rank 3
    spectra[3][i] = r == 1 ? 1 : -static_cast<double>(n - r) / static_cast<double>(4 * n);  // negative ones count less
  }
  EigenOptions options;
  options.count = 8;
  options.tolerance = 1e-9;
  options.max_products = 400;
  for (std::size_t s = 0; s < spectra.size(); ++s) {
    std::sort(spectra[s].begin(), spectra[s].end());
    const Matrix<double> a = with_spectrum(spectra[s], *backend);

    const TopEigenvalues top = top_eigenvalues(n, product_with(a, *backend), *backend, options);

    INFO("spectrum " << s << ", " << top.products << " products");
    CHECK(top.converged);
    REQUIRE(top.values.size() == 8);
    for (std::size_t k = 0; k < 8; ++k) {
      const double exact = spectra[s][static_cast<std::size_t>(n) - 1 - k];
      INFO("eigenvalue " << k << ": " << top.values[k] << " +- " << top.bounds[k] << ", exact " << exact);
      CHECK(std::abs(top.values[k] - exact) <= top.bounds[k] + 1e-13);
      CHECK(top.bounds[k] <= options.tolerance * top.values[0]);
    }
  }
}

TEST_CASE("products that end too early leave honest bounds", "[krr][eigen]") {
  const auto backend = make_backend("cpu", 1);
  std::vector<double> spectrum(120);
  for (std::size_t k = 0; k < spectrum.size(); ++k) spectrum[k] = 1 + 0.001 * static_cast<double>(k);
  const Matrix<double> a = with_spectrum(spectrum, *backend);
  EigenOptions options;
  options.count = 3;
  options.tolerance = 1e-12;
  options.max_products = 2;

  const TopEigenvalues top = top_eigenvalues(120, product_with(a, *backend), *backend, options);

  CHECK_FALSE(top.converged);
  CHECK(top.products == 2);
  for (std::size_t k = 0; k < 3; ++k) {
    double nearest = 1;
    for (const double l : spectrum) nearest = std::min(nearest, std::abs(l - top.values[k]));
    CHECK(top.bounds[k] > options.tolerance);
    CHECK(nearest <= top.bounds[k]);
    CHECK(top.values[k] <= spectrum[119 - k] + 1e-13);
  }
}

TEMPLATE_TEST_CASE("eigenvalues of a Gram matrix are the same formed or not", "[krr][eigen]", float, double) {
  const auto backend = make_backend("cpu", 2);
  const Matrix<float> images = kit::uniform_matrix(200, 12, 5);
  Matrix<TestType> x(200, 12);
  convert(images.view(), x.view());
  for (const char* spec : {"fc:1", "fc:3", "dense(b=0)"}) {  // the last one has rank 12
    INFO(spec);
    const Kernel kernel(KernelSpec::parse(spec), *backend, {Output::ntk, 0});
    EigenOptions options;
    options.count = 15;
    const TopEigenvalues formed = top_eigenvalues(kernel, ConstView2D<TestType>(x.view()), options);
    options.dense_rows = 0;
    options.tolerance = std::is_same<TestType, float>::value ? 1e-6 : 1e-11;
    const TopEigenvalues products = top_eigenvalues(kernel, ConstView2D<TestType>(x.view()), options);

    CHECK(formed.products == 0);
    CHECK(products.products > 0);
    CHECK(products.converged);
    for (std::size_t k = 0; k < 15; ++k) {
      INFO(k << ": " << formed.values[k] << " and " << products.values[k] << " +- " << products.bounds[k]);
      // Float32 sums of products err by some 1e-7 of the largest eigenvalue beside the bound.
      const double rounding = (std::is_same<TestType, float>::value ? 1e-6 : 1e-13) * formed.values[0];
      CHECK(std::abs(formed.values[k] - products.values[k]) <= products.bounds[k] + rounding);
    }
  }
}

TEST_CASE("eigenvalues do not depend on the number of workers", "[krr][eigen]") {
  const Matrix<float> x = kit::uniform_matrix(300, 20, 6);
  EigenOptions options;
  options.count = 4;
  options.dense_rows = 0;
  std::vector<TopEigenvalues> found;
  for (const int workers : {1, 3}) {
    const auto backend = make_backend("cpu", workers);
    found.push_back(
        top_eigenvalues(Kernel(KernelSpec::parse("fc:2"), *backend), ConstView2D<float>(x.view()), options));
  }
  CHECK(std::memcmp(found[0].values.data(), found[1].values.data(), 4 * sizeof(double)) == 0);
  CHECK(std::memcmp(found[0].bounds.data(), found[1].bounds.data(), 4 * sizeof(double)) == 0);
}

TEST_CASE("more eigenvalues than rows are cut, and senseless options refused", "[krr][eigen]") {
  const auto backend = make_backend("cpu", 1);
  const Matrix<float> x = kit::uniform_matrix(3, 5, 8);
  const Kernel kernel(KernelSpec::parse("fc:1"), *backend);
  EigenOptions options;
  options.count = 7;
  CHECK(top_eigenvalues(kernel, ConstView2D<float>(x.view()), options).values.size() == 3);
  options.dense_rows = 0;
  const TopEigenvalues three = top_eigenvalues(kernel, ConstView2D<float>(x.view()), options);
  CHECK(three.values.size() == 3);
  CHECK(three.converged);
  options.count = 0;
  CHECK_THROWS_WITH(top_eigenvalues(kernel, ConstView2D<float>(x.view()), options), Catch::Contains("count is 0"));
  options.count = 1;
  options.tolerance = 0;
  CHECK_THROWS_AS(top_eigenvalues(kernel, ConstView2D<float>(x.view()), options), ConfigError);
}

}  // namespace ntkrob
