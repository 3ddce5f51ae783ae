#include "raw_array.hpp"

#include <algorithm>
#include <numeric>

#include "read_budget.hpp"

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

void RawArray::apply(std::function<void(RawArray&)> step) {
  if (in_file)
    in_file->steps.push_back(std::move(step));
  else
    step(*this);
}

namespace {

RawArray read_rows(const Rows& rows, std::size_t first, std::size_t n) {
  RawArray block = rows.load(first, n);
  for (const auto& step : rows.steps) step(block);
  return block;
}

}  // namespace

void RawArray::each_block(const std::function<void(RawArray& block, std::size_t first)>& use) {
  if (!in_file) return use(*this, 0);
  for (std::size_t first = 0; first < in_file->total; first += in_file->block) {
    RawArray block = read_rows(*in_file, first, std::min(in_file->block, in_file->total - first));
    use(block, first);
  }
}

void RawArray::load() {
  if (!in_file) return;
  // Its own budget: it may be wanted long after the reading, and then alone.
  ReadBudget(in_file->memory).take(in_file->n_bytes, where);
  RawArray all = read_rows(*in_file, 0, in_file->total);
  all.where = where;
  all.shape = shape;
  *this = std::move(all);
}

namespace {

/// Some rows of an array in a file. What they lie among is read in its own blocks, so that few rows of many take no
/// more memory.
std::shared_ptr<Rows> rows_in_file(const RawArray& from, const std::vector<index>& chosen) {
  auto result = std::make_shared<Rows>();
  result->total = chosen.size();
  result->block = from.in_file->block;
  result->memory = from.in_file->memory;
  result->n_bytes = from.in_file->n_bytes / from.in_file->total * chosen.size();
  result->load = [base = from.in_file, chosen](std::size_t first, std::size_t n) {
    RawArray all;
    std::size_t at = first;
    while (at < first + n) {
      const auto begin = static_cast<std::size_t>(chosen[at]);
      const std::size_t end = std::min(begin + base->block, base->total);
      std::vector<index> inside;
      for (; at < first + n && static_cast<std::size_t>(chosen[at]) < end; ++at)
        inside.push_back(chosen[at] - static_cast<index>(begin));
      const RawArray part = rows_of(read_rows(*base, begin, static_cast<std::size_t>(inside.back()) + 1), inside);
      if (all.shape.empty()) {
        all = part;
        all.shape[0] = n;
        if (part.kind == RawArray::Kind::floats) all.floats = Matrix<float>(static_cast<index>(n), part.floats.cols());
      }
      const std::size_t before = at - first - inside.size();
      if (part.kind == RawArray::Kind::floats)
        std::copy_n(part.floats.data(), part.floats.size(), all.floats.row(static_cast<index>(before)));
      if (before == 0) continue;
      all.bytes.insert(all.bytes.end(), part.bytes.begin(), part.bytes.end());
      all.ints.insert(all.ints.end(), part.ints.begin(), part.ints.end());
    }
    return all;
  };
  return result;
}

}  // namespace

RawArray rows_of(const RawArray& from, const std::vector<index>& rows) {
  RawArray to;
  to.where = from.where;
  to.shape = from.shape;
  to.shape[0] = rows.size();
  to.kind = from.kind;
  if (from.in_file) {
    to.in_file = rows_in_file(from, rows);
    return to;
  }
  const auto size = static_cast<index>(product(from.shape, from.where) / from.shape[0]);
  if (from.kind == RawArray::Kind::floats) to.floats = Matrix<float>(static_cast<index>(rows.size()), size);
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const index begin = rows[k] * size, end = begin + size;
    if (from.kind == RawArray::Kind::bytes)
      to.bytes.insert(to.bytes.end(), from.bytes.begin() + begin, from.bytes.begin() + end);
    if (from.kind == RawArray::Kind::ints)
      to.ints.insert(to.ints.end(), from.ints.begin() + begin, from.ints.begin() + end);
    if (from.kind == RawArray::Kind::floats)
      std::copy_n(from.floats.data() + begin, size, to.floats.row(static_cast<index>(k)));
  }
  return to;
}

namespace {

/// Rows of `in` become columns of `out`, in tiles that stay in the cache.
template <class T>
void transpose(const T* in, T* out, std::size_t rows, std::size_t cols) {
  constexpr std::size_t kTile = 32;
  for (std::size_t i = 0; i < rows; i += kTile)
    for (std::size_t j = 0; j < cols; j += kTile) {
      const std::size_t last_i = std::min(i + kTile, rows), last_j = std::min(j + kTile, cols);
      for (std::size_t c = j; c < last_j; ++c)
        for (std::size_t r = i; r < last_i; ++r) out[c * rows + r] = in[r * cols + c];
    }
}

/// Planes become the channels of pixels: the number of them is known, so that the loop over them goes away.
template <std::size_t channels, class T>
void interleave(const T* in, T* out, std::size_t pixels) {
  for (std::size_t p = 0; p < pixels; ++p)
    for (std::size_t c = 0; c < channels; ++c) out[p * channels + c] = in[c * pixels + p];
}

/// Axes that stay beside each other count as one.
void merge_axes(std::vector<std::size_t>& shape, std::vector<std::size_t>& order) {
  for (std::size_t d = 0; d + 1 < order.size();) {
    const std::size_t axis = order[d];
    if (order[d + 1] != axis + 1) {
      ++d;
      continue;
    }
    shape[axis] *= shape[axis + 1];
    shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1);
    order.erase(order.begin() + static_cast<std::ptrdiff_t>(d) + 1);
    for (std::size_t& other : order) other -= other > axis;
  }
}

/// Copies `in` to `out` with axes in another order. shape: of `in`.
template <class T>
void gather(const T* in, T* out, std::vector<std::size_t> shape, std::vector<std::size_t> order) {
  merge_axes(shape, order);
  const std::size_t rank = shape.size();
  if (rank == 2 && order[0] == 1) {
    if (shape[0] == 3) return interleave<3>(in, out, shape[1]);
    return transpose(in, out, shape[0], shape[1]);
  }
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

/// Of an array in memory.
void permute(RawArray& array, const std::vector<std::size_t>& order) {
  std::vector<std::size_t> shape;
  for (const std::size_t axis : order) shape.push_back(array.shape[axis]);
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

}  // namespace

void permute_axes(RawArray& array, const std::vector<std::size_t>& order) {
  if (std::is_sorted(order.begin(), order.end())) return;
  if (order[0] != 0) array.load();
  std::vector<std::size_t> shape;
  for (const std::size_t axis : order) shape.push_back(array.shape[axis]);
  // A block comes in the shape of the file; that of the array may have been said since.
  array.apply([order, before = array.shape](RawArray& block) {
    const std::size_t n = block.count();
    block.shape = before;
    block.shape[0] = n;
    permute(block, order);
  });
  array.shape = shape;
}

void reverse_axes(RawArray& array) {
  std::vector<std::size_t> order(array.shape.size());
  for (std::size_t d = 0; d < order.size(); ++d) order[d] = order.size() - 1 - d;
  permute_axes(array, order);
}

}  // namespace ntkrob::io
