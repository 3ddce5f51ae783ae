#include "npy.hpp"

#include "ntkrob/base/error.hpp"

namespace ntkrob::io {
namespace {

/// The text after "'key':" in the header, a Python dictionary literal.
std::string field(const std::string& dictionary, const std::string& key, const std::string& where) {
  std::size_t at = dictionary.find("'" + key + "'");
  NTKROB_CHECK(at != std::string::npos, IoError, where, ": .npy header without '", key, "'; the file is damaged");
  at = dictionary.find(':', at);
  NTKROB_CHECK(at != std::string::npos, IoError, where, ": .npy header field '", key, "' is damaged");
  at = dictionary.find_first_not_of(' ', at + 1);
  NTKROB_CHECK(at != std::string::npos, IoError, where, ": .npy header field '", key, "' is damaged");
  return dictionary.substr(at);
}

std::vector<std::size_t> parse_shape(const std::string& tuple, const std::string& where) {
  const std::size_t close = tuple.find(')');
  NTKROB_CHECK(tuple[0] == '(' && close != std::string::npos, IoError, where, ": .npy header: the shape is damaged");
  std::vector<std::size_t> shape;
  for (std::size_t at = 1; at < close;) {
    if (tuple[at] == ' ' || tuple[at] == ',') {
      ++at;
      continue;
    }
    std::size_t value = 0;
    const std::size_t begin = at;
    for (; at < close && tuple[at] >= '0' && tuple[at] <= '9'; ++at)
      value = value * 10 + static_cast<std::size_t>(tuple[at] - '0');
    NTKROB_CHECK(at > begin && at - begin <= 15, IoError, where, ": .npy header: the shape is damaged");
    shape.push_back(value);
  }
  return shape;
}

}  // namespace

NpyHeader parse_npy_header(const std::string& content, const std::string& where) {
  NTKROB_CHECK(content.size() >= 12 && content.compare(0, 6, "\x93NUMPY") == 0, IoError, where,
               ": is not a .npy array (wrong signature)");
  const int version = static_cast<unsigned char>(content[6]);
  NTKROB_CHECK(version >= 1 && version <= 3, IoError, where, ": .npy version ", version, "; 1 to 3 are supported");
  const std::size_t prefix = version == 1 ? 10 : 12;
  std::size_t length = 0;
  for (std::size_t i = prefix; i-- > 8;) length = length << 8 | static_cast<unsigned char>(content[i]);
  NTKROB_CHECK(length <= content.size() - prefix, IoError, where, ": .npy header of ", length,
               " bytes reaches past the array's ", content.size(), " bytes; the file is damaged");
  const std::string dictionary = content.substr(prefix, length);
  NpyHeader header;
  header.data_offset = prefix + length;
  const std::string descr = field(dictionary, "descr", where);
  const std::size_t close = descr.find('\'', 1);
  NTKROB_CHECK(descr[0] == '\'' && close != std::string::npos && close >= 4, IoError, where,
               ": .npy element type is not a plain number; store whole or floating-point numbers");
  const std::string type = descr.substr(1, close - 1);
  header.kind = type[1];
  // A text says its length, at most eight digits; numbers have widths of one digit.
  const std::string digits = type.substr(2);
  if (!digits.empty() && digits.size() <= (header.kind == 'S' ? 8u : 1u) &&
      digits.find_first_not_of("0123456789") == std::string::npos)
    header.width = static_cast<std::size_t>(std::stoul(digits));
  const bool known = (header.kind == 'f' && (header.width == 2 || header.width == 4 || header.width == 8)) ||
                     ((header.kind == 'u' || header.kind == 'i') &&
                      (header.width == 1 || header.width == 2 || header.width == 4 || header.width == 8)) ||
                     (header.kind == 'b' && header.width == 1) || (header.kind == 'S' && header.width > 0);
  NTKROB_CHECK(known && (type[0] == '<' || type[0] == '|' || (type[0] == '=' && header.width == 1)), IoError, where,
               ": element type '", type,
               "'; supported are little-endian u1 i1 u2 i2 u4 i4 u8 i8 f2 f4 f8, convert with "
               "array.astype('<f4')");
  NTKROB_CHECK(field(dictionary, "fortran_order", where).compare(0, 5, "False") == 0, IoError, where,
               ": is in Fortran order; convert with numpy.ascontiguousarray");
  header.shape = parse_shape(field(dictionary, "shape", where), where);
  return header;
}

std::string npy(const char* type, const std::vector<std::size_t>& shape, const void* values, std::size_t n_bytes) {
  std::string dictionary = std::string("{'descr': '") + type + "', 'fortran_order': False, 'shape': (";
  for (const std::size_t extent : shape) dictionary += std::to_string(extent) + (shape.size() == 1 ? "," : ", ");
  if (shape.size() > 1) dictionary.resize(dictionary.size() - 2);
  dictionary += "), }";
  dictionary.append(63 - (10 + dictionary.size()) % 64, ' ');
  dictionary += '\n';  // the values start at a multiple of 64 bytes
  std::string out = {'\x93',
                     'N',
                     'U',
                     'M',
                     'P',
                     'Y',
                     1,
                     0,
                     static_cast<char>(dictionary.size() & 0xff),
                     static_cast<char>(dictionary.size() >> 8)};
  out += dictionary;
  out.append(static_cast<const char*>(values), n_bytes);
  return out;
}

}  // namespace ntkrob::io
