/// Runs a Program on tiles of samples. One object per worker and call; not for two threads at once.
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

  static std::size_t bytes(const Program& program, bool gradient);
  /// As Backend::image_tile.
  void run(const ImageTile<R>& tile, const ImageFunctions<R>& functions);

 private:
  struct State;  // layout.hpp
  std::unique_ptr<State> state_;
};

/// Empty, or what the program needs that is not there.
std::string image_reason(const Program& program);
/// Memory of an ImageRunner.
std::size_t image_scratch(const Program& program, std::size_t bytes_per_number, bool gradient);

}  // namespace ntkrob
