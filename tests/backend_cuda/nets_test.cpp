// The programs of nets, as the blocks of a device compute them, against the layers of component nn.
#include <algorithm>
#include <cmath>

#include "backend_cuda/host_block.hpp"
#include "backend_cuda/nets/column_sums.hpp"
#include "backend_cuda/nets/elements.hpp"
#include "backend_cuda/nets/windows.hpp"
#include "kernel/inputs.hpp"
#include "kit/check.hpp"
#include "nn/passes.hpp"
#include "nn/stack.hpp"
#include "ntkrob/optim/optimizer.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;
using namespace ntkrob::cuda::nets;
using kit::on_device;
using kit::Order;

namespace {

using Kind = NetLayer::Kind;

/// The first layer of a net, as component nn runs it and as a backend is told.
template <class R>
struct OneLayer {
  std::unique_ptr<Backend> backend = make_backend("cpu", 1);
  nn::Stack<R> stack;
  NetLayer spec;
  BasicLayerParameters<R> parameters;
  nn::SharedScratch<R> shared;
  nn::LayerScratch<R> scratch;

  OneLayer(const char* text, ImageShape shape) : stack(nn::compile<R>(std::string(text) + "-flatten-dense", shape, 2)) {
    scratch.shared = &shared;
    spec = nn::program_of(stack, shape, 2).layers[0];
    parameters = {kit::uniform_matrix<R>(spec.outputs, spec.fan_in, 5, -0.8, 0.8),
                  kit::uniform_matrix<R>(spec.outputs > 0 ? 1 : 0, spec.outputs, 6, -0.3, 0.3)};
  }
  Matrix<R> forward(const Matrix<R>& x) {
    Matrix<R> y(x.rows(), spec.out.size());
    stack[0].layer->forward(*backend, parameters, spec.relu, x.view(), y.view(), scratch);
    return y;
  }
  /// Derivatives by x, closed where a ReLU before the layer was.
  Matrix<R> backward(const Matrix<R>& x, const Matrix<R>& delta, bool behind_relu) {
    Matrix<R> dx(x.rows(), x.cols());
    stack[0].layer->backward(*backend, parameters, x.view(), delta.view(), dx.view(), nullptr, R(0), scratch);
    if (behind_relu) nn::close_relu<R>(*backend, x.view(), dx.view());
    return dx;
  }
};

constexpr Order kOrders[] = {Order::forward, Order::backward};

template <class R>
Matrix<R> unset(index rows, index cols) {
  Matrix<R> m(rows, cols);
  std::fill_n(m.data(), m.size(), std::numeric_limits<R>::quiet_NaN());
  return m;
}

/// Forward pass of a layer in programs; of a convolution in blocks of `step` positions.
template <class R>
Matrix<R> forward_on_host(OneLayer<R>& one, const Matrix<R>& x, index step, Order order,
                          std::vector<std::int32_t>* taps = nullptr) {
  const NetLayer& spec = one.spec;
  const Geometry w(spec);
  Matrix<R> y = unset<R>(x.rows(), spec.out.size());
  if (spec.kind == Kind::conv) {
    const index all = x.rows() * w.positions();
    for (index first = 0; first < all; first += step) {
      const index count = std::min(step, all - first);
      Matrix<R> patches = unset<R>(count, spec.fan_in);
      Patches<R> gather;
      gather.w = w;
      gather.x = x.data();
      gather.first = first;
      gather.count = count;
      gather.patches = patches.data();
      kit::run_on_host(gather, order);
      const View2D<R> out = View2D<R>(y.data(), all, spec.outputs).middle_rows(first, count);
      Panels<R> panels;
      one.backend->pack(Transpose::yes, one.parameters.weight.view(), panels);
      one.backend->multiply(R(1), patches.view(), panels, 0, R(0), out);
      kit::run_on_host(AddBias<R>(on_device(out), one.parameters.bias.data(), spec.relu), order);
    }
  } else if (spec.kind == Kind::maxpool) {
    MaxPool<R> pool;
    pool.w = w;
    pool.x = x.data();
    pool.n = x.rows();
    pool.open = spec.relu;
    pool.y = y.data();
    if (taps != nullptr) {
      taps->assign(static_cast<std::size_t>(y.size()), -2);
      pool.tap = taps->data();
    }
    kit::run_on_host(pool, order);
  } else if (spec.kind == Kind::normalise) {
    Normalise<R, false> map;
    std::vector<R> mean(spec.mean.begin(), spec.mean.end()), deviation(spec.deviation.begin(), spec.deviation.end());
    map.x = x.data();
    map.y = y.data();
    map.n = x.size();
    map.mean = mean.data();
    map.deviation = deviation.data();
    map.open = spec.relu;
    map.channels = Divider(spec.in.channels);
    kit::run_on_host(map, order);
  } else {
    AvgPool<R> pool;
    pool.w = w;
    pool.inside = spec.inside;
    pool.x = x.data();
    pool.n = x.rows();
    pool.open = spec.relu;
    pool.y = y.data();
    kit::run_on_host(pool, order);
  }
  return y;
}

template <class R>
Matrix<R> backward_on_host(OneLayer<R>& one, const Matrix<R>& x, const Matrix<R>& delta, bool behind_relu, index step,
                           Order order) {
  const NetLayer& spec = one.spec;
  const Geometry w(spec);
  const R* hidden = behind_relu ? x.data() : nullptr;
  Matrix<R> dx = unset<R>(x.rows(), x.cols());
  if (spec.kind == Kind::conv) {
    const index all = x.rows() * w.positions();
    for (index first = 0; first < all; first += step) {
      const index count = std::min(step, all - first);
      Matrix<R> patches(count, spec.fan_in);
      Panels<R> panels;
      one.backend->pack(Transpose::no, one.parameters.weight.view(), panels);
      one.backend->multiply(R(1), ConstView2D<R>(delta.data(), all, spec.outputs).middle_rows(first, count), panels, 0,
                            R(0), patches.view());
      FromPatches<R> scatter;
      scatter.w = w;
      scatter.patches = patches.data();
      scatter.first = first;
      scatter.count = count;
      scatter.hidden = hidden;
      scatter.dx = dx.data();
      kit::run_on_host(scatter, order);
    }
  } else if (spec.kind == Kind::maxpool) {
    std::vector<std::int32_t> taps;
    forward_on_host(one, x, step, order, &taps);
    MaxPoolBack<R> pool;
    pool.w = w;
    pool.delta = delta.data();
    pool.tap = taps.data();
    pool.hidden = hidden;
    pool.n = x.rows();
    pool.dx = dx.data();
    kit::run_on_host(pool, order);
  } else if (spec.kind == Kind::normalise) {
    Normalise<R, true> map;
    std::vector<R> deviation(spec.deviation.begin(), spec.deviation.end());
    map.x = delta.data();
    map.y = dx.data();
    map.n = x.size();
    map.deviation = deviation.data();
    map.hidden = hidden;
    map.channels = Divider(spec.in.channels);
    kit::run_on_host(map, order);
  } else {
    AvgPoolBack<R> pool;
    pool.w = w;
    pool.inside = spec.inside;
    pool.delta = delta.data();
    pool.hidden = hidden;
    pool.n = x.rows();
    pool.dx = dx.data();
    kit::run_on_host(pool, order);
  }
  return dx;
}

struct Case {
  const char* layer;
  ImageShape shape;
};
constexpr Case kCases[] = {
    {"conv(3,3)", {4, 5, 2}},
    {"conv(4,1)-relu", {3, 4, 3}},
    {"conv(4,3,stride=2,pad=1)-relu", {7, 8, 2}},
    {"conv(2,kh=2,kw=4,stride=3,pad=same)", {6, 5, 3}},
    {"conv(3,5,pad=4)", {3, 4, 1}},
    {"conv(5,4,stride=2,pad=1)", {8, 8, 1}},
    {"conv(3,2,stride=3,pad=valid)", {8, 7, 2}},
    {"maxpool(2)", {6, 6, 3}},
    {"maxpool(3,stride=2,pad=1)-relu", {8, 6, 2}},
    {"maxpool(3,stride=1,pad=same)", {5, 4, 2}},
    {"maxpool(2,stride=3,pad=valid)", {8, 9, 1}},
    {"avgpool(2)-relu", {6, 4, 3}},
    {"avgpool(3,stride=2,pad=same)", {5, 6, 2}},
    {"avgpool(3,stride=2,pad=same,edges=inside)-relu", {5, 6, 2}},
    {"avgpool(2,stride=1,pad=1)", {3, 3, 2}},
    {"gap", {4, 7, 3}},
    {"gap-relu", {1, 1, 5}},
    {"normalise(mean=0.4:0.6,std=0.25:0.5)-relu", {3, 4, 2}},
    {"normalise(mean=0.1,std=3)", {2, 2, 3}},
};

/// Values on a coarse grid: many are equal, and sums of them are exact in any order.
template <class R>
Matrix<R> coarse(index rows, index cols, std::uint64_t seed) {
  Matrix<R> m = kit::uniform_matrix<R>(rows, cols, seed, -2, 2);
  for (index i = 0; i < m.size(); ++i) m.data()[i] = std::round(2 * m.data()[i]) / 2;
  return m;
}

template <class R>
void check_layers() {
  for (const Case& one : kCases) {
    OneLayer<R> layer(one.layer, one.shape);
    const index n = 3, positions = layer.spec.out.height * layer.spec.out.width;
    const Matrix<R> x = coarse<R>(n, one.shape.size(), 1), delta = coarse<R>(n, layer.spec.out.size(), 2);
    const Matrix<R> y = layer.forward(x);
    // All positions at once, whole images, and blocks that cut images.
    for (const index step : {n * positions, positions, positions / 2 + 1, index{1}})
      for (const Order order : kOrders) {
        INFO(one.layer << ", " << sizeof(R) << " bytes, blocks of " << step << " positions");
        NTKROB_CHECK_SAME(kit::compare(forward_on_host(layer, x, step, order).view(), y.view(), 0));
        for (const bool behind_relu : {false, true}) {
          const Matrix<R> dx = layer.backward(x, delta, behind_relu);
          NTKROB_CHECK_SAME(
              kit::compare(backward_on_host(layer, x, delta, behind_relu, step, order).view(), dx.view(), 0));
        }
        if (layer.spec.kind != Kind::conv) break;
      }
  }
}

}  // namespace

TEST_CASE("layers of nets in programs have the bits of component nn, in blocks of any size", "[backend_cuda]") {
  check_layers<float>();
  check_layers<double>();
}

TEST_CASE("a NaN stays NaN in layers of nets and in their ReLU", "[backend_cuda]") {
  for (const char* text :
       {"maxpool(2)-relu", "avgpool(2)-relu", "gap-relu", "conv(2,2)-relu", "normalise(mean=0.1,std=3)-relu"}) {
    INFO(text);
    OneLayer<float> layer(text, {4, 4, 1});
    Matrix<float> x = kit::uniform_matrix<float>(1, 16, 1);
    x(0, 5) = std::numeric_limits<float>::quiet_NaN();
    const Matrix<float> expected = layer.forward(x), found = forward_on_host(layer, x, 16, Order::forward);
    index nans = 0;
    for (index i = 0; i < expected.size(); ++i) {
      CHECK(std::isnan(expected.data()[i]) == std::isnan(found.data()[i]));
      nans += std::isnan(expected.data()[i]);
    }
    CHECK(nans > 0);
  }
}

TEST_CASE("quotients by products are quotients", "[backend_cuda]") {
  const std::uint32_t most = static_cast<std::uint32_t>(kMostElements) + 255;
  for (const index by : {1, 2, 3, 5, 7, 10, 27, 64, 641, 784, 3072, 65535, 65537, 1000003, (1 << 30) - 1, 1 << 30}) {
    const Divider d(by);
    index wrong = 0;
    const auto check = [&](std::uint32_t n) {
      wrong +=
          d.quotient(n) != n / static_cast<std::uint32_t>(by) || d.remainder(n) != n % static_cast<std::uint32_t>(by);
    };
    for (std::uint32_t n = 0; n < 5000; ++n) check(n), check(most - n);
    for (std::uint64_t k = 1; k * static_cast<std::uint64_t>(by) <= most && k < 5000; ++k) {
      const std::uint64_t multiple = k * static_cast<std::uint64_t>(by), high = most / by * by - (k - 1) * by;
      check(static_cast<std::uint32_t>(multiple)), check(static_cast<std::uint32_t>(multiple - 1));
      check(static_cast<std::uint32_t>(high)), check(static_cast<std::uint32_t>(high - 1));
    }
    INFO("by " << by);
    CHECK(wrong == 0);
  }
}

TEST_CASE("column sums in parts equal the sums in float64 and add to what there is", "[backend_cuda]") {
  const auto reference = make_backend("reference");
  // Edges of parts (512 rows), of the columns of a block (32), and more rows than 256 parts of 512 have.
  for (const index rows : {1, 9, 511, 513, 1500, 131073 + 700})
    for (const index cols : {1, 10, 33}) {
      const Matrix<float> a = kit::uniform_matrix<float>(rows, cols, 3, -1, 1);
      for (const float beta : {0.0f, 1.0f}) {
        Matrix<float> expected = kit::uniform_matrix<float>(1, cols, 4), first;
        if (beta == 0) expected = unset<float>(1, cols);
        const Matrix<float> start = expected;
        nn::column_sums<float>(*reference, a.view(), beta, expected.view());
        for (const Order order : kOrders) {
          INFO(rows << " x " << cols << ", beta " << beta);
          Matrix<float> found = start;
          Matrix<double> parts = unset<double>(ColumnParts<float>::count(rows), cols);
          CHECK(parts.rows() <= 256);
          kit::run_on_host(ColumnParts<float>(on_device(a.view()), on_device(parts.view())), order);
          kit::run_on_host(ColumnTotals<float>(on_device(parts.view()), beta, found.data()), order);
          // float64 sums in two orders, one rounding to float32 of numbers up to some hundreds.
          NTKROB_CHECK_SAME(
              kit::compare(found.view(), expected.view(), 6e-8 * std::sqrt(static_cast<double>(rows)) * 4));
          if (order == Order::forward) first = found;
          NTKROB_CHECK_SAME(kit::compare(found.view(), first.view(), 0));
        }
        if (rows > 2000) break;
      }
    }
}

TEST_CASE("a step of gradient descent in a program has the bits of Sgd", "[backend_cuda]") {
  const index n = 700;
  Matrix<float> expected = kit::uniform_matrix<float>(1, n, 5, -1, 1), found = expected, velocity(1, n);
  Sgd<float> sgd({0.9, 0.01});
  for (const std::uint64_t step : {0, 1, 2}) {
    const Matrix<float> gradient = kit::uniform_matrix<float>(1, n, 10 + step, -1, 1);
    sgd.step(expected.view(), gradient.view(), 0.1);
    SgdStep<float> program;
    program.parameters = found.data();
    program.velocity = velocity.data();
    program.gradient = gradient.data();
    program.n = n;
    program.momentum = 0.9;
    program.weight_decay = 0.01;
    program.lr = 0.1;
    kit::run_on_host(program);
    NTKROB_CHECK_SAME(kit::compare(found.view(), expected.view(), 0));
  }
}

TEST_CASE("rows are picked by their numbers, and derivatives closed where hidden numbers are not positive",
          "[backend_cuda]") {
  const Matrix<float> from = kit::uniform_matrix<float>(9, 37, 6, -1, 1);
  const std::vector<std::int32_t> rows = {8, 0, 3, 3};
  Matrix<float> to = unset<float>(4, 37), delta = to;
  kit::run_on_host(PickRows<float>(on_device(from.view()), rows.data(), on_device(to.view())));
  for (index i = 0; i < 4; ++i)
    for (index j = 0; j < 37; ++j) CHECK(to(i, j) == from(rows[static_cast<std::size_t>(i)], j));

  std::fill_n(delta.data(), delta.size(), 1.5f);
  to(0, 0) = 0;
  to(0, 1) = std::numeric_limits<float>::quiet_NaN();  // is not closed: what is not a number shows
  kit::run_on_host(CloseRelu<float>(to.data(), delta.data(), delta.size()));
  for (index i = 0; i < to.size(); ++i) CHECK(delta.data()[i] == (to.data()[i] <= 0 ? 0.0f : 1.5f));
}
