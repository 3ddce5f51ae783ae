#include "raw_array.hpp"

#include <algorithm>
#include <numeric>

namespace ntkrob::io {

std::string RawArray::shape_text() const {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) out += (i ? "," : "") + std::to_string(shape[i]);
  return out + "]";
}

double RawArray::number(std::size_t i) const {
  if (kind == Kind::bytes) return bytes[i];
  if (kind == Kind::floats) return floats.data()[i];
  return static_cast<double>(ints[i]);
}

std::size_t product(const std::vector<std::size_t>& shape, const std::string& where) {
  std::size_t total = 1;
  for (const std::size_t extent : shape) {
    // 2^47 elements is beyond every machine this runs on, and keeps all later products inside 64 bits.
    NTKROB_CHECK(extent == 0 || total <= (std::uint64_t{1} << 47) / extent, IoError, where,
                 ": the extents multiply to more than 2^47 elements; the file is damaged");
    total *= extent;
  }
  return total;
}

namespace {

/// Copies `in` to `out` with axes in another order. shape: of `in`.
template <class T>
void gather(const T* in, T* out, const std::vector<std::size_t>& shape, const std::vector<std::size_t>& order) {
  const std::size_t rank = shape.size();
  std::vector<std::size_t> stride(rank, 1), extent(rank), step(rank), at(rank, 0);
  for (std::size_t d = rank - 1; d-- > 0;) stride[d] = stride[d + 1] * shape[d + 1];
  std::size_t total = 1;
  for (std::size_t d = 0; d < rank; ++d) {
    extent[d] = shape[order[d]];
    step[d] = stride[order[d]];
    total *= extent[d];
  }
  std::size_t source = 0;
  for (std::size_t i = 0; i < total; ++i) {
    out[i] = in[source];
    for (std::size_t d = rank; d-- > 0;) {
      source += step[d];
      if (++at[d] < extent[d]) break;
      source -= step[d] * extent[d];
      at[d] = 0;
    }
  }
}

/// Sample by sample: the first axis stays.
template <class T>
void gather_rows(T* values, std::size_t n, std::vector<std::size_t> shape, std::vector<std::size_t> order) {
  shape.erase(shape.begin());
  order.erase(order.begin());
  for (std::size_t& axis : order) --axis;
  const std::size_t size = std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
  std::vector<T> sample(size);
  for (std::size_t i = 0; i < n; ++i) {
    gather(values + i * size, sample.data(), shape, order);
    std::copy(sample.begin(), sample.end(), values + i * size);
  }
}

}  // namespace

void permute_axes(RawArray& array, const std::vector<std::size_t>& order) {
  std::vector<std::size_t> shape;
  bool same = true;
  for (std::size_t d = 0; d < order.size(); ++d) {
    shape.push_back(array.shape[order[d]]);
    same = same && order[d] == d;
  }
  if (same) return;
  const std::size_t total = product(array.shape, array.where);
  const auto columns = static_cast<index>(shape[0] == 0 ? 0 : total / shape[0]);
  if (total > 0) {
    if (order[0] == 0) {
      const std::size_t n = shape[0];
      if (array.kind == RawArray::Kind::bytes) gather_rows(array.bytes.data(), n, array.shape, order);
      if (array.kind == RawArray::Kind::ints || array.kind == RawArray::Kind::texts)
        gather_rows(array.ints.data(), n, array.shape, order);
      if (array.kind == RawArray::Kind::floats) gather_rows(array.floats.data(), n, array.shape, order);
    } else if (array.kind == RawArray::Kind::bytes) {
      std::vector<std::uint8_t> out(total);
      gather(array.bytes.data(), out.data(), array.shape, order);
      array.bytes = std::move(out);
    } else if (array.kind == RawArray::Kind::floats) {
      Matrix<float> out(static_cast<index>(shape[0]), columns);
      gather(array.floats.data(), out.data(), array.shape, order);
      array.floats = std::move(out);
    } else {
      std::vector<std::int64_t> out(total);
      gather(array.ints.data(), out.data(), array.shape, order);
      array.ints = std::move(out);
    }
  } else if (array.kind == RawArray::Kind::floats) {
    array.floats = Matrix<float>(static_cast<index>(shape[0]), columns);
  }
  array.shape = shape;
}

void reverse_axes(RawArray& array) {
  std::vector<std::size_t> order(array.shape.size());
  for (std::size_t d = 0; d < order.size(); ++d) order[d] = order.size() - 1 - d;
  permute_axes(array, order);
}

}  // namespace ntkrob::io
