/// convert of a set of 3 GB, HDF5 to HDF5: peak memory of the command, and that nothing is left when it is interrupted.
/// Needs 7 GB in the folder of temporary files.
#include <hdf5.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "run.hpp"

using namespace ntkrob::cli_test;

namespace {

constexpr hsize_t kImages = 1000000, kPixels = 3072, kRows = 10000;
constexpr long kMostKiB = 512 * 1024;

/// kImages coloured pictures of 32 x 32 as somebody else would store them. chunk: images in a packed chunk, 0:
/// contiguous
void write_large(const std::string& path, hsize_t chunk) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hsize_t shape[4] = {kImages, 32, 32, 3}, block[4] = {kRows, 32, 32, 3}, cut[4] = {chunk, 32, 32, 3};
  const hid_t space = H5Screate_simple(4, shape, nullptr), memory = H5Screate_simple(4, block, nullptr);
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  if (chunk > 0) {
    H5Pset_chunk(properties, 4, cut);
    H5Pset_deflate(properties, 1);
  }
  const hid_t x = H5Dcreate2(file, "x_train", H5T_STD_U8LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  std::vector<unsigned char> pixels(kRows * kPixels);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<unsigned char>(i / 100 * 7 + i % 3);
  for (hsize_t first = 0; first < kImages; first += kRows) {
    const hsize_t start[4] = {first, 0, 0, 0};
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, nullptr, block, nullptr);
    REQUIRE(H5Dwrite(x, H5T_NATIVE_UCHAR, memory, space, H5P_DEFAULT, pixels.data()) >= 0);
  }
  std::vector<long long> labels(kImages);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<long long>(i % 10);
  const hid_t line = H5Screate_simple(1, shape, nullptr);
  const hid_t y = H5Dcreate2(file, "y_train", H5T_STD_I64LE, line, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  REQUIRE(H5Dwrite(y, H5T_NATIVE_LLONG, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels.data()) >= 0);
  for (const hid_t dataset : {x, y}) H5Dclose(dataset);
  for (const hid_t each : {space, memory, line}) H5Sclose(each);
  H5Pclose(properties);
  REQUIRE(H5Fclose(file) >= 0);
}

/// The largest of all commands so far.
long peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  return usage.ru_maxrss;
}

}  // namespace

TEST_CASE("convert of 3 GB from HDF5 to HDF5 takes less than 512 MiB of memory", "[cli]") {
  const Folder folder;
  const std::string in = folder / "in.h5", out = folder / "out.h5", again = folder / "again.h5";
  for (const hsize_t chunk : {hsize_t{0}, hsize_t{300}}) {
    write_large(in, chunk);
    run_ok({"convert", in, "-o", out, "--force"});
    const long peak = peak_kib();
    INFO("chunks of " << chunk << " images: peak " << peak << " KiB, at most " << kMostKiB);
    CHECK(peak < kMostKiB);
    std::filesystem::remove(in);
    CHECK(std::filesystem::file_size(out) > kImages * kPixels);
    if (chunk > 0) continue;
    // What ntkrob wrote itself; and interrupted while it writes.
    {
      Process process({"convert", out, "-o", again});
      while (process.running() && !contains(process.said(), "wrote"))
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      process.signal(SIGINT);
      CHECK_FAILS(process.wait(), 130, "interrupted; outputs that were not finished are removed");
    }
    std::size_t left = 0;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(out).parent_path()))
      left += entry.exists();
    CHECK(left == 1);
    run_ok({"convert", out, "-o", again});
    const long second = peak_kib();
    INFO("its own file: peak " << second << " KiB, at most " << kMostKiB);
    CHECK(second < kMostKiB);
    CHECK(std::filesystem::file_size(again) == std::filesystem::file_size(out));
    std::filesystem::remove(again);
  }
}
