#include "ntkrob/model/model.hpp"

#include "ntkrob/model/iterates.hpp"

namespace ntkrob {

void Model::logits_and_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                            View2D<float> dx) const {
  logits(x, out);
  Matrix<float> c(out.rows, out.cols);
  cotangent(0, out, c);
  input_grad(x, c, dx);
}

std::unique_ptr<Iterates> Model::iterates(ConstView2D<float>) const { return nullptr; }

void Model::for_each(index n, const std::function<void(index)>& task) const {
  for (index i = 0; i < n; ++i) task(i);
}

}  // namespace ntkrob
