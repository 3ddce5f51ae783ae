/// Real files, where the folder of reference data has them (NTKROB_SHARED_DIR).
#include <filesystem>
#include <iostream>
#include <numeric>

#include "data/data_kit.hpp"

using namespace ntkrob;

namespace {

bool absent(const std::string& path) {
  if (std::filesystem::exists(path)) return false;
  std::cout << "skipped: " << path << " is absent\n";
  return true;
}

double mean(const std::vector<std::uint8_t>& bytes) {
  return static_cast<double>(std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0})) / 255 /
         static_cast<double>(bytes.size());
}

}  // namespace

TEST_CASE("MNIST is read whole: counts and mean pixel", "[data]") {
  const std::string folder = NTKROB_SHARED_DIR "/data/mnist";
  if (absent(folder)) return;

  const Dataset data = open_dataset({folder});

  CHECK(data.shape == ImageShape{28, 28, 1});
  CHECK(data.classes == 10);
  CHECK(data.train.n == 60000);
  CHECK(data.test.n == 10000);
  CHECK(std::abs(mean(data.train.bytes) - 0.1307) < 5e-5);
}

TEST_CASE("CIFAR-10 batches are read whole: counts, balance, channels", "[data]") {
  const std::string folder = NTKROB_SHARED_DIR "/data/cifar10-jpeg";
  if (absent(folder)) return;

  const Dataset data = open_dataset({folder});

  CHECK(data.shape == ImageShape{32, 32, 3});
  CHECK(data.train.n == 10000);
  CHECK(data.test.n == 2000);
  CHECK(std::count(data.train.labels.begin(), data.train.labels.end(), 3) == 1000);
  double channel[3] = {};
  for (std::size_t i = 0; i < data.train.bytes.size(); ++i) channel[i % 3] += data.train.bytes[i];
  // Published means of CIFAR-10 are 0.491, 0.482, 0.447: red above green above blue, blue clearly lowest.
  const double each = 255.0 * static_cast<double>(data.train.bytes.size()) / 3;
  CHECK(std::abs(channel[0] / each - 0.491) < 0.01);
  CHECK(std::abs(channel[1] / each - 0.482) < 0.01);
  CHECK(std::abs(channel[2] / each - 0.447) < 0.01);
}
