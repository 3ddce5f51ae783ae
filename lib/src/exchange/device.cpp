#include "ntkrob/exchange/device.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "exchange/inference_layers.hpp"
#include "ntkrob/micro/weights.hpp"

namespace ntkrob {
namespace {

constexpr index kRowsPerTask = 16;

void append(void* to, const void* from, std::size_t n) {
  static_cast<std::string*>(to)->append(static_cast<const char*>(from), n);
}

/// What device_net() has let through does not fail.
void expect_ok(micro::Status status) {
  NTKROB_CHECK(status == micro::Status::ok, ConfigError, "device: ", micro::to_string(status));
}

micro::Kind over_steps(micro::Kind kind) {
  switch (kind) {
    case micro::Kind::conv:
      return micro::Kind::conv1d;
    case micro::Kind::depthwise:
      return micro::Kind::depthwise1d;
    case micro::Kind::max_pool:
      return micro::Kind::max_pool1d;
    default:
      return micro::Kind::avg_pool1d;
  }
}

/// A window of the device with the same positions, or an error.
micro::Layer window(std::size_t l, const net::Layer& layer, micro::Kind kind, index outputs) {
  const net::Window& w = layer.window;
  const auto refuse = [&](const char* why) {
    throw ConfigError(text("layer ", l, ", ", net::name(layer.kind), ": ", why));
  };
  const bool signal = layer.in.width == 1 && w.kw == 1 && w.kh > 1;
  if (signal) kind = over_steps(kind);
  if (w.kh != w.kw && !signal) refuse("devices have square windows, and windows of steps over signals (T x 1)");
  if (w.kh > 255 || w.stride > 255) refuse("windows and strides of devices are at most 255");
  if (w.top > 255 || (w.top != w.left && !signal)) refuse("devices pad all sides alike; give pad=N");
  if ((micro::is_max_pool(kind) || micro::is_avg_pool(kind)) && w.top != 0)
    refuse("pools of devices have no padding; give pad=valid");
  const micro::Layer result{kind, static_cast<std::uint8_t>(w.kh), static_cast<std::uint8_t>(w.stride),
                            static_cast<std::uint8_t>(w.top), static_cast<std::uint16_t>(outputs)};
  // A padding that is wider behind than in front has positions that a device does not have.
  if (micro::detail::windows(static_cast<std::uint32_t>(layer.in.height), result) !=
          static_cast<std::uint32_t>(layer.out.height) ||
      (!signal && micro::detail::windows(static_cast<std::uint32_t>(layer.in.width), result) !=
                      static_cast<std::uint32_t>(layer.out.width)))
    refuse("devices pad all sides alike; give pad=N");
  return result;
}

micro::Layer convert(std::size_t l, const net::Layer& layer) {
  NTKROB_CHECK(layer.out.channels <= 65535, ConfigError, "layer ", l, ", ", net::name(layer.kind), ": ",
               layer.out.channels, " outputs; devices have at most 65535");
  switch (layer.kind) {
    case net::Kind::dense:
      return micro::dense(static_cast<std::uint16_t>(layer.out.channels));
    case net::Kind::conv:
      return window(l, layer, micro::Kind::conv, layer.out.channels);
    case net::Kind::depthwise:
      return window(l, layer, micro::Kind::depthwise, 0);
    case net::Kind::leaky: {
      const micro::Layer leaky = micro::leaky(static_cast<float>(layer.constant("alpha")));
      NTKROB_CHECK(micro::detail::slope_bits(leaky) < 0x3F800000u, ConfigError, "layer ", l, ", leaky: alpha is ",
                   given(layer.constant("alpha")), "; devices have slopes ", limit("from 0 to below 1"));
      return leaky;
    }
    case net::Kind::relu:
      return micro::relu();
    case net::Kind::maxpool:
      return window(l, layer, micro::Kind::max_pool, 0);
    case net::Kind::avgpool:
      return window(l, layer, micro::Kind::avg_pool, 0);
    case net::Kind::gap:
      if (layer.in.width == 1 && layer.in.height > 1 && layer.in.height <= 255)
        return micro::avg_pool1d(static_cast<std::uint8_t>(layer.in.height));
      NTKROB_CHECK(layer.in.height == layer.in.width && layer.in.height <= 255, ConfigError, "layer ", l,
                   ", gap: over ", layer.in.height, " x ", layer.in.width,
                   " positions; devices have square windows of at most 255");
      return micro::avg_pool(static_cast<std::uint8_t>(layer.in.height));
    default:
      throw ConfigError(text("layer ", l, ", ", net::name(layer.kind), ": devices have ",
                             limit(exchange::device_layers()), "; ", net::name(layer.kind), " is on ",
                             exchange::targets_of(layer.kind), exchange::reason(layer.kind)));
  }
}

std::uint16_t side(index extent) {
  NTKROB_CHECK(extent <= 65535, ConfigError, "images of devices have sides of at most 65535, these have ", extent);
  return static_cast<std::uint16_t>(extent);
}

/// A session for inference with the net's parameters where they are.
micro::Session inference(const DeviceNet& net, std::vector<float>& arena) {
  micro::Options options;
  options.train = false;
  arena.resize(micro::bytes_needed(net.view(), options) / sizeof(float));
  micro::Session session;
  expect_ok(
      micro::open(session, net.view(), options, net.parameters.data(), arena.data(), arena.size() * sizeof(float)));
  return session;
}

/// Rows [first, first + count) of a matrix of images.
struct Rows {
  ConstView2D<float> x;
  index first;
};
micro::Status read(const void* context, std::uint32_t i, micro::Row& row) {
  const Rows& rows = *static_cast<const Rows*>(context);
  std::copy_n(rows.x.row(rows.first + i), rows.x.cols, row.x);
  row.label = 0;
  row.has_soft = false;
  return micro::Status::ok;
}

}  // namespace

std::string DeviceNet::expression() const {
  std::string result = text("ntkrob::micro::net({", input.height, ", ", input.width, ", ", input.channels, "}");
  for (const micro::Layer& layer : layers) {
    const int kernel = layer.kernel, stride = layer.stride, pad = layer.pad;
    switch (layer.kind) {
      case micro::Kind::dense:
        result += text(", ntkrob::micro::dense(", layer.outputs, ")");
        break;
      case micro::Kind::conv:
        result += text(", ntkrob::micro::conv(", layer.outputs, ", ", kernel, ", ", stride, ", ", pad, ")");
        break;
      case micro::Kind::relu:
        result += ", ntkrob::micro::relu()";
        break;
      case micro::Kind::max_pool:
        result += text(", ntkrob::micro::max_pool(", kernel, ", ", stride, ")");
        break;
      case micro::Kind::avg_pool:
        result += text(", ntkrob::micro::avg_pool(", kernel, ", ", stride, ")");
        break;
      case micro::Kind::flatten:
        result += ", ntkrob::micro::flatten()";
        break;
      case micro::Kind::leaky: {
        const std::uint32_t bits = micro::detail::slope_bits(layer);
        float slope;
        std::memcpy(&slope, &bits, sizeof slope);
        char number[40];
        std::snprintf(number, sizeof number, "%.8e", static_cast<double>(slope));
        result += text(", ntkrob::micro::leaky(", number, "f)");
        break;
      }
      case micro::Kind::depthwise:
        result += text(", ntkrob::micro::depthwise(", kernel, ", ", stride, ", ", pad, ")");
        break;
      case micro::Kind::conv1d:
        result += text(", ntkrob::micro::conv1d(", layer.outputs, ", ", kernel, ", ", stride, ", ", pad, ")");
        break;
      case micro::Kind::depthwise1d:
        result += text(", ntkrob::micro::depthwise1d(", kernel, ", ", stride, ", ", pad, ")");
        break;
      case micro::Kind::max_pool1d:
        result += text(", ntkrob::micro::max_pool1d(", kernel, ", ", stride, ")");
        break;
      case micro::Kind::avg_pool1d:
        result += text(", ntkrob::micro::avg_pool1d(", kernel, ", ", stride, ")");
        break;
    }
  }
  return result + ")";
}

DeviceNet device_net(const Net& net) {
  const ImageShape in = net.input_shape();
  DeviceNet result{{side(in.height), side(in.width), side(in.channels)}, {}, {}};
  const std::vector<exchange::InferenceLayer> layers = exchange::inference_layers(net);
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const net::Layer& what = layers[l].what;
    result.layers.push_back(convert(l, what));
    NTKROB_CHECK(what.inputs[0] == static_cast<int>(l) - 1, ConfigError, "layer ", l, ", ", net::name(what.kind),
                 ": reads not the layer before it; devices have chains of layers");
    if (what.relu) result.layers.push_back(micro::relu());
    for (const Matrix<float>* part : {&layers[l].weight, &layers[l].bias})
      result.parameters.insert(result.parameters.end(), part->data(), part->data() + part->size());
  }
  const micro::Plan plan = micro::plan(result.view());
  NTKROB_CHECK(plan.status == micro::Status::ok, ConfigError, "the net ", net.spec(), " has ", result.layers.size(),
               " layers and ", result.parameters.size(), " parameters; devices take at most ", micro::kMaxLayers,
               " layers and ", micro::kMaxSize, " numbers, and the last layer must be dense without relu");
  NTKROB_ASSERT(plan.parameters == result.parameters.size());
  return result;
}

std::string weights_block(const DeviceNet& net) {
  std::vector<float> arena;
  std::string block;
  micro::write_weights(inference(net, arena), append, &block);
  return block;
}

std::vector<micro::Range> calibrate(const DeviceNet& net, ConstView2D<float> rows, Backend& backend) {
  NTKROB_CHECK(rows.rows > 0, ConfigError, "calibration needs at least one image");
  NTKROB_CHECK_SHAPE(rows, rows.rows, static_cast<index>(net.input.size()));
  struct Worker {
    std::vector<float> arena;
    std::vector<micro::Range> ranges;
    micro::Status status = micro::Status::ok;
  };
  std::vector<Worker> workers(static_cast<std::size_t>(backend.info().workers));
  for (Worker& worker : workers) worker.ranges.assign(net.layers.size() + 1, {0, 0});
  const index tasks = (rows.rows + kRowsPerTask - 1) / kRowsPerTask;
  backend.for_each(tasks, [&](index task, int w) {
    Worker& worker = workers[static_cast<std::size_t>(w)];
    micro::Session session = inference(net, worker.arena);
    const Rows part{rows, task * kRowsPerTask};
    const auto count = static_cast<std::uint32_t>(std::min(kRowsPerTask, rows.rows - part.first));
    const micro::Status status = micro::calibrate(session, {count, read, &part}, worker.ranges.data());
    if (status != micro::Status::ok) worker.status = status;
  });
  std::vector<micro::Range> ranges(net.layers.size() + 1, {0, 0});
  for (const Worker& worker : workers) {
    NTKROB_CHECK(worker.status == micro::Status::ok, NonFinite,
                 "calibration: the net is NaN or infinite on one of the images");
    for (std::size_t k = 0; k < ranges.size(); ++k)
      ranges[k] = {std::min(ranges[k].low, worker.ranges[k].low), std::max(ranges[k].high, worker.ranges[k].high)};
  }
  return ranges;
}

std::string int8_block(const DeviceNet& net, const std::vector<micro::Range>& ranges) {
  NTKROB_ASSERT(ranges.size() == net.layers.size() + 1);
  std::vector<float> arena;
  std::string block;
  const micro::Status status = micro::write_int8(inference(net, arena), ranges.data(), append, &block);
  NTKROB_CHECK(status != micro::Status::bad_net, ConfigError, "a layer has more than ", micro::kInt8MaxFanIn,
               " inputs for each output, the most that sums of int8 hold");
  NTKROB_CHECK(status == micro::Status::ok, NonFinite,
               "quantisation: parameters or values are too large for int8 scales; the training had diverged");
  return block;
}

Int8Model::Int8Model(const Net& net, ConstView2D<float> calibration)
    : net_(net),
      device_(device_net(net)),
      block_(int8_block(device_, calibrate(device_, calibration, net.backend()))),
      workers_(static_cast<std::size_t>(net.backend().info().workers)) {
  for (Worker& worker : workers_) {
    worker.arena.resize(micro::int8_bytes_needed(device_.view()) / sizeof(std::int32_t));
    expect_ok(micro::open(worker.session, device_.view(), block_.data(), block_.size(), worker.arena.data(),
                          worker.arena.size() * sizeof(std::int32_t)));
  }
}

void Int8Model::logits(ConstView2D<float> x, View2D<float> out) const {
  NTKROB_CHECK_SHAPE(x, x.rows, input_shape().size());
  NTKROB_CHECK_SHAPE(out, x.rows, classes());
  const index tasks = (x.rows + kRowsPerTask - 1) / kRowsPerTask;
  net_.backend().for_each(tasks, [&](index task, int w) {
    micro::Int8Session& session = workers_[static_cast<std::size_t>(w)].session;
    for (index i = task * kRowsPerTask; i < std::min(x.rows, (task + 1) * kRowsPerTask); ++i) {
      const micro::Status status = micro::set_input(session, x.row(i));
      NTKROB_CHECK(status == micro::Status::ok, NonFinite, "input of sample ", i, " is NaN or infinite");
      micro::forward(session);
      for (index j = 0; j < out.cols; ++j) out(i, j) = session.logit_scale * static_cast<float>(session.logits[j]);
    }
  });
}

void Int8Model::input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const {
  net_.input_grad(x, cotangent, dx);
}

}  // namespace ntkrob
