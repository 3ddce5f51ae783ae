#include "backend_cuda/images/tiles.hpp"

namespace ntkrob::cuda {

ImageShapes::ImageShapes(const Program& program, bool gradient, int lanes_log_)
    : layout(program),
      lanes_log(lanes_log_ < 0 ? PassShape::lanes_for(layout) : lanes_log_),
      pools(exact_pools(program)),
      all(std::make_unique<PassShape>(layout, static_cast<int>(program.ops.size()), gradient, lanes_log)) {
  for (const int k : pools) self.push_back(std::make_unique<PassShape>(layout, k + 1, gradient, 0));
}

}  // namespace ntkrob::cuda
