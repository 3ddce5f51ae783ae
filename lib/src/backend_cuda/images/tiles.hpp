/// Tiles of a network on images: samples made ready on the host, pairs on a device (pass.hpp), derivatives back to
/// pixels on the host again.
#pragma once

#include <memory>

#include "backend_cuda/images/pass.hpp"
#include "ntkrob/backend/backend.hpp"

namespace ntkrob::cuda {

/// Memory of the groups of a chunk for each row of x, where one group leaves a choice; and the most groups.
constexpr std::size_t kChunkRowBytes = std::size_t(8) << 20;
constexpr index kMostGroups = 256;
/// Samples made ready together.
constexpr index kSamplesAtOnce = 32;

/// A program, with the shapes of its passes. For both ways where gradient is set.
struct ImageShapes {
  /// lanes_log: negative for the best
  ImageShapes(const Program& program, bool gradient, int lanes_log = -1);
  Layout layout;
  int lanes_log;
  std::vector<int> pools;  // whose variances come from a pass of a sample with itself
  std::unique_ptr<PassShape> all;
  std::vector<std::unique_ptr<PassShape>> self;  // up to each of pools, one lane

  index x_stride() const { return layout.size + layout.program.input.size(); }
  index y_stride() const { return block_numbers(layout, index(1) << lanes_log); }
  index groups(index samples) const { return (samples + (index(1) << lanes_log) - 1) >> lanes_log; }
  /// Groups of y taken together: the same for every tile, so that its cut does not change the order of sums.
  template <class R>
  index chunk() const {
    const std::size_t fit = kChunkRowBytes / all->group_bytes<R>();
    return std::clamp<index>(static_cast<index>(fit), 1, kMostGroups);
  }
  /// Bytes on the device of a tile without a table of y, and for each row of x.
  template <class R>
  std::size_t tile_bytes() const {
    return static_cast<std::size_t>(chunk<R>() * y_stride()) * sizeof(R) +
           (all->ints.numbers.size() + all->weights.numbers.size() * 2) * sizeof(int);
  }
  template <class R>
  std::size_t row_bytes(bool gradient) const {
    std::size_t bytes = static_cast<std::size_t>(chunk<R>()) * all->group_bytes<R>();
    if (gradient) bytes += all->row_bytes<R>();
    for (const auto& shape : self)
      bytes = std::max(bytes, shape->template group_bytes<R>() + (gradient ? shape->template row_bytes<R>() : 0));
    return bytes + static_cast<std::size_t>(x_stride() + block_numbers(layout, 1)) * sizeof(R);
  }
};

/// Samples y for a device: blocks of lanes, and the scale of each sample.
template <class R>
struct ImageBlocks {
  Matrix<R> numbers;
  Matrix<double> scale;  // 1 x samples, in whole groups
};

/// Where tables of y lie: groups from first_group on are the rows of a tile's y. Empty: they are made on the way.
template <class R>
struct LaidOutImages {
  const R* numbers = nullptr;          // on the device
  const double* scale = nullptr;       // on the device: of the first sample of group 0
  const double* host_scale = nullptr;  // of the first row of the tile's y
  index first_group = 0;
};

template <class R, class Machine>
class ImageTiles {
 public:
  ImageTiles(Machine& machine, const ImageShapes& shapes) : machine_(machine), shapes_(shapes) {}

  /// The numbers of samples, as fill_sample has them, with exact variances behind pools.
  std::vector<Sample<R>> samples(ConstView2D<R> rows) {
    std::vector<Sample<R>> all(static_cast<std::size_t>(rows.rows));
    for (index i = 0; i < rows.rows; ++i) fill_sample(layout(), rows.row(i), all[static_cast<std::size_t>(i)]);
    for (std::size_t pool = 0; pool < shapes_.pools.size(); ++pool) {
      const int v = shapes_.pools[pool] + 1;
      const index positions = layout().shape(v).positions();
      Matrix<R> d(rows.rows, positions);
      with_themselves(pool, all, [&](const ImageGroups<R>& groups, const PassShape& shape, auto& pass, index first) {
        pass.forward(groups, false);
        machine_.template read<R>({groups.memory + shape.target_place, groups.rows, positions, shape.group_numbers},
                                  d.view().middle_rows(first, groups.rows));
      });
      for (index i = 0; i < rows.rows; ++i) {
        Sample<R>& s = all[static_cast<std::size_t>(i)];
        const double square = s.scale[static_cast<std::size_t>(v)] * s.scale[static_cast<std::size_t>(v)];
        for (index p = 0; p < positions; ++p) {
          // K = a - D / 2, with the a that D was found with.
          double& a = s.wide[static_cast<std::size_t>(layout().variance[static_cast<std::size_t>(v)] + p)];
          a = std::max(0.0, a - square * static_cast<double>(d(i, p)) / 2);
        }
        refill_after(layout(), v, s);
      }
    }
    return all;
  }

  /// Samples y laid out in groups; the last one is repeated beyond the end.
  ImageBlocks<R> blocks(ConstView2D<R> y) {
    const index lanes = index(1) << shapes_.lanes_log, groups = shapes_.groups(y.rows);
    ImageBlocks<R> result{Matrix<R>(groups, shapes_.y_stride()), Matrix<double>(1, groups * lanes)};
    for (index first = 0; first < y.rows; first += kSamplesAtOnce) {
      const std::vector<Sample<R>> some = samples(y.middle_rows(first, std::min(kSamplesAtOnce, y.rows - first)));
      const index last = first + static_cast<index>(some.size()) - 1,
                  end = last + 1 == y.rows ? groups * lanes : last + 1;
      for (index j = first; j < end; ++j) {
        const Sample<R>& s = some[static_cast<std::size_t>(std::min(j, last) - first)];
        put_lanes(layout(), s, j % lanes, j % lanes + 1, lanes, result.numbers.row(j / lanes));
        result.scale(0, j) = s.scale.back();
      }
    }
    return result;
  }

  /// Views of host memory; value and nngp may be views of what the machine reads and writes.
  void run(const ImageTile<R>& tile, const LaidOutImages<R>& table) {
    const index n = tile.x.rows, m = tile.y.rows;
    const bool gradient = !tile.cotangent.empty();
    const PassShape& shape = *shapes_.all;
    const std::vector<Sample<R>> xs = samples(tile.x);
    const Matrix<R> x_host = tables(xs, 0, n);
    Matrix<double> scale_host(1, n);
    for (index i = 0; i < n; ++i) scale_host(0, i) = xs[static_cast<std::size_t>(i)].scale.back();
    const auto x = machine_.template upload<R>(x_host.data(), x_host.size());
    const auto x_scale = machine_.template upload<double>(scale_host.data(), n);
    const auto value = device_copy(tile.value), nngp = device_copy(tile.nngp);
    const auto cotangent = machine_.template make<R>(gradient ? n * m : 0);
    if (gradient) machine_.template write<R>(tile.cotangent, {cotangent.data(), n, m, m});

    const index lanes = index(1) << shapes_.lanes_log, groups = shapes_.groups(m), chunk = shapes_.chunk<R>();
    const auto memory = machine_.template make<R>(n * std::min(chunk, groups) * shape.group_numbers);
    ImagePass<R, Machine> pass(machine_, shape);
    typename Machine::template Buffer<double> sums;
    if (gradient) sums = pass.make_sums(n);
    std::vector<double> scales(table.host_scale, table.host_scale + (table.numbers == nullptr ? 0 : m));
    for (index first = 0; first < groups; first += chunk) {
      ImageGroups<R> part;
      part.rows = n;
      part.row_groups = std::min(chunk, groups - first);
      part.x = x.data();
      part.x_stride = shapes_.x_stride();
      part.y_stride = shapes_.y_stride();
      part.memory = memory.data();
      const index j = first * lanes, columns = std::min(m - j, part.row_groups * lanes);
      typename Machine::template Buffer<R> own;
      typename Machine::template Buffer<double> own_scale;
      const double* y_scale = table.scale;
      if (table.numbers != nullptr) {
        part.y = table.numbers;
        part.first_group = table.first_group + first;
      } else {
        const ImageBlocks<R> made = blocks(tile.y.middle_rows(j, columns));
        own = machine_.template upload<R>(made.numbers.data(), made.numbers.size());
        own_scale = machine_.template upload<double>(made.scale.data(), made.scale.size());
        scales.insert(scales.end(), made.scale.data(), made.scale.data() + columns);
        part.y = own.data();
        y_scale = own_scale.data();
      }
      pass.forward(part, tile.value.empty());
      ImageResults<R> results = pairs_of(tile, part, x_scale.data(), y_scale);
      results.columns = columns;
      if (!tile.value.empty()) {
        results.place = shape.target_place;
        results.value = {value.data() + j, n, columns, m};
        if (!tile.nngp.empty()) results.nngp = {nngp.data() + j, n, columns, m};
        machine_.launch(results);
      }
      if (!gradient) continue;
      pass.clear_adjoints(part);
      results.place = shape.target_adjoint;
      results.value = results.nngp = {};
      results.cotangent = DeviceView<const R>(cotangent.data() + j, n, columns, m);
      machine_.launch(results);
      pass.backward(part, first, sums.data());
    }
    if (!tile.value.empty()) machine_.template read<R>({value.data(), n, m, m}, tile.value);
    if (!tile.nngp.empty()) machine_.template read<R>({nngp.data(), n, m, m}, tile.nngp);
    if (gradient) to_pixels(tile, xs, pass.fold(sums.data(), n), scales);
  }

 private:
  const Layout& layout() const { return shapes_.layout; }
  auto device_copy(const View2D<R>& view) {
    return machine_.template make<R>(view.empty() ? 0 : view.rows * view.cols);
  }

  /// Rows of x for a device: the table of a sample, then its pixels.
  Matrix<R> tables(const std::vector<Sample<R>>& all, index first, index n) const {
    Matrix<R> rows(n, shapes_.x_stride());
    for (index i = 0; i < n; ++i) {
      const Sample<R>& s = all[static_cast<std::size_t>(first + i)];
      std::copy(s.table.begin(), s.table.end(), rows.row(i));
      std::copy(s.pixels.begin(), s.pixels.end(), rows.row(i) + layout().size);
    }
    return rows;
  }

  ImageResults<R> pairs_of(const ImageTile<R>& tile, const ImageGroups<R>& part, const double* x_scale,
                           const double* y_scale) const {
    ImageResults<R> results;
    results.rows = part.rows;
    results.row_groups = part.row_groups;
    results.group_numbers = shapes_.all->group_numbers;
    results.first_group = part.first_group;
    results.lanes_log = shapes_.lanes_log;
    results.ntk = tile.output == Output::ntk;
    results.memory = part.memory;
    results.plane = shapes_.all->target_plane;
    results.x = part.x;
    results.y = part.y;
    results.x_stride = part.x_stride;
    results.y_stride = part.y_stride;
    results.root = static_cast<int>(layout().root.back());
    results.x_scale = x_scale;
    results.y_scale = y_scale;
    return results;
  }

  /// use(groups, shape, pass, first sample) for pairs of samples with themselves, up to a pool, as many as fit.
  template <class F>
  void with_themselves(std::size_t pool, const std::vector<Sample<R>>& all, F&& use) {
    const PassShape& shape = *shapes_.self[pool];
    const index n = static_cast<index>(all.size()), own = block_numbers(layout(), 1);
    ImagePass<R, Machine> pass(machine_, shape);
    for (index first = 0; first < n; first += kSamplesAtOnce) {
      ImageGroups<R> groups;
      groups.rows = std::min(kSamplesAtOnce, n - first);
      groups.row_groups = 1;
      groups.same = true;
      const Matrix<R> x_host = tables(all, first, groups.rows);
      Matrix<R> y_host(groups.rows, own);
      for (index i = 0; i < groups.rows; ++i)
        put_lanes(layout(), all[static_cast<std::size_t>(first + i)], 0, 1, 1, y_host.row(i));
      const auto x = machine_.template upload<R>(x_host.data(), x_host.size());
      const auto y = machine_.template upload<R>(y_host.data(), y_host.size());
      const auto memory = machine_.template make<R>(groups.rows * shape.group_numbers);
      groups.x = x.data();
      groups.y = y.data();
      groups.x_stride = shapes_.x_stride();
      groups.y_stride = own;
      groups.memory = memory.data();
      use(groups, shape, pass, first);
    }
  }

  /// Of row i of folded sums.
  SampleGradient gradient_of(const Matrix<double>& sums, index i) const {
    SampleGradient g;
    g.by_log.assign(static_cast<std::size_t>(layout().doubles), 0.0);
    g.by_variance.assign(sums.row(i), sums.row(i) + layout().doubles);
    g.pixels.assign(sums.row(i) + layout().doubles, sums.row(i) + sums.cols());
    return g;
  }

  void to_pixels(const ImageTile<R>& tile, const std::vector<Sample<R>>& xs, const Matrix<double>& sums,
                 const std::vector<double>& y_scale) {
    const auto n = static_cast<std::size_t>(tile.x.rows);
    std::vector<SampleGradient> gradients;
    std::vector<std::vector<double>> by_variance(n);
    int end = static_cast<int>(layout().program.ops.size());
    for (std::size_t i = 0; i < n; ++i) {
      const index row = static_cast<index>(i);
      gradients.push_back(gradient_of(sums, row));
      const Sample<R>& s = xs[i];
      if (tile.output == Output::nngp) {
        const double a = static_cast<double>(s.table[static_cast<std::size_t>(layout().root.back())]);
        double& last = gradients[i].by_log[static_cast<std::size_t>(layout().variance.back())];
        for (index j = 0; j < tile.y.rows; ++j)
          last += a * a * s.scale.back() * y_scale[static_cast<std::size_t>(j)] *
                  static_cast<double>(tile.cotangent(row, j)) / 2;
      }
      by_variance[i].assign(static_cast<std::size_t>(layout().doubles), 0.0);
      add_adjoints(layout(), end, s, gradients[i], 1, by_variance[i]);
    }
    for (std::size_t pool = shapes_.pools.size(); pool-- > 0;) {
      const int k = shapes_.pools[pool];
      for (std::size_t i = 0; i < n; ++i) back_through(layout(), k + 1, end, xs[i], by_variance[i]);
      back_through_pool(pool, xs, gradients, by_variance);
      end = k;
    }
    for (std::size_t i = 0; i < n; ++i) {
      const index row = static_cast<index>(i);
      back_through(layout(), 0, end, xs[i], by_variance[i]);
      back_to_pixels(layout(), tile.x.row(row), xs[i], gradients[i], by_variance[i], tile.dx.row(row));
    }
  }

  /// From the adjoints of exact variances behind a pool. Both arguments of the pair (x, x) are x, which doubles the
  /// derivative by the first one.
  void back_through_pool(std::size_t pool, const std::vector<Sample<R>>& xs, std::vector<SampleGradient>& gradients,
                         std::vector<std::vector<double>>& by_variance) {
    const int k = shapes_.pools[pool];
    const auto v = static_cast<std::size_t>(k) + 1;
    const index positions = layout().shape(k + 1).positions();
    with_themselves(pool, xs, [&](const ImageGroups<R>& groups, const PassShape& shape, auto& pass, index first) {
      Matrix<R> seeds(groups.rows, positions);
      for (index i = 0; i < groups.rows; ++i) {
        const auto sample = static_cast<std::size_t>(first + i);
        const double square = xs[sample].scale[v] * xs[sample].scale[v];
        const double* go = by_variance[sample].data() + layout().variance[v];
        for (index p = 0; p < positions; ++p) seeds(i, p) = static_cast<R>(-go[p] * square / 2);
      }
      pass.forward(groups, true);
      pass.clear_adjoints(groups);
      machine_.template write<R>(seeds.view(),
                                 {groups.memory + shape.target_adjoint, groups.rows, positions, shape.group_numbers});
      const auto sums = pass.make_sums(groups.rows);
      pass.backward(groups, 0, sums.data());
      const Matrix<double> folded = pass.fold(sums.data(), groups.rows);
      for (index i = 0; i < groups.rows; ++i) {
        const auto sample = static_cast<std::size_t>(first + i);
        const SampleGradient own = gradient_of(folded, i);
        add_adjoints(layout(), k, xs[sample], own, 2, by_variance[sample]);
        for (std::size_t p = 0; p < own.pixels.size(); ++p) gradients[sample].pixels[p] += 2 * own.pixels[p];
      }
    });
  }

  Machine& machine_;
  const ImageShapes& shapes_;
};

}  // namespace ntkrob::cuda
