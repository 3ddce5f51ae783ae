/// Runs a Program on tiles of samples. One object per task; not for two threads at once.
#pragma once

#include <memory>
#include <string>

#include "backend_cpu/images/steps.hpp"
#include "ntkrob/backend/backend.hpp"

namespace ntkrob {

template <class R>
class ImageRunner {
 public:
  /// The program must outlive the runner.
  ImageRunner(const Program& program, bool gradient);
  ~ImageRunner();
  ImageRunner(const ImageRunner&) = delete;
  ImageRunner& operator=(const ImageRunner&) = delete;

  /// Numbers of a block of kImageLanes samples of a table.
  index block_numbers() const;
  /// Samples [j, j + kImageLanes) of y; the last one is repeated beyond the end.   numbers: block_numbers()
  /// scale: kImageLanes
  void fill_block(ConstView2D<R> y, index j, const ImageFunctions<R>& functions, R* numbers, double* scale);
  /// As Backend::image_tile.   stop: asked before each pass over the network, or null   throws: Interrupted
  void run(const ImageTile<R>& tile, const ImageFunctions<R>& functions, const Stop* stop);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Bytes of an ImageTable of n samples.
std::size_t image_table_size(const Program& program, index n, std::size_t bytes_per_number);
/// Memory of an ImageRunner, and what each row of a tile adds to it.
std::size_t image_scratch(const Program& program, std::size_t bytes_per_number, bool gradient);
std::size_t image_row_scratch(const Program& program, std::size_t bytes_per_number, bool gradient);

}  // namespace ntkrob
