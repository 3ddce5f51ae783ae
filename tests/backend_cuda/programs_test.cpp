// Products and sums, as the blocks of a device compute them, against the reference backend.
#include <algorithm>
#include <cmath>

#include "backend_cuda/host_block.hpp"
#include "backend_cuda/products.hpp"
#include "backend_cuda/sums.hpp"
#include "kernel/inputs.hpp"
#include "kit/check.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;
using kit::on_device;
using kit::Order;

namespace {

template <class R>
Matrix<R> product(const Matrix<R>& a, ConstView2D<R> b, R alpha, R beta, Matrix<R> c, Order order = Order::forward) {
  kit::run_on_host(cuda::Product<R>{alpha, beta, on_device(a.view()), on_device(b), on_device(c.view())}, order);
  return c;
}

template <class R>
void check_products(double tolerance) {
  const auto reference = make_backend("reference");
  struct Shape {
    index n, m, k;
  };
  // Edges of blocks (64), of stages (16) and of parts of the sums (512).
  for (const Shape& s : {Shape{1, 1, 1}, Shape{64, 64, 16}, Shape{65, 63, 17}, Shape{3, 130, 15}, Shape{70, 5, 512},
                         Shape{7, 66, 513}, Shape{2, 3, 1100}, Shape{4, 4, 0}})
    for (const double beta : {0.0, 1.0, -0.5}) {
      INFO(s.n << " x " << s.m << " x " << s.k << ", beta " << beta);
      const Matrix<R> a = kit::uniform_matrix<R>(s.n, s.k, 1, -1, 1), b = kit::uniform_matrix<R>(s.k, s.m, 2, -1, 1);
      Matrix<R> c = kit::uniform_matrix<R>(s.n, s.m, 3, -1, 1);
      // With beta 0 nothing of c counts, not even what is no number.
      if (beta == 0) std::fill_n(c.data(), c.size(), std::numeric_limits<R>::quiet_NaN());
      Matrix<R> expected = c;
      reference->gemm(Transpose::no, Transpose::no, R(0.7), a.view(), b.view(), static_cast<R>(beta), expected.view());
      const Matrix<R> found = product<R>(a, b.view(), R(0.7), static_cast<R>(beta), c);
      NTKROB_CHECK_SAME(
          kit::compare(found.view(), expected.view(), tolerance * std::sqrt(static_cast<double>(s.k) + 1)));
      const Matrix<R> back = product<R>(a, b.view(), R(0.7), static_cast<R>(beta), c, Order::backward);
      NTKROB_CHECK_SAME(kit::compare(found.view(), back.view(), 0));
    }
}

}  // namespace

TEST_CASE("blocks of a product equal the reference for every edge and any order of the threads", "[backend_cuda]") {
  check_products<float>(2e-6);
  check_products<double>(4e-15);
}

TEST_CASE("a product of blocks has the same bits for every cut of its rows and columns", "[backend_cuda]") {
  const index n = 70, m = 192, k = 530;
  const Matrix<float> a = kit::uniform_matrix<float>(n, k, 4, -1, 1), b = kit::uniform_matrix<float>(k, m, 5, -1, 1);
  const Matrix<float> whole = product<float>(a, b.view(), 1, 0, Matrix<float>(n, m));
  for (const index rows : {1, 37})
    for (index i = 0; i < n; i += rows)
      for (index j = 0; j < m; j += kPanelStep) {
        const index height = std::min(rows, n - i);
        const Matrix<float> part(a.view().middle_rows(i, height));
        const Matrix<float> cut =
            product<float>(part, b.view().middle_cols(j, kPanelStep), 1, 0, Matrix<float>(height, kPanelStep));
        if (i % 7 != 0 && rows == 1) continue;
        NTKROB_CHECK_SAME(kit::compare(
            cut.view(), Matrix<float>(whole.view().middle_rows(i, height).middle_cols(j, kPanelStep)).view(), 0));
      }
}

TEST_CASE("transposition in pieces is a transposition", "[backend_cuda]") {
  for (const index n : {1, 31, 32, 65})
    for (const index m : {1, 33, 64}) {
      const Matrix<double> a = kit::uniform_matrix<double>(n, m, 6);
      Matrix<double> t(m, n), expected(m, n);
      for (index i = 0; i < n; ++i)
        for (index j = 0; j < m; ++j) expected(j, i) = a(i, j);
      for (const Order order : {Order::forward, Order::backward}) {
        kit::run_on_host(cuda::Transposition<double>{on_device(a.view()), on_device(t.view())}, order);
        NTKROB_CHECK_SAME(kit::compare(t.view(), expected.view(), 0));
      }
    }
}

TEST_CASE("thin products of blocks equal the reference, add, and have the same bits for cuts at 1024",
          "[backend_cuda]") {
  const auto reference = make_backend("reference");
  for (const index m : {0, 1, 127, 128, 1024, 1025, 2100})
    for (const index r : {1, 10}) {
      INFO("m " << m << ", r " << r);
      const Matrix<float> a = kit::uniform_matrix<float>(3, m, 8, -1, 1),
                          vt = kit::uniform_matrix<float>(r, m, 9, -1, 1);
      const Matrix<double> start = kit::uniform_matrix<double>(3, r, 10);
      Matrix<double> expected = start;
      reference->add_thin(a.view(), vt.view(), expected.view());
      const auto sum = [&](index cut, Order order) {
        Matrix<double> out = start;
        for (index j = 0; j < m; j += cut) {
          const index width = std::min(cut, m - j);
          kit::run_on_host(cuda::ThinProduct<float>{on_device(a.view().middle_cols(j, width)),
                                                    on_device(vt.view().middle_cols(j, width)), on_device(out.view())},
                           order);
        }
        return out;
      };
      const Matrix<double> whole = sum(std::max<index>(m, 1), Order::forward);
      NTKROB_CHECK_SAME(
          kit::compare(whole.view(), expected.view(), 2e-6 * std::sqrt(static_cast<double>(std::max<index>(m, 1)))));
      NTKROB_CHECK_SAME(kit::compare(sum(1024, Order::backward).view(), whole.view(), 0));
    }
}

TEST_CASE("weighing a tile in blocks equals the reference and adds to the row sums", "[backend_cuda]") {
  const auto reference = make_backend("reference");
  for (const index m : {1, 127, 300})
    for (const index r : {1, 4}) {
      INFO("m " << m << ", r " << r);
      const Matrix<double> u = kit::uniform_matrix<double>(5, r, 11, -1, 1),
                           vt = kit::uniform_matrix<double>(r, m, 12, -1, 1),
                           da = kit::uniform_matrix<double>(5, m, 13, -1, 1);
      Matrix<double> dq = kit::uniform_matrix<double>(5, m, 14, -1, 1), expected_dq = dq, sums(1, 5), expected(1, 5);
      for (index i = 0; i < 5; ++i) sums(0, i) = expected(0, i) = static_cast<double>(i);
      reference->weigh_tile(u.view(), vt.view(), expected_dq.view(), da.view(), View2D<double>(expected.data(), 5, 1));
      kit::run_on_host(cuda::Weights<double>{on_device(u.view()), on_device(vt.view()), on_device(dq.view()),
                                             on_device(da.view()), on_device(View2D<double>(sums.data(), 5, 1))},
                       r == 1 ? Order::forward : Order::backward);
      NTKROB_CHECK_SAME(kit::compare(dq.view(), expected_dq.view(), 1e-14));
      NTKROB_CHECK_SAME(kit::compare(sums.view(), expected.view(), 1e-12));
    }
}
