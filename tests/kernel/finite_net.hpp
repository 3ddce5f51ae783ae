/// Random nets of finite width from the text of a kernel, and their empirical kernels: what the infinite width limits
/// are compared with. Plain loops; no formula of a kernel is used here.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernel/nonlinearities.hpp"
#include "layers/all.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/kernel/spec.hpp"

namespace ntkrob::kit {

/// Activations of one sample: positions x channels.
struct Activation {
  index h = 1, w = 1, c = 1;
  std::vector<double> v;

  static Activation of_shape(index h, index w, index c) {
    return {h, w, c, std::vector<double>(static_cast<std::size_t>(h * w * c), 0.0)};
  }
  index positions() const { return h * w; }
  double* at(index p) { return v.data() + p * c; }
  const double* at(index p) const { return v.data() + p * c; }
};
using Batch = std::vector<Activation>;

inline Nonlinearity function_of(const ChainLayer& layer) {
  const std::optional<Nonlinearity> function = nonlinearity(layer);
  if (!function) throw std::logic_error(std::string("no finite form of ") + layers::info(layer.kind).name);
  return *function;
}

/// One net: a forward pass, then a backward pass that adds up the tangent kernel.
class FiniteNet {
 public:
  /// hidden: width of the layers that have no width=
  FiniteNet(const Network& network, index hidden, const Rng& rng) : hidden_(hidden), rng_(rng) {
    layers_ = make(network);
    layers_.back().units = 1;
  }

  /// Kernels of the scalar output over the batch: tangent kernel, and covariance over the last layer's weights.
  void run(const Batch& x, Matrix<double>& ntk, Matrix<double>& nngp) {
    const auto n = static_cast<index>(x.size());
    ntk = Matrix<double>(n, n);
    nngp = Matrix<double>(n, n);
    Batch delta = forward(layers_, x);
    for (Activation& d : delta) d.v.assign(1, 1.0);
    // Readout: the covariance of W h + b over W and b is exact given h.
    const Layer& last = layers_.back();
    for (index i = 0; i < n; ++i)
      for (index j = 0; j < n; ++j) nngp(i, j) = covariance(last, i, 0, j, 0);
    backward(layers_, delta, ntk);
  }

 private:
  struct Layer {
    const SpecLayer* spec = nullptr;
    index units = 0;
    std::vector<double> weights, biases;  // fan-in x units
    double factor = 1;                    // in front of W h
    Batch input, patches;
    index out_h = 1, out_w = 1;
    std::vector<std::vector<index>> taps;  // by output position: input position, or -1
    std::vector<std::vector<Layer>> branches;
    std::vector<Batch> outputs;  // of the branches
  };

  std::vector<Layer> make(const Network& network) {
    std::vector<Layer> result;
    for (const SpecLayer& spec : network) {
      Layer layer;
      layer.spec = &spec;
      layer.units = spec.width > 0 ? spec.width : hidden_;
      for (const Network& branch : spec.branches) layer.branches.push_back(make(branch));
      result.push_back(std::move(layer));
    }
    return result;
  }

  static bool weighted(const Layer& l) {
    return l.spec->type == Operation::shift ||
           (l.spec->type == Operation::pointwise && layers::info(l.spec->layer.kind).law == Law::makes_gaussian);
  }

  /// Which input positions the taps of an output position see. Only SAME and VALID with stride and no dilation.
  static void windows(Layer& l, const Activation& in) {
    const Window& w = l.spec->window;
    const bool valid = w.padding == Padding::valid;
    l.out_h = valid ? (in.h - w.kh) / w.sh + 1 : (in.h + w.sh - 1) / w.sh;
    l.out_w = valid ? (in.w - w.kw) / w.sw + 1 : (in.w + w.sw - 1) / w.sw;
    const index low_h = valid ? 0 : std::max<index>((l.out_h - 1) * w.sh + w.kh - in.h, 0) / 2;
    const index low_w = valid ? 0 : std::max<index>((l.out_w - 1) * w.sw + w.kw - in.w, 0) / 2;
    l.taps.clear();
    for (index oh = 0; oh < l.out_h; ++oh)
      for (index ow = 0; ow < l.out_w; ++ow) {
        std::vector<index> list;
        for (index th = 0; th < w.kh; ++th)
          for (index tw = 0; tw < w.kw; ++tw) {
            const index ih = oh * w.sh + th - low_h, iw = ow * w.sw + tw - low_w;
            list.push_back(ih < 0 || iw < 0 || ih >= in.h || iw >= in.w ? -1 : ih * in.w + iw);
          }
        l.taps.push_back(list);
      }
  }

  Batch forward(std::vector<Layer>& network, Batch x) {
    for (Layer& l : network) x = forward(l, std::move(x));
    return x;
  }

  Batch forward(Layer& l, Batch x) {
    l.input = std::move(x);
    Batch out;
    if (weighted(l)) return forward_weights(l);
    switch (l.spec->type) {
      case Operation::pointwise: {
        if (l.spec->layer.kind == layers::k_dropout) return drop(l);
        const Nonlinearity f = function_of(l.spec->layer);
        out = l.input;
        for (Activation& a : out)
          for (double& v : a.v) v = f.phi(v);
        return out;
      }
      case Operation::pool: {
        windows(l, l.input[0]);
        const double share = l.spec->divisor == Divisor::none ? 1.0 : 1.0 / static_cast<double>(l.taps[0].size());
        for (const Activation& a : l.input) {
          out.push_back(Activation::of_shape(l.out_h, l.out_w, a.c));
          for (index p = 0; p < out.back().positions(); ++p)
            for (const index i : l.taps[static_cast<std::size_t>(p)])
              for (index c = 0; i >= 0 && c < a.c; ++c) out.back().at(p)[c] += share * a.at(i)[c];
        }
        return out;
      }
      case Operation::mean:
        for (const Activation& a : l.input) {
          out.push_back(Activation::of_shape(1, 1, a.c));
          for (index p = 0; p < a.positions(); ++p)
            for (index c = 0; c < a.c; ++c)
              out.back().v[static_cast<std::size_t>(c)] += a.at(p)[c] / static_cast<double>(a.positions());
        }
        return out;
      case Operation::flatten:
        for (const Activation& a : l.input) out.push_back({1, 1, a.positions() * a.c, a.v});
        return out;
      case Operation::sum:
      case Operation::product:
        return join(l);
      default:
        throw std::logic_error("no finite form of this layer");
    }
  }

  Batch forward_weights(Layer& l) {
    const bool conv = l.spec->type == Operation::shift;
    if (conv) {
      windows(l, l.input[0]);
    } else {
      l.out_h = l.out_w = 1;
      l.taps.assign(1, std::vector<index>(1, 0));
    }
    const index c = l.input[0].c, fan_in = c * static_cast<index>(l.taps[0].size());
    const double w = l.spec->layer.params[0], b = l.spec->layer.params[1];
    const bool standard = l.spec->layer.kind == layers::k_standard;
    const double std_of_weight = standard ? w / std::sqrt(static_cast<double>(fan_in)) : 1;
    l.factor = standard ? 1 : w / std::sqrt(static_cast<double>(fan_in));
    const Rng draw = rng_.fork(++drawn_);
    l.weights.resize(static_cast<std::size_t>(fan_in * l.units));
    for (std::size_t k = 0; k < l.weights.size(); ++k) l.weights[k] = std_of_weight * draw.normal(k);
    l.biases.resize(static_cast<std::size_t>(l.units));
    for (std::size_t k = 0; k < l.biases.size(); ++k) l.biases[k] = b * draw.normal(l.weights.size() + k);
    l.patches.clear();
    Batch out;
    for (const Activation& a : l.input) {
      Activation patch = Activation::of_shape(l.out_h, l.out_w, fan_in), result;
      result = Activation::of_shape(l.out_h, l.out_w, l.units);
      for (index p = 0; p < patch.positions(); ++p) {
        const std::vector<index>& taps = l.taps[static_cast<std::size_t>(p)];
        for (std::size_t t = 0; t < taps.size(); ++t)
          if (taps[t] >= 0) std::copy_n(a.at(taps[t]), c, patch.at(p) + static_cast<index>(t) * c);
        double* to = result.at(p);
        for (index f = 0; f < fan_in; ++f) {
          const double value = l.factor * patch.at(p)[f];
          const double* row = l.weights.data() + f * l.units;
          for (index o = 0; value != 0 && o < l.units; ++o) to[o] += value * row[o];
        }
        for (index o = 0; o < l.units; ++o) to[o] += l.biases[static_cast<std::size_t>(o)];
      }
      l.patches.push_back(std::move(patch));
      out.push_back(std::move(result));
    }
    return out;
  }

  /// A mask for every sample.
  Batch drop(Layer& l) {
    const double rate = l.spec->layer.params[0];
    const Rng draw = rng_.fork(++drawn_);
    l.patches = l.input;
    std::uint64_t k = 0;
    for (Activation& a : l.patches)
      for (double& v : a.v) v = draw.uniform(k++) < rate ? 1 / rate : 0.0;
    return times(l.input, l.patches);
  }
  static Batch times(Batch x, const Batch& masks) {
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t k = 0; k < x[i].v.size(); ++k) x[i].v[k] *= masks[i].v[k];
    return x;
  }

  Batch join(Layer& l) {
    l.outputs.clear();
    for (std::vector<Layer>& branch : l.branches) l.outputs.push_back(forward(branch, l.input));
    Batch out = l.outputs[0];
    for (std::size_t b = 1; b < l.outputs.size(); ++b)
      for (std::size_t i = 0; i < out.size(); ++i) {
        const Activation& other = l.outputs[b][i];
        if (!l.spec->shares.empty()) {
          Activation both = Activation::of_shape(out[i].h, out[i].w, out[i].c + other.c);
          for (index p = 0; p < both.positions(); ++p) {
            std::copy_n(out[i].at(p), out[i].c, both.at(p));
            std::copy_n(other.at(p), other.c, both.at(p) + out[i].c);
          }
          out[i] = both;
          continue;
        }
        for (std::size_t k = 0; k < other.v.size(); ++k)
          out[i].v[k] = l.spec->type == Operation::product ? out[i].v[k] * other.v[k] : out[i].v[k] + other.v[k];
      }
    return out;
  }

  /// Covariance over the weights and biases of a layer, of one unit at position p of sample i and q of j.
  static double covariance(const Layer& l, index i, index p, index j, index q) {
    const Activation &x = l.patches[static_cast<std::size_t>(i)], &y = l.patches[static_cast<std::size_t>(j)];
    double sum = 0;
    for (index f = 0; f < x.c; ++f) sum += x.at(p)[f] * y.at(q)[f];
    const double w = l.spec->layer.params[0], b = l.spec->layer.params[1];
    return w * w * sum / static_cast<double>(x.c) + b * b;
  }

  Batch backward(std::vector<Layer>& network, Batch delta, Matrix<double>& ntk) {
    for (std::size_t k = network.size(); k-- > 0;) delta = backward(network[k], delta, ntk);
    return delta;
  }

  static Batch zeros_like(const Batch& x) {
    Batch out = x;
    for (Activation& a : out) std::fill(a.v.begin(), a.v.end(), 0.0);
    return out;
  }

  Batch backward(Layer& l, const Batch& delta, Matrix<double>& ntk) {
    Batch out = zeros_like(l.input);
    if (weighted(l)) {
      backward_weights(l, delta, out, ntk);
      return out;
    }
    switch (l.spec->type) {
      case Operation::pointwise: {
        if (l.spec->layer.kind == layers::k_dropout) return times(delta, l.patches);
        const Nonlinearity f = function_of(l.spec->layer);
        for (std::size_t i = 0; i < out.size(); ++i)
          for (std::size_t k = 0; k < out[i].v.size(); ++k) out[i].v[k] = delta[i].v[k] * f.slope(l.input[i].v[k]);
        return out;
      }
      case Operation::pool: {
        const double share = l.spec->divisor == Divisor::none ? 1.0 : 1.0 / static_cast<double>(l.taps[0].size());
        for (std::size_t i = 0; i < out.size(); ++i)
          for (index p = 0; p < delta[i].positions(); ++p)
            for (const index s : l.taps[static_cast<std::size_t>(p)])
              for (index c = 0; s >= 0 && c < out[i].c; ++c) out[i].at(s)[c] += share * delta[i].at(p)[c];
        return out;
      }
      case Operation::mean:
        for (std::size_t i = 0; i < out.size(); ++i)
          for (index p = 0; p < out[i].positions(); ++p)
            for (index c = 0; c < out[i].c; ++c)
              out[i].at(p)[c] = delta[i].v[static_cast<std::size_t>(c)] / static_cast<double>(out[i].positions());
        return out;
      case Operation::flatten:
        for (std::size_t i = 0; i < out.size(); ++i) out[i].v = delta[i].v;
        return out;
      default:
        break;
    }
    index channel = 0;
    for (std::size_t b = 0; b < l.branches.size(); ++b) {
      Batch own = zeros_like(l.outputs[b]);
      for (std::size_t i = 0; i < own.size(); ++i)
        for (index p = 0; p < own[i].positions(); ++p)
          for (index c = 0; c < own[i].c; ++c) {
            double d = delta[i].at(p)[l.spec->shares.empty() ? c : channel + c];
            for (std::size_t other = 0; l.spec->type == Operation::product && other < l.outputs.size(); ++other)
              if (other != b) d *= l.outputs[other][i].at(p)[c];
            own[i].at(p)[c] = d;
          }
      channel += own[0].c;
      const Batch back = backward(l.branches[b], own, ntk);
      for (std::size_t i = 0; i < out.size(); ++i)
        for (std::size_t k = 0; k < out[i].v.size(); ++k) out[i].v[k] += back[i].v[k];
    }
    return out;
  }

  static void backward_weights(Layer& l, const Batch& delta, Batch& out, Matrix<double>& ntk) {
    const double b = l.spec->layer.params[1];
    const bool standard = l.spec->layer.kind == layers::k_standard;
    const double bias = standard ? (b > 0 ? 1.0 : 0.0) : b * b;
    for (index i = 0; i < ntk.rows(); ++i)
      for (index j = 0; j < ntk.cols(); ++j) {
        const Activation &x = l.patches[static_cast<std::size_t>(i)], &y = l.patches[static_cast<std::size_t>(j)];
        const Activation &dx = delta[static_cast<std::size_t>(i)], &dy = delta[static_cast<std::size_t>(j)];
        for (index p = 0; p < x.positions(); ++p)
          for (index q = 0; q < y.positions(); ++q) {
            double inputs = 0, deltas = 0;
            for (index f = 0; f < x.c; ++f) inputs += x.at(p)[f] * y.at(q)[f];
            for (index o = 0; o < l.units; ++o) deltas += dx.at(p)[o] * dy.at(q)[o];
            ntk(i, j) += (l.factor * l.factor * inputs + bias) * deltas;
          }
      }
    const index c = l.input[0].c;
    for (std::size_t i = 0; i < out.size(); ++i)
      for (index p = 0; p < delta[i].positions(); ++p) {
        const std::vector<index>& taps = l.taps[static_cast<std::size_t>(p)];
        for (std::size_t t = 0; t < taps.size(); ++t)
          for (index k = 0; taps[t] >= 0 && k < c; ++k) {
            const double* row = l.weights.data() + (static_cast<index>(t) * c + k) * l.units;
            double sum = 0;
            for (index o = 0; o < l.units; ++o) sum += row[o] * delta[i].at(p)[o];
            out[i].at(taps[t])[k] += l.factor * sum;
          }
      }
  }

  index hidden_;
  Rng rng_;
  std::uint64_t drawn_ = 0;
  std::vector<Layer> layers_;
};

}  // namespace ntkrob::kit
