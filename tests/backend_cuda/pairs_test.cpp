// The pass over the pairs of a tile, as a device runs it, against the textbook formulas of the reference backend. What
// this cannot show: the device's own expm1 and atan, its scheduling, and copies to it and back.
#include "backend_cuda/pairs.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "backend_cuda/host_block.hpp"
#include "kernel/inputs.hpp"
#include "kernel/parity_specs.hpp"
#include "kit/check.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

namespace {

template <class R>
struct Results {
  Matrix<R> value, nngp, dq, da;
  Results(index n, index m) : value(n, m), nngp(n, m), dq(n, m), da(n, m) {}
};

enum class Layout { rows, columns };

/// Tables as the cpu backend makes them: they have the layout that every backend has.
template <class R>
Results<R> on_host(const KernelSpec& spec, Output output, const Matrix<R>& x, const Matrix<R>& y, bool same,
                   bool gradient, Layout layout = Layout::rows) {
  const auto cpu = make_backend("cpu", 1);
  SampleTable<R> tables[2];
  cpu->sample_table(spec.layers(), x.view(), tables[0]);
  cpu->sample_table(spec.layers(), y.view(), tables[1]);
  Matrix<R> columns(y.cols(), y.rows());
  for (index j = 0; j < y.rows(); ++j)
    for (index k = 0; k < y.cols(); ++k) columns(k, j) = y(j, k);

  Results<R> r(x.rows(), y.rows());
  cpu->gemm(Transpose::no, Transpose::yes, R(1) / static_cast<R>(x.cols()), x.view(), y.view(), R(0), r.value.view());
  cuda::PairJob<R> job;
  for (const ChainLayer& layer : spec.layers()) job.chain.kind[job.chain.n++] = static_cast<unsigned char>(layer.kind);
  job.ntk = output == Output::ntk;
  job.n = x.rows();
  job.m = y.rows();
  job.d = x.cols();
  const auto side = [](const Matrix<R>& samples, const SampleTable<R>& table) {
    return cuda::Side<R>{
        samples.data(),           samples.cols(), 1, table.coefficients.data(), table.coefficients.cols(),
        table.inverse_norm.data()};
  };
  job.x = side(x, tables[0]);
  job.y = side(y, tables[1]);
  if (layout == Layout::columns) {
    job.y.samples = columns.data();
    job.y.by_sample = 1;
    job.y.by_number = columns.cols();
  }
  job.same = same;
  job.value = kit::on_device(r.value.view());
  job.nngp = kit::on_device(r.nngp.view());
  if (gradient) {
    job.dq = kit::on_device(r.dq.view());
    job.da = kit::on_device(r.da.view());
    kit::run_on_host(cuda::Pairs<true, R>{job});
  } else {
    kit::run_on_host(cuda::Pairs<false, R>{job});
  }
  return r;
}

template <class R>
Results<double> textbook(const KernelSpec& spec, Output output, const Matrix<R>& from_x, const Matrix<R>& from_y,
                         bool same) {
  const auto reference = make_backend("reference");
  const Matrix<double> x = kit::converted<double>(from_x), y = kit::converted<double>(from_y);
  SampleTable<double> unused;
  Results<double> r(x.rows(), y.rows());
  PairTile<double> tile;
  tile.chain = &spec.layers();
  tile.output = output;
  tile.x = x.view();
  tile.y = y.view();
  tile.x_table = tile.y_table = &unused;
  tile.same = same;
  tile.value = r.value.view();
  tile.nngp = r.nngp.view();
  tile.dq = r.dq.view();
  tile.da = r.da.view();
  reference->pair_tile(tile);
  return r;
}

bool adds_noise(const std::string& spec) { return spec.find("dropout") != std::string::npos; }

}  // namespace

TEST_CASE("values and derivatives of all layers equal the textbook formulas in float64", "[backend_cuda]") {
  const Matrix<double> x = kit::uniform_matrix<double>(9, 11, 1, -1, 1),
                       y = kit::uniform_matrix<double>(140, 11, 2, -1, 1);
  for (const std::string& text : kit::parity_specs())
    for (const Output output : {Output::ntk, Output::nngp}) {
      INFO(text << (output == Output::ntk ? " ntk" : " nngp"));
      const KernelSpec spec = KernelSpec::parse(text);
      const Results<double> expected = textbook(spec, output, x, y, false),
                            found = on_host(spec, output, x, y, false, true);
      NTKROB_CHECK_SAME(kit::compare(found.value.view(), expected.value.view(), 1e-13 * kit::largest(expected.value)));
      NTKROB_CHECK_SAME(kit::compare(found.nngp.view(), expected.nngp.view(), 1e-13 * kit::largest(expected.nngp)));
      NTKROB_CHECK_SAME(kit::compare(found.dq.view(), expected.dq.view(), 1e-11 * kit::largest(expected.dq)));
      NTKROB_CHECK_SAME(kit::compare(found.da.view(), expected.da.view(), 1e-11 * kit::largest(expected.dq)));
    }
}

TEST_CASE("values of zero, equal, parallel and nearly coincident samples equal the textbook formulas",
          "[backend_cuda]") {
  const Matrix<double> x = kit::difficult_matrix<double>(11, 3);
  const Matrix<float> xf = kit::difficult_matrix<float>(784, 6);
  for (const std::string& text : kit::parity_specs()) {
    // Of a sample with itself under dropout: layers/noise.hpp, on the host.
    if (adds_noise(text)) continue;
    INFO(text);
    const KernelSpec spec = KernelSpec::parse(text);
    // Angles near 0: the textbook root of ab - q^2 is good to 1e-8 only.
    const Results<double> expected = textbook(spec, Output::ntk, x, x, true);
    for (const Layout layout : {Layout::rows, Layout::columns})
      NTKROB_CHECK_SAME(kit::compare(on_host(spec, Output::ntk, x, x, true, true, layout).value.view(),
                                     expected.value.view(), 5e-8 * kit::largest(expected.value)));
    const Results<double> wide = textbook(spec, Output::ntk, xf, xf, true);
    NTKROB_CHECK_SAME(kit::compare(on_host(spec, Output::ntk, xf, xf, true, false).value.view(), wide.value.view(),
                                   1e-6 * kit::largest(wide.value)));
  }
}

TEST_CASE("float32 values and derivatives equal the textbook formulas to roundings of float32", "[backend_cuda]") {
  const Matrix<float> x = kit::uniform_matrix<float>(5, 100, 4, -1, 1),
                      y = kit::uniform_matrix<float>(130, 100, 5, -0.2, 1);
  for (const std::string& text : kit::parity_specs()) {
    INFO(text);
    const KernelSpec spec = KernelSpec::parse(text);
    const Results<double> expected = textbook(spec, Output::ntk, x, y, false);
    const Results<float> found = on_host(spec, Output::ntk, x, y, false, true);
    // Derivatives can be differences of terms of the size of the value.
    const double scale = kit::largest(expected.value), slope = std::max(scale, kit::largest(expected.dq));
    NTKROB_CHECK_SAME(kit::compare(found.value.view(), expected.value.view(), 2e-6 * scale));
    NTKROB_CHECK_SAME(kit::compare(found.dq.view(), expected.dq.view(), 1e-5 * slope));
    NTKROB_CHECK_SAME(kit::compare(found.da.view(), expected.da.view(), 1e-5 * slope));
  }
}

TEST_CASE("values have the same bits with and without derivatives, and for either layout of y", "[backend_cuda]") {
  const Matrix<float> x = kit::difficult_matrix<float>(40, 9);
  for (const std::string& text : kit::parity_specs()) {
    INFO(text);
    const KernelSpec spec = KernelSpec::parse(text);
    const Results<float> with = on_host(spec, Output::ntk, x, x, false, true),
                         without = on_host(spec, Output::ntk, x, x, false, false, Layout::columns);
    NTKROB_CHECK_SAME(kit::compare(with.value.view(), without.value.view(), 0));
  }
}
