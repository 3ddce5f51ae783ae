// Kernels and gradients against values computed by others (neural_tangents' formulas in 40-digit arithmetic), where the
// reference file is at hand. Bounds per class of pair as its README states them.
#include <hdf5.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "kernel/inputs.hpp"
#include "kit/check.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

namespace {

/// A two-dimensional dataset as float64; empty when it does not exist.
Matrix<double> read(hid_t group, const char* name) {
  if (H5Lexists(group, name, H5P_DEFAULT) <= 0) return {};
  const hid_t set = H5Dopen2(group, name, H5P_DEFAULT), space = H5Dget_space(set);
  hsize_t dims[4] = {1, 1, 1, 1};
  const int rank = H5Sget_simple_extent_dims(space, dims, nullptr);
  REQUIRE((rank == 2 || rank == 4));
  Matrix<double> m(static_cast<index>(dims[0]), static_cast<index>(dims[1] * dims[2] * dims[3]));
  H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, m.data());
  H5Sclose(space);
  H5Dclose(set);
  return m;
}

/// Images: [n, height, width, channels]; vectors: {1, 1, d}.
ImageShape shape_of_inputs(hid_t group) {
  const hid_t set = H5Dopen2(group, "x1", H5P_DEFAULT), space = H5Dget_space(set);
  hsize_t dims[4] = {1, 1, 1, 1};
  const int rank = H5Sget_simple_extent_dims(space, dims, nullptr);
  H5Sclose(space);
  H5Dclose(set);
  if (rank == 2) return {1, 1, static_cast<index>(dims[1])};
  return {static_cast<index>(dims[1]), static_cast<index>(dims[2]), static_cast<index>(dims[3])};
}

double attribute(hid_t group, const char* name) {
  const hid_t a = H5Aopen(group, name, H5P_DEFAULT);
  double value = 0;
  H5Aread(a, H5T_NATIVE_DOUBLE, &value);
  H5Aclose(a);
  return value;
}

struct Case {
  const char* group;
  const char* spec;
};

const Case kCases[] = {
    {"fc_relu_d1_b0.1", "fc:1"},
    {"fc_relu_d1_b0", "fc:1(b=0)"},
    {"fc_relu_d2_b0.1", "fc:2"},
    {"fc_relu_d2_b0", "fc:2(b=0)"},
    {"fc_relu_d3_b0.1", "fc:3"},
    {"fc_relu_d3_b0", "fc:3(b=0)"},
    {"fc_relu_d5_b0.1", "fc:5"},
    {"fc_relu_d5_b0", "fc:5(b=0)"},
    {"fc_relu_d7_b0.1", "fc:7"},
    {"fc_relu_d7_b0", "fc:7(b=0)"},
    {"fc_relu_d3_cross", "fc:3"},
    {"fc_leaky_relu_d2", "dense-leaky(0.1)-dense-leaky(0.1)-dense"},
    {"fc_abs_d2", "dense-abs-dense-abrelu(-1,1)-dense"},
    {"fc_erf_d2", "dense-erf-dense-erf-dense"},
    {"fc_gelu_d2", "dense-gelu-dense-gelu-dense"},
    {"fc_sin_d2", "dense-sin-dense-sin-dense"},
    {"fc_cos_d2", "dense-cos-dense-cos-dense"},
    {"fc_gaussian_d2", "dense-gaussian-dense-gaussian(1,-1)-dense"},
    {"fc_erf_d2_grad", "dense-erf-dense-erf-dense"},
    {"fc_identity_d3", "dense-identity-dense-identity-dense-identity-dense"},
    {"fc_layernorm_relu_d2", "dense-layernorm-relu-dense-layernorm-relu-dense"},
    {"fc_relu_d3_784", "fc:3"},
    {"fc_relu_d5_784_b0_cross", "fc:5(b=0)"},
    {"fc_relu_d2_b0.1_grad", "fc:2"},
    {"fc_relu_d3_b0.1_grad", "fc:3"},
    {"fc_relu_d3_b0_grad", "fc:3(b=0)"},
    {"fc_relu_d7_b0.1_grad", "fc:7"},
    {"fc_relu_d3_sym_grad", "fc:3"},
    {"conv_same_flatten_6x6x1", "conv(3)-relu-conv(3)-relu-flatten-dense"},
    {"conv_same_b0_flatten_6x6x1", "conv(3,b=0)-relu-conv(3,b=0)-relu-flatten-dense(b=0)"},
    {"conv_same_flatten_8x8x3_cross", "conv(3)-relu-conv(3)-relu-flatten-dense"},
    {"conv_avgpool_flatten_8x8x3", "conv(3)-relu-avgpool(2)-conv(3)-relu-avgpool(2)-flatten-dense"},
    {"conv_avgpool_stride1_flatten_6x6x1", "conv(3)-relu-avgpool(2,stride=1)-conv(3)-relu-flatten-dense"},
    {"conv_avgpool_same_flatten_7x7x1", "conv(3)-relu-avgpool(3,stride=2,pad=same)-conv(3)-relu-flatten-dense"},
    {"conv_avgpool_same_normedges_flatten_7x7x1",
     "conv(3)-relu-avgpool(3,stride=2,pad=same,edges=inside)-conv(3)-relu-flatten-dense"},
    {"conv_sumpool_flatten_6x6x1", "conv(3)-relu-sumpool(2)-conv(3)-relu-flatten-dense"},
    {"conv_gap_6x6x1", "conv(3)-relu-conv(3)-relu-gap-dense"},
    {"conv_gap_b0_6x6x3", "conv(3,b=0)-relu-conv(3,b=0)-relu-gap-dense(b=0)"},
    {"conv_gap_8x8x3_cross", "conv(3)-relu-conv(3)-relu-gap-dense"},
    {"conv_gap_10x10x1", "conv(3)-relu-conv(3)-relu-gap-dense"},
    {"conv_valid_flatten_8x8x3", "conv(3,pad=valid)-relu-conv(3,pad=valid)-relu-flatten-dense"},
    {"conv_valid_gap_7x7x1", "conv(3,pad=valid)-relu-conv(3,pad=valid)-relu-gap-dense"},
    {"conv_stride2_same_flatten_8x8x3", "conv(3,stride=2)-relu-conv(3,stride=2)-relu-flatten-dense"},
    {"conv_stride2_same_gap_7x7x1", "conv(3,stride=2)-relu-conv(3)-relu-gap-dense"},
    {"conv_stride2_same_gap_8x8x1", "conv(3)-relu-conv(3,stride=2)-relu-gap-dense"},
    {"conv_stride2_valid_gap_9x9x1", "conv(3,stride=2,pad=valid)-relu-conv(3,pad=valid)-relu-gap-dense"},
    {"conv_circular_flatten_6x6x3", "conv(3,pad=circular)-relu-conv(3,pad=circular)-relu-flatten-dense"},
    {"conv_circular_gap_6x6x1", "conv(3,pad=circular)-relu-conv(3,pad=circular)-relu-gap-dense"},
    {"conv_5x5_same_gap_6x6x1", "conv(5)-relu-conv(5)-relu-gap-dense"},
    {"conv_2x2_same_gap_6x6x1", "conv(2)-relu-conv(2)-relu-gap-dense"},
    {"conv_1x3_same_flatten_6x8x1", "conv(1,3)-relu-conv(3,1)-relu-flatten-dense"},
    {"conv_1x1_gap_6x6x3", "conv(1)-relu-conv(1)-relu-gap-dense"},
    {"myrtle5_8x8x3",
     "conv(3,b=0)-relu-conv(3,b=0)-relu-avgpool(2)-conv(3,b=0)-relu-avgpool(2)-conv(3,b=0)-relu-avgpool(2)-flatten-"
     "dense(b=0)"},
    {"wide_resnet_blocks_gap_8x8x3",
     "conv(3)-residual(relu-conv(3)-relu-conv(3))-sum(relu-conv(3,stride=2)-relu-conv(3) | "
     "conv(3,stride=2))-gap-dense"},
    {"residual_identity_gap_6x6x1", "conv(3)-residual(relu-conv(3)-relu-conv(3))-gap-dense"},
    {"residual_relu_flatten_6x6x1", "conv(3)-sum(relu-conv(3)-relu-conv(3) | conv(1))-relu-flatten-dense"},
    {"conv_layernorm_channel_gap_6x6x1", "conv(3)-layernorm(1e-12)-relu-conv(3)-layernorm(1e-12)-relu-gap-dense"},
    {"conv_layernorm_hwc_gap_6x6x1",
     "conv(3)-layernorm(1e-12,axes=all)-relu-conv(3)-layernorm(1e-12,axes=all)-relu-gap-dense"},
    {"conv_erf_flatten_6x6x1", "conv(3)-erf-conv(3)-erf-flatten-dense"},
    {"conv_gelu_gap_6x6x1", "conv(3)-gelu-conv(3)-gelu-gap-dense"},
    {"conv_leaky_relu_gap_6x6x1", "conv(3)-leaky(0.1)-conv(3)-leaky(0.1)-gap-dense"},
    {"conv_same_flatten_6x6x1_grad", "conv(3)-relu-conv(3)-relu-flatten-dense"},
    {"conv_gap_6x6x3_grad", "conv(3)-relu-conv(3)-relu-gap-dense"},
    {"conv_avgpool_flatten_6x6x1_grad", "conv(3)-relu-avgpool(2)-conv(3)-relu-flatten-dense"},
    {"conv_stride2_circular_gap_6x6x1_grad", "conv(3,stride=2,pad=circular)-relu-conv(3,pad=circular)-relu-gap-dense"},
    {"residual_identity_gap_6x6x1_grad", "conv(3)-residual(relu-conv(3)-relu-conv(3))-gap-dense"},
    {"myrtle5_8x8x1_grad",
     "conv(3,b=0)-relu-conv(3,b=0)-relu-avgpool(2)-conv(3,b=0)-relu-avgpool(2)-conv(3,b=0)-relu-avgpool(2)-flatten-"
     "dense(b=0)"}};

bool pools(const Case& c) {
  const std::string spec = c.spec;
  return spec.find("pool(") != std::string::npos;
}

/// Largest |k - expected| / scale over the pairs of class 0, and over the others; where the scale is 0 k must be 0.
struct Errors {
  double general = 0, special = 0, diagonal = 0;
};

template <class R>
Errors errors(Backend& backend, const Case& c, hid_t group, Output output) {
  const bool symmetric = H5Lexists(group, "x2", H5P_DEFAULT) <= 0;
  const std::string name = output == Output::ntk ? "ntk" : "nngp";
  const Matrix<double> x = read(group, "x1"), y = symmetric ? x : read(group, "x2"),
                       hp = read(group, (name + "_hp").c_str()), scale = read(group, (name + "_scale").c_str()),
                       classes = read(group, "pair_class");
  const Matrix<R> xr = kit::converted<R>(x), yr = kit::converted<R>(y);
  Matrix<R> k(x.rows(), y.rows());
  Kernel(KernelSpec::parse(c.spec), backend, {output, 0, shape_of_inputs(group)})
      .matrix(xr.view(), symmetric ? xr.view() : yr.view(), symmetric ? Pairing::same : Pairing::cross, k.view());
  Errors e;
  for (index i = 0; i < k.rows(); ++i)
    for (index j = 0; j < k.cols(); ++j) {
      if (scale(i, j) == 0) {
        CHECK(k(i, j) == 0);
        continue;
      }
      const double error = std::abs(static_cast<double>(k(i, j)) - hp(i, j)) / scale(i, j);
      if (!(error < 1e300)) e.general = e.special = 1e300;
      double& worst = symmetric && i == j ? e.diagonal : classes(i, j) == 0 ? e.general : e.special;
      worst = std::max(worst, error);
    }
  return e;
}

}  // namespace

TEST_CASE("kernels and gradients of all networks equal the published formulas in 40-digit arithmetic",
          "[kernel][golden]") {
  const std::string path = std::string(NTKROB_SHARED_DIR) + "/reference/ntk_reference.h5";
  if (std::FILE* f = std::fopen(path.c_str(), "rb")) {
    std::fclose(f);
  } else {
    std::puts("skipped: no ntk_reference.h5 in the shared folder");
    return;
  }
  // Of a machine with a device, or with an emulated one, that device.
  const auto all = backends();
  const bool device = std::any_of(all.begin(), all.end(),
                                  [](const BackendState& state) { return state.name == "cuda" && state.available; });
  const auto backend = make_backend(device ? "cuda" : "cpu", 2), reference = make_backend("reference");
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  REQUIRE(file >= 0);
  for (const Case& c : kCases) {
    const hid_t group = H5Gopen2(file, c.group, H5P_DEFAULT);
    REQUIRE(group >= 0);
    for (const Output output : {Output::ntk, Output::nngp}) {
      const Errors exact = errors<double>(*backend, c, group, output),
                   mixed = errors<float>(*backend, c, group, output);
      std::printf("%-26s %-4s float64: class 0 %.1e, others %.1e, diagonal %.1e; mixed: class 0 %.1e, others %.1e\n",
                  c.group, output == Output::ntk ? "ntk" : "nngp", exact.general, exact.special, exact.diagonal,
                  mixed.general, mixed.special);
      INFO(c.group << (output == Output::ntk ? " ntk" : " nngp"));
      CHECK(exact.general <= 1e-12);
      if (!device) CHECK(errors<double>(*reference, c, group, output).general <= 1e-12);
      CHECK(exact.special <= (output == Output::ntk ? 5e-8 : 1e-12));
      // Pooled variances are sums over pairs: one sample against itself counts as a parallel pair there.
      CHECK(exact.diagonal <= (pools(c) ? 5e-8 : 1e-14));
      CHECK(mixed.general <= 1e-6);
      CHECK(mixed.special <= 1e-4);
    }
    const Matrix<double> expected = read(group, "dntk_dx1");
    if (!expected.empty()) {
      const Matrix<double> x = read(group, "x1"), cotangent = read(group, "cotangent");
      const bool symmetric = H5Lexists(group, "x2", H5P_DEFAULT) <= 0;
      const Matrix<double> y = symmetric ? x : read(group, "x2");
      Matrix<double> identity(y.rows(), y.rows()), dx(x.rows(), x.cols()), transposed(y.rows(), x.rows()), back = dx;
      for (index j = 0; j < y.rows(); ++j) identity(j, j) = 1;
      for (index i = 0; i < x.rows(); ++i)
        for (index j = 0; j < y.rows(); ++j) transposed(j, i) = cotangent(i, j);
      const Kernel kernel(KernelSpec::parse(c.spec), *backend, {Output::ntk, 0, shape_of_inputs(group)});
      const Pairing pairing = symmetric ? Pairing::same : Pairing::cross;
      kernel.grad(x.view(), symmetric ? x.view() : y.view(), pairing, cotangent.view(), identity.view(), dx.view());
      if (symmetric) {  // both arguments move: add the other one's derivative
        kernel.grad(x.view(), x.view(), pairing, transposed.view(), identity.view(), back.view());
        for (index i = 0; i < dx.size(); ++i) dx.data()[i] += back.data()[i];
      }
      INFO(c.group << " gradient");
      NTKROB_CHECK_SAME(kit::compare(dx.view(), expected.view(), 1e-9 * attribute(group, "dntk_dx1_max_abs")));
    }
    H5Gclose(group);
  }
  H5Fclose(file);
}
