/// A kernel on a backend: what is not a loop over pairs.
#include "ntkrob/kernel/kernel.hpp"

#include "kernel/tiles.hpp"

namespace ntkrob {

template <>
Kernel::Scratch<float>& Kernel::scratch<float>() const {
  return *scratch_float_;
}
template <>
Kernel::Scratch<double>& Kernel::scratch<double>() const {
  return *scratch_double_;
}

Kernel::Kernel(KernelSpec spec, Backend& backend, KernelOptions options)
    : spec_(std::move(spec)),
      backend_(&backend),
      options_(options),
      scratch_float_(std::make_shared<Scratch<float>>()),
      scratch_double_(std::make_shared<Scratch<double>>()) {
  NTKROB_CHECK(!spec_.spatial(), NotSupported, "kernel \"", spec_.source(),
               "\": this version evaluates chains of pointwise layers (fc:L, dense-relu-dense) only; the network has "
               "positions or branches");
  const std::string reason = backend.supports(spec_.layers());
  NTKROB_CHECK(reason.empty(), NotSupported, "kernel \"", spec_.source(), "\" on backend ", backend.info().name, ": ",
               reason);
}

template <class R>
void Kernel::prepare(ConstView2D<R> y, PreparedSet<R>& set) const {
  set.samples = y;
  backend_->sample_table(spec_.layers(), y, set.table);
  backend_->pack(Transpose::yes, y, set.transposed);
  backend_->pack(Transpose::no, y, set.plain);
}
template void Kernel::prepare(ConstView2D<float>, PreparedSet<float>&) const;
template void Kernel::prepare(ConstView2D<double>, PreparedSet<double>&) const;

void Kernel::prepare_bfloat16(ConstView2D<float> y, PreparedSet<float>& set) const {
  set.samples = y;
  backend_->sample_table(spec_.layers(), y, set.table);
  backend_->pack_bfloat16(Transpose::yes, y, set.transposed);
  backend_->pack_bfloat16(Transpose::no, y, set.plain);
}

std::string Kernel::explain(Verb verb, index n, index m, index d, index r) const {
  const DeviceInfo device = backend_->info();
  const std::size_t budget = kernel::Call<float>::budget(*this);
  std::string out = text("kernel     ", spec_.source(), " = ", spec_.to_string(), "\n", "output     ",
                         options_.output == Output::ntk ? "ntk" : "nngp", "\n",
                         "state      flat: one covariance per pair of samples (no layer mixes positions)\n",
                         "backend    ", device.name, ": ", device.description, "\n");
  for (const std::size_t bytes : {sizeof(float), sizeof(double)}) {
    const KernelPlan plan = plan_tiles(verb, n, m, d, r, bytes, device.workers, budget);
    out += text(bytes == 4 ? "mixed      " : "float64    ", n, " x ", m, " pairs in ", plan.tiles, " tiles of ",
                plan.tile_rows, " x ", plan.tile_cols, ", ", plan.band, " samples laid out at once, scratch ",
                plan.scratch_bytes, " bytes (", device.workers, " workers), budget ", budget, " bytes\n");
  }
  return out;
}

}  // namespace ntkrob
