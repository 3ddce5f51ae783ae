#include "images/layout.hpp"

#include <algorithm>

namespace ntkrob {
namespace {

bool is_run(const Op& op) { return op.type == Operation::pointwise || op.type == Operation::normalise; }
bool is_dense(const Op& op) { return op.type == Operation::pointwise && op.layer.kind == layers::k_dense; }

}  // namespace

Axis axis(index in, index out, index taps, index step, const Window& w) {
  const index reach = (taps - 1) * w.dilation + 1;
  const index pad = w.padding == Padding::valid ? 0 : std::max<index>((out - 1) * step + reach - in, 0);
  return {in, out, taps, step, w.dilation, pad / 2, w.padding == Padding::circular};
}

bool read_by_nonlinear(const Program& program, int value) {
  std::vector<bool> reaches(program.values.size(), false);
  reaches[static_cast<std::size_t>(value)] = true;
  for (std::size_t k = static_cast<std::size_t>(value); k < program.ops.size(); ++k) {
    const Op& op = program.ops[k];
    const bool reads =
        reaches[static_cast<std::size_t>(op.in)] || (op.other >= 0 && reaches[static_cast<std::size_t>(op.other)]);
    if (reads && is_run(op) && !is_dense(op)) return true;
    reaches[k + 1] = reads;
  }
  return false;
}

std::vector<int> exact_pools(const Program& program) {
  std::vector<int> pools;
  for (int k = 0; k < static_cast<int>(program.ops.size()); ++k)
    if (program.ops[static_cast<std::size_t>(k)].type == Operation::pool && read_by_nonlinear(program, k + 1))
      pools.push_back(k);
  return pools;
}

Layout::Layout(const Program& p) : program(p), readers_(p.values.size()) {
  for (std::size_t k = 0; k < p.ops.size(); ++k) {
    readers_[static_cast<std::size_t>(p.ops[k].in)].push_back(static_cast<int>(k));
    if (p.ops[k].other >= 0) readers_[static_cast<std::size_t>(p.ops[k].other)].push_back(static_cast<int>(k));
  }
  group_values();
  find_units();
  place();
}

/// A value that one following operation of the same unit takes over in registers.
bool Layout::inside_unit(int v) const {
  const std::vector<int>& readers = readers_[static_cast<std::size_t>(v)];
  if (v == 0 || readers.size() != 1 || !is_run(op(readers[0]))) return false;
  const Op& made = op(v - 1);
  // Layer norm over all positions ties their variances together: derivatives by one log A end there.
  return keeps_offsets(made) || (is_run(made) && !made.all_positions);
}

void Layout::find_units() {
  unit_of.assign(program.values.size(), -1);
  for (int v = 1; v < static_cast<int>(program.values.size()); ++v) {
    if (inside_unit(v) || !(keeps_offsets(op(v - 1)) || is_run(op(v - 1)))) continue;
    std::vector<int> ops{v - 1};
    while (inside_unit(op(ops.back()).in)) ops.push_back(op(ops.back()).in - 1);
    std::reverse(ops.begin(), ops.end());
    Unit unit;
    unit.in = unit.mid = op(ops[0]).in;
    unit.out = v;
    std::size_t k = 0;
    if (keeps_offsets(op(ops[0]))) {
      unit.shift = true;
      unit.window = op(ops[k]).window;
      unit.mid = ops[k++] + 1;
    }
    if (k < ops.size() && is_dense(op(ops[k]))) {
      unit.dense = true;
      unit.w = op(ops[k]).layer.params[0];
      unit.b = op(ops[k]).layer.params[1];
      unit.mid = ops[k++] + 1;
    }
    unit.normal = k < ops.size();
    for (; k < ops.size(); ++k) {
      unit.run.push_back(ops[k]);
      if (op(ops[k]).type == Operation::pointwise) unit.layers.push_back(op(ops[k]).layer);
    }
    unit_of[static_cast<std::size_t>(v)] = static_cast<int>(units.size());
    units.push_back(std::move(unit));
  }
}

void Layout::place() {
  const auto take = [this](index n) {
    const index at = size;
    size += n;
    return at;
  };
  for (int v = 0; v < static_cast<int>(program.values.size()); ++v) {
    variance.push_back(doubles);
    doubles += shape(v).positions();
    root.push_back(inside_unit(v) ? -1 : take(shape(v).positions()));
    factor.push_back(is_product(v) ? take(1) : -1);
  }
  for (Unit& u : units) {
    const index n = shape(u.out).positions(), known = root[static_cast<std::size_t>(u.mid)];
    u.place_mid = known >= 0 ? known : take(n);
    if (u.normal) u.place_inverse = take(n);
    u.place_share = u.dense ? take(n) : u.place_mid;
    if (u.dense) {
      u.place_c = take(1);
      u.place_beta = take(1);
    }
    for (const ChainLayer& layer : u.layers)
      u.coefficients.push_back(take(n * layers::info(layer.kind).n_coefficients));
  }
  y_size = size;
  for (Unit& u : units)
    for (const ChainLayer& layer : u.layers)
      u.derivatives.push_back(take(shape(u.out).positions() * layers::info(layer.kind).n_coefficients));
}

void Layout::group_values() {
  for (int v = 0; v < static_cast<int>(program.values.size()); ++v) {
    group.push_back(v);
    if (v == 0 || is_run(op(v - 1)) || is_product(v)) continue;
    for (const int source : {op(v - 1).in, op(v - 1).other}) {
      if (source < 0) continue;
      const int one = group[static_cast<std::size_t>(source)], two = group.back();
      for (int& g : group)
        if (g == one || g == two) g = std::min(one, two);  // whose variance is known first
    }
  }
}

}  // namespace ntkrob
