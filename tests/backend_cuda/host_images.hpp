/// A backend whose networks on images run as they do on a CUDA device, block by block on the host.
#pragma once

#include <cstring>
#include <vector>

#include "backend_cuda/host_block.hpp"
#include "backend_cuda/images/tiles.hpp"

namespace ntkrob::kit {

/// Memory of the host, with anything in it, for cuda::ImageTiles.
struct HostMachine {
  template <class T>
  struct Buffer {
    std::vector<T> numbers;
    T* data() const { return const_cast<T*>(numbers.data()); }
  };
  Order order = Order::forward;

  template <class T>
  Buffer<T> make(index n) {
    Buffer<T> buffer{std::vector<T>(static_cast<std::size_t>(n))};
    if (n > 0) std::memset(static_cast<void*>(buffer.numbers.data()), 0xff, sizeof(T) * static_cast<std::size_t>(n));
    return buffer;
  }
  template <class T>
  Buffer<T> upload(const T* from, index n) {
    return {std::vector<T>(from, from + n)};
  }
  template <class T>
  void write(ConstView2D<T> from, cuda::DeviceView<T> to) {
    for (index i = 0; i < to.rows; ++i) std::copy_n(from.row(i), to.cols, to.row(i));
  }
  template <class T>
  void read(cuda::DeviceView<T> from, View2D<T> to) {
    for (index i = 0; i < to.rows; ++i) std::copy_n(from.row(i), to.cols, to.row(i));
  }
  template <class Program>
  void launch(const Program& program) {
    run_on_host(program, order);
  }
};

/// As Backend::image_tile.
template <class R>
void image_tile_on_host(const ImageTile<R>& tile, int lanes_log = -1, Order order = Order::forward,
                        bool with_table = true) {
  HostMachine machine{order};
  const cuda::ImageShapes shapes(*tile.program, !tile.cotangent.empty(), lanes_log);
  cuda::ImageTiles<R, HostMachine> tiles(machine, shapes);
  if (!with_table) return tiles.run(tile, {});
  const cuda::ImageBlocks<R> y = tiles.blocks(tile.y);
  tiles.run(tile, {y.numbers.data(), y.scale.data(), y.scale.data(), 0});
}

}  // namespace ntkrob::kit
