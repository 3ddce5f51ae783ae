// Layers on images against plain loops that read the stored form of the net, and against each other.
#include <cmath>

#include "kit/check.hpp"
#include "nn/fixture.hpp"

using namespace ntkrob;
using nn_test::random_matrix;

namespace {

/// One image as [C,H,W], the order in which PyTorch thinks.
struct Image {
  index c = 0, h = 0, w = 0;
  std::vector<double> values;
  double at(index i, index y, index x) const {
    return y < 0 || y >= h || x < 0 || x >= w ? 0 : values[static_cast<std::size_t>((i * h + y) * w + x)];
  }
};

Image from_row(const float* row, ImageShape shape) {
  Image image{shape.channels, shape.height, shape.width, {}};
  for (index i = 0; i < shape.channels; ++i)
    for (index p = 0; p < shape.height * shape.width; ++p) image.values.push_back(row[p * shape.channels + i]);
  return image;
}

/// Weights [out,in,kh,kw] and bias [out] as stored; `pad` lines in front, as many positions as `positions` says.
Image plain_conv(const Image& image, const NdArray<float>& weight, const NdArray<float>& bias, index stride, index top,
                 index left, index height, index width) {
  const index kh = weight.shape[2], kw = weight.shape[3];
  Image out{weight.shape[0], height, width, {}};
  for (index o = 0; o < out.c; ++o)
    for (index y = 0; y < height; ++y)
      for (index x = 0; x < width; ++x) {
        double sum = bias.values[static_cast<std::size_t>(o)];
        for (index i = 0; i < image.c; ++i)
          for (index ky = 0; ky < kh; ++ky)
            for (index kx = 0; kx < kw; ++kx)
              sum += weight.values[static_cast<std::size_t>(((o * image.c + i) * kh + ky) * kw + kx)] *
                     image.at(i, y * stride - top + ky, x * stride - left + kx);
        out.values.push_back(sum);
      }
  return out;
}

}  // namespace

TEST_CASE("a convolution equals plain loops over the stored weights for every kind of padding", "[nn]") {
  struct Case {
    const char* spec;
    index stride, top, left, height, width;
  };
  // Input 7 x 10. same: total = (out - 1) stride + k - n, the smaller half in front.
  const Case cases[] = {
      {"conv(5,3)-gap", 1, 1, 1, 7, 10},
      {"conv(5,4)-gap", 1, 1, 1, 7, 10},
      {"conv(5,4,stride=3)-gap", 3, 1, 1, 3, 4},
      {"conv(5,4,stride=2,pad=1)-gap", 2, 1, 1, 3, 5},
      {"conv(5,3,stride=2,pad=valid)-gap", 2, 0, 0, 3, 4},
      {"conv(5,kh=1,kw=5,pad=0)-gap", 1, 0, 0, 7, 6},
      {"conv(5,3,pad=2)-gap", 1, 2, 2, 9, 12},
      {"conv(5,1,stride=4)-gap", 4, 0, 0, 2, 3},
  };
  const auto backend = nn_test::backend(2);
  const ImageShape shape{7, 10, 3};
  const Matrix<float> x = random_matrix<float>(4, shape.size(), 1);
  for (const Case& c : cases) {
    INFO(c.spec);
    const Net net(c.spec, shape, 5, Initialisation::uniform, 3, *backend);
    const StateDict state = net.state();
    const auto& weight = state.get<NdArray<float>>("layers/0/weight");
    Matrix<float> out(4, 5);
    Matrix<double> expected(4, 5);

    net.logits(x.view(), out.view());

    for (index n = 0; n < 4; ++n) {
      const Image y = plain_conv(from_row(x.row(n), shape), weight, state.get<NdArray<float>>("layers/0/bias"),
                                 c.stride, c.top, c.left, c.height, c.width);
      for (index o = 0; o < 5; ++o)
        for (index p = 0; p < c.height * c.width; ++p)
          expected(n, o) +=
              y.values[static_cast<std::size_t>(o * c.height * c.width + p)] / static_cast<double>(c.height * c.width);
    }
    NTKROB_CHECK_SAME(kit::compare(out.view(), expected.view(), 2e-6));
  }
}

TEST_CASE("pools take windows channel by channel, and flatten keeps the order H W C", "[nn]") {
  const auto backend = nn_test::backend();
  const ImageShape shape{2, 4, 2};
  Matrix<float> x(1, 16), out(1, 4);
  for (index j = 0; j < 16; ++j) x(0, j) = static_cast<float>(j * j % 11);
  // Channel 0: 0 4 5 3 / 9 1 1 9; channel 1: 1 9 3 5 / 4 0 4 5 (pixel p, channel c at 2 p + c).
  const auto expect = [&](const char* spec, const std::vector<float>& values) {
    INFO(spec);
    const Net net(spec, shape, static_cast<index>(values.size()), Initialisation::he, 0, *backend);
    out = Matrix<float>(1, net.classes());
    net.logits(x.view(), out.view());
    NTKROB_CHECK_SAME(kit::compare(out.view(), ConstView2D<float>(values.data(), 1, net.classes()), 1e-6));
  };
  expect("maxpool(2)", {9, 9, 9, 5});
  expect("avgpool(2)", {3.5f, 3.5f, 4.5f, 4.25f});
  expect("gap", {4, 3.875f});
  expect("maxpool(2)-gap", {9, 7});
  expect("avgpool(2,stride=4,pad=1)", {0, 0.25f, 0.75f, 1.25f});
  expect("avgpool(2,stride=4,pad=1,edges=inside)", {0, 1, 3, 5});
  expect("normalise(mean=1:2,std=2:4)-maxpool(2)-flatten", {4, 1.75f, 4, 0.75f});
}

TEST_CASE("nets on images have the same bits for 1 and 2 workers and any cut of the batch", "[nn]") {
  const auto one = nn_test::backend(1), two = nn_test::backend(2);
  const ImageShape shape{28, 28, 1};
  const index n = 150, d = shape.size();
  const Net a("cnn:small", shape, 10, Initialisation::he, 1, *one),
      b("cnn:small", shape, 10, Initialisation::he, 1, *two);
  const Matrix<float> x = random_matrix<float>(n, d, 8);
  const CotangentFn square = [](index, ConstView2D<float> f, View2D<float> c) { convert(f, c); };
  Matrix<float> fa(n, 10), fb(n, 10), da(n, d), db(n, d), wide(n, 13);
  std::vector<LayerParameters> ga, gb;

  a.logits_and_grad(x.view(), square, fa.view(), da.view());
  b.logits_and_grad(x.view(), square, fb.view(), db.view());
  a.logits(x.view(), wide.view().middle_cols(2, 10));
  NTKROB_CHECK_SAME(kit::compare(fa.view(), fb.view(), 0));
  NTKROB_CHECK_SAME(kit::compare(da.view(), db.view(), 0));
  NTKROB_CHECK_SAME(kit::compare(fa.view(), wide.view().middle_cols(2, 10), 0));
  a.logits_and_parameter_grad(x.view(), square, fa.view(), ga);
  b.logits_and_parameter_grad(x.view(), square, fb.view(), gb);
  for (std::size_t l = 0; l < ga.size(); ++l) {
    NTKROB_CHECK_SAME(kit::compare(ga[l].weight.view(), gb[l].weight.view(), 0));
    NTKROB_CHECK_SAME(kit::compare(ga[l].bias.view(), gb[l].bias.view(), 0));
  }

  // Convolutions and pools: an image's bits do not depend on the batch it is in.
  const Net c("conv(16,4,stride=2,pad=1)-relu-maxpool(2)-conv(10,3)-gap", shape, 10, Initialisation::he, 1, *two);
  Matrix<float> all(n, 10), single(1, 10);
  c.logits(x.view(), all.view());
  for (const index i : {0, 77, 149}) {
    c.logits(x.view().middle_rows(i, 1), single.view());
    NTKROB_CHECK_SAME(kit::compare(all.view().middle_rows(i, 1), single.view(), 0));
  }
}

TEST_CASE("a net with non-contiguous outputs and inputs gives the bits of contiguous ones", "[nn]") {
  const auto backend = nn_test::backend();
  const Net net("conv(6,3)-relu-conv(4,2)-gap", {5, 5, 2}, 4, Initialisation::he, 2, *backend);
  const Matrix<float> x = random_matrix<float>(9, 50, 1), c = random_matrix<float>(9, 4, 2, -1, 1);
  Matrix<float> wide_x(9, 60), wide_c(9, 6), wide_out(9, 7), wide_dx(9, 55), out(9, 4), dx(9, 50);
  convert(x.view(), wide_x.view().middle_cols(3, 50));
  convert(c.view(), wide_c.view().middle_cols(1, 4));

  net.logits(x.view(), out.view());
  net.input_grad(x.view(), c.view(), dx.view());
  net.logits(wide_x.view().middle_cols(3, 50), wide_out.view().middle_cols(2, 4));
  net.input_grad(wide_x.view().middle_cols(3, 50), wide_c.view().middle_cols(1, 4), wide_dx.view().middle_cols(5, 50));

  NTKROB_CHECK_SAME(kit::compare(out.view(), wide_out.view().middle_cols(2, 4), 0));
  NTKROB_CHECK_SAME(kit::compare(dx.view(), wide_dx.view().middle_cols(5, 50), 0));
}

TEST_CASE("a stored net on images gives back the same bits, with PyTorch's layout in the file", "[nn]") {
  const auto backend = nn_test::backend();
  const Net net("normalise(mean=0.5,std=0.25)-conv(4,kh=2,kw=3,stride=2,pad=1)-relu-maxpool(2)-flatten-dense",
                {7, 8, 3}, 5, Initialisation::uniform, 9, *backend);
  const StateDict state = net.state();

  const Net back(state, *backend);

  CHECK(nn_test::same_bits(net, back));
  CHECK(back.spec() == net.spec());
  CHECK(state.get<std::string>("layers/0/type") == "normalise");
  CHECK(state.get<NdArray<double>>("layers/0/mean").values == std::vector<double>{0.5, 0.5, 0.5});
  CHECK(state.get<std::string>("layers/1/type") == "conv");
  CHECK(state.get<std::string>("layers/1/activation") == "relu");
  CHECK(state.get<std::int64_t>("layers/1/stride") == 2);
  CHECK(state.get<NdArray<std::int64_t>>("layers/1/kernel").values == std::vector<std::int64_t>{2, 3});
  CHECK(state.get<NdArray<std::int64_t>>("layers/1/padding").values == std::vector<std::int64_t>{1, 1, 0, 0});
  const auto& weight = state.get<NdArray<float>>("layers/1/weight");
  CHECK(weight.shape == std::vector<index>{4, 3, 2, 3});
  // [o,i,ky,kx] is element (ky kw + kx) C + i of row o.
  CHECK(weight.values[((2 * 3 + 1) * 2 + 1) * 3 + 2] == net.layers()[1].weight(2, (1 * 3 + 2) * 3 + 1));
  CHECK(state.get<std::string>("layers/2/type") == "maxpool");
  CHECK(!state.contains("layers/2/weight"));
  CHECK(state.get<std::string>("layers/3/type") == "dense");

  const Net copy = net;
  CHECK(nn_test::same_bits(net, copy));
}
