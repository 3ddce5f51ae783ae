/// Content that files of all formats are made of: arrays as NumPy describes them, and what belongs together.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ntkrob::situations {

/// Numbers or texts with a shape, the last extent running fastest. `type` is NumPy's spelling: "|u1", "|i1", "|b1",
/// "<u2", ">u2",
/// "<i4", ">i4", "<i8", "<f2", "<f4", ">f4", "<f8"; "<U" and "|S" are texts.
struct Array {
  std::string type = "|u1";
  std::vector<long> shape;
  std::vector<double> numbers;
  std::vector<std::string> texts;
  bool fortran = false;  // how NPZ and NPY store it; the content is the same

  bool absent() const { return shape.empty(); }
  bool is_text() const { return type == "<U" || type == "|S"; }
  bool is_float() const { return type[1] == 'f'; }
  long rows() const { return shape.empty() ? 0 : shape[0]; }
  std::size_t count() const { return is_text() ? texts.size() : numbers.size(); }
  std::size_t width() const { return static_cast<std::size_t>(type.back() - '0'); }
};

/// A whole-number pattern over the whole of low .. high, or the same with fractions for floating-point types; every row
/// is another one, and no axis can be taken for another.   shape: [n, ...]
Array pattern(std::vector<long> shape, const std::string& type = "|u1", double low = 0, double high = 255);
/// The same numbers in another type.
Array as_type(Array array, const std::string& type);
/// f of every number.
Array mapped(Array array, const std::function<double(double)>& f, const std::string& type);
/// The same numbers in another shape of equal size.
Array reshaped(Array array, std::vector<long> shape);
/// Axis d of the result is axis order[d] of the array.
Array transposed(const Array& array, const std::vector<int>& order);
/// Rows begin .. end-1.
Array rows(const Array& array, long begin, long end);
/// The array with the numbers of another one behind each of its rows.
Array beside(const Array& left, const Array& right);

/// n labels first, first+1, ..., first+classes-1, first, ...
Array cycle(long n, int first, int classes, const std::string& type = "<i8");
/// The same labels class by class, as folders of pictures give them.
Array blocks(long n, int first, int classes, const std::string& type = "<i8");
Array numbers(std::vector<double> values, const std::string& type = "<i8");
Array texts(std::vector<std::string> values, const std::string& type = "<U");
/// [n, classes] with a single 1 per row.
Array one_hot(const Array& labels, int classes, const std::string& type);
std::vector<int> as_labels(const Array& array, int minus = 0);

/// Images and labels of one split; either may be absent.
struct Part {
  Array x, y;
};

/// How a table in text looks.
struct TableStyle {
  bool header = false;
  std::string label = "label";       // the header of the label column
  std::size_t label_at = 0;          // its position; last is npos
  std::vector<std::string> columns;  // headers of the others, or p0, p1, ...
  char separator = ',';
  bool quotes = false;  // around texts and headers
  std::string index;    // "" none; "unnamed" a column that counts rows without a header; else its header
  std::string line_end = "\n";
  std::string start;  // before everything, such as a byte order mark
  int digits = 17;    // of floating-point numbers
  static constexpr std::size_t last = static_cast<std::size_t>(-1);
};

struct Content {
  Part train, test;
  std::vector<std::string> names = {"x_train", "y_train", "x_test", "y_test"};  // in HDF5 and NPZ
  std::vector<std::pair<std::string, Array>> more;                              // further arrays there
  std::optional<std::pair<double, double>> range;                               // value_range there
  std::vector<std::string> class_names;                                         // there
  TableStyle table;
};

enum class Format { hdf5, npz, npy, csv, idx, png, mat, arff, libsvm };
const char* name_of(Format format);
/// What a command is given to read it: positional arguments, and options where files are named one by one.
struct Input {
  std::vector<std::string> paths, options;
};
/// Writes the content into the folder. Formats say by an assertion what they cannot hold.
Input write(const Content& content, Format format, const std::string& folder);

/// Parts of write() that single situations need too. PNG: 8-bit, 1 to 4 channels (grey, grey alpha, RGB, RGBA).
std::string png_file(const std::vector<unsigned char>& pixels, long height, long width, long channels);
std::string npy_file(const Array& array);
/// A stored (uncompressed) ZIP archive.
std::string zip_file(const std::vector<std::pair<std::string, std::string>>& members);
std::string idx_file(const Array& array);
std::string csv_file(const Part& part, const TableStyle& style);
/// Datasets by path ("a/b" makes a group); `user_block`: MATLAB's 512 bytes in front, and extents reversed.
void hdf5_file(const std::string& path, const std::vector<std::pair<std::string, Array>>& arrays,
               const Content& content, bool user_block = false);

}  // namespace ntkrob::situations
