#include "ntkrob/nn/net.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "nn/on_device.hpp"
#include "nn/stack.hpp"
#include "ntkrob/backend/points.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/model/iterates.hpp"

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
void for_row_blocks(index rows, index block, const Pass& pass) {
  for (index first = 0; first < rows; first += block) pass(first, std::min(block, rows - first));
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

NtkScales ntk_scales(const net::Layer& layer) {
  if (!layer.has_parameters() || layer.scales()) return {};
  const double fan_in = static_cast<double>(layer.fan_in);
  return {layer.w ? *layer.w / std::sqrt(fan_in) : std::sqrt(2.0 / fan_in), layer.b.value_or(0.1)};
}

Net::Net(const std::string& spec, ImageShape input, index classes, Initialisation init, std::uint64_t seed,
         Backend& backend)
    : shape_(input), classes_(classes), backend_(&backend) {
  NTKROB_CHECK(input.height >= 1 && input.width >= 1 && input.channels >= 1, ConfigError, "net: input shape ",
               input.height, " x ", input.width, " x ", input.channels, ", every side must be at least 1");
  check_net_memory(spec, input, classes, 0, 0);
  set_description(net::describe(spec, input, classes));
  layers_ = nn::fresh_parameters(*stack_);
  const Rng rng(seed, "net");
  for (std::size_t l = 0; l < stack_->size(); ++l) {
    const net::Layer& what = (*stack_)[l].layer->what;
    if (!what.has_parameters() || what.scales()) continue;
    const bool uniform = init == Initialisation::uniform, ntk = init == Initialisation::ntk;
    NTKROB_CHECK(ntk || !(what.w || what.b), ConfigError, field("init"), " is ", given(to_string(init)), ", but layer ",
                 l, " of the net, ", net::name(what.kind), ", has w or b, which are scales of ", limit("ntk"), "; ",
                 advice("take ", field("init", "ntk"), ", or leave w and b out"));
    const NtkScales scales = ntk_scales(what);
    const double fan_in = static_cast<double>(what.fan_in);
    const double weight_scale = ntk ? scales.weight : std::sqrt((uniform ? 1.0 : 2.0) / fan_in);
    const double bias_scale = uniform ? weight_scale : ntk ? scales.bias : 0.0;
    draw(rng.fork(2 * l), !uniform, weight_scale, backend, layers_[l].weight);
    draw(rng.fork(2 * l + 1), !uniform, bias_scale, backend, layers_[l].bias);
  }
}

Net::Net(const Net& other)
    : Model(other),
      description_(other.description_),
      shape_(other.shape_),
      classes_(other.classes_),
      stack_(other.stack_),
      layers_(other.layers()),
      row_block_(other.row_block_),
      backend_(other.backend_) {}
Net::Net(Net&& other) noexcept = default;
Net& Net::operator=(const Net& other) { return *this = Net(other); }
Net& Net::operator=(Net&& other) noexcept = default;
Net::~Net() = default;

void Net::set_description(net::Description description) {
  description_ = std::make_shared<const net::Description>(std::move(description));
  stack_ = std::make_shared<Stack>(nn::build<float>(*description_));
  row_block_ = nn::rows_together(*stack_);
}

nn::Scratch<float>& Net::scratch(index rows) const {
  if (!scratch_) scratch_ = std::make_unique<nn::Scratch<float>>();
  nn::reserve(*stack_, rows, *scratch_);
  scratch_->keeps = !exposed_;
  return *scratch_;
}

nn::OnDevice* Net::device() const {
  if (!device_asked_) {
    std::unique_ptr<NetRunner> runner;
    if (nn::is_program(*description_)) runner = backend_->make_net(nn::program_of(*stack_, shape_, classes_));
    if (runner) {
      device_ = std::make_unique<nn::OnDevice>(std::move(runner));
      if (exposed_) device_->expose();
    }
    device_asked_ = true;
  }
  if (device_) device_->attach(layers_);
  return device_.get();
}

std::vector<LayerParameters>& Net::layers() {
  exposed_ = true;
  std::as_const(*this).layers();
  if (device_) device_->expose();
  return layers_;
}

const std::vector<LayerParameters>& Net::layers() const {
  if (device_) device()->fetch();
  return layers_;
}

void Net::zero_last_layer() {
  for (std::size_t l = stack_->size(); l-- > 0;) {
    const net::Layer& what = (*stack_)[l].layer->what;
    if (!what.has_parameters() || what.scales()) continue;
    LayerParameters& last = layers()[l];
    std::fill_n(last.weight.data(), last.weight.size(), 0.0f);
    std::fill_n(last.bias.data(), last.bias.size(), 0.0f);
    return;
  }
}

index Net::parameter_count() const {
  index count = 0;
  for (const LayerParameters& layer : layers_) count += layer.weight.size() + layer.bias.size();
  return count;
}

void Net::logits(ConstView2D<float> x, View2D<float> out) const {
  check_io(*this, x, out);
  if (nn::OnDevice* there = device()) return there->ready().logits(x, out);
  nn::Scratch<float>& buffers = scratch(std::min(row_block_, x.rows));
  for_row_blocks(x.rows, row_block_, [&](index first, index n) {
    nn::forward<float>(*backend_, *stack_, layers_, x.middle_rows(first, n), buffers, out.middle_rows(first, n));
  });
}

void Net::input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const {
  check_io(*this, x, cotangent);
  NTKROB_CHECK_SHAPE(dx, x.rows, x.cols);
  if (nn::OnDevice* there = device()) return there->ready().input_grad(x, cotangent, dx);
  nn::Scratch<float>& buffers = scratch(std::min(row_block_, x.rows));
  for_row_blocks(x.rows, row_block_, [&](index first, index n) {
    const ConstView2D<float> rows = x.middle_rows(first, n);
    nn::forward<float>(*backend_, *stack_, layers_, rows, buffers, buffers.logits.view().middle_rows(0, n));
    nn::backward<float>(*backend_, *stack_, layers_, rows, cotangent.middle_rows(first, n), buffers,
                        dx.middle_rows(first, n), nullptr, 0.0f);
  });
}

void Net::logits_and_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                          View2D<float> dx) const {
  check_io(*this, x, out);
  NTKROB_CHECK_SHAPE(dx, x.rows, x.cols);
  if (nn::OnDevice* there = device()) return there->ready().logits_and_grad(x, cotangent, out, dx);
  forward_backward(x, cotangent, out, dx, nullptr);
}

void Net::logits_and_parameter_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                                    std::vector<LayerParameters>& grads) const {
  check_io(*this, x, out);
  shape_gradients(grads, x.rows == 0);
  if (nn::OnDevice* there = device()) {
    there->ready().parameter_grad(x, cotangent, out);
    return there->get_gradients(grads);
  }
  forward_backward(x, cotangent, out, View2D<float>(), &grads);
}

void Net::shape_gradients(std::vector<LayerParameters>& grads, bool zero) const {
  grads.resize(layers_.size());
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Matrix<float>& weight = layers_[l].weight;
    if (grads[l].weight.rows() != weight.rows() || grads[l].weight.cols() != weight.cols())
      grads[l].weight = Matrix<float>(weight.rows(), weight.cols());
    const Matrix<float>& bias = layers_[l].bias;
    if (grads[l].bias.rows() != bias.rows() || grads[l].bias.cols() != bias.cols())
      grads[l].bias = Matrix<float>(bias.rows(), bias.cols());
    if (zero) {
      std::fill_n(grads[l].weight.data(), grads[l].weight.size(), 0.0f);
      std::fill_n(grads[l].bias.data(), grads[l].bias.size(), 0.0f);
    }
  }
}

void Net::training_pass(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                        std::vector<LayerParameters>& grads, const Rng& random) {
  if (!description_->trains_differently()) return logits_and_parameter_grad(x, cotangent, out, grads);
  check_io(*this, x, out);
  shape_gradients(grads, x.rows == 0);
  forward_backward(x, cotangent, out, View2D<float>(), &grads, &random);
  if (x.rows > 0) nn::absorb_statistics(*stack_, *scratch_, layers_);
}

void Net::forward_backward(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out, View2D<float> dx,
                           std::vector<LayerParameters>* grads, const Rng* random) const {
  // Statistics are those of the whole batch.
  const bool whole = random != nullptr && std::any_of(stack_->begin(), stack_->end(),
                                                      [](const auto& s) { return s.layer->what.statistics; });
  const index block = whole ? std::max<index>(1, x.rows) : row_block_;
  nn::Scratch<float>& buffers = scratch(std::min(block, x.rows));
  for_row_blocks(x.rows, block, [&](index first, index n) {
    const ConstView2D<float> rows = x.middle_rows(first, n);
    const View2D<float> logits = out.middle_rows(first, n), c = buffers.cotangent.view().middle_rows(0, n);
    const nn::TrainingPass training{random == nullptr ? Rng(0, "net") : *random, first};
    nn::forward<float>(*backend_, *stack_, layers_, rows, buffers, logits, random == nullptr ? nullptr : &training);
    cotangent(first, logits, c);
    nn::backward<float>(*backend_, *stack_, layers_, rows, c, buffers, dx.empty() ? dx : dx.middle_rows(first, n),
                        grads, first == 0 ? 0.0f : 1.0f);
  });
}

std::unique_ptr<Iterates> Net::iterates(ConstView2D<float> x) const {
  NTKROB_CHECK_SHAPE(x, x.rows, shape_.size());
  if (device() == nullptr || backend_->steps() == nullptr) return nullptr;
  return std::make_unique<IteratesIn<Points>>(*this, Points(*backend_, x));
}

void Net::for_each(index n, const std::function<void(index)>& task) const {
  backend_->for_each(n, [&](index i, int) { task(i); });
}

}  // namespace ntkrob
