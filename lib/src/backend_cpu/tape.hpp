/// Numbers that remember how they were made: derivatives of textbook formulas by reverse accumulation, without writing
/// them. For the reference backend, where clarity counts and sizes are small.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace ntkrob {

/// The operations between variables, in the order of their making.
class Tape {
 public:
  /// A result of up to two numbers (-1: a constant) and its derivatives by them. returns: its place
  int record(int one, double by_one, int two = -1, double by_two = 0) {
    nodes_.push_back({one, two, by_one, by_two});
    return static_cast<int>(nodes_.size()) - 1;
  }

  /// d result / d (every number on the tape).
  std::vector<double> derivatives(int result) const {
    std::vector<double> grad(nodes_.size(), 0.0);
    if (result < 0) return grad;
    grad[static_cast<std::size_t>(result)] = 1;
    for (std::size_t k = nodes_.size(); k-- > 0;) {
      const Node& node = nodes_[k];
      if (node.one >= 0) grad[static_cast<std::size_t>(node.one)] += grad[k] * node.by_one;
      if (node.two >= 0) grad[static_cast<std::size_t>(node.two)] += grad[k] * node.by_two;
    }
    return grad;
  }

 private:
  struct Node {
    int one, two;
    double by_one, by_two;
  };
  std::vector<Node> nodes_;
};

/// A number, constant unless it was made from a variable of a tape.
struct Taped {
  double v = 0;
  int id = -1;
  Tape* tape = nullptr;

  Taped() = default;
  explicit Taped(double value) : v(value) {}
  /// A variable.
  Taped(double value, Tape& on) : v(value), id(on.record(-1, 0)), tape(&on) {}

  static Taped of(double value, Taped x, double by_x) {
    Taped out(value);
    if (x.tape == nullptr) return out;
    out.tape = x.tape;
    out.id = x.tape->record(x.id, by_x);
    return out;
  }
  static Taped of(double value, Taped x, double by_x, Taped y, double by_y) {
    if (x.tape == nullptr) return of(value, y, by_y);
    if (y.tape == nullptr) return of(value, x, by_x);
    Taped out(value);
    out.tape = x.tape;
    out.id = x.tape->record(x.id, by_x, y.id, by_y);
    return out;
  }

  friend Taped operator+(Taped x, Taped y) { return of(x.v + y.v, x, 1, y, 1); }
  friend Taped operator-(Taped x, Taped y) { return of(x.v - y.v, x, 1, y, -1); }
  friend Taped operator*(Taped x, Taped y) { return of(x.v * y.v, x, y.v, y, x.v); }
  friend Taped operator/(Taped x, Taped y) { return of(x.v / y.v, x, 1 / y.v, y, -x.v / y.v / y.v); }
};

/// sqrt(x) for x > 0; 0 with derivative 0 elsewhere (the rule for coincident inputs).
inline Taped sqrt_or_zero(Taped x) {
  if (!(x.v > 0)) return Taped(0.0);
  const double root = std::sqrt(x.v);
  return Taped::of(root, x, 1 / (2 * root));
}
/// atan2(y, x); pi/2 where both are 0, as the limit of orthogonal inputs.
inline Taped angle(Taped y, Taped x) {
  const double r2 = x.v * x.v + y.v * y.v;
  if (!(r2 > 0)) return Taped(1.57079632679489661923);
  return Taped::of(std::atan2(y.v, x.v), y, x.v / r2, x, -y.v / r2);
}
inline Taped exp(Taped x) {
  const double e = std::exp(x.v);
  return Taped::of(e, x, e);
}

}  // namespace ntkrob
