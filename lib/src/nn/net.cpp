#include "ntkrob/nn/net.hpp"

#include <algorithm>
#include <cmath>

#include "nn/dense.hpp"
#include "nn/net_spec.hpp"
#include "ntkrob/base/random.hpp"

namespace ntkrob {
namespace {

constexpr index kInitialisationBlock = 16384;

struct NamedInitialisation {
  const char* name;
  Initialisation value;
};
constexpr NamedInitialisation kInitialisations[] = {
    {"uniform", Initialisation::uniform}, {"he", Initialisation::he}, {"ntk", Initialisation::ntk}};

/// Draws of one parameter array: U(-scale, scale), or scale times a standard normal; zeros where scale is 0.
void draw(const Rng& rng, bool normal, double scale, Backend& backend, Matrix<float>& target) {
  if (scale == 0) return;
  const index n = target.size(), blocks = (n + kInitialisationBlock - 1) / kInitialisationBlock;
  backend.for_each(blocks, [&](index k, int) {
    const index end = std::min(n, (k + 1) * kInitialisationBlock);
    for (index i = k * kInitialisationBlock; i < end; ++i)
      target.data()[i] = static_cast<float>(normal ? scale * rng.normal(i) : rng.uniform(i, -scale, scale));
  });
}

void check_io(const Net& net, ConstView2D<float> x, ConstView2D<float> out) {
  NTKROB_CHECK_SHAPE(x, x.rows, net.input_shape().size());
  NTKROB_CHECK_SHAPE(out, x.rows, net.classes());
}

/// Calls pass(first, n) for the blocks of rows, in order.
template <class Pass>
void for_row_blocks(index rows, const Pass& pass) {
  for (index first = 0; first < rows; first += Net::kRowBlock) pass(first, std::min(Net::kRowBlock, rows - first));
}

}  // namespace

Initialisation parse_initialisation(const std::string& text) {
  std::string names;
  for (const NamedInitialisation& known : kInitialisations) {
    if (text == known.name) return known.value;
    names += names.empty() ? known.name : std::string(", ") + known.name;
  }
  throw ConfigError(ntkrob::text("no initialisation \"", text, "\"; there are: ", names));
}

std::string to_string(Initialisation init) {
  for (const NamedInitialisation& known : kInitialisations)
    if (known.value == init) return known.name;
  throw ConfigError(text("initialisation number ", static_cast<int>(init), " does not exist"));
}

Net::Net(const std::string& spec, ImageShape input, index classes, Initialisation init, std::uint64_t seed,
         Backend& backend)
    : spec_(spec), shape_(input), classes_(classes), backend_(&backend) {
  NTKROB_CHECK(input.height >= 1 && input.width >= 1 && input.channels >= 1, ConfigError, "net: input shape ",
               input.height, " x ", input.width, " x ", input.channels, ", every side must be at least 1");
  const std::vector<index> widths = nn::parse_net_spec(spec, classes);
  const Rng rng(seed, "net");
  index fan_in = input.size();
  for (std::size_t l = 0; l < widths.size(); ++l) {
    DenseLayer layer{Matrix<float>(widths[l], fan_in), Matrix<float>(1, widths[l])};
    const bool uniform = init == Initialisation::uniform;
    const double weight_scale = std::sqrt((uniform ? 1.0 : 2.0) / static_cast<double>(fan_in));
    const double bias_scale = uniform ? weight_scale : init == Initialisation::ntk ? 0.1 : 0.0;
    draw(rng.fork(2 * l), !uniform, weight_scale, backend, layer.weight);
    draw(rng.fork(2 * l + 1), !uniform, bias_scale, backend, layer.bias);
    layers_.push_back(std::move(layer));
    fan_in = widths[l];
  }
}

index Net::parameter_count() const {
  index count = 0;
  for (const DenseLayer& layer : layers_) count += layer.weight.size() + layer.bias.size();
  return count;
}

void Net::logits(ConstView2D<float> x, View2D<float> out) const {
  check_io(*this, x, out);
  nn::reserve(layers_, std::min(kRowBlock, x.rows), scratch_);
  for_row_blocks(x.rows, [&](index first, index n) {
    nn::forward<float>(*backend_, layers_, x.middle_rows(first, n), scratch_, out.middle_rows(first, n));
  });
}

void Net::input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const {
  check_io(*this, x, cotangent);
  NTKROB_CHECK_SHAPE(dx, x.rows, x.cols);
  nn::reserve(layers_, std::min(kRowBlock, x.rows), scratch_);
  for_row_blocks(x.rows, [&](index first, index n) {
    const ConstView2D<float> rows = x.middle_rows(first, n);
    nn::forward<float>(*backend_, layers_, rows, scratch_, scratch_.logits.view().middle_rows(0, n));
    nn::backward<float>(*backend_, layers_, rows, cotangent.middle_rows(first, n), scratch_, dx.middle_rows(first, n),
                        nullptr, 0.0f);
  });
}

void Net::logits_and_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                          View2D<float> dx) const {
  check_io(*this, x, out);
  NTKROB_CHECK_SHAPE(dx, x.rows, x.cols);
  forward_backward(x, cotangent, out, dx, nullptr);
}

void Net::logits_and_parameter_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                                    std::vector<DenseLayer>& grads) const {
  check_io(*this, x, out);
  grads.resize(layers_.size());
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Matrix<float>& weight = layers_[l].weight;
    if (grads[l].weight.rows() != weight.rows() || grads[l].weight.cols() != weight.cols())
      grads[l].weight = Matrix<float>(weight.rows(), weight.cols());
    if (grads[l].bias.rows() != 1 || grads[l].bias.cols() != weight.rows())
      grads[l].bias = Matrix<float>(1, weight.rows());
    if (x.rows == 0) {
      std::fill_n(grads[l].weight.data(), grads[l].weight.size(), 0.0f);
      std::fill_n(grads[l].bias.data(), grads[l].bias.size(), 0.0f);
    }
  }
  forward_backward(x, cotangent, out, View2D<float>(), &grads);
}

void Net::forward_backward(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out, View2D<float> dx,
                           std::vector<DenseLayer>* grads) const {
  nn::reserve(layers_, std::min(kRowBlock, x.rows), scratch_);
  for_row_blocks(x.rows, [&](index first, index n) {
    const ConstView2D<float> rows = x.middle_rows(first, n);
    const View2D<float> block = out.middle_rows(first, n), c = scratch_.cotangent.view().middle_rows(0, n);
    nn::forward<float>(*backend_, layers_, rows, scratch_, block);
    cotangent(first, block, c);
    nn::backward<float>(*backend_, layers_, rows, c, scratch_, dx.empty() ? dx : dx.middle_rows(first, n), grads,
                        first == 0 ? 0.0f : 1.0f);
  });
}

void Net::for_each(index n, const std::function<void(index)>& task) const {
  backend_->for_each(n, [&](index i, int) { task(i); });
}

}  // namespace ntkrob
