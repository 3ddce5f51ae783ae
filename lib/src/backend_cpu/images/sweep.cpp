#include "backend_cpu/images/sweep.hpp"

#include <algorithm>

namespace ntkrob {

template <class R>
Patch Sweep<R>::patch(int value, index offset_h, index offset_w) const {
  const ValueShape& shape = layout_.shape(value);
  const Line h = line_of(shape.height, offset_h), w = line_of(shape.width, offset_w);
  return {h.n, w.n, h.x, w.x, h.y, w.y, shape.width, w.n};
}

template <class R>
Patch Sweep<R>::stored_patch(int value, index offset_h, index offset_w) const {
  Patch p = patch(value, offset_h, offset_w);
  p.stride = store(value).w.n;
  return p;
}

template <class R>
Patch Sweep<R>::patch(const Instance& i, index h, index w) const {
  return i.source == Source::stored ? stored_patch(i.value, h * i.step_h, w * i.step_w)
                                    : patch(i.value, h * i.step_h, w * i.step_w);
}

template <class R>
Planes<R> Sweep<R>::planes(const Instance& i, index h, index w, bool adjoint) {
  R* memory = memory_.data();
  if (i.source != Source::stored) {
    R* d = memory + (adjoint ? i.adjoint : i.buffer);
    return {d, d + plane(i.value)};
  }
  const Store& s = store(i.value);
  const index at = (s.h.place(h * i.step_h) * s.w.n + s.w.place(w * i.step_w)) * kImageLanes;
  R* d = memory + (adjoint ? s.adjoint : s.place) + at;
  return {d, d + s.h.n * s.w.n * kImageLanes};
}

template <class R>
UnitCall<R> Sweep<R>::unit_call(const Stretch& s, const Instance& i, index h, index w, const Pairs<R>& pairs, bool back,
                                SampleGradient* g) {
  const auto number = static_cast<std::size_t>(layout_.unit_of[static_cast<std::size_t>(i.value)]);
  const Unit& u = layout_.units[number];
  const Instance& in = s.instances[static_cast<std::size_t>(i.a)];
  UnitCall<R> call{};
  call.unit = &units_[number];
  call.tables = pairs.tables;
  call.in = patch(in, h, w);
  call.out = patch(i, h, w);
  if (u.shift) {
    call.h = &taps_h_[number]->at(h * i.step_h);
    call.w = &taps_w_[number]->at(w * i.step_w);
  }
  call.from = planes(in, h, w, false);
  call.to = planes(i, h, w, false);
  R* memory = memory_.data();
  if (g != nullptr && i.tape >= 0) call.tape = {memory + i.tape, memory + i.tape + plane(i.value)};
  call.scratch = memory + scratch_;
  if (!back) return call;
  call.from_g = planes(in, h, w, true);
  call.to_g = planes(i, h, w, true);
  call.mid_log = g->by_log.data() + layout_.variance[static_cast<std::size_t>(u.mid)];
  call.out_log = g->by_log.data() + layout_.variance[static_cast<std::size_t>(u.out)];
  call.in_variance = variance_gradient(*g, u.in);
  return call;
}

template <class R>
ProductCall<R> Sweep<R>::product_call(const Stretch& s, const Instance& i, index h, index w, const Pairs<R>& pairs,
                                      bool back, SampleGradient* g) {
  const Instance &one = s.instances[static_cast<std::size_t>(i.a)], &two = s.instances[static_cast<std::size_t>(i.b)];
  ProductCall<R> call{};
  call.patch = patch(i, h, w);
  call.stride_one = patch(one, h, w).stride;
  call.stride_two = patch(two, h, w).stride;
  call.one = planes(one, h, w, false);
  call.two = planes(two, h, w, false);
  call.to = planes(i, h, w, back);
  call.root_one = layout_.root[static_cast<std::size_t>(one.value)];
  call.root_two = layout_.root[static_cast<std::size_t>(two.value)];
  call.factor = layout_.factor[static_cast<std::size_t>(i.value)];
  call.tables = pairs.tables;
  call.scratch = memory_.data() + scratch_;
  if (!back) return call;
  call.one_g = planes(one, h, w, true);
  call.two_g = planes(two, h, w, true);
  call.one_variance = variance_gradient(*g, one.value);
  call.two_variance = variance_gradient(*g, two.value);
  return call;
}

/// All values of a stretch at one offset. g: not null where a tape is wanted
template <class R>
void Sweep<R>::run(const Stretch& s, index h, index w, const Pairs<R>& pairs, const ImageFunctions<R>& f,
                   SampleGradient* g) {
  for (const Instance& i : s.instances) switch (i.source) {
      case Source::stored:
        break;
      case Source::pixels:
        f.input({patch(i, h, w), layout_.program.input.channels, pairs.x, pairs.y, pairs.y_plane,
                 planes(i, h, w, false), nullptr, nullptr});
        break;
      case Source::unit:
        f.unit(unit_call(s, i, h, w, pairs, false, g));
        break;
      case Source::product:
        f.product(product_call(s, i, h, w, pairs, false, g));
        break;
      case Source::copy:
      case Source::sum: {
        const Patch to = patch(i, h, w);
        const Planes<R> out = planes(i, h, w, false);
        const index n = to.w * kImageLanes;
        for (const int source : {i.a, i.b}) {
          if (source < 0) continue;
          const Instance& in = s.instances[static_cast<std::size_t>(source)];
          const Planes<R> from = planes(in, h, w, false);
          const index step = patch(in, h, w).stride * kImageLanes;
          for (index r = 0; r < to.h; ++r) {
            if (source == i.a) {
              std::copy_n(from.d + r * step, n, out.d + r * n);
              std::copy_n(from.t + r * step, n, out.t + r * n);
            }
            if (source == i.b) {
              f.add(from.d + r * step, n, out.d + r * n);
              f.add(from.t + r * step, n, out.t + r * n);
            }
          }
        }
        break;
      }
    }
}

/// The adjoint of run(); that of the last instance is given.
template <class R>
void Sweep<R>::run_back(const Stretch& s, index h, index w, const Pairs<R>& pairs, const ImageFunctions<R>& f,
                        SampleGradient& g) {
  const int n = static_cast<int>(s.instances.size());
  for (int k = n - 1; k >= 0; --k) {
    const Instance& i = s.instances[static_cast<std::size_t>(k)];
    for (const int source : {i.a, i.b})
      if (source >= 0 && s.last_reader[static_cast<std::size_t>(source)] == k) {
        const Instance& in = s.instances[static_cast<std::size_t>(source)];
        if (in.source == Source::stored) continue;
        const Patch p = patch(in, h, w);
        const Planes<R> adjoint = planes(in, h, w, true);
        std::fill_n(adjoint.d, p.h * p.w * kImageLanes, R(0));
        std::fill_n(adjoint.t, p.h * p.w * kImageLanes, R(0));
      }
    switch (i.source) {
      case Source::stored:
        break;
      case Source::pixels: {
        R* scratch = memory_.data() + scratch_;
        f.input_back({patch(i, h, w), layout_.program.input.channels, pairs.x, pairs.y, pairs.y_plane,
                      planes(i, h, w, true), scratch, g.pixels.data()});
        break;
      }
      case Source::unit:
        f.unit_back(unit_call(s, i, h, w, pairs, true, &g));
        break;
      case Source::product:
        f.product_back(product_call(s, i, h, w, pairs, true, &g));
        break;
      case Source::copy:
      case Source::sum: {
        const Patch to = patch(i, h, w);
        const Planes<R> out = planes(i, h, w, true);
        const index length = to.w * kImageLanes;
        for (const int source : {i.a, i.b}) {
          if (source < 0) continue;
          const Instance& in = s.instances[static_cast<std::size_t>(source)];
          const Planes<R> from = planes(in, h, w, true);
          const index step = patch(in, h, w).stride * kImageLanes;
          for (index r = 0; r < to.h; ++r) {
            f.add(out.d + r * length, length, from.d + r * step);
            f.add(out.t + r * length, length, from.t + r * step);
          }
        }
        break;
      }
    }
  }
}

template <class R>
CrossCall<R> Sweep<R>::cross_call(const Stretch& s, index h, index w, const Pairs<R>& pairs, bool back,
                                  SampleGradient* g) {
  const Store& to = store(s.op + 1);
  R* memory = memory_.data();
  CrossCall<R> call{};
  call.in = patch(s.instances.back(), h, w);
  call.targets = join(s.op + 1).targets_w.at(w);
  call.plane = planes(s.instances.back(), h, w, back);
  call.row = to.w.n;
  call.rows = {memory + rows_, memory + rows_ + call.in.h * to.w.n * kImageLanes};
  call.covariances = to.covariances;
  call.root_in = layout_.root[static_cast<std::size_t>(s.value)];
  call.tables = pairs.tables;
  call.scratch = memory + scratch_;
  if (back) call.in_variance = variance_gradient(*g, s.value);
  return call;
}

template <class R>
FinishCall<R> Sweep<R>::finish_call(const Stretch& s, index h, index w, const Pairs<R>& pairs, bool back,
                                    SampleGradient* g) {
  const int value = s.op + 1;
  FinishCall<R> call{};
  call.patch = stored_patch(value, h, w);
  call.plane = planes({value, 1, 1, Source::stored}, h, w, back);
  const Join& weights = join(value);
  call.x_h = weights.x_h.data();
  call.x_w = weights.x_w.data();
  call.y_h = weights.y_h.data();
  call.y_w = weights.y_w.data();
  call.covariances = store(value).covariances;
  call.root_out = layout_.root[static_cast<std::size_t>(value)];
  call.tables = pairs.tables;
  call.scratch = memory_.data() + scratch_;
  if (back) call.out_variance = variance_gradient(*g, value);
  return call;
}

template <class R>
void Sweep<R>::forward(const Stretch& s, const Pairs<R>& pairs, const ImageFunctions<R>& f) {
  if (s.op < 0) return run(s, 0, 0, pairs, f, nullptr);
  if (!store(s.op + 1).mean)
    forward_join(s, pairs, f);
  else
    forward_mean(s, pairs, f);
}

/// Means over all pairs, or those with p = q: over all offsets that are needed.
template <class R>
void Sweep<R>::forward_mean(const Stretch& s, const Pairs<R>& pairs, const ImageFunctions<R>& f) {
  const Store& to = store(s.op + 1);
  std::array<double, kImageLanes> d{}, t{};
  for (const index h : s.offsets_h)
    for (const index w : s.offsets_w) {
      run(s, h, w, pairs, f, nullptr);
      const Patch p = patch(s.instances.back(), h, w);
      const Planes<R> planes_of = planes(s.instances.back(), h, w, false);
      for (index r = 0; r < p.h; ++r) {
        f.total(planes_of.d + r * p.stride * kImageLanes, p.w, d.data());
        f.total(planes_of.t + r * p.stride * kImageLanes, p.w, t.data());
      }
    }
  const double pairs_of = plan_.mean_divisor(s);
  R* out = memory_.data() + to.place;
  for (std::size_t l = 0; l < kImageLanes; ++l) {
    out[l] = static_cast<R>(d[l] / pairs_of);
    out[kImageLanes + l] = static_cast<R>(t[l] / pairs_of);
  }
}

template <class R>
void Sweep<R>::backward_mean(const Stretch& s, const Pairs<R>& pairs, const ImageFunctions<R>& f, SampleGradient& g) {
  const R* out = memory_.data() + store(s.op + 1).adjoint;
  R share[2 * kImageLanes];
  for (index l = 0; l < 2 * kImageLanes; ++l)
    share[l] = static_cast<R>(static_cast<double>(out[l]) / plan_.mean_divisor(s));
  for (const index h : s.offsets_h)
    for (const index w : s.offsets_w) {
      run(s, h, w, pairs, f, &g);
      const Patch p = patch(s.instances.back(), h, w);
      const Planes<R> adjoint = planes(s.instances.back(), h, w, true);
      for (index k = 0; k < p.h * p.w; ++k) {
        std::copy_n(share, kImageLanes, adjoint.d + k * kImageLanes);
        std::copy_n(share + kImageLanes, kImageLanes, adjoint.t + k * kImageLanes);
      }
      run_back(s, h, w, pairs, f, g);
    }
}

/// Widths first, into rows that hold all offsets of the output along widths; then whole rows along heights.
template <class R>
void Sweep<R>::forward_join(const Stretch& s, const Pairs<R>& pairs, const ImageFunctions<R>& f) {
  const Store& to = store(s.op + 1);
  const index row = to.w.n * kImageLanes;
  R *d = memory_.data() + to.place, *t = d + to.h.n * row;
  std::fill_n(d, 2 * to.h.n * row, R(0));
  for (const index h : s.offsets_h) {
    const index rows = line_of(layout_.shape(s.value).height, h).n;
    R *middle_d = memory_.data() + rows_, *middle_t = middle_d + rows * row;
    std::fill_n(middle_d, 2 * rows * row, R(0));
    for (const index w : s.offsets_w) {
      run(s, h, w, pairs, f, nullptr);
      f.spread(cross_call(s, h, w, pairs, false, nullptr));
    }
    const List targets = join(s.op + 1).targets_h.at(h);
    for (index r = 0; r < rows; ++r)
      for (int k = targets.begin[r]; k < targets.begin[r + 1]; ++k) {
        f.add(middle_d + r * row, row, d + targets.item[k] * row);
        f.add(middle_t + r * row, row, t + targets.item[k] * row);
      }
  }
  for (const index h : to.h.offsets)
    for (const index w : to.w.offsets) f.finish(finish_call(s, h, w, pairs, false, nullptr));
}

template <class R>
void Sweep<R>::backward_join(const Stretch& s, const Pairs<R>& pairs, const ImageFunctions<R>& f, SampleGradient& g) {
  const Store& to = store(s.op + 1);
  const index row = to.w.n * kImageLanes;
  const R *d = memory_.data() + to.adjoint, *t = d + to.h.n * row;
  for (const index h : to.h.offsets)
    for (const index w : to.w.offsets) f.finish_back(finish_call(s, h, w, pairs, true, &g));
  for (const index h : s.offsets_h) {
    const index rows = line_of(layout_.shape(s.value).height, h).n;
    R *middle_d = memory_.data() + rows_, *middle_t = middle_d + rows * row;
    std::fill_n(middle_d, 2 * rows * row, R(0));
    const List targets = join(s.op + 1).targets_h.at(h);
    for (index r = 0; r < rows; ++r)
      for (int k = targets.begin[r]; k < targets.begin[r + 1]; ++k) {
        f.add(d + targets.item[k] * row, row, middle_d + r * row);
        f.add(t + targets.item[k] * row, row, middle_t + r * row);
      }
    for (const index w : s.offsets_w) {
      run(s, h, w, pairs, f, &g);
      f.gather(cross_call(s, h, w, pairs, true, &g));
      run_back(s, h, w, pairs, f, g);
    }
  }
}

template <class R>
void Sweep<R>::forward(const Pairs<R>& pairs, const ImageFunctions<R>& f) {
  for (const Stretch& s : plan_.stretches) forward(s, pairs, f);
}

template <class R>
Planes<const R> Sweep<R>::result(index& stride) {
  const Instance last{plan_.target, 1, 1, Source::stored};
  const Instance& made = plan_.stores.count(plan_.target) != 0 ? last : plan_.stretches.back().instances.back();
  const Planes<R> planes_of = planes(made, 0, 0, false);
  stride = patch(made, 0, 0).stride;
  return {planes_of.d, planes_of.t};
}

template <class R>
void Sweep<R>::backward(const Pairs<R>& pairs, const R* gd, const R* gt, bool forward_done, const ImageFunctions<R>& f,
                        SampleGradient& g) {
  for (const Stretch& s : plan_.stretches)
    if (s.needed && !forward_done) forward(s, pairs, f);
  for (const auto& [value, s] : plan_.stores) {
    const index size = s.h.n * s.w.n * kImageLanes;
    std::fill_n(memory_.data() + s.adjoint, 2 * size, R(0));
  }
  const auto seed = [&](const Instance& i) {
    const Patch p = patch(i, 0, 0);
    const Planes<R> to = planes(i, 0, 0, true);
    for (index r = 0; r < p.h; ++r) {
      std::copy_n(gd + r * p.w * kImageLanes, p.w * kImageLanes, to.d + r * p.stride * kImageLanes);
      std::copy_n(gt + r * p.w * kImageLanes, p.w * kImageLanes, to.t + r * p.stride * kImageLanes);
    }
  };
  if (plan_.stores.count(plan_.target) != 0) seed({plan_.target, 1, 1, Source::stored});
  for (auto s = plan_.stretches.rbegin(); s != plan_.stretches.rend(); ++s) {
    if (s->op < 0) {
      run(*s, 0, 0, pairs, f, &g);
      seed(s->instances.back());
      run_back(*s, 0, 0, pairs, f, g);
    } else if (!store(s->op + 1).mean) {
      backward_join(*s, pairs, f, g);
    } else {
      backward_mean(*s, pairs, f, g);
    }
  }
}

#define NTKROB_INSTANTIATE(R)                                                                           \
  template void Sweep<R>::forward(const Pairs<R>&, const ImageFunctions<R>&);                           \
  template Planes<const R> Sweep<R>::result(index&);                                                    \
  template void Sweep<R>::backward(const Pairs<R>&, const R*, const R*, bool, const ImageFunctions<R>&, \
                                   SampleGradient&);
NTKROB_INSTANTIATE(float)
NTKROB_INSTANTIATE(double)

}  // namespace ntkrob
