// Products and sums, as the blocks of a device compute them, against the reference backend.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

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

using cuda::BlockSize;
using cuda::ProductPlan;
constexpr ProductPlan kPlans[] = {{BlockSize::large, false}, {BlockSize::medium, false}, {BlockSize::small, false},
                                  {BlockSize::large, true},  {BlockSize::medium, true},  {BlockSize::small, true}};

/// Room for parts of sums, as start_product and start_sums ask for it.
class Scratch {
 public:
  template <class T>
  T* operator()(T, index count) {
    bytes_.assign(static_cast<std::size_t>(count) * sizeof(T) / sizeof(double) + 1, 0.0);
    return reinterpret_cast<T*>(bytes_.data());
  }

 private:
  std::vector<double> bytes_;
};

template <class R>
Matrix<R> product(const ProductPlan& plan, ConstView2D<R> a, ConstView2D<R> b, R alpha, R beta, Matrix<R> c,
                  Order order = Order::forward) {
  Scratch scratch;
  cuda::start_product(
      cuda::Product<R>{alpha, beta, on_device(a), on_device(b), on_device(c.view())}, plan,
      [&](const auto& program) { kit::run_on_host(program, order); }, [&](index count) { return scratch(R(), count); });
  return c;
}

template <class Sums>
void run_sums(const Sums& sums, Order order) {
  Scratch scratch;
  cuda::start_sums(
      sums, [&](const auto& program) { kit::run_on_host(program, order); },
      [&](auto number, index count) { return scratch(number, count); });
}

template <class R>
void check_products(double tolerance) {
  const auto reference = make_backend("reference");
  struct Shape {
    index n, m, k;
  };
  // Edges of blocks (32, 64, 128), of stages (8, 16, 32) and of parts of the sums (1024), rows that quads cannot read.
  for (const Shape& s : {Shape{1, 1, 1}, Shape{64, 64, 16}, Shape{65, 63, 17}, Shape{3, 132, 15}, Shape{130, 4, 32},
                         Shape{7, 66, 1025}, Shape{2, 3, 2100}, Shape{33, 64, 2048}, Shape{4, 4, 0}})
    for (const double beta : {0.0, -0.5}) {
      INFO(s.n << " x " << s.m << " x " << s.k << ", beta " << beta);
      const Matrix<R> a = kit::uniform_matrix<R>(s.n, s.k, 1, -1, 1), b = kit::uniform_matrix<R>(s.k, s.m, 2, -1, 1);
      Matrix<R> c = kit::uniform_matrix<R>(s.n, s.m, 3, -1, 1);
      // With beta 0 nothing of c counts, not even what is no number.
      if (beta == 0) std::fill_n(c.data(), c.size(), std::numeric_limits<R>::quiet_NaN());
      Matrix<R> expected = c;
      reference->gemm(Transpose::no, Transpose::no, R(0.7), a.view(), b.view(), static_cast<R>(beta), expected.view());
      const auto with = [&](const ProductPlan& plan, Order order) {
        return product<R>(plan, a.view(), b.view(), R(0.7), static_cast<R>(beta), c, order);
      };
      const Matrix<R> found = with(kPlans[0], Order::forward);
      NTKROB_CHECK_SAME(
          kit::compare(found.view(), expected.view(), tolerance * std::sqrt(static_cast<double>(s.k) + 1)));
      for (const ProductPlan& plan : kPlans) {
        INFO("blocks " << static_cast<int>(plan.size) << (plan.apart ? ", parts apart" : ""));
        NTKROB_CHECK_SAME(kit::compare(with(plan, Order::backward).view(), found.view(), 0));
      }
    }
}

}  // namespace

TEST_CASE("products of blocks equal the reference, with the same bits for every shape of blocks and order of threads",
          "[backend_cuda]") {
  check_products<float>(2e-6);
  check_products<double>(4e-15);
}

TEST_CASE("a product of blocks has the same bits for every cut of its rows and columns", "[backend_cuda]") {
  const index n = 70, m = 192, k = 1100;
  const Matrix<float> a = kit::uniform_matrix<float>(n, k, 4, -1, 1), b = kit::uniform_matrix<float>(k, m, 5, -1, 1);
  const Matrix<float> whole = product<float>(kPlans[0], a.view(), b.view(), 1, 0, Matrix<float>(n, m));
  const auto check = [&](index i, index rows, index j, const ProductPlan& plan) {
    const Matrix<float> cut = product<float>(plan, a.view().middle_rows(i, rows), b.view().middle_cols(j, kPanelStep),
                                             1, 0, Matrix<float>(rows, kPanelStep));
    NTKROB_CHECK_SAME(kit::compare(
        cut.view(), Matrix<float>(whole.view().middle_rows(i, rows).middle_cols(j, kPanelStep)).view(), 0));
  };
  for (index j = 0; j < m; j += kPanelStep) {
    check(0, 37, j, kPlans[0]);
    check(37, n - 37, j, kPlans[1]);
    check(35, 1, j, kPlans[5]);
  }
}

TEST_CASE("products choose large blocks for large results and parts of their own for few rows of great length",
          "[backend_cuda]") {
  const auto large = cuda::choose_blocks<float>(40000, 40000, 784, 132);
  CHECK(large.size == BlockSize::large);
  CHECK(!large.apart);
  const auto few = cuda::choose_blocks<float>(32, 784, 10000, 132);
  CHECK(few.size == BlockSize::small);
  CHECK(few.apart);
  CHECK(!cuda::choose_blocks<float>(32, 10000, 784, 132).apart);
  CHECK(cuda::choose_blocks<double>(8, 8, 8, 16).size == BlockSize::small);
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
    for (const index r : {1, 10, 19}) {
      INFO("m " << m << ", r " << r);
      const Matrix<float> a = kit::uniform_matrix<float>(5, m, 8, -1, 1),
                          vt = kit::uniform_matrix<float>(r, m, 9, -1, 1);
      const Matrix<double> start = kit::uniform_matrix<double>(5, r, 10);
      Matrix<double> expected = start;
      reference->add_thin(a.view(), vt.view(), expected.view());
      const auto sum = [&](index cut, Order order) {
        Matrix<double> out = start;
        for (index j = 0; j < m; j += cut) {
          const index width = std::min(cut, m - j);
          run_sums(cuda::ThinProduct<float>{on_device(a.view().middle_cols(j, width)),
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
  for (const index m : {1, 127, 1100})
    for (const index r : {1, 4, 19}) {
      INFO("m " << m << ", r " << r);
      const Matrix<double> u = kit::uniform_matrix<double>(5, r, 11, -1, 1),
                           vt = kit::uniform_matrix<double>(r, m, 12, -1, 1),
                           da = kit::uniform_matrix<double>(5, m, 13, -1, 1);
      Matrix<double> dq = kit::uniform_matrix<double>(5, m, 14, -1, 1), expected_dq = dq, sums(1, 5), expected(1, 5);
      for (index i = 0; i < 5; ++i) sums(0, i) = expected(0, i) = static_cast<double>(i);
      reference->weigh_tile(u.view(), vt.view(), expected_dq.view(), da.view(), View2D<double>(expected.data(), 5, 1));
      run_sums(cuda::Weights<double>{on_device(u.view()), on_device(vt.view()), on_device(dq.view()),
                                     on_device(da.view()), on_device(View2D<double>(sums.data(), 5, 1))},
               r == 1 ? Order::forward : Order::backward);
      NTKROB_CHECK_SAME(kit::compare(dq.view(), expected_dq.view(), 2e-14));
      NTKROB_CHECK_SAME(kit::compare(sums.view(), expected.view(), 1e-12));
    }
}
