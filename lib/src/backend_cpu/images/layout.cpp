#include "backend_cpu/images/layout.hpp"

namespace ntkrob {

/// Whether what follows a value reads its variances for more than linear operations.
bool read_by_nonlinear(const Program& program, std::size_t value) {
  std::vector<bool> reaches(program.values.size(), false);
  reaches[value] = true;
  for (std::size_t k = value; k < program.ops.size(); ++k) {
    const Op& op = program.ops[k];
    const bool reads =
        reaches[static_cast<std::size_t>(op.in)] || (op.other >= 0 && reaches[static_cast<std::size_t>(op.other)]);
    const bool linear =
        op.type != Operation::normalise && (op.type != Operation::pointwise || op.layer.kind == layers::k_dense);
    if (reads && !linear) return true;
    reaches[k + 1] = reads;
  }
  return false;
}

template <class R>
void ImageRunner<R>::State::lay_out(bool allocate) {
  for (const ValueShape& v : program.values) pairs |= v.full;
  for (std::size_t k = 0; k < program.ops.size(); ++k)
    if (program.ops[k].type == Operation::pool && read_by_nonlinear(program, k + 1))
      pools.push_back(static_cast<int>(k));
  const int n = static_cast<int>(program.values.size());
  std::vector<int> last_use(static_cast<std::size_t>(n), 0);
  for (int k = 0; k + 1 < n; ++k) {
    const Op& op = program.ops[static_cast<std::size_t>(k)];
    last_use[static_cast<std::size_t>(op.in)] = k;
    if (op.other >= 0) last_use[static_cast<std::size_t>(op.other)] = k;
  }
  values.assign(static_cast<std::size_t>(n), ImageValue<R>{});
  std::vector<index> offset(static_cast<std::size_t>(n));
  // Without gradients memory is used again after a value's last reader; a pointwise operation writes over its input.
  struct Slot {
    index offset, size;
    int free_after;
  };
  std::vector<Slot> slots;
  index total = 0, scratch = 0;
  for (int v = 0; v < n; ++v) {
    ImageValue<R>& value = values[static_cast<std::size_t>(v)];
    const ValueShape& s = shape(v);
    value.height = s.height;
    value.width = s.width;
    value.full = s.full;
    value.line = pairs && !s.full;
    value.rows = value.line ? 1 : s.positions();
    value.cols = pairs ? s.positions() : kImageLanes;
    value.stride = pairs ? length(v) : kImageLanes;
    value.y_row = pairs ? 0 : kImageLanes;
    const index size = 2 * value.rows * value.stride;
    const int made_by = v - 1;
    const bool in_place =
        made_by >= 0 && (program.ops[static_cast<std::size_t>(made_by)].type == Operation::pointwise ||
                         program.ops[static_cast<std::size_t>(made_by)].type == Operation::normalise);
    Slot* found = nullptr;
    if (!gradient)
      for (Slot& slot : slots)
        if (slot.size >= size &&
            (slot.free_after < made_by ||
             (in_place && slot.free_after == made_by &&
              slot.offset == offset[static_cast<std::size_t>(program.ops[static_cast<std::size_t>(made_by)].in)]))) {
          found = &slot;
          break;
        }
    if (found == nullptr) {
      slots.push_back({total, size, 0});
      found = &slots.back();
      total += size * (gradient ? 2 : 1);
    }
    found->free_after = v + 1 == n ? n : last_use[static_cast<std::size_t>(v)];
    offset[static_cast<std::size_t>(v)] = found->offset;
  }
  steps.assign(program.ops.size(), ImageStep<R>{});
  divisors.assign(2 * program.ops.size(), {});
  for (std::size_t k = 0; k < steps.size(); ++k) {
    const Op& op = program.ops[k];
    ImageStep<R>& step = steps[k];
    const ImageValue<R>&in = values[static_cast<std::size_t>(op.in)], &out = values[k + 1];
    step.type = op.type;
    step.in = op.in;
    step.other = op.other;
    step.out = static_cast<int>(k) + 1;
    step.layer = op.layer;
    step.window = op.window;
    const Geometry h = geometry(in.height, out.height, op.window.kh, op.window.sh, op.window);
    const Geometry w = geometry(in.width, out.width, op.window.kw, op.window.sw, op.window);
    step.low_h = h.low;
    step.low_w = w.low;
    const index between = out.height * in.width;
    if (op.type == Operation::shift)
      scratch = std::max(scratch, pairs ? between * (between + 3) + 3 * in.height * in.width : between * kImageLanes);
    if (op.type == Operation::pool) {
      scratch = std::max(scratch, in.rows * in.stride + in.stride + padded(out.height * out.width) + between);
      for (int side = 0; side < 2; ++side) {
        const Geometry& g = side == 0 ? h : w;
        for (index o = 0; o < g.out; ++o) {
          index inside = 0;
          g.for_each_source(o, [&](index) { ++inside; });
          const index divisor = op.divisor == Divisor::none ? 1 : op.divisor == Divisor::window ? g.taps : inside;
          divisors[2 * k + static_cast<std::size_t>(side)].push_back(R(1) / static_cast<R>(divisor));
        }
      }
      step.inverse_h = divisors[2 * k].data();
      step.inverse_w = divisors[2 * k + 1].data();
    }
  }
  memory_size = total + scratch;
  if (!allocate) return;
  memory = Matrix<R>(1, memory_size);
  for (int v = 0; v < n; ++v) {
    ImageValue<R>& value = values[static_cast<std::size_t>(v)];
    const index size = value.rows * value.stride;
    value.d = memory.data() + offset[static_cast<std::size_t>(v)];
    value.t = value.d + size;
    value.gd = gradient ? value.t + size : nullptr;
    value.gt = gradient ? value.gd + size : nullptr;
  }
  for (ImageStep<R>& step : steps) step.scratch = memory.data() + total;
}

std::string image_reason(const Program& program) {
  for (std::size_t k = 0; k < program.ops.size(); ++k)
    if (program.ops[k].type == Operation::mean && program.values[static_cast<std::size_t>(program.ops[k].in)].full &&
        read_by_nonlinear(program, k + 1))
      return "nonlinear layers after global average pooling are not there; put them before it";
  return {};
}

std::size_t image_table_size(const Program& program, index n, std::size_t bytes_per_number) {
  const Layout layout(program);
  return static_cast<std::size_t>(n + kImageLanes) *
         static_cast<std::size_t>(layout.size + padded(program.values[0].positions()) * program.input.channels) *
         bytes_per_number;
}

std::size_t image_scratch(const Program& program, std::size_t bytes_per_number, bool gradient) {
  if (bytes_per_number == sizeof(float)) return ImageRunner<float>::bytes(program, gradient);
  return ImageRunner<double>::bytes(program, gradient);
}

template void ImageRunner<float>::State::lay_out(bool);
template void ImageRunner<double>::State::lay_out(bool);

}  // namespace ntkrob
