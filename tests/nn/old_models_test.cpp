// Model files that versions of before wrote: tests/golden/old_models.sh says which, and how they were made.
#include <cmath>
#include <fstream>
#include <sstream>

#include "kit/check.hpp"
#include "nn/fixture.hpp"
#include "ntkrob/data/format.hpp"

using namespace ntkrob;

namespace {

const std::string kFolder = NTKROB_GOLDEN_DIR "/old_models/";

struct Stored {
  std::string file;
  std::vector<float> logits;  // of two images, row by row
};

std::vector<Stored> stored() {
  std::ifstream lines(kFolder + "logits.txt");
  std::vector<Stored> all;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    Stored one;
    words >> one.file;
    for (float value; words >> value;) one.logits.push_back(value);
    all.push_back(one);
  }
  return all;
}

bool is_npz(const std::string& file) { return file.size() > 4 && file.compare(file.size() - 4, 4, ".npz") == 0; }

template <class T>
bool same(const T& a, const T& b) {
  return a == b;
}
template <class T>
bool same(const NdArray<T>& a, const NdArray<T>& b) {
  return a.shape == b.shape && a.values == b.values;
}
bool same_value(const StateDict::Value& a, const StateDict::Value& b) {
  return a.index() == b.index() &&
         std::visit([&](const auto& v) { return same(v, std::get<std::decay_t<decltype(v)>>(b)); }, a);
}

/// The images of old_models.sh.
Matrix<float> images(index pixels) {
  Matrix<float> x(2, pixels);
  for (index k = 0; k < 2; ++k)
    for (index i = 0; i < pixels; ++i) x(k, i) = static_cast<float>((37 * i + 11 * k) % 101) / 101.0f;
  return x;
}

}  // namespace

TEST_CASE("models that versions of before wrote open and give the logits of those versions", "[nn]") {
  const auto backend = nn_test::backend();
  const std::vector<Stored> all = stored();
  REQUIRE(all.size() == 7);
  index opened = 0;
  for (const Stored& one : all) {
    if (NTKROB_TEST_HDF5 == 0 && !is_npz(one.file)) continue;
    INFO(one.file);
    const StateDict state = load_state(kFolder + one.file, kModelSchema);
    const Net net(state, *backend);
    const Matrix<float> x = images(net.input_shape().size());
    Matrix<float> out(2, net.classes());
    net.logits(x.view(), out.view());
    REQUIRE(static_cast<index>(one.logits.size()) == out.size());
    const ConstView2D<float> expected{one.logits.data(), 2, net.classes()};
    // Sums of at most 90 products of numbers up to 3 in other orders, in up to four layers: some 15 half ulps of 1.
    NTKROB_CHECK_SAME(kit::compare(out.view(), expected, 1e-6));
    CHECK(std::abs(one.logits[0]) > 1e-3);
    // What is written now has the same layers under the same names.
    const StateDict again = net.state();
    for (const auto& [name, value] : state.entries()) {
      const bool of_the_net = name.rfind("provenance/", 0) != 0 && name.rfind("class_names/", 0) != 0;
      INFO(name);
      if (of_the_net) CHECK((again.contains(name) && same_value(again.at(name), value)));
    }
    ++opened;
  }
  CHECK(opened >= (NTKROB_TEST_HDF5 == 0 ? 4 : 7));
}

TEST_CASE("models of before keep what they said beside their layers", "[nn]") {
  const StateDict folded = load_state(kFolder + "5067cad_folded.npz", kModelSchema);
  CHECK(stored_class_names(folded) == std::vector<std::string>{"one", "two", "\"3\""});
  CHECK(folded.get<std::string>("provenance/reading/2") ==
        "folded module.bn1, batch normalisation with eps 0.001, into module.conv");
  const StateDict trained = load_state(kFolder + "94bf234_mlp.npz", kModelSchema);
  CHECK(trained.get<std::string>("provenance/parent_checksum") == "crc32:8911c6a9");
}
