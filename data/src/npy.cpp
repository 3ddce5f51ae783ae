#include "npy.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "narrow.hpp"
#include "ntkrob/base/error.hpp"
#include "taken.hpp"

namespace ntkrob::io {
namespace {

constexpr std::size_t kMaxRank = 32;  // of an array of NumPy

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
    NTKROB_CHECK(shape.size() <= kMaxRank, IoError, where, ": .npy header: more than ", kMaxRank,
                 " axes, which NumPy has not; the file is damaged");
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
  NTKROB_CHECK(length <= kNpyHeadBytes - prefix, IoError, where, ": .npy header of ", length, " bytes, at most ",
               kNpyHeadBytes - prefix, " are read; that of a plain array is shorter");
  const std::string dictionary = content.substr(prefix, length);
  NpyHeader header;
  header.data_offset = prefix + length;
  const std::string descr = field(dictionary, "descr", where);
  const std::size_t close = descr.find('\'', 1);
  NTKROB_CHECK(descr.compare(0, 4, "'|O'") != 0, IoError, where,
               ": holds Python objects, which are not loaded; store array.astype('U') for texts, or numbers");
  NTKROB_CHECK(descr[0] == '\'' && close != std::string::npos && close >= 4, IoError, where,
               ": .npy element type is no plain number or text; store whole or floating-point numbers");
  const std::string type = descr.substr(1, close - 1);
  header.kind = type[1];
  const bool is_text = header.kind == 'S' || header.kind == 'U';
  // A text says its length, at most eight digits; numbers have widths of one digit.
  const std::string digits = type.substr(2);
  if (!digits.empty() && digits.size() <= (is_text ? 8u : 1u) &&
      digits.find_first_not_of("0123456789") == std::string::npos)
    header.width = static_cast<std::size_t>(std::stoul(digits)) * (header.kind == 'U' ? 4 : 1);
  const bool known = (header.kind == 'f' && (header.width == 2 || header.width == 4 || header.width == 8)) ||
                     ((header.kind == 'u' || header.kind == 'i') &&
                      (header.width == 1 || header.width == 2 || header.width == 4 || header.width == 8)) ||
                     (header.kind == 'b' && header.width == 1) || is_text;
  header.big_endian = type[0] == '>';
  NTKROB_CHECK(known && (type[0] == '<' || type[0] == '>' || type[0] == '|' || (type[0] == '=' && header.width == 1)),
               IoError, where, ": element type '", type,
               "'; supported are b1 u1 i1 u2 i2 u4 i4 u8 i8 f2 f4 f8 and texts, convert with array.astype('<f4')");
  const std::string order = field(dictionary, "fortran_order", where);
  header.fortran = order.compare(0, 4, "True") == 0;
  NTKROB_CHECK(header.fortran || order.compare(0, 5, "False") == 0, IoError, where,
               ": .npy header field 'fortran_order' is damaged");
  header.shape = parse_shape(field(dictionary, "shape", where), where);
  return header;
}

namespace {

/// Calls use(i, value) for `count` stored numbers of type T.
template <class T, class Use>
void each(const char* data, std::size_t count, bool big_endian, const Use& use) {
  for (std::size_t i = 0; i < count; ++i) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, data + i * sizeof(T), sizeof(T));
    if (big_endian) std::reverse(bytes, bytes + sizeof(T));
    T value;
    std::memcpy(&value, bytes, sizeof(T));
    use(i, value);
  }
}

/// A half-precision number (IEEE 754 binary16).
float half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const float magnitude = exponent == 31  ? (fraction != 0 ? NAN : INFINITY)
                          : exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                          : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  return bits >> 15 ? -magnitude : magnitude;
}

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 63));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 63));
    out += static_cast<char>(0x80 | (c & 63));
  } else {
    out += static_cast<char>(0xf0 | (c >> 18 & 7));
    out += static_cast<char>(0x80 | (c >> 12 & 63));
    out += static_cast<char>(0x80 | (c >> 6 & 63));
    out += static_cast<char>(0x80 | (c & 63));
  }
}

void take_texts(const char* data, const NpyHeader& header, std::size_t count, RawArray& raw, ReadBudget& budget) {
  constexpr std::size_t kPlace = 128;  // a text in a list and in a map, but for its characters
  std::map<std::string, std::int64_t> places;
  raw.kind = RawArray::Kind::texts;
  raw.ints.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const char* begin = data + i * header.width;
    std::string value;
    if (header.kind == 'S') {
      value.assign(begin, ::strnlen(begin, header.width));
    } else {
      each<std::uint32_t>(begin, header.width / 4, header.big_endian, [&](std::size_t, std::uint32_t c) {
        if (c != 0) append_utf8(value, c);
      });
    }
    const auto [at, fresh] = places.emplace(value, static_cast<std::int64_t>(raw.names.size()));
    if (fresh) {
      budget.take(kPlace + 2 * value.size(), raw.where);
      raw.names.push_back(value);
    }
    raw.ints[i] = at->second;
  }
}

}  // namespace

RawArray parse_npy(const std::string& content, const std::string& where, ReadBudget& budget) {
  const NpyHeader header = parse_npy_header(content, where);
  RawArray raw;
  raw.where = where;
  raw.shape = header.shape;
  if (header.fortran) std::reverse(raw.shape.begin(), raw.shape.end());
  const std::size_t count = product(raw.shape, where), offset = header.data_offset;
  const std::size_t held = content.size() - offset;
  const bool exact = header.width == 0 ? held == 0 : held % header.width == 0 && held / header.width == count;
  NTKROB_CHECK(exact, IoError, where, ": shape ", raw.shape_text(), " needs ",
               static_cast<double>(count) * static_cast<double>(header.width), " bytes, the file holds ", held,
               "; it is damaged");
  NTKROB_CHECK(header.width > 0 || count == 0, IoError, where, ": shape ", raw.shape_text(),
               " of texts without characters; store them with a width, array.astype('U')");
  // Bytes and floating-point numbers are kept in 1 and 4 bytes, all else in 8; axes in another order take a second
  // copy.
  const bool bytes = header.kind == 'u' && header.width == 1;
  const std::size_t kept = count * (bytes ? 1 : header.kind == 'f' ? sizeof(float) : sizeof(std::int64_t));
  budget.take(kept, where);
  const Taken copy(budget, header.fortran ? kept : 0, where);
  const char* data = content.data() + offset;
  const bool big = header.big_endian;
  const auto to_ints = [&](std::size_t i, auto value) { raw.ints[i] = static_cast<std::int64_t>(value); };
  if (header.kind == 'S' || header.kind == 'U') {
    take_texts(data, header, count, raw, budget);
  } else if (bytes) {
    raw.kind = RawArray::Kind::bytes;
    raw.bytes.assign(data, data + count);
  } else if (header.kind == 'f') {
    raw.kind = RawArray::Kind::floats;
    const std::size_t rows = raw.count();
    raw.floats = Matrix<float>(static_cast<index>(rows), static_cast<index>(rows ? count / rows : 0));
    float* out = raw.floats.data();
    if (header.width == 2)
      each<std::uint16_t>(data, count, big, [&](std::size_t i, std::uint16_t v) { out[i] = half(v); });
    if (header.width == 4) each<float>(data, count, big, [&](std::size_t i, float v) { out[i] = v; });
    if (header.width == 8)
      each<double>(data, count, big, [&](std::size_t i, double v) { out[i] = narrowed(v, where, i); });
  } else {
    raw.kind = RawArray::Kind::ints;
    raw.ints.resize(count);
    const bool sign = header.kind == 'i';
    if (header.width == 1 && sign) each<std::int8_t>(data, count, big, to_ints);
    if (header.width == 1 && !sign) each<std::uint8_t>(data, count, big, to_ints);
    if (header.width == 2 && sign) each<std::int16_t>(data, count, big, to_ints);
    if (header.width == 2 && !sign) each<std::uint16_t>(data, count, big, to_ints);
    if (header.width == 4 && sign) each<std::int32_t>(data, count, big, to_ints);
    if (header.width == 4 && !sign) each<std::uint32_t>(data, count, big, to_ints);
    if (header.width == 8 && sign) each<std::int64_t>(data, count, big, to_ints);
    if (header.width == 8 && !sign)
      each<std::uint64_t>(data, count, big, [&](std::size_t i, std::uint64_t v) {
        NTKROB_CHECK(v <= INT64_MAX, IoError, where, ": value ", i, " is ", v,
                     "; whole numbers from 2^63 on are not read, store smaller ones or texts");
        raw.ints[i] = static_cast<std::int64_t>(v);
      });
  }
  if (header.fortran) reverse_axes(raw);
  return raw;
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
