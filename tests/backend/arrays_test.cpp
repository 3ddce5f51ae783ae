// The arrays of every backend against host memory: all pairs of places, parts of matrices, pieces larger than what
// copies pass through.
#include <cmath>
#include <limits>

#include "backend/each_backend.hpp"
#include "kernel/inputs.hpp"
#include "ntkrob/backend/backend.hpp"

using namespace ntkrob;

namespace {

struct Shape {
  index n, m;
};
constexpr Shape kShapes[] = {{1, 1}, {31, 33}, {64, 32}, {65, 129}, {0, 4}, {3, 0}};

/// A part of a larger matrix, on the host or in an array, whose frame must stay as it is.
template <class T>
class Place {
 public:
  Place(Backend& backend, bool array, const Matrix<T>& inner)
      : backend_(backend), array_(array), rows_(inner.rows()), cols_(inner.cols()), host_(rows_ + 2, cols_ + 5) {
    std::fill_n(host_.data(), host_.size(), T(7));
    convert(inner.view(), part(host_.view()));
    if (array) in_array_ = kit::in_array(backend, host_);
  }
  View2D<T> view() { return part(array_ ? in_array_.view() : host_.view()); }
  /// What is there now; the frame is looked at.
  Matrix<T> look() {
    Matrix<T> all = array_ ? kit::on_host(backend_, ConstView2D<T>(in_array_.view())) : host_;
    const Matrix<T> inner(ConstView2D<T>(part(all.view())));
    for (index i = 0; i < rows_; ++i) std::fill_n(part(all.view()).row(i), cols_, T(7));
    CHECK(std::count(all.data(), all.data() + all.size(), T(7)) == all.size());
    return inner;
  }

 private:
  View2D<T> part(View2D<T> all) const { return all.middle_rows(1, rows_).middle_cols(2, cols_); }
  Backend& backend_;
  bool array_;
  index rows_, cols_;
  Matrix<T> host_;
  Array<T> in_array_;
};

/// Calls check(from is an array, to is one) for all four.
template <class F>
void for_both_places(F&& check) {
  for (const bool from : {false, true})
    for (const bool to : {false, true}) {
      INFO((from ? "from an array" : "from the host") << (to ? " to an array" : " to the host"));
      check(from, to);
    }
}

template <class T>
void same(const Matrix<T>& found, const Matrix<T>& expected) {
  NTKROB_CHECK_SAME(kit::compare(found.view(), expected.view(), 0));
}

template <class From, class To>
void check_copy(Backend& backend) {
  for (const Shape& s : kShapes)
    for_both_places([&](bool a, bool b) {
      INFO(s.n << " x " << s.m);
      const Matrix<From> numbers = kit::uniform_matrix<From>(s.n, s.m, 1, -1, 1);
      Place<From> from(backend, a, numbers);
      Place<To> to(backend, b, Matrix<To>(s.n, s.m));
      backend.arrays().copy(ConstView2D<From>(from.view()), to.view());
      same(to.look(), kit::converted<To>(numbers));
    });
}

template <class R>
void check_own_type(Backend& backend) {
  Arrays& arrays = backend.arrays();
  for (const Shape& s : kShapes) {
    INFO(s.n << " x " << s.m);
    const Matrix<R> numbers = kit::uniform_matrix<R>(s.n, s.m, 2, -1, 1),
                    others = kit::uniform_matrix<R>(s.n, s.m, 3, -1, 1);
    const Matrix<double> factors = kit::uniform_matrix<double>(s.n, 1, 4, -1, 1);
    Matrix<R> turned(s.m, s.n), summed = others;
    Matrix<double> squares(s.n, 1);
    host_arrays().transpose(numbers.view(), turned.view());
    host_arrays().add_scaled_rows(3, factors.view(), numbers.view(), summed.view());
    host_arrays().row_squares(numbers.view(), squares.view());
    for_both_places([&](bool a, bool b) {
      Place<R> from(backend, a, numbers), to(backend, b, Matrix<R>(s.m, s.n)), filled(backend, b, others),
          sum(backend, b, others);
      Place<double> found(backend, b, Matrix<double>(s.n, 1)), scales(backend, a, factors);
      arrays.transpose(ConstView2D<R>(from.view()), to.view());
      same(to.look(), turned);
      arrays.fill(filled.view(), R(-2));
      Matrix<R> twos(s.n, s.m);
      std::fill_n(twos.data(), twos.size(), R(-2));
      same(filled.look(), twos);
      arrays.add_scaled_rows(3, ConstView2D<double>(scales.view()), ConstView2D<R>(from.view()), sum.view());
      same(sum.look(), summed);
      arrays.row_squares(ConstView2D<R>(from.view()), found.view());
      NTKROB_CHECK_SAME(kit::compare(found.look().view(), squares.view(), 1e-13));
    });
  }
}

template <class R, class O>
void check_place(Backend& backend) {
  for (const bool mirrored : {false, true})
    for (const Shape& at : {Shape{0, 0}, Shape{3, 40}, Shape{30, 7}, Shape{40, 0}}) {
      INFO("block at (" << at.n << "," << at.m << ")" << (mirrored ? ", mirrored" : ""));
      const Matrix<R> block = kit::uniform_matrix<R>(37, 50, 5, -1, 1);
      const Matrix<O> before = kit::uniform_matrix<O>(95, 95, 6, -1, 1);
      const Placement where{at.n, at.m, mirrored};
      Matrix<O> expected = before;
      host_arrays().place(block.view(), where, expected.view());
      for_both_places([&](bool a, bool b) {
        Place<R> from(backend, a, block);
        Place<O> to(backend, b, before);
        backend.arrays().place(ConstView2D<R>(from.view()), where, to.view());
        same(to.look(), expected);
      });
    }
}

template <class R>
void check_finite_rows(Backend& backend) {
  for (const bool array : {false, true})
    for (const index bad : {-1, 0, 69, 200})
      for (const R value : {std::numeric_limits<R>::quiet_NaN(), -std::numeric_limits<R>::infinity()}) {
        Matrix<R> numbers = kit::uniform_matrix<R>(201, 140, 7, -1, 1);
        if (bad >= 0) numbers(bad, 139) = numbers(200, 0) = value;
        Place<R> place(backend, array, numbers);
        CHECK(backend.arrays().first_not_finite(ConstView2D<R>(place.view())) == bad);
      }
}

}  // namespace

TEST_CASE("arrays hold what is copied to them, for all types and places", "[backend]") {
  kit::for_each_backend([](Backend& backend) {
    check_copy<float, float>(backend);
    check_copy<double, double>(backend);
    check_copy<float, double>(backend);
    check_copy<double, float>(backend);
  });
}

TEST_CASE("rows longer than the memory that copies pass through arrive whole", "[backend]") {
  kit::for_each_backend([](Backend& backend) {
    for (const Shape& s : {Shape{3, 700000}, Shape{700, 3001}}) {
      const Matrix<double> numbers = kit::uniform_matrix<double>(s.n, s.m, 8);
      Place<double> place(backend, true, numbers);
      same(place.look(), numbers);
    }
  });
}

TEST_CASE("what is done to arrays has the results of the host", "[backend]") {
  kit::for_each_backend([](Backend& backend) {
    check_own_type<float>(backend);
    check_own_type<double>(backend);
    check_place<float, float>(backend);
    check_place<float, double>(backend);
    check_place<double, double>(backend);
    check_finite_rows<float>(backend);
    check_finite_rows<double>(backend);
  });
}

TEST_CASE("diagonals and triangles of arrays are those of the host", "[backend]") {
  kit::for_each_backend([](Backend& backend) {
    Arrays& arrays = backend.arrays();
    for (const index n : {1, 33, 130})
      for (const bool array : {false, true}) {
        INFO("n " << n << (array ? ", array" : ", host"));
        const Matrix<double> numbers = kit::uniform_matrix<double>(n, n, 9, -1, 1),
                             values = kit::uniform_matrix<double>(1, n, 10);
        Matrix<double> expected = numbers, diagonal(1, n);
        Place<double> place(backend, array, numbers), more(backend, array, numbers), left(backend, array, numbers);
        arrays.diagonal(ConstView2D<double>(place.view()), diagonal.data());
        for (index i = 0; i < n; ++i) CHECK(diagonal(0, i) == numbers(i, i));
        host_arrays().mirror_upper(expected.view());
        arrays.mirror_upper(place.view());
        same(place.look(), expected);
        host_arrays().set_diagonal(values.data(), 0.5, expected.view());
        arrays.set_diagonal(values.data(), 0.5, place.view());
        same(place.look(), expected);
        host_arrays().add(numbers.view(), expected.view());
        arrays.add(ConstView2D<double>(more.view()), place.view());
        same(place.look(), expected);
        Matrix<double> cleared = numbers;
        host_arrays().clear_left(-3, cleared.view());
        arrays.clear_left(-3, left.view());
        same(left.look(), cleared);
      }
  });
}

TEST_CASE("an array is told from host memory, and a block that leaves its target is refused", "[backend]") {
  kit::for_each_backend([](Backend& backend) {
    Arrays& arrays = backend.arrays();
    Array<double> a(arrays, 4, 5);
    Matrix<double> host(4, 5);
    CHECK(arrays.holds(a.view().data));
    CHECK(arrays.holds(a.view().row(3) + 4));
    CHECK(arrays.holds(host.data()) == arrays.on_host());
    CHECK(arrays.holds(a.view().row(4)) == arrays.on_host());
    CHECK_THROWS_AS(arrays.place(ConstView2D<double>(host.view()), {1, 0, false}, a.view()), ShapeError);
    CHECK_THROWS_AS(arrays.copy(ConstView2D<double>(host.view()), a.view().middle_rows(0, 3)), ShapeError);
    const void* address = a.view().data;
    a = Array<double>();
    CHECK(arrays.holds(address) == arrays.on_host());
  });
}

TEST_CASE("arrays pass between tasks and the calls around them in the order of the calls", "[backend]") {
  kit::for_each_backend(
      [](Backend& backend) {
        Arrays& arrays = backend.arrays();
        const index n = 12, m = 300;
        const Matrix<float> numbers = kit::uniform_matrix<float>(n, m, 11);
        Array<float> a(arrays, n, m), b(arrays, n, m);
        for (int round = 0; round < 3; ++round) {
          arrays.fill(a.view(), 0.0F);
          arrays.copy(numbers.view(), a.view());
          backend.for_each(n, [&](index i, int) {
            arrays.copy(ConstView2D<float>(a.view().middle_rows(n - 1 - i, 1)), b.view().middle_rows(i, 1));
          });
          arrays.fill(a.view(), 5.0F);
          const Matrix<float> found = kit::on_host(backend, ConstView2D<float>(b.view()));
          for (index i = 0; i < n; ++i) CHECK(std::equal(found.row(i), found.row(i) + m, numbers.row(n - 1 - i)));
        }
        // A task that throws leaves the queues in order.
        CHECK_THROWS_AS(backend.for_each(n,
                                         [&](index i, int) {
                                           arrays.fill(b.view().middle_rows(i, 1), 1.0F);
                                           NTKROB_CHECK(i != 5, ConfigError, "task ", i);
                                         }),
                        ConfigError);
        arrays.fill(b.view(), 2.0F);
        CHECK(kit::on_host(backend, ConstView2D<float>(b.view()))(11, 299) == 2.0F);
      },
      3);
}
