#include "png_file.hpp"

#include <png.h>

#include <csetjmp>
#include <cstring>

#include "atomic_file.hpp"
#include "input_file.hpp"
#include "raw_array.hpp"
#include "shortage.hpp"
#include "taken.hpp"

namespace ntkrob::io {
namespace {

constexpr std::size_t kMaxMessage = 128;
constexpr png_uint_32 kMaxSide = 1u << 20;

/// What the libpng callbacks see. Trivially destructible, as longjmp passes over it.
struct Source {
  const unsigned char* data;
  std::size_t size, offset;
  char message[kMaxMessage];
};

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  Source* source = static_cast<Source*>(png_get_error_ptr(png));
  std::strncpy(source->message, message, kMaxMessage - 1);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep target, png_size_t n_bytes) {
  Source* source = static_cast<Source*>(png_get_io_ptr(png));
  if (n_bytes > source->size - source->offset) png_error(png, "the file is cut off");
  std::memcpy(target, source->data + source->offset, n_bytes);
  source->offset += n_bytes;
}

struct Reader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
};

struct Header {
  png_uint_32 width = 0, height = 0;
  int depth = 0, colour = 0, channels = 0;
  std::size_t bits = 0;  // of a pixel in the file
};

// The two functions below contain the setjmp calls and nothing that has a destructor: a longjmp over one is undefined.

bool read_header(png_structp png, png_infop info, Header* header) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_read_info(png, info);
  header->width = png_get_image_width(png, info);
  header->height = png_get_image_height(png, info);
  header->depth = png_get_bit_depth(png, info);
  header->colour = png_get_color_type(png, info);
  header->bits = static_cast<std::size_t>(header->depth) * png_get_channels(png, info);
  if (header->colour == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (header->colour == PNG_COLOR_TYPE_GRAY && header->depth < 8) png_set_expand_gray_1_2_4_to_8(png);
  if (png_get_valid(png, info, PNG_INFO_tRNS) != 0) png_set_tRNS_to_alpha(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  header->channels = png_get_channels(png, info);
  return true;
}

bool read_rows(png_structp png, png_bytepp rows) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_read_image(png, rows);
  png_read_end(png, nullptr);
  return true;
}

/// Opaque alpha says nothing and is dropped.
void drop_alpha(const std::string& path, Picture& picture) {
  const auto channels = static_cast<std::size_t>(picture.shape.channels), kept = channels - 1;
  std::vector<std::uint8_t> pixels;
  pixels.reserve(picture.pixels.size() / channels * kept);
  for (std::size_t i = 0; i < picture.pixels.size(); i += channels) {
    NTKROB_CHECK(picture.pixels[i + kept] == 255, IoError, path, ": is transparent in places (alpha ",
                 int{picture.pixels[i + kept]}, " at pixel ", i / channels,
                 "); flatten it onto a background first: mogrify -background black -flatten ", path);
    pixels.insert(pixels.end(), picture.pixels.begin() + static_cast<std::ptrdiff_t>(i),
                  picture.pixels.begin() + static_cast<std::ptrdiff_t>(i + kept));
  }
  picture.pixels = std::move(pixels);
  picture.shape.channels = static_cast<index>(kept);
}

}  // namespace

Picture read_png_file(const std::string& path, ReadBudget& budget) {
  const InputFile file(path);
  NTKROB_CHECK(file.size() <= (std::size_t{1} << 28), IoError, path, ": ", file.size(),
               " bytes; images of a data set are smaller than 256 MB");
  const Taken content_bytes(budget, file.size(), path);
  const std::string content = file.head(file.size());
  Source source{reinterpret_cast<const unsigned char*>(content.data()), content.size(), 0, {}};
  NTKROB_CHECK(content.size() >= 8 && png_sig_cmp(source.data, 0, 8) == 0, IoError, path,
               ": does not start with the PNG signature; it is another format or damaged");
  const auto fail = [&]() {
    if (is_short_of_memory()) fail_memory(path, text("PNG data cannot be read (", source.message, ")"));
    throw IoError(text(path, ": PNG data damaged (", source.message, ")"));
  };

  Reader reader;
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, on_error, on_warning);
  NTKROB_CHECK(reader.png != nullptr, ResourceError, "out of memory reading ", path);
  reader.info = png_create_info_struct(reader.png);
  NTKROB_CHECK(reader.info != nullptr, ResourceError, "out of memory reading ", path);
  png_set_read_fn(reader.png, &source, on_read);
  // Texts and profiles, which are not wanted, may be packed too.
  png_set_user_limits(reader.png, kMaxSide, kMaxSide);
  png_set_chunk_cache_max(reader.png, 64);
  png_set_chunk_malloc_max(reader.png, png_alloc_size_t{1} << 20);
  Header header;
  if (!read_header(reader.png, reader.info, &header)) fail();
  NTKROB_CHECK(header.depth <= 8, IoError, path, ": ", header.depth,
               " bits per sample; convert it to 8: mogrify -depth 8 ", path);
  NTKROB_CHECK(header.channels >= 1 && header.channels <= 4, IoError, path, ": ", header.channels,
               " channels; grey and RGB are supported, with or without opaque alpha");
  const std::size_t row_bytes = checked_mul(header.width, static_cast<std::size_t>(header.channels), "PNG row");
  const std::size_t n_bytes = checked_mul(row_bytes, header.height, "PNG image");
  // What deflate has to give: one byte of a picture of two colours makes 8 grey pixels, or 24 numbers with a palette.
  const std::size_t stored = checked_mul(header.width, header.height, "PNG image") / 8 * header.bits;
  NTKROB_CHECK(stored / kMaxInflation <= content.size(), IoError, path, ": claims ", header.width, " x ", header.height,
               " pixels of ", header.bits, " bits in ", content.size(), " bytes, at most ",
               content.size() * kMaxInflation, " bytes can be in it; the file is damaged");
  budget.take(n_bytes, path);
  const Taken rows_bytes(budget, header.height * sizeof(png_bytep), path);
  Picture picture;
  picture.shape = {static_cast<index>(header.height), static_cast<index>(header.width), header.channels};
  picture.pixels.resize(n_bytes);
  std::vector<png_bytep> rows(header.height);
  for (std::size_t y = 0; y < rows.size(); ++y) rows[y] = picture.pixels.data() + y * row_bytes;
  if (!read_rows(reader.png, rows.data())) fail();
  if (header.channels % 2 == 0) {
    const std::size_t kept = n_bytes / static_cast<std::size_t>(header.channels) * (picture.shape.channels - 1);
    budget.take(kept, path);
    drop_alpha(path, picture);
    budget.give_back(n_bytes);
  }
  return picture;
}

std::string encode_png(const std::string& what, const Picture& picture) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.shape.width);
  image.height = static_cast<png_uint_32>(picture.shape.height);
  image.format = picture.shape.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  std::string buffer(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
  png_alloc_size_t n_bytes = buffer.size();
  const int good = png_image_write_to_memory(&image, buffer.data(), &n_bytes, 0, picture.pixels.data(), 0, nullptr);
  const std::string message = image.message;
  png_image_free(&image);
  NTKROB_CHECK(good != 0, ResourceError, what, ": cannot encode a PNG of ", image.width, " x ", image.height, ": ",
               message);
  buffer.resize(n_bytes);
  return buffer;
}

bool has_png() { return true; }

void write_png_file(const std::string& path, const Picture& picture, bool force) {
  const std::string bytes = encode_png(path, picture);
  write_whole(path, bytes.data(), bytes.size(), force);
}

}  // namespace ntkrob::io
