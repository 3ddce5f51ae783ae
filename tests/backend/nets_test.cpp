// Nets in the memory of a device, on every backend of this build that this machine can run and that runs whole nets,
// against the same nets on the cpu backend.
#include <cmath>

#include "backend/nets_kit.hpp"
#include "nn/examples.hpp"
#include "ntkrob/attack/attack.hpp"
#include "ntkrob/model/iterates.hpp"

using namespace ntkrob;
using Catch::Matchers::Contains;
using nn_test::for_each_device;
using nn_test::kQuarterNets;
using nn_test::quarter_net;
using nn_test::quarters;
using nn_test::random_matrix;
using nn_test::Toy;

namespace {

struct Case {
  const char* spec;
  ImageShape shape;
  index classes;
};
constexpr Case kMoreCases[] = {
    {"mlp:", {1, 1, 5}, 3},
    {"mlp:70,33", {4, 5, 2}, 10},
    {"conv(4,3,stride=2,pad=1)-relu-conv(5,2,stride=2,pad=valid)-relu-dense(6)-relu-dense", {7, 8, 2}, 3},
    {"conv(3,1)-relu-conv(2,5,pad=4)-gap", {3, 4, 1}, 2},
    {"maxpool(2)-conv(4,3)-relu-maxpool(3,stride=2,pad=1)-dense", {8, 6, 2}, 3},
    {"conv(3,3)-relu-avgpool(3,stride=2,pad=same,edges=inside)-dense(4)-relu-dense", {5, 6, 2}, 2},
    {"normalise(mean=0.4:0.6,std=0.25:0.5)-conv(4,3,pad=valid)-relu-conv(3,1)-relu-conv(3,2)-gap", {5, 4, 2}, 3},
};

/// The example of every layer, and more.
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const nn_test::NetExample& example : nn_test::kNetExamples)
    all.push_back({example.spec, example.shape, example.classes});
  all.insert(all.end(), std::begin(kMoreCases), std::end(kMoreCases));
  return all;
}

/// Logits, input gradients and parameter gradients of one net.
struct Passes {
  Matrix<float> logits, again, dx, dx_too;
  std::vector<LayerParameters> grads;

  Passes(const Net& net, ConstView2D<float> x, const CotangentFn& cotangent) {
    const index n = x.rows;
    logits = again = Matrix<float>(n, net.classes());
    dx = dx_too = Matrix<float>(n, x.cols);
    net.logits(x, logits.view());
    net.logits_and_grad(x, cotangent, again.view(), dx.view());
    CHECK(kit::compare(again.view(), logits.view(), 0).text.empty());
    Matrix<float> c(n, net.classes());
    if (n > 0) cotangent(0, logits.view(), c.view());
    net.input_grad(x, c.view(), dx_too.view());
    CHECK(kit::compare(dx_too.view(), dx.view(), 0).text.empty());
    net.logits_and_parameter_grad(x, cotangent, again.view(), grads);
    CHECK(kit::compare(again.view(), logits.view(), 0).text.empty());
  }
};

/// A cotangent that depends on logits and row.
void some_cotangent(index first, ConstView2D<float> f, View2D<float> c) {
  for (index i = 0; i < f.rows; ++i)
    for (index j = 0; j < f.cols; ++j) c(i, j) = f(i, j) + static_cast<float>((first + i + 2 * j) % 3) - 1;
}

double largest(const Matrix<float>& m) {
  double result = 0;
  for (index i = 0; i < m.size(); ++i) result = std::max(result, std::abs(static_cast<double>(m.data()[i])));
  return result;
}

/// Sums of some hundred float32 terms in two orders.
constexpr double kTolerance = 1e-5;

void check_same(const Passes& found, const Passes& expected, double more = 1) {
  const auto near = [&](const Matrix<float>& a, const Matrix<float>& b) {
    NTKROB_CHECK_SAME(kit::compare(a.view(), b.view(), more * kTolerance * std::max(1e-3, largest(b))));
  };
  near(found.logits, expected.logits);
  near(found.dx, expected.dx);
  REQUIRE(found.grads.size() == expected.grads.size());
  for (std::size_t l = 0; l < found.grads.size(); ++l) {
    INFO("layer " << l);
    near(found.grads[l].weight, expected.grads[l].weight);
    near(found.grads[l].bias, expected.grads[l].bias);
  }
}

}  // namespace

TEST_CASE("logits and gradients of nets on a device equal those of the cpu backend", "[backend]") {
  for_each_device([](Backend& device, Backend& cpu) {
    for (const Case& c : cases())
      for (const index n : {0, 1, 7}) {
        INFO(c.spec << ", " << n << " images");
        const Net there(c.spec, c.shape, c.classes, Initialisation::ntk, 3, device),
            here(c.spec, c.shape, c.classes, Initialisation::ntk, 3, cpu);
        Matrix<float> frame = random_matrix<float>(n, c.shape.size() + 5, 1);
        const View2D<float> x = frame.view().middle_cols(3, c.shape.size());
        check_same(Passes(there, x, some_cotangent), Passes(here, x, some_cotangent));
      }
  });
}

TEST_CASE("more images than go through a device together come in blocks", "[backend]") {
  // 65536 numbers per image: a block has some 300 rows, the cpu backend's 16.
  const char* spec = "maxpool(16)-dense(5)-relu-dense";
  const ImageShape shape{256, 256, 1};
  for_each_device([&](Backend& device, Backend& cpu) {
    const Net there(spec, shape, 3, Initialisation::ntk, 3, device), here(spec, shape, 3, Initialisation::ntk, 3, cpu);
    const index n = 400;
    const Matrix<float> pattern = random_matrix<float>(1, shape.size() + n, 1);
    Matrix<float> x(n, shape.size());
    for (index i = 0; i < n; ++i) std::copy_n(pattern.data() + i, shape.size(), x.row(i));
    index blocks = 0;
    const CotangentFn counted = [&](index first, ConstView2D<float> f, View2D<float> c) {
      ++blocks;
      some_cotangent(first, f, c);
    };
    Matrix<float> logits(n, 3), expected(n, 3);
    std::vector<LayerParameters> grads, expected_grads;
    there.logits_and_parameter_grad(x.view(), counted, logits.view(), grads);
    CHECK(blocks > 1);
    here.logits_and_parameter_grad(x.view(), some_cotangent, expected.view(), expected_grads);
    NTKROB_CHECK_SAME(kit::compare(logits.view(), expected.view(), kTolerance * largest(expected)));
    for (const std::size_t l : {1, 2})
      NTKROB_CHECK_SAME(kit::compare(grads[l].weight.view(), expected_grads[l].weight.view(),
                                     kTolerance * largest(expected_grads[l].weight)));
  });
}

TEST_CASE("what a net on a device says of an image has the same bits whatever stands beside it", "[backend]") {
  for (const int workers : {1, 3})
    for_each_device(
        [](Backend& device, Backend&) {
          for (const Case& c : cases()) {
            INFO(c.spec);
            const index n = 70;
            const Net net(c.spec, c.shape, c.classes, Initialisation::ntk, 3, device);
            const Matrix<float> x = random_matrix<float>(n, c.shape.size(), 1);
            Matrix<float> all(n, c.classes), dx(n, x.cols()), one(1, c.classes), one_dx(1, x.cols());
            const CotangentFn cotangent = [](index, ConstView2D<float> f, View2D<float> to) {
              some_cotangent(0, f.middle_rows(0, 1), to.middle_rows(0, 1));
              for (index i = 1; i < f.rows; ++i) some_cotangent(0, f.middle_rows(i, 1), to.middle_rows(i, 1));
            };
            net.logits_and_grad(x.view(), cotangent, all.view(), dx.view());
            for (const index i : {0, 1, 63, 64, 69}) {
              net.logits_and_grad(x.view().middle_rows(i, 1), cotangent, one.view(), one_dx.view());
              NTKROB_CHECK_SAME(kit::compare(one.view(), all.view().middle_rows(i, 1), 0));
              NTKROB_CHECK_SAME(kit::compare(one_dx.view(), dx.view().middle_rows(i, 1), 0));
            }
          }
        },
        workers);
}

TEST_CASE("images and derivatives of a net may lie in arrays of the device", "[backend]") {
  for_each_device([](Backend& device, Backend&) {
    const Case& c = kMoreCases[2];
    const index n = 9, d = c.shape.size();
    const Net net(c.spec, c.shape, c.classes, Initialisation::ntk, 3, device);
    const Matrix<float> x = random_matrix<float>(n, d, 1);
    Matrix<float> logits(n, c.classes), expected(n, c.classes), dx(n, d), expected_dx(n, d);
    net.logits_and_grad(x.view(), some_cotangent, expected.view(), expected_dx.view());
    for (const index gap : {0, 3}) {  // between rows
      Array<float> there(device.arrays(), n, d + gap), down(device.arrays(), n, d + gap);
      const View2D<float> images = there.view().middle_cols(gap, d), derivatives = down.view().middle_cols(gap, d);
      device.arrays().copy(x.view(), images);
      net.logits_and_grad(images, some_cotangent, logits.view(), derivatives);
      device.arrays().copy(ConstView2D<float>(derivatives), dx.view());
      NTKROB_CHECK_SAME(kit::compare(logits.view(), expected.view(), 0));
      NTKROB_CHECK_SAME(kit::compare(dx.view(), expected_dx.view(), 0));
      Matrix<float> again(n, c.classes);
      net.logits(images, again.view());
      NTKROB_CHECK_SAME(kit::compare(again.view(), expected.view(), 0));
    }
  });
}

TEST_CASE("a net with a layer too large for a device is refused with the limit", "[backend]") {
  for_each_device([](Backend& device, Backend&) {
    const Net net("gap", {32769, 32768, 1}, 1, Initialisation::he, 0, device);
    CHECK_THROWS_AS(net.device(), ConfigError);
    CHECK_THROWS_WITH(net.device(), Contains("layer 0 of the net") && Contains("1073774592") && Contains("use cpu"));
  });
}

TEST_CASE("PGD against a net on a device finds the same in batches of any size, and what it finds on the cpu backend",
          "[backend]") {
  const Toy toy = quarters(30);
  ThreatModel threat;
  threat.eps = 0.1f;
  const auto attacked = [&](const Net& net, index batch) {
    Matrix<float> found(30, 36);
    for (index first = 0; first < 30; first += batch) {
      AttackBatch part;
      part.x = toy.x.view().middle_rows(first, batch);
      part.labels = toy.targets.labels.data() + first;
      part.first = first;
      pgd(net, part, threat, 10, 0, "ce", 1, Rng(3, "test"), found.view().middle_rows(first, batch));
    }
    return found;
  };
  for_each_device([&](Backend& device, Backend& cpu) {
    for (const char* spec : kQuarterNets) {
      INFO(spec);
      const Net there = quarter_net(spec, device), here = quarter_net(spec, cpu);
      const Matrix<float> whole = attacked(there, 30), expected = attacked(here, 30);
      NTKROB_CHECK_SAME(kit::compare(attacked(there, 5).view(), whole.view(), 0));
      CHECK((there.iterates(toy.x.view()) != nullptr) == (device.steps() != nullptr));
      // A step goes by signs: a gradient of some 1e-9 may have the other one.
      index different = 0;
      for (index i = 0; i < whole.size(); ++i) different += std::abs(whole.data()[i] - expected.data()[i]) > 1e-6f;
      CHECK(different <= 4);
    }
  });
}
