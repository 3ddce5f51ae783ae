/// CSV, ARFF, LIBSVM, PNG; and write(), which chooses among all formats.
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <set>

#include "cli/run.hpp"
#include "content.hpp"

namespace ntkrob::situations {

namespace {

using cli_test::write_file;

std::string number_text(double value, const Array& array, int digits) {
  char text[40];
  const bool single = array.width() < 8;  // what the other formats hold, not what was rounded to it
  if (array.is_float())
    std::snprintf(text, sizeof text, "%.*g", digits, single ? static_cast<double>(static_cast<float>(value)) : value);
  else
    std::snprintf(text, sizeof text, "%.0f", value);
  // pandas writes 3.0 for a floating-point number that is whole.
  if (array.is_float() && value == std::round(value) && std::abs(value) < 1e6)
    std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string label_text(const Array& y, long i, const TableStyle& style) {
  const auto at = static_cast<std::size_t>(i);
  if (y.is_text()) return style.quotes ? "\"" + y.texts[at] + "\"" : y.texts[at];
  if (y.type == "|b1") return y.numbers[at] != 0 ? "True" : "False";
  return number_text(y.numbers[at], y, style.digits);
}

std::string join(const std::vector<std::string>& fields, const TableStyle& style) {
  std::string line;
  for (std::size_t i = 0; i < fields.size(); ++i) line += (i ? std::string(1, style.separator) : "") + fields[i];
  return line + style.line_end;
}

long features(const Part& part) { return static_cast<long>(part.x.count()) / part.x.rows(); }

void put_png_chunk(std::string& out, const std::string& kind, const std::string& data) {
  const auto big = [&](unsigned long value) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  };
  const std::string body = kind + data;
  big(data.size());
  out += body;
  big(crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())));
}

std::string arff_file(const Part& part) {
  std::string out = "% a comment\n@RELATION pictures\n\n";
  const long d = features(part);
  for (long j = 1; j <= d; ++j) out += "@ATTRIBUTE pixel" + std::to_string(j) + " real\n";
  TableStyle style;
  std::set<std::string> values;
  for (long i = 0; i < part.y.rows(); ++i) values.insert(label_text(part.y, i, style));
  out += "@ATTRIBUTE class {";
  for (const std::string& value : values) out += (out.back() == '{' ? "" : ",") + value;
  style.label_at = TableStyle::last;
  return out + "}\n@DATA\n" + csv_file(part, style);
}

std::string libsvm_file(const Part& part) {
  std::string out;
  const long d = features(part);
  for (long i = 0; i < part.x.rows(); ++i) {
    out += label_text(part.y, i, {});
    for (long j = 0; j < d; ++j) {
      const double value = part.x.numbers[static_cast<std::size_t>(i * d + j)];
      if (value != 0) out += " " + std::to_string(j + 1) + ":" + number_text(value, part.x, 17);
    }
    out += "\n";
  }
  return out;
}

void write_pictures(const Part& part, const std::string& folder) {
  REQUIRE(part.x.shape.size() >= 3);
  REQUIRE(part.x.type == "|u1");
  const long channels = part.x.shape.size() == 4 ? part.x.shape[3] : 1, d = features(part);
  for (long i = 0; i < part.x.rows(); ++i) {
    const std::string classes = folder + "/" + label_text(part.y, i, {});
    std::filesystem::create_directories(classes);
    const std::vector<unsigned char> pixels(part.x.numbers.begin() + i * d, part.x.numbers.begin() + (i + 1) * d);
    char name[32];
    std::snprintf(name, sizeof name, "/%05ld.png", i);
    write_file(classes + name, png_file(pixels, part.x.shape[1], part.x.shape[2], channels));
  }
}

std::vector<std::pair<std::string, Array>> arrays_of(const Content& content) {
  std::vector<std::pair<std::string, Array>> arrays;
  const Array* parts[] = {&content.train.x, &content.train.y, &content.test.x, &content.test.y};
  for (std::size_t i = 0; i < 4; ++i)
    if (!parts[i]->absent()) arrays.emplace_back(content.names[i], *parts[i]);
  arrays.insert(arrays.end(), content.more.begin(), content.more.end());
  return arrays;
}

}  // namespace

std::string csv_file(const Part& part, const TableStyle& style) {
  std::string out = style.start;
  const long d = features(part);
  const auto place = [&](std::vector<std::string>& fields, const std::string& label) {
    if (part.y.absent()) return;
    fields.insert(style.label_at >= fields.size() ? fields.end() : fields.begin() + static_cast<long>(style.label_at),
                  label);
  };
  const std::string quote = style.quotes ? "\"" : "";
  if (style.header) {
    std::vector<std::string> names;
    for (long j = 0; j < d; ++j) {
      const auto at = static_cast<std::size_t>(j);
      names.push_back(quote + (at < style.columns.size() ? style.columns[at] : "p" + std::to_string(j)) + quote);
    }
    place(names, quote + style.label + quote);
    if (!style.index.empty()) names.insert(names.begin(), style.index == "unnamed" ? "" : style.index);
    out += join(names, style);
  }
  for (long i = 0; i < part.x.rows(); ++i) {
    std::vector<std::string> fields;
    for (long j = 0; j < d; ++j)
      fields.push_back(number_text(part.x.numbers[static_cast<std::size_t>(i * d + j)], part.x, style.digits));
    place(fields, part.y.absent() ? "" : label_text(part.y, i, style));
    if (!style.index.empty()) fields.insert(fields.begin(), std::to_string(i));
    out += join(fields, style);
  }
  return out;
}

std::string png_file(const std::vector<unsigned char>& pixels, long height, long width, long channels) {
  const char kinds[] = {0, 4, 2, 6};  // grey, grey alpha, RGB, RGBA
  std::string out = "\x89PNG\r\n\x1a\n", header, raw;
  for (const long extent : {width, height})
    for (int shift = 24; shift >= 0; shift -= 8) header += static_cast<char>(extent >> shift & 0xff);
  header += std::string{8, kinds[channels - 1], 0, 0, 0};
  for (long y = 0; y < height; ++y) {
    raw += '\0';
    raw.append(reinterpret_cast<const char*>(pixels.data()) + y * width * channels,
               static_cast<std::size_t>(width * channels));
  }
  uLongf size = compressBound(raw.size());
  std::string packed(size, '\0');
  REQUIRE(compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(raw.data()),
                   raw.size()) == Z_OK);
  packed.resize(size);
  put_png_chunk(out, "IHDR", header);
  put_png_chunk(out, "IDAT", packed);
  put_png_chunk(out, "IEND", "");
  return out;
}

Input write(const Content& content, Format format, const std::string& folder) {
  const auto at = [&](const std::string& name) { return folder + "/" + name; };
  Input input;
  const auto text_files = [&](const std::string& extension, const auto& make) {
    const bool both = !content.test.x.absent();
    input.paths.push_back(at(both ? "train" + extension : "data" + extension));
    write_file(input.paths.back(), make(content.train));
    if (!both) return;
    input.paths.push_back(at("test" + extension));
    write_file(input.paths.back(), make(content.test));
  };
  switch (format) {
    case Format::hdf5:
    case Format::mat:
      input.paths.push_back(at(format == Format::mat ? "data.mat" : "data.h5"));
      hdf5_file(input.paths[0], arrays_of(content), content, format == Format::mat);
      break;
    case Format::npz: {
      std::vector<std::pair<std::string, std::string>> members;
      for (const auto& [name, array] : arrays_of(content)) members.emplace_back(name + ".npy", npy_file(array));
      if (content.range)
        members.emplace_back("value_range.npy",
                             npy_file(numbers({content.range->first, content.range->second}, "<f4")));
      if (!content.class_names.empty()) members.emplace_back("class_names.npy", npy_file(texts(content.class_names)));
      input.paths.push_back(at("data.npz"));
      write_file(input.paths[0], zip_file(members));
      break;
    }
    case Format::npy: {
      const Array* parts[] = {&content.train.x, &content.train.y, &content.test.x, &content.test.y};
      const char* names[] = {"train-images", "train-labels", "test-images", "test-labels"};
      for (int i = 0; i < 4; ++i) {
        if (parts[i]->absent()) continue;
        write_file(at(std::string("part") + std::to_string(i) + ".npy"), npy_file(*parts[i]));
        input.options.push_back(std::string("--") + names[i]);
        input.options.push_back(at(std::string("part") + std::to_string(i) + ".npy"));
      }
      break;
    }
    case Format::csv:
      text_files(".csv", [&](const Part& part) { return csv_file(part, content.table); });
      break;
    case Format::arff:
      text_files(".arff", arff_file);
      break;
    case Format::libsvm:
      text_files(".libsvm", libsvm_file);
      break;
    case Format::idx: {
      input.paths.push_back(at("idx"));
      std::filesystem::create_directories(input.paths[0]);
      const auto put = [&](const char* name, const Array& array) {
        if (!array.absent()) write_file(input.paths[0] + "/" + name, idx_file(array));
      };
      put("train-images-idx3-ubyte", content.train.x);
      put("train-labels-idx1-ubyte", content.train.y);
      put("t10k-images-idx3-ubyte", content.test.x);
      put("t10k-labels-idx1-ubyte", content.test.y);
      break;
    }
    case Format::png: {
      input.paths.push_back(at("pictures"));
      const bool both = !content.test.x.absent();
      write_pictures(content.train, input.paths[0] + (both ? "/train" : ""));
      if (both) write_pictures(content.test, input.paths[0] + "/test");
      break;
    }
  }
  return input;
}

}  // namespace ntkrob::situations
