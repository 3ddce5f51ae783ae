/// The verbs of a kernel for networks on images: the same meaning as in kernel.hpp, on Backend::image_tile. Private to
/// kernel.
///
/// Values are never kept for the derivative: a verb that needs logits first runs the pairs twice.
#pragma once

#include "kernel/tiles.hpp"

namespace ntkrob::kernel {

/// Rows of x of a task, and all the memory of a call.
struct ImagePlan {
  index rows = 1;
  std::size_t table_bytes = 0;  // tables of all samples y; 0: made block by block, again for every strip of x
  std::size_t scratch_bytes_per_worker = 0;
  std::size_t scratch_bytes = 0;  // tables, every worker's own, and what the verb has reserved
};
/// outputs: kernels computed side by side   reserved: bytes that the verb itself keeps
///   throws: ResourceError with the bytes needed
ImagePlan plan_images(const Kernel& kernel, index n, index m, std::size_t bytes_per_number, bool gradient,
                      index outputs = 1, std::size_t reserved = 0);

/// Whether a table of n samples is worth its memory: half of the budget at most, where the rest is enough for any verb.
bool image_table_fits(const Kernel& kernel, index n, std::size_t bytes_per_number);

// table: of y (a prepared set), or null.
/// nngp: the other kernel of a kernel with output ntk, or empty.
template <class R, class O>
void image_matrix(const Kernel& kernel, ConstView2D<R> x, ConstView2D<R> y, Pairing pairing, View2D<O> out,
                  View2D<std::common_type_t<O>> nngp = {});
template <class R>
void image_apply(const Kernel& kernel, ConstView2D<R> x, ConstView2D<R> y, ConstView2D<R> v, View2D<R> out,
                 const ImageTable<R>* table);
/// With `add` to what dx holds.
template <class R>
void image_grad(const Kernel& kernel, ConstView2D<R> x, ConstView2D<R> y, ConstView2D<R> u, ConstView2D<R> v,
                View2D<R> dx, bool add, const ImageTable<R>* table);
template <class R>
void image_apply_grad(const Kernel& kernel, ConstView2D<R> x, ConstView2D<R> y, ConstView2D<R> v,
                      const Kernel::StripCotangent<R>& cotangent, View2D<R> out, View2D<R> dx,
                      const ImageTable<R>* table);
template <class R>
void image_pull_back(const Kernel& kernel, ConstView2D<R> x, ConstView2D<R> y, ConstView2D<R> v,
                     const Kernel::StripCotangent<R>& cotangent, View2D<R> out, View2D<R> h, View2D<R> dx);
template <class R>
void image_diag(const Kernel& kernel, ConstView2D<R> x, double* out);
template <class R>
void image_add_diag_grad(const Kernel& kernel, ConstView2D<R> x, const double* w, View2D<R> dx);

}  // namespace ntkrob::kernel
