/// Chunks of files that carry no checksum of ntkrob, unpacked here before the library does: it (1.10) believes that a
/// chunk has the bytes of its shape, and reads behind the end of one that was cut short by damage.
#include <algorithm>

#include "hdf5_screen.hpp"
#include "packing.hpp"

namespace ntkrob::io {
namespace {

struct Filter {
  H5Z_filter_t id;
  unsigned element_bytes;  // of shuffle
};

/// The filters in the order in which they packed; nothing where one is rare: such arrays were read in a child process.
std::vector<Filter> known_filters(hid_t properties, bool& rare) {
  std::vector<Filter> filters;
  const int n_filters = H5Pget_nfilters(properties);
  for (int i = 0; i < n_filters; ++i) {
    unsigned flags = 0, values[4] = {0, 0, 0, 0};
    std::size_t n_values = 4;
    const H5Z_filter_t id =
        H5Pget_filter2(properties, static_cast<unsigned>(i), &flags, &n_values, values, 0, nullptr, nullptr);
    rare = rare || (id != H5Z_FILTER_DEFLATE && id != H5Z_FILTER_SHUFFLE && id != H5Z_FILTER_FLETCHER32);
    filters.push_back({id, values[0]});
  }
  return filters;
}

std::string unshuffled(const std::string& bytes, std::size_t each) {
  if (each < 2) return bytes;
  const std::size_t n = bytes.size() / each;
  std::string result = bytes;  // what is no whole element stays
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < each; ++k) result[i * each + k] = bytes[k * n + i];
  return result;
}

/// Bytes that a stored chunk unpacks to, or more than `most`.
std::size_t unpacked_bytes(std::string bytes, const std::vector<Filter>& filters, unsigned left_out, std::size_t most,
                           const std::string& where) {
  constexpr std::size_t kHead = 2, kSum = 4;  // of zlib, of fletcher32
  unsigned shuffled = 0;
  for (std::size_t i = filters.size(); i-- > 0;) {
    if ((left_out >> i & 1) != 0) continue;
    if (filters[i].id == H5Z_FILTER_SHUFFLE) {
      shuffled = filters[i].element_bytes;
    } else if (filters[i].id == H5Z_FILTER_FLETCHER32) {
      bytes.resize(bytes.size() - std::min(kSum, bytes.size()));
    } else {
      if (shuffled > 0) bytes = unshuffled(bytes, shuffled);
      shuffled = 0;
      bytes = inflated_head(bytes.substr(std::min(kHead, bytes.size())), most + kSum * filters.size() + 1, where);
    }
  }
  return bytes.size();
}

}  // namespace

std::size_t chunk_rows(hid_t dataset) {
  Handle properties(H5Dget_create_plist(dataset), H5Pclose);
  std::vector<hsize_t> chunk(H5S_MAX_RANK, 1);
  if (H5Pget_layout(properties) != H5D_CHUNKED || H5Pget_chunk(properties, H5S_MAX_RANK, chunk.data()) < 0) return 1;
  return chunk[0];
}

void check_chunks(hid_t dataset, std::size_t first, std::size_t n, const std::string& where) {
  Handle properties(H5Dget_create_plist(dataset), H5Pclose);
  if (current_file().summed() || n == 0 || H5Pget_layout(properties) != H5D_CHUNKED) return;
  bool rare = false;
  const std::vector<Filter> filters = known_filters(properties, rare);
  if (rare) return;
  Handle type(H5Dget_type(dataset), H5Tclose), space(H5Dget_space(dataset), H5Sclose);
  const int rank = H5Sget_simple_extent_ndims(space);
  std::vector<hsize_t> shape(H5S_MAX_RANK), chunk(H5S_MAX_RANK), at(H5S_MAX_RANK, 0);
  if (rank < 1 || H5Sget_simple_extent_dims(space, shape.data(), nullptr) < 0 ||
      H5Pget_chunk(properties, H5S_MAX_RANK, chunk.data()) != rank)
    return;  // the reader says why
  std::size_t expected = H5Tget_size(type);
  for (int d = 0; d < rank; ++d) expected *= static_cast<std::size_t>(chunk[static_cast<std::size_t>(d)]);
  constexpr std::size_t kMost = std::size_t{1} << 31;  // zlib counts in 32 bits; who asks for such chunks, made them
  if (expected > kMost) return;
  unsigned options = 0;
  H5Pget_chunk_opts(properties, &options);
  const auto rows = static_cast<std::size_t>(rank);
  at[0] = first / chunk[0] * chunk[0];
  while (at[0] < first + n) {
    unsigned left_out = 0;
    haddr_t address = HADDR_UNDEF;
    hsize_t size = 0;
    if (H5Dget_chunk_info_by_coord(dataset, at.data(), &left_out, &address, &size) < 0)
      throw IoError(text(where, ": cannot find the chunk of row ", at[0], "; the file is damaged, get it again"));
    bool partial = false;
    for (std::size_t d = 0; d < rows; ++d) partial = partial || at[d] + chunk[d] > shape[d];
    const bool raw = partial && (options & H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS) != 0;
    if (address != HADDR_UNDEF) {
      std::size_t unpacked = static_cast<std::size_t>(size);
      const bool packed = !raw && std::any_of(filters.begin(), filters.end(), [&](const Filter& filter) {
        return (left_out >> (&filter - filters.data()) & 1) == 0;
      });
      if (packed) {
        std::string bytes(unpacked, '\0');
        uint32_t mask = 0;
        if (H5Dread_chunk(dataset, H5P_DEFAULT, at.data(), &mask, bytes.data()) < 0)
          throw IoError(text(where, ": cannot read the chunk of row ", at[0], "; the file is damaged, get it again"));
        try {
          unpacked = unpacked_bytes(std::move(bytes), filters, left_out, expected, where);
        } catch (const NotCompiled&) {
          unpacked = expected;  // a build without zlib: the library alone unpacks
        }
      }
      NTKROB_CHECK(unpacked == expected, IoError, where, ": the chunk of row ", at[0], " has ",
                   std::min(unpacked, expected + 1), unpacked > expected ? " bytes or more" : " bytes", ", its shape ",
                   expected, "; the file is damaged, get it again");
    }
    std::size_t d = rows;
    while (d-- > 0) {
      at[d] += chunk[d];
      if (d == 0 || at[d] < shape[d]) break;
      at[d] = 0;
    }
  }
}

}  // namespace ntkrob::io
