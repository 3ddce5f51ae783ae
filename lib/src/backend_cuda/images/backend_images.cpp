#include "backend_cuda/images/backend_images.hpp"

#include "backend_cuda/images/launch.hpp"
#include "backend_cuda/images/tiles.hpp"
#include "backend_cuda/tables.hpp"

namespace ntkrob::cuda {
namespace {

/// The queue of the calling thread, for ImageTiles.
struct WorkMachine {
  Work& work;

  template <class T>
  struct Buffer {
    DeviceMatrix<T> matrix;
    T* data() const { return matrix.data(); }
  };
  template <class T>
  Buffer<T> make(index n) {
    return {work.make<T>(1, n)};
  }
  template <class T>
  Buffer<T> upload(const T* from, index n) {
    return {work.upload<T>(View2D<const T>(from, 1, n))};
  }
  template <class T>
  void write(ConstView2D<T> from, DeviceView<T> to) {
    work.write<T>(from, to);
  }
  template <class T>
  void read(DeviceView<T> from, View2D<T> to) {
    work.read<T>(from, to);
  }
  template <class Program>
  void launch(const Program& program) {
    launch_images(program, work.stream());
  }
};

/// What stays of an ImageTable.
template <class R>
struct DeviceImages {
  Array<R> numbers;     // a row for every group
  Array<double> scale;  // 1 x samples
  Matrix<double> host_scale;
  int lanes_log = 0;
};

/// A view that the host may read.
template <class R>
ConstView2D<R> on_host(Device& device, Work& work, ConstView2D<R> from, Matrix<R>& copy) {
  if (from.empty() || !device.holds(from.data)) return from;
  copy = Matrix<R>(from.rows, from.cols);
  work.read<const R>(Work::on_device(from), copy.view());
  return copy.view();
}

}  // namespace

template <class R>
void image_tile(Device& device, const ImageTile<R>& given) {
  const index n = given.x.rows, m = given.y.rows;
  if (n == 0) return;
  Work work(device);
  WorkMachine machine{work};
  const ImageShapes shapes(*given.program, !given.cotangent.empty());
  Matrix<R> x, y, cotangent, dx;
  ImageTile<R> tile = given;
  tile.x = on_host(device, work, given.x, x);
  tile.cotangent = on_host(device, work, given.cotangent, cotangent);
  if (!given.dx.empty() && device.holds(given.dx.data)) {
    dx = Matrix<R>(n, given.dx.cols);
    tile.dx = dx.view();
  }
  LaidOutImages<R> table;
  if (given.table != nullptr) {
    const auto& there = resident<DeviceImages<R>>(given.table->resident, "table of images");
    NTKROB_CHECK(there.lanes_log == shapes.lanes_log && given.table_begin + m <= given.table->n &&
                     given.table_begin % kImageStep == 0,
                 ShapeError, "samples ", given.table_begin, " to ", given.table_begin + m, " of a table of ",
                 given.table->n, " images");
    table = {device.here(there.numbers.view().data), device.here(there.scale.view().data),
             there.host_scale.data() + given.table_begin, given.table_begin >> shapes.lanes_log};
  } else {
    tile.y = on_host(device, work, given.y, y);
  }
  ImageTiles<R, WorkMachine>(machine, shapes).run(tile, table);
  if (dx.size() > 0) work.write<R>(dx.view(), Work::on_device(given.dx));
}

template <class R>
void image_table(Backend& backend, Device& device, const Program& program, ConstView2D<R> y, ImageTable<R>& table) {
  const ImageShapes shapes(program, false);
  const index lanes = index(1) << shapes.lanes_log, groups = shapes.groups(y.rows);
  table.n = y.rows;
  table.numbers = Matrix<R>();
  table.scale.clear();
  table.resident.reset();  // before there is new memory
  auto made = std::make_shared<DeviceImages<R>>();
  made->numbers = Array<R>(backend.arrays(), groups, shapes.y_stride());
  made->scale = Array<double>(backend.arrays(), 1, groups * lanes);
  made->host_scale = Matrix<double>(1, groups * lanes);
  made->lanes_log = shapes.lanes_log;
  Matrix<R> numbers(groups, shapes.y_stride());
  backend.for_each((groups * lanes + kSamplesAtOnce - 1) / kSamplesAtOnce, [&](index task, int) {
    const index first = task * kSamplesAtOnce, n = std::min(kSamplesAtOnce, y.rows - first);
    Work work(device);
    WorkMachine machine{work};
    Matrix<R> copy;
    const ConstView2D<R> rows = on_host(device, work, y.middle_rows(first, n), copy);
    const ImageBlocks<R> blocks = ImageTiles<R, WorkMachine>(machine, shapes).blocks(rows);
    std::copy_n(blocks.numbers.data(), blocks.numbers.size(), numbers.row(first / lanes));
    std::copy_n(blocks.scale.data(), blocks.scale.size(), made->host_scale.data() + first);
  });
  backend.arrays().copy(ConstView2D<R>(numbers.view()), made->numbers.view());
  backend.arrays().copy(ConstView2D<double>(made->host_scale.view()), made->scale.view());
  device.share(made->numbers.view().data);
  device.share(made->scale.view().data);
  table.resident = std::move(made);
}

std::size_t image_table_bytes(const Program& program, index n, std::size_t bytes_per_number) {
  const ImageShapes shapes(program, false);
  const auto groups = static_cast<std::size_t>(shapes.groups(n));
  return groups *
         (static_cast<std::size_t>(shapes.y_stride()) * bytes_per_number + (sizeof(double) << shapes.lanes_log));
}

std::size_t image_bytes(const Program& program, std::size_t bytes_per_number, bool gradient) {
  const ImageShapes shapes(program, gradient);
  return bytes_per_number == sizeof(float) ? shapes.tile_bytes<float>() : shapes.tile_bytes<double>();
}

std::size_t image_row_bytes(const Program& program, std::size_t bytes_per_number, bool gradient) {
  const ImageShapes shapes(program, gradient);
  return bytes_per_number == sizeof(float) ? shapes.row_bytes<float>(gradient) : shapes.row_bytes<double>(gradient);
}

template void image_tile(Device&, const ImageTile<float>&);
template void image_tile(Device&, const ImageTile<double>&);
template void image_table(Backend&, Device&, const Program&, ConstView2D<float>, ImageTable<float>&);
template void image_table(Backend&, Device&, const Program&, ConstView2D<double>, ImageTable<double>&);

}  // namespace ntkrob::cuda
