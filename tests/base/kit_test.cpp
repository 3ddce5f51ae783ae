/// The checks of the test kit must fail where they should: a check that cannot fail proves nothing.
#include <cmath>
#include <limits>

#include "kit/check.hpp"

using namespace ntkrob;

namespace {

Matrix<double> sample() {
  Matrix<double> x(2, 3);
  for (index i = 0; i < x.size(); ++i) x.data()[i] = 0.3 + 0.2 * static_cast<double>(i);
  return x;
}

double sum_of_sines(ConstView2D<double> x) {
  double sum = 0;
  for (index i = 0; i < x.rows; ++i)
    for (index j = 0; j < x.cols; ++j) sum += std::sin(x(i, j));
  return sum;
}

Matrix<double> cosines(const Matrix<double>& x) {
  Matrix<double> df(x.rows(), x.cols());
  for (index i = 0; i < x.size(); ++i) df.data()[i] = std::cos(x.data()[i]);
  return df;
}

}  // namespace

TEST_CASE("check_gradient accepts the right gradient", "[base][kit]") {
  const Matrix<double> x = sample();
  const auto result = kit::check_gradient(sum_of_sines, cosines(x), x, 1e-9);
  INFO(result.text);
  CHECK(result.text.empty());
  CHECK(result.worst < 1e-9);
}

TEST_CASE("check_gradient fails on one wrong entry and names it", "[base][kit]") {
  const Matrix<double> x = sample();
  Matrix<double> df = cosines(x);
  df(1, 2) *= 1.001;
  const auto result = kit::check_gradient(sum_of_sines, df, x, 1e-6);
  CHECK(result.text.find("gradient (1,2)") == 0);

  df(1, 2) = std::numeric_limits<double>::quiet_NaN();
  CHECK_FALSE(kit::check_gradient(sum_of_sines, df, x, 1e-6).text.empty());
  CHECK_FALSE(kit::check_gradient(sum_of_sines, Matrix<double>(2, 3), x, 1e-6).text.empty());
}

TEST_CASE("compare accepts the bound and rejects ten times the bound, NaN and other shapes", "[base][kit]") {
  const Matrix<double> a(2, 3);
  Matrix<double> b(2, 3);
  const auto compare = [&] { return kit::compare(a.view(), ConstView2D<double>(b), 1e-3); };
  b(1, 1) = 1e-3;
  CHECK(compare().text.empty());

  b(1, 1) = 1e-2;
  CHECK(compare().text.find("(1,1): 0 and 0.01") == 0);
  CHECK(compare().worst == 1e-2);

  b(1, 1) = std::numeric_limits<double>::quiet_NaN();
  CHECK(compare().text.find("(1,1)") == 0);
  b(1, 2) = 5;
  CHECK(compare().text.find("(1,1)") == 0);
  CHECK(std::isnan(compare().worst));

  b = Matrix<double>(3, 2);
  CHECK(compare().text == "shapes differ: 2 x 3 and 3 x 2");
}
