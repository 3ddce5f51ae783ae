#include "images/offsets.hpp"

#include <algorithm>
#include <set>

namespace ntkrob {
namespace {

/// f(tap of x, tap of y) for taps of one output pair, whichever an operation joins.
template <class F>
void for_each_tap_pair(index taps, bool both_taps, F&& f) {
  for (index tx = 0; tx < taps; ++tx)
    for (index ty = both_taps ? 0 : tx; ty < (both_taps ? taps : tx + 1); ++ty) f(tx, ty);
}

void merge(const std::vector<index>& more, std::vector<index>& into) {
  std::set<index> all(into.begin(), into.end());
  all.insert(more.begin(), more.end());
  into.assign(all.begin(), all.end());
}

}  // namespace

std::vector<index> input_offsets(const Op& op, const Axis& axis, const std::vector<index>& outputs) {
  std::set<index> needed;
  for (const index offset : outputs) switch (op.type) {
      case Operation::pointwise:
      case Operation::normalise:
      case Operation::sum:
      case Operation::product:
        needed.insert(offset);
        break;
      case Operation::flatten:
        needed.insert(0);
        break;
      case Operation::mean:
        for (index d = 1 - axis.in; d < axis.in; ++d) needed.insert(d);
        break;
      case Operation::shift:
      case Operation::pool:
        if (keeps_offsets(op)) {
          needed.insert(offset * axis.step);
          break;
        }
        const Line out = line_of(axis.out, offset);
        for (index k = 0; k < out.n; ++k)
          for_each_tap_pair(axis.taps, op.type == Operation::pool, [&](index tx, index ty) {
            const index ix = axis.source(out.x + k, tx), iy = axis.source(out.y + k, ty);
            if (axis.inside(ix) && axis.inside(iy)) needed.insert(iy - ix);
          });
        break;
    }
  return {needed.begin(), needed.end()};
}

NeededOffsets::NeededOffsets(const Layout& layout, int target)
    : h(layout.program.values.size()), w(layout.program.values.size()) {
  h[static_cast<std::size_t>(target)] = w[static_cast<std::size_t>(target)] = {0};
  for (int k = target - 1; k >= 0; --k) {
    const auto out = static_cast<std::size_t>(k) + 1;
    if (h[out].empty()) continue;
    const Op& op = layout.op(k);
    const std::vector<index> in_h = input_offsets(op, layout.axis_h(op, k + 1), h[out]),
                             in_w = input_offsets(op, layout.axis_w(op, k + 1), w[out]);
    for (const int source : {op.in, op.other}) {
      if (source < 0) continue;
      merge(in_h, h[static_cast<std::size_t>(source)]);
      merge(in_w, w[static_cast<std::size_t>(source)]);
    }
  }
}

StoredAxis::StoredAxis(index positions, const std::vector<index>& needed) : offsets(needed) {
  for (const index offset : needed) {
    begin.push_back(n);
    n += line_of(positions, offset).n;
  }
}

index StoredAxis::place(index offset) const {
  return begin[static_cast<std::size_t>(std::lower_bound(offsets.begin(), offsets.end(), offset) - offsets.begin())];
}

Joints::Joints(const Axis& axis, bool both_taps, const StoredAxis& from, const StoredAxis& to) {
  std::vector<std::vector<int>> readers(static_cast<std::size_t>(from.n));
  for (std::size_t d = 0; d < to.offsets.size(); ++d) {
    const Line out = line_of(axis.out, to.offsets[d]);
    for (index k = 0; k < out.n; ++k) {
      for_each_tap_pair(axis.taps, both_taps, [&](index tx, index ty) {
        const index ix = axis.source(out.x + k, tx), iy = axis.source(out.y + k, ty);
        if (!axis.inside(ix) || !axis.inside(iy)) return;
        const index place = from.place(iy - ix) + ix - line_of(axis.in, iy - ix).x;
        sources.item.push_back(static_cast<int>(place));
        readers[static_cast<std::size_t>(place)].push_back(static_cast<int>(to.begin[d] + k));
      });
      sources.close();
    }
  }
  for (const std::vector<int>& list : readers) {
    targets.item.insert(targets.item.end(), list.begin(), list.end());
    targets.close();
  }
}

OffsetTargets::OffsetTargets(const Axis& axis, bool both_taps, const StoredAxis& to) {
  std::map<index, std::vector<std::vector<int>>> targets;
  for (std::size_t d = 0; d < to.offsets.size(); ++d) {
    const Line out = line_of(axis.out, to.offsets[d]);
    for (index k = 0; k < out.n; ++k)
      for_each_tap_pair(axis.taps, both_taps, [&](index tx, index ty) {
        const index ix = axis.source(out.x + k, tx), iy = axis.source(out.y + k, ty);
        if (!axis.inside(ix) || !axis.inside(iy)) return;
        const Line in = line_of(axis.in, iy - ix);
        auto& lists = targets[iy - ix];
        lists.resize(static_cast<std::size_t>(in.n));
        lists[static_cast<std::size_t>(ix - in.x)].push_back(static_cast<int>(to.begin[d] + k));
      });
  }
  for (auto& [offset, lists] : targets) {
    OwnList& own = by_offset_[offset];
    for (const std::vector<int>& list : lists) {
      own.item.insert(own.item.end(), list.begin(), list.end());
      own.close();
    }
  }
}

}  // namespace ntkrob
