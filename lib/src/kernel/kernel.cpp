/// A kernel on a backend: what is not a loop over pairs.
#include "ntkrob/kernel/kernel.hpp"

#include "kernel/images.hpp"
#include "kernel/tiles.hpp"
#include "ntkrob/kernel/program.hpp"

namespace ntkrob {

template <>
Kernel::Scratch<float>& Kernel::scratch<float>() const {
  return *scratch_float_;
}
template <>
Kernel::Scratch<double>& Kernel::scratch<double>() const {
  return *scratch_double_;
}

namespace {

/// What the planner found out about the state of a pair.
std::string state_text(const Kernel& kernel) {
  const Program* program = kernel.program();
  if (program == nullptr) return "state      flat: one covariance per pair of samples (no layer mixes positions)\n";
  index full = 0, diagonal = 0;
  for (const ValueShape& v : program->values) (v.full ? full : diagonal) += 1;
  return text("state      ", full > 0 ? "pairs of positions: " : "diagonal, the same position on both sides: ", full,
              " of ", full + diagonal, " values need all pairs of positions\n");
}

}  // namespace

Kernel::Kernel(KernelSpec spec, Backend& backend, KernelOptions options)
    : spec_(std::move(spec)),
      backend_(&backend),
      options_(options),
      scratch_float_(std::make_shared<Scratch<float>>()),
      scratch_double_(std::make_shared<Scratch<double>>()) {
  std::string reason;
  if (spec_.spatial()) {
    NTKROB_CHECK(options.shape.size() > 0, ConfigError, "kernel \"", spec_.source(),
                 "\" needs the shape of the images: set KernelOptions::shape");
    program_ = std::make_shared<const Program>(compile_program(spec_, options.shape));
    reason = backend.supports_images(*program_);
  } else {
    reason = backend.supports(spec_.layers());
  }
  const DeviceInfo device = backend.info();
  NTKROB_CHECK(reason.empty(), NotSupported, "kernel \"", spec_.source(), "\" on backend ", device.name, ": ", reason);
  NTKROB_CHECK(device.array_bytes == 0 || options.memory_budget <= device.array_bytes, ResourceError,
               "memory budget of ", given(options.memory_budget), " bytes: needed on the device of backend ",
               device.name, ", where ", limit(device.array_bytes), " are free; ",
               advice("lower ", field("memory"), " or stop what else runs there"));
}

Kernel Kernel::with_output(Output output) const {
  KernelOptions options = options_;
  options.output = output;
  return Kernel(spec_, *backend_, options);
}

std::size_t Kernel::memory_budget() const {
  return options_.memory_budget != 0 ? options_.memory_budget : backend_->info().default_array_budget();
}

template <class R>
void Kernel::prepare(ConstView2D<R> y, PreparedSet<R>& set) const {
  set.samples = y;
  if (program() != nullptr) {
    set.images.n = 0;
    if (kernel::image_table_fits(*this, y.rows, sizeof(R))) backend_->image_table(*program(), y, set.images);
    return;
  }
  const ConstView2D<R> near = kernel::bring(backend_->arrays(), set);
  backend_->sample_table(spec_.layers(), near, set.table);
  backend_->pack(Transpose::yes, near, set.transposed);
  backend_->pack(Transpose::no, near, set.plain);
}
template void Kernel::prepare(ConstView2D<float>, PreparedSet<float>&) const;
template void Kernel::prepare(ConstView2D<double>, PreparedSet<double>&) const;

void Kernel::prepare_bfloat16(ConstView2D<float> y, PreparedSet<float>& set) const {
  NTKROB_CHECK(program() == nullptr, NotSupported, "kernel \"", spec_.source(),
               "\": bfloat16 products are for fully connected networks; use float32");
  set.samples = y;
  const ConstView2D<float> near = kernel::bring(backend_->arrays(), set);
  backend_->sample_table(spec_.layers(), near, set.table);
  backend_->pack_bfloat16(Transpose::yes, near, set.transposed);
  backend_->pack_bfloat16(Transpose::no, near, set.plain);
}

std::string Kernel::explain(Verb verb, index n, index m, index d, index r) const {
  const DeviceInfo device = backend_->info();
  const std::size_t budget = kernel::Call<float>::budget(*this);
  std::string out = text("kernel     ", spec_.source(), " = ", spec_.to_string(), "\n", "output     ",
                         verb == Verb::matrices           ? "ntk and nngp"
                         : options_.output == Output::ntk ? "ntk"
                                                          : "nngp",
                         "\n", state_text(*this), "backend    ", device.name, ": ", device.description, "\n");
  for (const std::size_t bytes : {sizeof(float), sizeof(double)}) {
    if (program() != nullptr) {
      const kernel::ImagePlan plan = kernel::plan_images(*this, n, verb == Verb::matrices ? 2 * m : m, bytes,
                                                         verb == Verb::grad || verb == Verb::pull_back);
      out += text(bytes == 4 ? "mixed      " : "float64    ", n, " x ", m, " pairs, strips of ", plan.rows,
                  " samples, scratch ", plan.scratch_bytes, " bytes (", device.workers, " workers; ", plan.table_bytes,
                  " of them tables of the second set), budget ", budget, " bytes\n");
      continue;
    }
    const KernelPlan plan =
        plan_tiles(verb, n, m, d, r, bytes, device.workers, budget, false, device.tiles, !backend_->arrays().on_host());
    out += text(bytes == 4 ? "mixed      " : "float64    ", n, " x ", m, " pairs in ", plan.tiles, " tiles of ",
                plan.tile_rows, " x ", plan.tile_cols, ", ", plan.band, " samples laid out at once, scratch ",
                plan.scratch_bytes, " bytes (", device.workers, " workers), budget ", budget, " bytes\n");
  }
  return out;
}

}  // namespace ntkrob
