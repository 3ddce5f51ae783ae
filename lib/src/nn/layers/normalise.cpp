// normalise: (x - mean) / std, one pair of numbers for all channels or one per channel. What PyTorch users do to their
// data before the net; here it is inside, because a Model takes pixels in [0,1].
#include <cmath>

#include "nn/blocks.hpp"
#include "nn/layer.hpp"
#include "nn/passes.hpp"

namespace ntkrob::nn {
namespace {

template <class R>
class Normalise final : public Layer<R> {
 public:
  Normalise(ImageShape in, std::vector<double> mean, std::vector<double> deviation)
      : Layer<R>(in, in), mean_(std::move(mean)), deviation_(std::move(deviation)) {}

  void forward(Backend& backend, const BasicLayerParameters<R>&, bool relu, ConstView2D<R> x, View2D<R> y,
               LayerScratch<R>&) const override {
    each(backend, x, y, [](R v, R mean, R deviation) { return (v - mean) / deviation; });
    if (relu) apply_relu(backend, y);
  }

  void backward(Backend& backend, const BasicLayerParameters<R>&, ConstView2D<R>, ConstView2D<R> delta, View2D<R> dx,
                BasicLayerParameters<R>*, R, LayerScratch<R>&) const override {
    if (!dx.empty()) each(backend, delta, dx, [](R v, R, R deviation) { return v / deviation; });
  }

  void describe(NetLayer& layer) const override {
    layer.kind = NetLayer::Kind::normalise;
    layer.mean = mean_;
    layer.deviation = deviation_;
  }

  std::vector<std::pair<std::string, StateDict::Value>> attributes() const override {
    const index c = this->in.channels;
    return {{"mean", NdArray<double>{{c}, mean_}}, {"std", NdArray<double>{{c}, deviation_}}};
  }

 private:
  template <class Map>
  void each(Backend& backend, ConstView2D<R> from, View2D<R> to, const Map& map) const {
    const index c = this->in.channels;
    for_blocks(backend, from.rows, rows_per_block(from.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i)
        for (index p = 0; p < from.cols; p += c)
          for (index k = 0; k < c; ++k)
            to.row(i)[p + k] = map(from.row(i)[p + k], static_cast<R>(mean_[static_cast<std::size_t>(k)]),
                                   static_cast<R>(deviation_[static_cast<std::size_t>(k)]));
    });
  }

  const std::vector<double> mean_, deviation_;  // one per channel
};

/// "0.49:0.48:0.45": one number for all channels, or one per channel.
std::vector<double> per_channel(const SpecArguments& arguments, const char* name, index channels, bool positive) {
  const SpecArgument* argument = arguments.find(name);
  if (argument == nullptr)
    spec_error(arguments.source(), arguments.item().position, "normalise needs both: normalise(mean=0.5,std=0.25)");
  const auto fail = [&](const std::string& message) { spec_error(arguments.source(), argument->position, message); };
  std::vector<double> values;
  for (std::size_t at = 0; at <= argument->value.size();) {
    const std::size_t colon = std::min(argument->value.find(':', at), argument->value.size());
    try {
      values.push_back(parse_number(argument->value.substr(at, colon - at), text("normalise ", name)));
    } catch (const ConfigError& error) {
      fail(error.what());
    }
    // What is not 0 and finite in float64 must be so in float32 too.
    if (!(std::abs(values.back()) <= 1e30) || (positive && values.back() < 1e-30))
      fail(text("normalise ", name, " is ", values.back(), ", must be ", positive ? "positive and " : "",
                "at most 1e30"));
    at = colon + 1;
  }
  if (values.size() == 1) values.resize(static_cast<std::size_t>(channels), values[0]);
  if (static_cast<index>(values.size()) != channels)
    fail(text("normalise ", name, " has ", values.size(), " numbers for ", channels, " channels"));
  return values;
}

}  // namespace

template <class R>
LayerPtr<R> make_normalise(const std::string& source, const SpecItem& item, ImageShape in, index) {
  const SpecArguments arguments(source, item, {"mean", "std"}, 0);
  return std::make_shared<Normalise<R>>(in, per_channel(arguments, "mean", in.channels, false),
                                        per_channel(arguments, "std", in.channels, true));
}

NTKROB_INSTANTIATE_NET_LAYER(normalise)

}  // namespace ntkrob::nn
