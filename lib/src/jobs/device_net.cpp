/// Nets for devices: the images that quantise them, and the weights that come back.
#include <cstring>

#include "ntkrob/jobs/device.hpp"
#include "ntkrob/jobs/input.hpp"
#include "ntkrob/micro/weights.hpp"

namespace ntkrob::jobs {

namespace {

/// The layers in the grammar of ntkrob::nn.
std::string spec_of(const micro::WeightsFile& file) {
  std::string spec;
  bool image = false;  // something before looked at rows and columns
  for (std::uint32_t l = 0; l < file.count; ++l) {
    const micro::Layer& layer = file.layers[l];
    const int kernel = layer.kernel, stride = layer.stride, pad = layer.pad;
    std::string item;
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
      case micro::Kind::max_pool:
        item = text("maxpool(", kernel, ",stride=", stride, ")");
        break;
      case micro::Kind::avg_pool:
        item = text("avgpool(", kernel, ",stride=", stride, ")");
        break;
      case micro::Kind::flatten:
        if (image) item = "flatten";
        break;
    }
    image = image || (layer.kind != micro::Kind::dense && layer.kind != micro::Kind::relu);
    if (!item.empty()) spec += (spec.empty() ? "" : "-") + item;
  }
  return spec;
}

}  // namespace

Matrix<float> calibration_images(const std::string& path, const Net& net, const ReadOptions& read, Context& context) {
  const Dataset data = open_input(context, path, read, 2);
  NTKROB_CHECK(data.shape == net.input_shape(), ShapeError, field("calibrate"), ": images of ", path, " are ",
               data.shape.height, " x ", data.shape.width, " x ", data.shape.channels, ", the net takes ",
               net.input_shape().height, " x ", net.input_shape().width, " x ", net.input_shape().channels);
  NTKROB_CHECK(!data.train.empty(), ConfigError, field("calibrate"), ": ", path, " has no train split");
  return data.images("train");
}

Net decode_weights(const std::string& bytes, const std::string& where, Backend& backend) {
  micro::WeightsFile file;
  const micro::Status status = micro::open(file, bytes.data(), bytes.size());
  NTKROB_CHECK(status == micro::Status::ok, IoError, where, ": ", micro::to_string(status), " (", bytes.size(),
               " bytes)");
  Net net(spec_of(file), {file.input.height, file.input.width, file.input.channels},
          file.layers[file.count - 1].outputs, Initialisation::uniform, 0, backend);
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
