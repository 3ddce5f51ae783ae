// What a device reaches beside its own limits: rows of a table, one part of it per call.
//   bench_gpu --help; bench/gpu.sh runs all parts. It runs on any backend, so that it can be tried without a device.
// Limits are measured in the same run: the backend's general product (cuBLAS, float32 without TF32) and its copies.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>

#include "kit/numbers.hpp"
#include "kit/program.hpp"
#include "kit/timing.hpp"
#include "ntkrob/krr/machine.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/nn/trainer.hpp"
#include "ntkrob/robust/robustifier.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {
namespace {

struct Options {
  std::string part = "kernel", backend = "auto", spec, precision = "float32", file;
  index n = 10000, batch = 5000, d = 784, classes = 10, attack_steps = 10, peak = 8192;
  ImageShape shape{32, 32, 3};
  int rounds = 3;
};

double real(index n) { return static_cast<double>(n); }

void row(const std::string& what, double seconds, const std::string& beside) {
  std::printf("| %s | %.5g s | %s |\n", what.c_str(), seconds, beside.c_str());
  std::fflush(stdout);
}

/// Images as rows of a class's random pattern and noise, in [0,1]: no pair is nearly coincident, classes can be
/// learned.
Matrix<float> images(index n, index d, index classes, std::uint64_t seed) {
  const Matrix<float> pattern = bench::numbers<float>(classes, d, 77), noise = bench::numbers<float>(n, d, seed);
  Matrix<float> x(n, d);
  for (index i = 0; i < n; ++i)
    for (index k = 0; k < d; ++k) x(i, k) = 0.5f * pattern(i % classes, k) + 0.5f * noise(i, k);
  return x;
}
std::vector<int> labels_of(index n, index classes) {
  std::vector<int> labels(static_cast<std::size_t>(n));
  for (index i = 0; i < n; ++i) labels[static_cast<std::size_t>(i)] = static_cast<int>(i % classes);
  return labels;
}

/// Seconds of work that does not wait for the device, the wait included: the median of the rounds.
double seconds_on(Backend& backend, int rounds, const std::function<void()>& work) {
  Array<float> one(backend.arrays(), 1, 1);
  Matrix<float> here(1, 1);
  backend.arrays().fill(one.view(), 0.0f);
  const auto wait = [&] { backend.arrays().copy(one.view(), here.view()); };
  return bench::alternate({{"",
                            [&] {
                              work();
                              wait();
                            }}},
                          rounds)
      .front()
      .median;
}

Array<float> on_device(Backend& backend, const Matrix<float>& from) {
  Array<float> to(backend.arrays(), from.rows(), from.cols());
  backend.arrays().copy(from.view(), to.view());
  return to;
}

/// What the device can do at best.
struct Limits {
  double flops = 0, bytes = 0;  // a second: of products; read and written by a copy
};

Limits limits(Backend& backend, const Options& o) {
  const index n = o.peak;
  Limits l;
  {
    const Array<float> a = on_device(backend, bench::numbers<float>(n, n, 1)),
                       b = on_device(backend, bench::numbers<float>(n, n, 2));
    Array<float> c(backend.arrays(), n, n);
    const double product = seconds_on(backend, o.rounds, [&] {
      backend.gemm(Transpose::no, Transpose::no, 1.0f, a.view(), b.view(), 0.0f, c.view());
    });
    l.flops = 2 * real(n) * real(n) * real(n) / product;
    row(text("product ", n, " x ", n, " x ", n), product, text(1e-12 * l.flops, " TFLOP/s"));
    const double copy = seconds_on(backend, o.rounds, [&] { backend.arrays().copy(a.view(), c.view()); });
    l.bytes = 8 * real(n) * real(n) / copy;
    row(text("copy of ", n, " x ", n, " on the device"), copy, text(1e-9 * l.bytes, " GB/s read and written"));
    Matrix<float> host(n, n);
    const double back = seconds_on(backend, o.rounds, [&] { backend.arrays().copy(c.view(), host.view()); });
    row(text("copy of ", n, " x ", n, " to the host"), back, text(4e-9 * real(n) * real(n) / back, " GB/s"));
  }
  return l;
}

std::string share(double bound, double seconds, const char* of) {
  char line[160];
  std::snprintf(line, sizeof line, "%.0f %% of the bound, %.5g s of %s", 100 * bound / seconds, bound, of);
  return line;
}

void run_kernel(Backend& backend, const Options& o) {
  const Limits limit = limits(backend, o);
  const Kernel kernel(KernelSpec::parse(o.spec.empty() ? "fc:3" : o.spec), backend);
  const index n = o.n, d = o.d, b = o.batch;
  const Array<float> x = on_device(backend, images(n, d, o.classes, 3)),
                     y = on_device(backend, images(n, d, o.classes, 4));
  {
    Array<float> k(backend.arrays(), n, n);
    const double seconds =
        seconds_on(backend, o.rounds, [&] { kernel.matrix(x.view(), y.view(), Pairing::cross, k.view()); });
    const double product = 2 * real(n) * real(n) * real(d) / limit.flops,
                 output = 4 * real(n) * real(n) / (limit.bytes / 2);
    row(text("matrix ", n, " x ", n, " x ", d), seconds,
        share(std::max(product, output), seconds, product > output ? "the product" : "writing the result"));
  }
  PreparedSet<float> set;
  kernel.prepare<float>(y.view(), set);
  const Array<float> v = on_device(backend, bench::numbers<float>(n, o.classes, 5)),
                     some = on_device(backend, images(b, d, o.classes, 6));
  Array<float> out(backend.arrays(), b, o.classes), dx(backend.arrays(), b, d);
  const double bound = 4 * real(b) * real(n) * real(d) / limit.flops;
  const auto given = [&](index, ConstView2D<float> f, View2D<float> u) { backend.arrays().copy(f, u); };
  const double seconds = seconds_on(
      backend, o.rounds, [&] { kernel.apply_grad(some.view(), set, v.view(), given, out.view(), dx.view()); });
  row(text("attack step, ", b, " of ", n, " x ", d), seconds, share(bound, seconds, "two products"));
  if (!backend.supports_bfloat16().empty()) return;
  kernel.prepare_bfloat16(y.view(), set);
  const double rough = seconds_on(backend, o.rounds,
                                  [&] { kernel.apply_grad(some.view(), set, v.view(), given, out.view(), dx.view()); });
  row(text("attack step with bfloat16, ", b, " of ", n, " x ", d), rough, share(bound, rough, "two float32 products"));
}

void run_outer(Backend& backend, const Options& o) {
  RobustifyOptions options;
  options.kernel = o.spec.empty() ? "fc:3" : o.spec;
  options.n = o.n;
  options.batch = o.batch;
  options.attack_steps = o.attack_steps;
  options.attack_precision = o.precision;
  options.validation = 0;
  options.steps = o.rounds + 2;
  const index all = o.n + o.batch;
  const Matrix<float> x = images(all, o.d, o.classes, 7);
  const std::vector<int> labels = labels_of(all, o.classes);
  Robustifier robustifier(options, {x.view(), &labels, o.classes, {1, 1, o.d}}, backend);
  const auto time = bench::alternate({{"", [&] { robustifier.step(); }}}, o.rounds).front();
  row(text("outer step, n ", o.n, ", batch ", o.batch, ", ", o.attack_steps, " attack steps, ", o.precision),
      time.median, text("best ", time.best, " s"));
}

void run_images(Backend& backend, const Options& o) {
  const Kernel kernel(KernelSpec::parse(o.spec.empty() ? "cnn:21(pool=gap)" : o.spec), backend,
                      {Output::ntk, 0, o.shape});
  const Matrix<float> x = images(o.n, o.shape.size(), o.classes, 8), y = images(o.n, o.shape.size(), o.classes, 9);
  Matrix<float> k(o.n, o.n);
  const auto time =
      bench::alternate({{"", [&] { kernel.matrix(x.view(), y.view(), Pairing::cross, k.view()); }}}, o.rounds);
  row(text(kernel.spec().source(), " on ", o.shape.height, " x ", o.shape.width, " x ", o.shape.channels, ", ", o.n,
           " x ", o.n, " images"),
      time.front().median, text(1e3 * time.front().median / (real(o.n) * real(o.n)), " ms per entry"));
}

/// Passes of a net over images that lie with the backend, and steps of a training from the end of one to the end of the
/// next.
void run_nets(Backend& backend, const Options& o) {
  Net net(o.spec.empty() ? "cnn:small" : o.spec, o.shape, o.classes, Initialisation::he, 1, backend);
  const Matrix<float> x = images(4 * o.batch, o.shape.size(), o.classes, 10);
  const Array<float> some = on_device(backend, images(o.batch, o.shape.size(), o.classes, 11));
  Array<float> dx(backend.arrays(), o.batch, o.shape.size());
  Targets targets;
  targets.labels = labels_of(x.rows(), o.classes);
  const auto loss = make_loss("ce", 1);
  std::vector<double> losses(static_cast<std::size_t>(o.batch));
  const CotangentFn cotangent = [&](index first, ConstView2D<float> f, View2D<float> g) {
    loss->evaluate(f, targets.labels.data() + first, {}, losses.data() + first, g);
  };
  Matrix<float> logits(o.batch, o.classes);
  const std::string what = text(net.spec(), ", ", o.batch, " images");
  row(text("logits of ", what), seconds_on(backend, o.rounds, [&] { net.logits(some.view(), logits.view()); }), "");
  row(text("attack step of ", what),
      seconds_on(backend, o.rounds, [&] { net.logits_and_grad(some.view(), cotangent, logits.view(), dx.view()); }),
      "");
  TrainOptions options;
  options.loss = "ce";
  options.batch = o.batch;
  options.lr = 1e-4;  // random images do not diverge
  options.steps = 4 * o.rounds + 2;
  std::vector<double> steps;
  auto last = std::chrono::steady_clock::now();
  train(net, x.view(), targets, options, [&](const TrainStep& s) {
    const auto now = std::chrono::steady_clock::now();
    if (s.step > 2) steps.push_back(std::chrono::duration<double>(now - last).count());  // before: buffers are made
    last = now;
    return true;
  });
  row(text("training step of ", what), bench::median_of(steps), "");
}

/// A machine, its loss on other images and the outer gradient, for peer_torch.py to find the same.
void run_check(Backend& backend, const Options& o) {
  const Matrix<float> support = images(o.n, o.d, o.classes, 11), x = images(o.batch, o.d, o.classes, 12);
  const std::vector<int> labels = labels_of(o.n, o.classes), others = labels_of(o.batch, o.classes);
  const Matrix<float> targets = centred_one_hot(labels, o.classes), wanted = centred_one_hot(others, o.classes);
  const KernelMachine machine(Kernel(KernelSpec::parse("fc:3"), backend), {1, 1, o.d}, support.view(), targets.view());
  Matrix<float> out(o.batch, o.classes), ds(o.n, o.d), dy(o.n, o.classes);
  const auto loss = make_loss("mse");
  std::vector<double> losses(others.size());
  machine.support_grad(
      x.view(),
      [&](index first, ConstView2D<float> f, View2D<float> g) {
        loss->evaluate(f, nullptr, wanted.view().middle_rows(first, f.rows), losses.data() + first, g);
        for (index i = 0; i < g.rows; ++i)
          for (index c = 0; c < g.cols; ++c) g(i, c) /= static_cast<float>(o.batch);
      },
      out.view(), ds.view(), dy.view());
  double mean = 0;
  for (const double one : losses) mean += one / real(o.batch);
  std::ofstream file(o.file, std::ios::binary);
  const auto put = [&](const void* from, std::size_t bytes) {
    file.write(static_cast<const char*>(from), static_cast<std::streamsize>(bytes));
  };
  const std::int64_t shape[] = {o.n, o.batch, o.d, o.classes};
  const double found[] = {mean, machine.report().lambda};
  put(shape, sizeof shape);
  put(found, sizeof found);
  const Matrix<float>* const parts[] = {&support, &targets, &x, &wanted, &ds, &dy};
  for (const Matrix<float>* part : parts) put(part->data(), sizeof(float) * static_cast<std::size_t>(part->size()));
  file.flush();
  NTKROB_CHECK(file.good(), IoError, o.file, ": writing failed");
}

void run(const Options& o) {
  const auto backend = make_backend(o.backend);
  if (o.part == "kernel") run_kernel(*backend, o);
  if (o.part == "outer") run_outer(*backend, o);
  if (o.part == "images") run_images(*backend, o);
  if (o.part == "nets") run_nets(*backend, o);
  if (o.part == "check") run_check(*backend, o);
}

}  // namespace
}  // namespace ntkrob

int main(int argc, char** argv) {
  ntkrob::Options o;
  return ntkrob::bench::program(
      argc, argv, "What a device reaches beside its own limits, as rows of a table",
      [&](CLI::App& app) {
        app.add_option("--part", o.part, "kernel, outer, images, nets, or check: what peer_torch.py --check reads")
            ->check(CLI::IsMember({"kernel", "outer", "images", "nets", "check"}));
        app.add_option("--backend", o.backend, "as in ntkrob info --backends");
        app.add_option("--spec", o.spec, "kernel or net; default: fc:3, cnn:21(pool=gap), cnn:small");
        app.add_option("--n", o.n, "samples; support images; images on each side");
        app.add_option("--batch", o.batch, "images of an attack step or of a batch");
        app.add_option("--d", o.d, "values of a sample");
        app.add_option("--classes", o.classes);
        app.add_option("--height", o.shape.height, "of the images");
        app.add_option("--width", o.shape.width, "of the images");
        app.add_option("--channels", o.shape.channels, "of the images");
        app.add_option("--attack-steps", o.attack_steps);
        app.add_option("--attack-precision", o.precision, "float32 or bfloat16");
        app.add_option("--peak", o.peak, "rows and columns of the matrices that measure the limits");
        app.add_option("--rounds", o.rounds);
        app.add_option("--file", o.file, "of the part check");
      },
      [&] { ntkrob::run(o); });
}
