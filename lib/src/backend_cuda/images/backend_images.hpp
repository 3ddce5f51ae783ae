/// What CudaBackend does with networks on images. Private to backend_cuda.
#pragma once

#include "backend_cuda/device.hpp"
#include "ntkrob/backend/backend.hpp"

namespace ntkrob::cuda {

/// As Backend::image_tile.
template <class R>
void image_tile(Device& device, const ImageTile<R>& tile);
/// As Backend::image_table, in tasks of the backend.
template <class R>
void image_table(Backend& backend, Device& device, const Program& program, ConstView2D<R> y, ImageTable<R>& table);

std::size_t image_table_bytes(const Program& program, index n, std::size_t bytes_per_number);
std::size_t image_bytes(const Program& program, std::size_t bytes_per_number, bool gradient);
std::size_t image_row_bytes(const Program& program, std::size_t bytes_per_number, bool gradient);

}  // namespace ntkrob::cuda
