#include "content.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <functional>
#include <numeric>

namespace ntkrob::situations {

namespace {

long size_of(const std::vector<long>& shape) {
  return std::accumulate(shape.begin(), shape.end(), 1L, std::multiplies<long>());
}

}  // namespace

Array pattern(std::vector<long> shape, const std::string& type, double low, double high) {
  Array array;
  array.type = type;
  array.shape = std::move(shape);
  const long size = size_of(array.shape);
  for (long k = 0; k < size; ++k) {
    const double part =
        static_cast<double>((k * 37 + k / 256 * 11) % 256) / 255;  // 37 is odd: 256 numbers in a row are all there are
    const double value = low + (high - low) * part;
    array.numbers.push_back(array.is_float() ? value : std::round(value));
  }
  return array;
}

Array as_type(Array array, const std::string& type) {
  array.type = type;
  return array;
}

Array mapped(Array array, const std::function<double(double)>& f, const std::string& type) {
  array.type = type;
  for (double& value : array.numbers) value = f(value);
  return array;
}

Array reshaped(Array array, std::vector<long> shape) {
  assert(size_of(shape) == size_of(array.shape));
  array.shape = std::move(shape);
  return array;
}

Array transposed(const Array& array, const std::vector<int>& order) {
  assert(order.size() == array.shape.size() && !array.is_text());
  Array result = array;
  const std::size_t rank = order.size();
  std::vector<long> stride(rank, 1);  // of the source
  for (std::size_t d = rank - 1; d-- > 0;) stride[d] = stride[d + 1] * array.shape[d + 1];
  for (std::size_t d = 0; d < rank; ++d) result.shape[d] = array.shape[static_cast<std::size_t>(order[d])];
  std::vector<long> at(rank, 0);
  for (double& value : result.numbers) {
    long source = 0;
    for (std::size_t d = 0; d < rank; ++d) source += at[d] * stride[static_cast<std::size_t>(order[d])];
    value = array.numbers[static_cast<std::size_t>(source)];
    for (std::size_t d = rank; d-- > 0;) {
      if (++at[d] < result.shape[d]) break;
      at[d] = 0;
    }
  }
  return result;
}

Array rows(const Array& array, long begin, long end) {
  Array result = array;
  const long width = size_of(array.shape) / array.shape[0];
  result.shape[0] = end - begin;
  if (array.is_text())
    result.texts.assign(array.texts.begin() + begin * width, array.texts.begin() + end * width);
  else
    result.numbers.assign(array.numbers.begin() + begin * width, array.numbers.begin() + end * width);
  return result;
}

Array beside(const Array& left, const Array& right) {
  assert(left.rows() == right.rows());
  Array result;
  result.type = left.type;
  const long n = left.rows(), a = size_of(left.shape) / n, b = size_of(right.shape) / n;
  result.shape = {n, a + b};
  for (long i = 0; i < n; ++i) {
    result.numbers.insert(result.numbers.end(), left.numbers.begin() + i * a, left.numbers.begin() + (i + 1) * a);
    result.numbers.insert(result.numbers.end(), right.numbers.begin() + i * b, right.numbers.begin() + (i + 1) * b);
  }
  return result;
}

Array cycle(long n, int first, int classes, const std::string& type) {
  std::vector<double> values;
  for (long i = 0; i < n; ++i) values.push_back(first + static_cast<int>(i % classes));
  return numbers(std::move(values), type);
}

Array blocks(long n, int first, int classes, const std::string& type) {
  Array labels = cycle(n, first, classes, type);
  std::sort(labels.numbers.begin(), labels.numbers.end());
  return labels;
}

Array numbers(std::vector<double> values, const std::string& type) {
  Array array;
  array.type = type;
  array.shape = {static_cast<long>(values.size())};
  array.numbers = std::move(values);
  return array;
}

Array texts(std::vector<std::string> values, const std::string& type) {
  Array array;
  array.type = type;
  array.shape = {static_cast<long>(values.size())};
  array.texts = std::move(values);
  return array;
}

Array one_hot(const Array& labels, int classes, const std::string& type) {
  Array array;
  array.type = type;
  array.shape = {labels.rows(), classes};
  for (const double label : labels.numbers)
    for (int c = 0; c < classes; ++c) array.numbers.push_back(c == static_cast<int>(label) ? 1 : 0);
  return array;
}

std::vector<int> as_labels(const Array& array, int minus) {
  std::vector<int> labels;
  for (const double value : array.numbers) labels.push_back(static_cast<int>(value) - minus);
  return labels;
}

const char* name_of(Format format) {
  switch (format) {
    case Format::hdf5:
      return "HDF5";
    case Format::npz:
      return "NPZ";
    case Format::npy:
      return "NPY";
    case Format::csv:
      return "CSV";
    case Format::idx:
      return "IDX";
    case Format::png:
      return "PNG";
    case Format::mat:
      return "MAT";
    case Format::arff:
      return "ARFF";
    case Format::libsvm:
      return "LIBSVM";
  }
  return "?";
}

}  // namespace ntkrob::situations
