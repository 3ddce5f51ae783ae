/// The functions that kernel layers are the infinite width limits of, each with its derivative: what quadrature and
/// random nets of finite width are computed with. No formula of a kernel is used here.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <string>

#include "layers/all.hpp"
#include "ntkrob/kernel/spec.hpp"

namespace ntkrob::kit {

/// phi and phi' of a nonlinear layer. A kink stands at 0; phi is then linear on either side, or constant (flat).
struct Nonlinearity {
  std::function<double(double)> phi, slope;
  bool kink = false, flat = false;
};

/// Hermite polynomial of the normal distribution, not normalised.
inline double hermite(int degree, double x) {
  double before = 0, now = 1;
  for (int n = 0; n < degree; ++n) {
    const double next = x * now - n * before;
    before = now;
    now = next;
  }
  return now;
}

/// Of a layer that applies a function to every number; nothing for the others.
inline std::optional<Nonlinearity> nonlinearity(const ChainLayer& layer) {
  const std::string name = layers::info(layer.kind).name;
  const double a = layer.params[0], b = layer.params[1], c = layer.params[2];
  const auto two_sided = [](double negative, double positive) {
    return Nonlinearity{[=](double x) { return x > 0 ? positive * x : negative * x; },
                        [=](double x) { return x > 0 ? positive : negative; }, true};
  };
  if (name == "relu") return two_sided(0, 1);
  if (name == "abs") return two_sided(-1, 1);
  if (name == "leaky") return two_sided(a, 1);
  if (name == "abrelu") return two_sided(a, b);
  if (name == "sign")
    return Nonlinearity{[](double x) { return x > 0 ? 1.0 : -1.0; }, [](double) { return 0.0; }, true, true};
  if (name == "erf")
    return Nonlinearity{[=](double x) { return a * std::erf(b * x) + c; },
                        [=](double x) { return a * b * 1.1283791670955126 * std::exp(-b * b * x * x); }};
  if (name == "sin")
    return Nonlinearity{[=](double x) { return a * std::sin(b * x + c); },
                        [=](double x) { return a * b * std::cos(b * x + c); }};
  if (name == "cos")
    return Nonlinearity{[=](double x) { return a * std::cos(b * x + c); },
                        [=](double x) { return -a * b * std::sin(b * x + c); }};
  if (name == "exp")
    return Nonlinearity{[=](double x) { return a * std::exp(b * x); },
                        [=](double x) { return a * b * std::exp(b * x); }};
  if (name == "gaussian")
    return Nonlinearity{[=](double x) { return a * std::exp(b * x * x); },
                        [=](double x) { return 2 * a * b * x * std::exp(b * x * x); }};
  if (name == "gelu")
    return Nonlinearity{[](double x) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; },
                        [](double x) {
                          return std::erfc(-x / std::sqrt(2.0)) / 2 +
                                 x * std::exp(-x * x / 2) / std::sqrt(6.283185307179586);
                        }};
  if (name == "hermite") {
    const int degree = static_cast<int>(a);
    const double norm = std::sqrt(std::tgamma(a + 1));
    return Nonlinearity{[=](double x) { return hermite(degree, x) / norm; },
                        [=](double x) { return degree * hermite(degree - 1, x) / norm; }};
  }
  if (name == "monomial") {
    const int degree = static_cast<int>(a);
    return Nonlinearity{[=](double x) { return std::pow(x, degree); },
                        [=](double x) { return degree * std::pow(x, degree - 1); }};
  }
  if (name == "identity") return Nonlinearity{[](double x) { return x; }, [](double) { return 1.0; }};
  if (name == "scale") return Nonlinearity{[=](double x) { return a * x; }, [=](double) { return a; }};
  return std::nullopt;
}

/// The layers that are no function of one number: they have tests of their own, named here.
inline const char* tested_apart(const std::string& layer) {
  if (layer == "dense") return "golden_test.cpp, finite_width_test.cpp";
  if (layer == "standard") return "spec_test.cpp, finite_width_test.cpp";
  if (layer == "dropout") return "layers_test.cpp: dropout lowers covariances";
  if (layer == "layernorm") return "layers_test.cpp: layernorm makes a kernel depend on directions alone";
  return nullptr;
}

}  // namespace ntkrob::kit
