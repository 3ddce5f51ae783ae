/// The weights that a device has trained, as a net of the host.

#include <cstring>

#include "ntkrob/base/state_entries.hpp"
#include "ntkrob/jobs/device.hpp"
#include "ntkrob/micro/weights.hpp"

namespace ntkrob::jobs {
namespace {

/// The layers in the grammar of ntkrob::nn.
///   throws: IoError where they have no words there
std::string spec_of(const micro::WeightsFile& file, const std::string& where) {
  std::string spec;
  bool image = false;  // something before looked at rows and columns
  // A flatten of the net's input goes without saying where a dense layer is next. A window would see an image again.
  bool unsaid = false;
  for (std::uint32_t l = 0; l < file.count; ++l) {
    const micro::Layer& layer = file.layers[l];
    const int kernel = layer.kernel, stride = layer.stride, pad = layer.pad;
    std::string item;
    const bool window = layer.kernel > 0 && layer.kind != micro::Kind::leaky;
    NTKROB_CHECK(!(window && unsaid), IoError, where, ": layer ", l,
                 " looks at windows of an input that was flattened; such nets stay on their device");
    switch (layer.kind) {
      case micro::Kind::dense:
        item = l + 1 == file.count ? "dense" : text("dense(", layer.outputs, ")");
        break;
      case micro::Kind::conv:
        item = text("conv(", layer.outputs, ",", kernel, ",stride=", stride, ",pad=", pad, ")");
        break;
      case micro::Kind::relu:
        item = "relu";
        break;
      case micro::Kind::leaky: {
        const std::uint32_t bits = micro::detail::slope_bits(layer);
        float slope;
        std::memcpy(&slope, &bits, sizeof slope);
        item = text("leaky(", shortest(slope), ")");
        break;
      }
      case micro::Kind::depthwise:
        item = text("depthwise(", kernel, ",stride=", stride, ",pad=", pad, ")");
        break;
      case micro::Kind::conv1d:
        item = text("conv1d(", layer.outputs, ",", kernel, ",stride=", stride, ",pad=", pad, ")");
        break;
      case micro::Kind::depthwise1d:
        item = text("depthwise1d(", kernel, ",stride=", stride, ",pad=", pad, ")");
        break;
      case micro::Kind::max_pool1d:
        item = text("maxpool1d(", kernel, ",stride=", stride, ")");
        break;
      case micro::Kind::avg_pool1d:
        item = text("avgpool1d(", kernel, ",stride=", stride, ")");
        break;
      case micro::Kind::max_pool:
        item = text("maxpool(", kernel, ",stride=", stride, ")");
        break;
      case micro::Kind::avg_pool:
        item = text("avgpool(", kernel, ",stride=", stride, ")");
        break;
      case micro::Kind::flatten:
        if (image) item = "flatten";
        unsaid = !image && spec.empty();
        break;
    }
    if (layer.kind == micro::Kind::dense) unsaid = false;
    image = image ||
            (layer.kind != micro::Kind::dense && layer.kind != micro::Kind::relu && layer.kind != micro::Kind::leaky);
    if (!item.empty()) spec += (spec.empty() ? "" : "-") + item;
  }
  return spec;
}

Net net_of(const micro::WeightsFile& file, const std::string& where, Backend& backend) {
  const std::string spec = spec_of(file, where);
  try {
    return Net(spec, {file.input.height, file.input.width, file.input.channels}, file.layers[file.count - 1].outputs,
               Initialisation::uniform, 0, backend);
  } catch (const ConfigError& error) {
    throw IoError(
        text(where, ": holds the net ", shortened_line(spec, 200), ", which the host does not have: ", error.marked()));
  }
}

}  // namespace

Net decode_weights(const std::string& bytes, const std::string& where, Backend& backend) {
  micro::WeightsFile file;
  const micro::Status status = micro::open(file, bytes.data(), bytes.size());
  NTKROB_CHECK(status == micro::Status::ok, IoError, where, ": ", micro::to_string(status), " (", bytes.size(),
               " bytes)");
  Net net = net_of(file, where, backend);
  NTKROB_CHECK(net.parameter_count() == static_cast<index>(file.parameters), IoError, where, ": holds ",
               file.parameters, " parameters, the net ", net.spec(), " has ", net.parameter_count());
  // The same order on both sides: layer by layer, the weight before the bias.
  const std::uint8_t* from = file.numbers;
  const auto read = [&](Matrix<float>& to) {
    for (index k = 0; k < to.size(); ++k, from += 4) {
      const std::uint32_t bits = static_cast<std::uint32_t>(from[0]) | static_cast<std::uint32_t>(from[1]) << 8 |
                                 static_cast<std::uint32_t>(from[2]) << 16 | static_cast<std::uint32_t>(from[3]) << 24;
      std::memcpy(to.data() + k, &bits, sizeof bits);
    }
  };
  for (auto& layer : net.layers()) {
    read(layer.weight);
    read(layer.bias);
  }
  return net;
}

}  // namespace ntkrob::jobs
