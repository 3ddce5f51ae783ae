// One epoch of plain SGD with steps of one row, by ntkrob::micro and by ntkrob::nn on one worker, on random images.
//   bench_micro --help
// Prints microseconds per step of micro and the median of the paired ratios micro / nn.
#include <cstdio>
#include <string>

#include "kit/program.hpp"
#include "kit/timing.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/micro/session.hpp"
#include "ntkrob/nn/trainer.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {
namespace {

constexpr int kClasses = 10;

struct Rows {
  Matrix<float> x;
  std::vector<int> labels;
};

micro::Status read(const void* context, std::uint32_t i, micro::Row& row) {
  const Rows& rows = *static_cast<const Rows*>(context);
  std::copy_n(rows.x.row(i), rows.x.cols(), row.x);
  row.label = static_cast<std::uint16_t>(rows.labels[i]);
  row.has_soft = false;
  return micro::Status::ok;
}

void compare(const char* name, const std::string& spec, const micro::NetView& description, index n, int rounds) {
  const micro::Shape in = description.input;
  Rows rows{Matrix<float>(n, in.size()), {}};
  const Rng rng(0, "bench");
  for (index k = 0; k < rows.x.size(); ++k)
    rows.x.data()[k] = static_cast<float>(rng.uniform(static_cast<std::uint64_t>(k)));
  for (index i = 0; i < n; ++i) rows.labels.push_back(static_cast<int>(i % kClasses));
  const Matrix<float> targets = centred_one_hot(rows.labels, kClasses);

  const auto backend = make_backend("cpu", 1);
  Net net(spec, {in.height, in.width, in.channels}, kClasses, Initialisation::uniform, 1, *backend);
  TrainOptions options;
  options.epochs = 1;
  options.batch = 1;
  options.lr = 1e-3;
  options.momentum = 0;
  options.schedule = "constant";

  micro::Options small;
  small.lr = static_cast<float>(options.lr);
  std::vector<float> arena(micro::bytes_needed(description, small) / sizeof(float));
  micro::Session session;
  micro::Status status = micro::open(session, description, small, arena.data(), arena.size() * sizeof(float));
  if (status == micro::Status::ok) status = micro::initialise(session, 1);

  std::uint32_t epoch = 0;
  const auto by_micro = [&] {
    micro::Report report;
    if (status == micro::Status::ok)
      status = micro::train_epoch(session, {static_cast<std::uint32_t>(n), read, &rows}, epoch++, report);
  };
  const auto by_nn = [&] { train(net, rows.x.view(), {rows.labels, targets}, options); };
  const bench::Ratio ratio = bench::paired_ratio(by_micro, by_nn, rounds);
  const double seconds = bench::alternate({{"micro", by_micro}}, rounds)[0].median;
  NTKROB_CHECK(
      status == micro::Status::ok && session.plan.parameters == static_cast<std::uint32_t>(net.parameter_count()),
      ConfigError, name, ": ", micro::to_string(status), ", ", session.plan.parameters, " and ", net.parameter_count(),
      " parameters");
  std::printf("%-32s %8.2f us per step, micro / nn %.2f (%.2f .. %.2f)\n", name, 1e6 * seconds / static_cast<double>(n),
              ratio.median, ratio.best, ratio.worst);
}

struct Options {
  index rows = 500;
  int rounds = 15;
};

void run(const Options& o) {
  const index n = o.rows;
  const int rounds = o.rounds;
  using namespace micro;
  constexpr auto tiny = micro::net({6, 6, 1}, dense(24), relu(), dense(kClasses));
  constexpr auto small = micro::net({14, 14, 1}, dense(32), relu(), dense(kClasses));
  constexpr auto large = micro::net({28, 28, 1}, dense(32), relu(), dense(kClasses));
  constexpr auto images = micro::net({14, 14, 1}, conv(8, 3, 1, 1), relu(), max_pool(2), flatten(), dense(kClasses));
  compare("36-24-10", "mlp:24", tiny, n, rounds);
  compare("196-32-10", "mlp:32", small, n, rounds);
  compare("784-32-10", "mlp:32", large, n, rounds);
  compare("14x14 conv(8,3)-maxpool(2)-dense", "conv(8,3)-relu-maxpool(2)-flatten-dense", images, n, rounds);
}

}  // namespace
}  // namespace ntkrob

int main(int argc, char** argv) {
  ntkrob::Options o;
  return ntkrob::bench::program(
      argc, argv, "One epoch of plain SGD by ntkrob::micro beside ntkrob::nn on one worker",
      [&](CLI::App& app) {
        app.add_option("--rows", o.rows, "random images");
        app.add_option("--rounds", o.rounds);
      },
      [&] { ntkrob::run(o); });
}
