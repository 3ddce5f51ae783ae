/// Image grids for people to look at.
#include <algorithm>
#include <cmath>

#include "formats.hpp"
#include "png_file.hpp"

namespace ntkrob {
namespace {

constexpr std::uint8_t kSeparator = 96;  // mid grey: visible beside ink and background

std::uint8_t to_byte(float value) {
  return static_cast<std::uint8_t>(std::lround(255.0f * std::min(1.0f, std::max(0.0f, value))));
}

}  // namespace

void write_png_grid(const std::string& path, ConstView2D<float> images, ImageShape shape, index per_row, int scale,
                    bool force) {
  constexpr index kMaxSide = 32768;
  NTKROB_CHECK(images.rows > 0, ConfigError, path, ": no images to show");
  NTKROB_CHECK_SHAPE(images, images.rows, shape.size());
  NTKROB_CHECK(shape.channels == 1 || shape.channels == 3, NotSupported, path, ": images of ", shape.height, " x ",
               shape.width, " x ", shape.channels, " cannot be shown; 1 or 3 channels are needed");
  NTKROB_CHECK_RANGE("images per row", per_row, 1, kMaxSide);
  NTKROB_CHECK_RANGE("scale", scale, 1, 64);
  for (index i = 0; i < images.rows; ++i)
    for (index j = 0; j < images.cols; ++j)
      NTKROB_CHECK(std::isfinite(images(i, j)), NonFinite, path, ": image ", i, ", pixel ", j, " is ", images(i, j));
  const index columns = std::min(per_row, images.rows), lines = (images.rows + columns - 1) / columns;
  const index cell_height = shape.height * scale + 1, cell_width = shape.width * scale + 1;
  NTKROB_CHECK(lines <= kMaxSide / cell_height && columns <= kMaxSide / cell_width, ConfigError, path, ": a grid of ",
               columns, " x ", lines, " images of ", cell_width, " x ", cell_height, " is larger than ", kMaxSide,
               " pixels; show fewer images or use a smaller scale");

  io::Picture picture;
  picture.shape = {lines * cell_height + 1, columns * cell_width + 1, shape.channels};
  picture.pixels.assign(static_cast<std::size_t>(picture.shape.size()), kSeparator);
  for (index k = 0; k < images.rows; ++k) {
    const index top = (k / columns) * cell_height + 1, left = (k % columns) * cell_width + 1;
    for (index y = 0; y < shape.height * scale; ++y)
      for (index x = 0; x < shape.width * scale; ++x)
        for (index c = 0; c < shape.channels; ++c)
          picture.pixels[static_cast<std::size_t>(((top + y) * picture.shape.width + left + x) * shape.channels + c)] =
              to_byte(images(k, ((y / scale) * shape.width + x / scale) * shape.channels + c));
  }
  io::write_png_file(path, picture, force);
}

std::string png_bytes(const float* image, ImageShape shape) {
  NTKROB_CHECK(shape.channels == 1 || shape.channels == 3, NotSupported, "images of ", shape.height, " x ", shape.width,
               " x ", shape.channels, " cannot be shown; 1 or 3 channels are needed");
  io::Picture picture;
  picture.shape = shape;
  for (index j = 0; j < shape.size(); ++j) picture.pixels.push_back(to_byte(image[j]));
  return io::encode_png("image", picture);
}

void io::check_png(const Dataset& data, const std::string& path) {
  NTKROB_CHECK(data.shape.channels == 1 || data.shape.channels == 3, NotSupported, path, ": images of ",
               data.shape.height, " x ", data.shape.width, " x ", data.shape.channels,
               " cannot be shown; 1 or 3 channels are needed");
}

void io::write_png(const Dataset& data, const std::string& path, const SaveOptions& options) {
  const Matrix<float> images = data.images(data.train.empty() ? "test" : "train");
  const index n = std::min(images.rows(), kMostShown);
  const index per_row = static_cast<index>(std::ceil(std::sqrt(static_cast<double>(n))));
  write_png_grid(path, images.view().middle_rows(0, n), data.shape, per_row, 2, options.force);
}

}  // namespace ntkrob
