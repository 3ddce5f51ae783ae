// One epoch of micro and one of nn from the same parameters, in the same order, end at the same parameters. Host only.
#include <catch2/catch.hpp>
#include <vector>

#include "kit/check.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/micro/session.hpp"
#include "ntkrob/nn/trainer.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace micro = ntkrob::micro;
using ntkrob::index;

namespace {

constexpr index kRows = 96, kPixels = 36;
constexpr int kClasses = 5;

/// Rows of a training set in the order in which nn visits them in its first epoch.
struct Ordered {
  ntkrob::Matrix<float> x, targets;
  std::vector<int> labels;
  std::vector<index> order;
};

Ordered make_data(std::uint64_t seed) {
  Ordered data{ntkrob::Matrix<float>(kRows, kPixels), {}, {}, {}};
  const ntkrob::Rng rng(1, "parity");
  for (index k = 0; k < data.x.size(); ++k)
    data.x.data()[k] = static_cast<float>(rng.uniform(static_cast<std::uint64_t>(k)));
  for (index i = 0; i < kRows; ++i) data.labels.push_back(static_cast<int>(i % kClasses));
  data.targets = ntkrob::centred_one_hot(data.labels, kClasses);
  for (index k = 0; k < data.targets.size(); ++k)
    data.targets.data()[k] += 0.1f * static_cast<float>(rng.normal(static_cast<std::uint64_t>(10000 + k)));
  data.order = ntkrob::Rng(seed, "train").fork(0).permutation(kRows);
  return data;
}

micro::Status read(const void* context, std::uint32_t i, micro::Row& row) {
  const Ordered& data = *static_cast<const Ordered*>(context);
  const index at = data.order[i];
  std::copy_n(data.x.row(at), kPixels, row.x);
  if (row.soft != nullptr) std::copy_n(data.targets.row(at), kClasses, row.soft);
  row.has_soft = row.soft != nullptr;
  row.label = static_cast<std::uint16_t>(data.labels[static_cast<std::size_t>(at)]);
  return micro::Status::ok;
}

}  // namespace

namespace {

/// One epoch of both, with these options, from the parameters that `net` begins with.
void check_epoch(const micro::NetView& device, ntkrob::Net& net, const char* loss, index batch, double momentum) {
  INFO(net.spec() << ", " << loss << ", batch " << batch << ", momentum " << momentum);
  ntkrob::TrainOptions nn;
  nn.loss = loss;
  nn.epochs = 1;
  nn.batch = batch;
  nn.lr = 0.02;
  nn.momentum = momentum;
  nn.weight_decay = 1e-3;
  nn.schedule = "constant";
  nn.seed = 17;
  const Ordered data = make_data(nn.seed);
  micro::Options options;
  options.loss = std::string(loss) == "ce" ? micro::Loss::ce : micro::Loss::mse;
  options.lr = static_cast<float>(nn.lr);
  options.momentum = static_cast<float>(momentum);
  options.weight_decay = static_cast<float>(nn.weight_decay);
  options.batch = static_cast<std::uint16_t>(batch);
  options.shuffle = false;  // the source has nn's order
  std::vector<float> arena(micro::bytes_needed(device, options) / sizeof(float));
  micro::Session session;
  REQUIRE(micro::open(session, device, options, arena.data(), arena.size() * sizeof(float)) == micro::Status::ok);
  float* p = session.parameters;
  for (const auto& layer : net.layers()) {
    p = std::copy_n(layer.weight.data(), layer.weight.size(), p);
    p = std::copy_n(layer.bias.data(), layer.bias.size(), p);
  }
  REQUIRE(p == session.parameters + session.plan.parameters);
  const std::vector<float> before(session.parameters, p);

  ntkrob::train(net, data.x.view(), {data.labels, data.targets}, nn);
  micro::Report report;
  REQUIRE(micro::train_epoch(session, {kRows, read, &data}, 0, report) == micro::Status::ok);
  p = session.parameters;
  double moved = 0;
  for (const auto& layer : net.layers())
    for (const ntkrob::Matrix<float>* m : {&layer.weight, &layer.bias}) {
      NTKROB_CHECK_SAME(ntkrob::kit::compare(ntkrob::ConstView2D<float>(p, m->rows(), m->cols()),
                                             ntkrob::ConstView2D<float>(m->view()), 1e-5));
      for (index k = 0; k < m->size(); ++k)
        moved = std::max(
            moved, std::abs(static_cast<double>(p[k]) - before[static_cast<std::size_t>(p - session.parameters + k)]));
      p += m->size();
    }
  CHECK(moved > 1e-2);
}

}  // namespace

TEST_CASE("one epoch of micro ends within 1e-5 of one epoch of nn", "[micro]") {
  constexpr auto kNet =
      micro::net({6, 6, 1}, micro::dense(24), micro::relu(), micro::dense(16), micro::relu(), micro::dense(kClasses));
  constexpr auto kWindows = micro::net({6, 6, 1}, micro::conv(4, 3, 1, 1), micro::leaky(0.1f),
                                       micro::depthwise(3, 2, 1), micro::relu(), micro::dense(kClasses));
  constexpr auto kSignal = micro::net({18, 1, 2}, micro::conv1d(5, 5, 1, 2), micro::leaky(0.2f), micro::max_pool1d(2),
                                      micro::depthwise1d(3, 1, 1), micro::avg_pool1d(3), micro::dense(kClasses));
  const auto backend = ntkrob::make_backend("auto");
  for (const char* loss : {"mse", "ce"})
    for (const index batch : {1, 8})
      for (const double momentum : {0.0, 0.9}) {
        const auto init = ntkrob::Initialisation::uniform;
        ntkrob::Net dense("mlp:24,16", {6, 6, 1}, kClasses, init, 3, *backend);
        check_epoch(kNet, dense, loss, batch, momentum);
        ntkrob::Net windows("conv(4,3)-leaky(0.1)-depthwise(3,stride=2,pad=1)-relu-dense", {6, 6, 1}, kClasses, init, 3,
                            *backend);
        check_epoch(kWindows, windows, loss, batch, momentum);
        ntkrob::Net signal("conv1d(5,5)-leaky(0.2)-maxpool1d(2)-depthwise1d(3)-avgpool1d(3)-dense", {18, 1, 2},
                           kClasses, init, 3, *backend);
        check_epoch(kSignal, signal, loss, batch, momentum);
      }
}
