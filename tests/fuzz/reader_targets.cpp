/// The readers, each through the public function, on a file in a folder of its own.
#include <png.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "npy.hpp"
#if NTKROB_FUZZ_HDF5
#include "hdf5_screen.hpp"
#include "hdf5_seeds.hpp"
#endif
#include "ntkrob/data/format.hpp"
#include "ntkrob/data/strokes.hpp"
#include "target.hpp"
#include "whole_sum.hpp"
#include "zip_file.hpp"

namespace ntkrob::fuzz {
namespace {

/// A folder that goes with the program.
class Folder {
 public:
  Folder() {
    const char* memory = "/dev/shm";
    const auto parent =
        ::access(memory, W_OK) == 0 ? std::filesystem::path(memory) : std::filesystem::temp_directory_path();
    path_ = (parent / "ntkrob-fuzz-XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

const Folder& folder() {
  static const Folder one;
  return one;
}

void spill(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Opens and touches everything that came in. A few MiB are plenty for inputs of kilobytes, and no input may pass them.
void open(const std::vector<std::string>& inputs, ReadOptions options = {}) {
  options.memory = std::size_t{64} << 20;
  const Dataset data = open_dataset(inputs, options);
  data.checksum();
  for (const char* which : {"train", "test"})
    if (!(which[1] == 'r' ? data.train : data.test).empty()) data.images(which);
  left_out_by(data, "a.idx");
}

Target reader(const std::string& name, const std::string& file, std::function<std::vector<std::string>()> seeds,
              std::function<void(const std::string&)> use, bool text = false) {
  Target target;
  target.name = name;
  target.text = text;
  target.seeds = std::move(seeds);
  target.run = [file, use = std::move(use)](const std::string& bytes) {
    const std::string path = folder() / file;
    spill(path, bytes);
    use(path);
  };
  return target;
}

/// A file as others make it, without our checksum over the whole file, which would refuse every change at once: the
/// comment of an archive, the bytes behind the data of HDF5.
std::string without_sum(std::string bytes) {
  const std::size_t end = bytes.rfind("PK\x05\x06");
  bytes.resize(end == std::string::npos ? bytes.size() - io::kSumBytes : end + 22);
  if (end != std::string::npos) bytes[end + 20] = bytes[end + 21] = 0;
  return bytes;
}

/// What save_dataset makes.
std::string saved(const Dataset& data, const std::string& ending) {
  const std::string path = folder() / ("seed" + ending);
  save_dataset(data, path, true);
  return without_sum(slurp(path));
}

Dataset with_everything() {
  Dataset data = make_strokes(6, 4, 1);
  for (Split* split : {&data.train, &data.test}) {
    split->targets = Matrix<float>(split->n, 10);
    std::fill_n(split->targets.data(), split->targets.size(), 0.25f);
  }
  data.provenance.command = "ntkrob";
  return data;
}

std::string array_of_bytes(std::size_t n, std::size_t side) {
  const std::string pixels(n * side * side, '\xc8');
  return io::npy("|u1", {n, side, side, 1}, pixels.data(), pixels.size());
}

std::string labels_of(std::size_t n) {
  std::vector<std::int64_t> labels(n);
  for (std::size_t i = 0; i < n; ++i) labels[i] = static_cast<std::int64_t>(i % 3);
  return io::npy("<i8", {n}, labels.data(), 8 * n);
}

std::vector<std::string> arrays() {
  const float floats[6] = {0, 0.5f, 1, 0.25f, 0.75f, 1};
  const double doubles[6] = {0, 128, 255, 1, 2, 3};
  const std::int16_t shorts[6] = {0, 1, 2, 0, 1, 2};
  return {array_of_bytes(3, 4), io::npy("<f4", {3, 2}, floats, sizeof floats),
          io::npy("<f8", {3, 2}, doubles, sizeof doubles), io::npy("<i2", {3, 2}, shorts, sizeof shorts),
          io::npy("|S4", {3}, "cat\0dog\0bird", 12)};
}

std::vector<std::string> tables() {
  return {"label,a,b\n0,1,200\n1,3,255\n",
          "0,0.5,1\n1,0.25,0\n",
          "1;2;255\n0;4;200\n",
          "5.1\t3.5\t1.4\t'setosa'\n6\t3\t4\t'virginica'\n",
          "id,\"a, b\",class\n1,0.5,cat\n2,0.25,dog\n",
          "0 1 255\n1 200 3\n"};
}

std::string gzipped(const std::string& bytes) {
  const std::string path = folder() / "seed.gz";
  gzFile file = ::gzopen(path.c_str(), "wb");
  ::gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  ::gzclose(file);
  return slurp(path);
}

std::string picture(ImageShape shape, bool alpha = false) {
  if (!alpha) {
    Matrix<float> image(1, shape.size());
    for (index j = 0; j < shape.size(); ++j) image.data()[j] = static_cast<float>(j % 7) / 6;
    const std::string path = folder() / "seed.png";
    write_png_grid(path, image.view(), shape, 1, 1, true);
    return slurp(path);
  }
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = image.height = 4;
  image.format = PNG_FORMAT_RGBA;
  const std::vector<std::uint8_t> pixels(64, 255);
  png_alloc_size_t n_bytes = 4096;
  std::string out(n_bytes, '\0');
  png_image_write_to_memory(&image, out.data(), &n_bytes, 0, pixels.data(), 0, nullptr);
  out.resize(n_bytes);
  return out;
}

/// Chunks get the checksum of what is in them, so that libpng goes on behind it.
std::string with_checksums(std::string png) {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint32_t>(static_cast<unsigned char>(png[at])); };
  for (std::size_t at = 8; at + 12 <= png.size();) {
    const std::size_t length = byte(at) << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3);
    if (length > png.size() - at - 12) break;
    const auto crc = ::crc32(0, reinterpret_cast<const Bytef*>(png.data()) + at + 4, static_cast<uInt>(length + 4));
    for (std::size_t i = 0; i < 4; ++i) png[at + 8 + length + i] = static_cast<char>(crc >> (24 - 8 * i) & 0xff);
    at += 12 + length;
  }
  return png;
}

StateDict small_state() {
  StateDict state;
  state.set("text", std::string("a\nb"));
  state.set("number", std::int64_t{7});
  state.set("real", 0.5);
  state.set("f4", NdArray<float>{{2, 2}, {1, 2, 3, 4}});
  state.set("f8", NdArray<double>{{3}, {1, 2, 3}});
  state.set("i8", NdArray<std::int64_t>{{2}, {1, 2}});
  state.set("u1", NdArray<std::uint8_t>{{2}, {1, 2}});
  return state;
}

std::string saved_state(const std::string& ending) {
  const std::string path = folder() / ("state" + ending);
  save_state(small_state(), "ntkrob.model/1", path, true);
  return without_sum(slurp(path));
}

#if NTKROB_FUZZ_HDF5
/// The child process that looks at a file of others first may take a minute where the library loops. A first look with
/// less patience spares that time; what passes is read as anybody reads it.
void look_first(const std::string& path) {
  io::ChildLimits limits;
  limits.cpu_seconds = 1;
  limits.wall_seconds = 10;
  io::screen(path, limits);
}

/// Of a file that is read: a child process ends within a minute.
constexpr double kMostSecondsOfChildren = 65;

std::string old(void (*write)(const std::string& path)) {
  const std::string path = folder() / "old.h5";
  write(path);
  return slurp(path);
}
#endif

}  // namespace

std::vector<Target> reader_targets() {
  std::vector<Target> rows;
  const auto one = [](const std::string& path) { open({path}); };
  rows.push_back(reader(
      "npz", "a.npz",
      [] {
        return std::vector<std::string>{saved(make_strokes(4, 2, 1), ".npz"), saved(with_everything(), ".npz")};
      },
      one));
  // The inner array, in an archive that is sound.
  rows.push_back(reader("npz_member", "b.npz", arrays, [](const std::string& path) {
    io::ZipWriter writer;
    const std::string bytes = slurp(path);
    writer.add("x_train.npy", bytes);
    writer.add("y_train.npy", labels_of(3));
    writer.add("class_names.npy", bytes);
    spill(path, writer.finish());
    open({path});
  }));
  rows.push_back(reader("npy", "x_train.npy", arrays, [](const std::string& path) {
    spill(folder() / "y_train.npy", labels_of(3));
    open({path, folder() / "y_train.npy"});
  }));
  rows.push_back(reader("npy_labels", "t_labels.npy", arrays, [](const std::string& path) {
    ReadOptions options;
    options.parts.train_images = folder() / "t_images.npy";
    options.parts.train_labels = path;
    spill(options.parts.train_images, array_of_bytes(3, 4));
    open({}, options);
  }));
  const auto idx_pair = [](const std::string& path) {
    const std::string labels = folder() / "train-labels-idx1-ubyte";
    spill(labels, std::string("\0\0\x08\1\0\0\0\3\0\1\2", 11));
    open({path, labels});
  };
  const auto idx_seeds = [] {
    return std::vector<std::string>{std::string("\0\0\x08\3\0\0\0\3\0\0\0\2\0\0\0\2", 16) + std::string(12, '\xc8'),
                                    std::string("\0\0\x0d\2\0\0\0\3\0\0\0\1", 12) + std::string(12, '\0'),
                                    std::string("\0\0\x0b\2\0\0\0\3\0\0\0\1", 12) + std::string(6, '\0'),
                                    std::string("\0\0\x0e\2\0\0\0\3\0\0\0\1", 12) + std::string(24, '\0')};
  };
  rows.push_back(reader("idx", "train-images-idx3-ubyte", idx_seeds, idx_pair));
  rows.push_back(reader(
      "idx_gz", "train-images-idx3-ubyte.gz",
      [idx_seeds] {
        std::vector<std::string> all;
        for (const std::string& seed : idx_seeds()) all.push_back(gzipped(seed));
        return all;
      },
      idx_pair));
  rows.push_back(reader(
      "cifar", "data_batch_1.bin",
      [] {
        return std::vector<std::string>{'\1' + std::string(3072, '\xc8'), "\1\2" + std::string(3072, '\xc8')};
      },
      one));
  const auto pictures = [] {
    return std::vector<std::string>{picture({4, 4, 1}), picture({4, 4, 3}), picture({4, 4, 3}, true)};
  };
  std::filesystem::create_directories(folder() / "set/a");
  std::filesystem::create_directories(folder() / "set2/a");
  rows.push_back(reader("png", "set/a/0.png", pictures, [](const std::string&) { open({folder() / "set"}); }));
  rows.push_back(reader("png_chunks", "set2/a/0.png", pictures, [](const std::string& path) {
    spill(path, with_checksums(slurp(path)));
    open({folder() / "set2"});
  }));
  rows.push_back(reader("csv", "a.csv", tables, one, true));
  rows.push_back(reader(
      "csv_gz", "a.csv.gz",
      [] {
        std::vector<std::string> all;
        for (const std::string& seed : tables()) all.push_back(gzipped(seed));
        return all;
      },
      one));
  rows.push_back(reader(
      "csv_labels", "labels.csv",
      [] {
        return std::vector<std::string>{"0\n1\n2\n", "cat\ndog\ncat\n", "1,0\n0,1\n1,0\n"};
      },
      [](const std::string& path) {
        ReadOptions options;
        options.parts.train_images = folder() / "l_images.npy";
        options.parts.train_labels = path;
        spill(options.parts.train_images, array_of_bytes(3, 4));
        open({}, options);
      },
      true));
  rows.push_back(reader(
      "arff", "a.arff",
      [] {
        return std::vector<std::string>{
            "% iris\n@relation iris\n@attribute 'a b' numeric\n@attribute c real\n@attribute class "
            "{x,y}\n@data\n0.5,1,x\n0.25,0,y\n"};
      },
      one, true));
  rows.push_back(reader(
      "libsvm", "a.libsvm",
      [] {
        return std::vector<std::string>{"1 1:0.5 3:1\n-1 2:0.25 # end\n", "0 0:1\n1 5:0.5\n"};
      },
      one, true));
  rows.push_back(reader(
      "unknown", "a",
      [] {
        return std::vector<std::string>{saved(make_strokes(2, 0, 1), ".npz"),
                                        picture({4, 4, 1}),
                                        tables()[0],
                                        "\x80\x04K\1.",
                                        "PAR1",
                                        "\xff\xfe"
                                        "a"};
      },
      one));
  rows.push_back(reader(
      "state_npz", "s.npz", [] { return std::vector<std::string>{saved_state(".npz")}; },
      [](const std::string& path) { load_state(path, "ntkrob.model/1"); }));
  rows.push_back(reader(
      "state_member", "t.npz",
      [] {
        const double real = 0.5;
        auto all = arrays();
        all.push_back(io::npy("<f8", {}, &real, 8));
        all.push_back(io::npy("|S3", {}, "abc", 3));
        return all;
      },
      [](const std::string& path) {
        io::ZipWriter writer;
        const std::string schema = "ntkrob.model/1", bytes = slurp(path);
        writer.add("ntkrob_schema.npy", io::npy(text("|S", schema.size()).c_str(), {}, schema.data(), schema.size()));
        writer.add("a.npy", bytes);
        spill(path, writer.finish());
        load_state(path, schema);
      }));
  rows.push_back(reader(
      "arrays_npz", "w.npz",
      [] {
        io::ZipWriter writer;
        const auto all = arrays();
        for (std::size_t k = 0; k + 1 < all.size(); ++k) writer.add(text("fc", k, ".weight.npy"), all[k]);
        return std::vector<std::string>{without_sum(writer.finish())};
      },
      [](const std::string& path) { load_arrays(path); }));
  rows.push_back(reader(
      "small_text", "run.toml", [] { return std::vector<std::string>{"threads = 2\n[train]\nsteps = 5\n"}; },
      [](const std::string& path) { read_small_text_file(path, 1000); }, true));
#if NTKROB_FUZZ_HDF5
  rows.push_back(reader(
      "hdf5", "a.h5",
      [] {
        return std::vector<std::string>{saved(make_strokes(4, 2, 1), ".h5"), saved(with_everything(), ".h5"),
                                        old(write_old_set)};
      },
      [](const std::string& path) {
        look_first(path);
        open({path});
      }));
  rows.back().most_seconds = kMostSecondsOfChildren;
  rows.push_back(reader(
      "state_hdf5", "s.h5",
      [] {
        return std::vector<std::string>{saved_state(".h5"), old(write_old_state)};
      },
      [](const std::string& path) {
        look_first(path);
        load_state(path, "ntkrob.model/1");
      }));
  rows.back().most_seconds = kMostSecondsOfChildren;
#endif
  return rows;
}

}  // namespace ntkrob::fuzz
