#include "ntkrob/base/view.hpp"

#include <numeric>

#include "kit/check.hpp"

using namespace ntkrob;

namespace {

Matrix<float> counted(index rows, index cols) {
  Matrix<float> m(rows, cols);
  std::iota(m.data(), m.data() + m.size(), 1.0f);
  return m;
}

}  // namespace

TEST_CASE("a new matrix is zero, also in memory that held numbers before", "[base]") {
  for (int round = 0; round < 3; ++round) {
    Matrix<float> m(37, 5);
    for (index k = 0; k < m.size(); ++k) REQUIRE(m.data()[k] == 0);
    std::iota(m.data(), m.data() + m.size(), 1.0f);
  }
  CHECK(Matrix<float>(0, 7).empty());
  CHECK(Matrix<float>(Matrix<float>(0, 7)).cols() == 7);
}

TEST_CASE("copies hold the same numbers, of views with any stride", "[base]") {
  const Matrix<float> whole = counted(6, 9);
  const ConstView2D<float> inner = whole.view().middle_rows(1, 4).middle_cols(2, 3);
  const Matrix<float> copy(inner);
  REQUIRE(copy.rows() == 4);
  REQUIRE(copy.cols() == 3);
  NTKROB_CHECK_SAME(kit::compare(copy.view(), inner, 0));

  Matrix<float> target(8, 8);
  convert(inner, target.view().middle_rows(3, 4).middle_cols(5, 3));
  NTKROB_CHECK_SAME(kit::compare(ConstView2D<float>(target.view().middle_rows(3, 4).middle_cols(5, 3)), inner, 0));
  CHECK(std::accumulate(target.data(), target.data() + target.size(), 0.0) ==
        std::accumulate(copy.data(), copy.data() + copy.size(), 0.0));

  Matrix<double> wide(4, 3);
  convert(inner, wide.view());
  for (index i = 0; i < 4; ++i)
    for (index j = 0; j < 3; ++j) CHECK(wide(i, j) == static_cast<double>(inner(i, j)));
  CHECK_THROWS_AS(convert(inner, target.view()), ShapeError);
}

TEST_CASE("assigning the same shape reuses the memory, another shape takes new memory", "[base]") {
  const Matrix<float> source = counted(4, 3);
  Matrix<float> same(4, 3), other(3, 4);
  const float* memory = same.data();
  same = source;
  CHECK(same.data() == memory);
  NTKROB_CHECK_SAME(kit::compare(same.view(), source.view(), 0));
  other = source;
  NTKROB_CHECK_SAME(kit::compare(other.view(), source.view(), 0));
  CHECK(other.data() != source.data());

  const Matrix<float>& alias = other;
  other = alias;
  NTKROB_CHECK_SAME(kit::compare(other.view(), source.view(), 0));
  other = std::move(same);
  CHECK(other.data() == memory);
  CHECK(same.empty());
}
