#include "ntkrob/jobs/image_grid.hpp"

#include <algorithm>

#include "ntkrob/model/classes.hpp"

namespace ntkrob::jobs {

ImageGrid class_grid(ConstView2D<float> left, ConstView2D<float> right, const std::vector<int>& labels, index classes,
                     index n) {
  constexpr float kEmptyCell = 0.5F;
  const bool pairs = !right.empty();
  const index available = pairs ? std::min(left.rows, right.rows) : left.rows;
  NTKROB_CHECK(available > 0, ConfigError, "there are no images to draw");

  std::vector<std::vector<index>> chosen(static_cast<std::size_t>(classes));
  const std::vector<int> drawn(labels.begin(), labels.begin() + available);
  const auto present = static_cast<index>(classes_present(class_counts(drawn, classes)).size());
  const index wanted = std::max<index>(1, (n + present - 1) / present);
  for (index i = 0; i < available; ++i) {
    auto& row = chosen[static_cast<std::size_t>(labels[static_cast<std::size_t>(i)])];
    if (static_cast<index>(row.size()) < wanted) row.push_back(i);
  }
  // Classes without images get no row; the longest class sets the width.
  chosen.erase(std::remove_if(chosen.begin(), chosen.end(), [](const auto& row) { return row.empty(); }), chosen.end());
  std::size_t width = 0;
  for (const auto& row : chosen) width = std::max(width, row.size());

  ImageGrid grid;
  grid.per_row = static_cast<index>(width) * (pairs ? 2 : 1);
  grid.images = Matrix<float>(static_cast<index>(chosen.size()) * grid.per_row, left.cols);
  index cell = 0;
  const auto draw = [&](const float* source) {
    float* target = grid.images.row(cell++);
    if (source != nullptr)
      std::copy(source, source + left.cols, target);
    else
      std::fill(target, target + left.cols, kEmptyCell);
  };
  for (const auto& row : chosen)
    for (std::size_t k = 0; k < width; ++k) {
      const bool filled = k < row.size();
      draw(filled ? left.row(row[k]) : nullptr);
      if (pairs) draw(filled ? right.row(row[k]) : nullptr);
    }
  return grid;
}

int default_scale(const ImageShape& shape) {
  constexpr index kTarget = 84;
  return static_cast<int>(std::max<index>(1, kTarget / std::max(shape.height, shape.width)));
}

}  // namespace ntkrob::jobs
