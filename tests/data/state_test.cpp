#include <cstring>
#include <limits>

#include "data/data_kit.hpp"
#include "ntkrob/base/state_dict.hpp"

using namespace ntkrob;
using kit::message_of;

namespace {

/// Every value type, odd numbers, empty arrays, groups, more attributes than HDF5 stores compactly.
StateDict rich_state() {
  StateDict state;
  state.set("spec", std::string("mlp:256,128"));
  state.set("empty text", std::string());
  state.set("long text", std::string(100000, 'x'));
  state.set("umlaut", std::string("gr\xc3\xbc\xc3\x9f"));
  state.set("step", std::int64_t{std::numeric_limits<std::int64_t>::min()});
  state.set("nan", std::numeric_limits<double>::quiet_NaN());
  state.set("tiny", std::numeric_limits<double>::denorm_min());
  state.set("input_shape", NdArray<std::int64_t>{{3}, {28, 28, 1}});
  NdArray<std::int64_t> order{{100, 2}, {}};
  for (int i = 0; i < 200; ++i) order.values.push_back(i * i - 77);
  state.set("order", order);
  state.set("no integers", NdArray<std::int64_t>{{0}, {}});
  state.set("integer scalar array", NdArray<std::int64_t>{{}, {5}});
  for (int layer = 0; layer < 12; ++layer) {
    const std::string prefix = "layers/" + std::to_string(layer) + "/";
    state.set(prefix + "type", std::string("dense"));
    NdArray<float> weight{{40, 50}, {}};
    for (int i = 0; i < 2000; ++i) weight.values.push_back(1.0f / static_cast<float>(i + layer + 1));
    state.set(prefix + "weight", weight);
    state.set(prefix + "bias", NdArray<float>{{2}, {-0.0f, std::numeric_limits<float>::infinity()}});
  }
  state.set("adam/m", NdArray<double>{{2, 0, 3}, {}});
  state.set("adam/v", NdArray<double>{{}, {3.25}});
  state.set("mask", NdArray<std::uint8_t>{{2, 2}, {0, 1, 254, 255}});
  for (int i = 0; i < 30; ++i) state.set("scalar-" + std::to_string(i), 0.1 * i);
  return state;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

struct SameValue {
  const StateDict::Value& other;
  bool operator()(const std::string& a) const { return a == std::get<std::string>(other); }
  bool operator()(std::int64_t a) const { return a == std::get<std::int64_t>(other); }
  bool operator()(double a) const { return std::memcmp(&a, &std::get<double>(other), sizeof a) == 0; }
  template <class T>
  bool operator()(const NdArray<T>& a) const {
    const auto& b = std::get<NdArray<T>>(other);
    return a.shape == b.shape && same_bits(a.values, b.values);
  }
};

}  // namespace

TEST_CASE("a state file gives back every value type bit for bit", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("state.h5");
  const StateDict state = rich_state();

  save_state(state, "ntkrob.checkpoint/1", path, false);
  const StateDict loaded = load_state(path, "ntkrob.checkpoint/1");

  CHECK(loaded.entries().size() == state.entries().size());
  for (const auto& [name, value] : state.entries()) {
    INFO("entry " << name);
    REQUIRE(loaded.contains(name));
    REQUIRE(loaded.at(name).index() == value.index());
    CHECK(std::visit(SameValue{loaded.at(name)}, value));
  }
  CHECK(identify(path) == std::pair<std::string, std::string>("checkpoint", "ntkrob.checkpoint/1"));
}

TEST_CASE("equal states give equal bytes", "[data]") {
  const kit::TemporaryFolder folder;

  save_state(rich_state(), "ntkrob.model/1", folder.file("a.h5"), false);
  save_state(rich_state(), "ntkrob.model/1", folder.file("b.h5"), false);

  CHECK(kit::slurp(folder.file("a.h5")) == kit::slurp(folder.file("b.h5")));
}

TEST_CASE("a state file of another kind or a newer version is refused with both texts", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("state.h5");
  save_state(rich_state(), "ntkrob.model/2", path, false);

  const std::string newer = message_of([&] { load_state(path, "ntkrob.model/1"); });
  CHECK_CONTAINS(newer, "ntkrob.model/2");
  CHECK_CONTAINS(newer, "ntkrob.model/1");
  CHECK_CONTAINS(message_of([&] { load_state(path, "ntkrob.kernel/1"); }), "is a file of kind ntkrob.model/2");
  CHECK_NOTHROW(load_state(path, "ntkrob.model/3"));
  CHECK_CONTAINS(message_of([&] { open_dataset({path}); }), "expected ntkrob.dataset/1");
}

TEST_CASE("a state that cannot be stored is refused and leaves no file", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("state.h5");
  const auto save_one = [&](const std::string& name, StateDict::Value value) {
    StateDict state;
    state.set("a", NdArray<float>{{1}, {1}});
    state.set(name, std::move(value));
    return message_of<ConfigError>([&] { save_state(state, "ntkrob.model/1", path, false); });
  };

  CHECK_CONTAINS(save_one("a/b", 1.0), "a is an array already");
  CHECK_CONTAINS(save_one("x//y", 1.0), "empty group name");
  CHECK_CONTAINS(save_one("x/", 1.0), "empty name");
  CHECK_CONTAINS(save_one("ntkrob_schema", 1.0), "reserved");
  CHECK_CONTAINS(save_one("text", std::string("a\0b", 3)), "zero byte");
  CHECK_CONTAINS(save_one("bad", NdArray<float>{{2, 2}, {1, 2, 3}}), "the shape says 4 values, there are 3");
  CHECK(folder.count() == 0);
}

TEST_CASE("a file that is no HDF5 is refused with its name", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("state.h5");
  kit::spill(path, "not HDF5 at all");

  CHECK_CONTAINS(message_of([&] { load_state(path, "ntkrob.model/1"); }), path + ": not a readable HDF5 file");
  CHECK_CONTAINS(message_of([&] { load_state(folder.file("absent.h5"), "ntkrob.model/1"); }), "No such file");
}

TEST_CASE("arrays of any NPZ or HDF5 file are read by name, with the shapes of the file", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("s.h5");
  save_state(rich_state(), "a/1", path, false);

  const StateDict npz = load_arrays(NTKROB_FIXTURES_DIR "/stored.npz");
  const StateDict group = load_arrays(path, "layers/3"), part = load_arrays(path, "/adam/");
  const StateDict plain = load_arrays(NTKROB_FIXTURES_DIR "/plain_bytes.h5");

  CHECK(npz.entries()[0].first == "x_train");
  CHECK(npz.get<NdArray<std::uint8_t>>("x_train").shape == std::vector<ntkrob::index>{10, 28, 28});
  CHECK(npz.get<NdArray<std::int64_t>>("y_test").shape == std::vector<ntkrob::index>{5});
  CHECK(group.get<NdArray<float>>("weight").values[1] == 1.0f / 5);
  CHECK(group.get<std::string>("type") == "dense");
  CHECK(part.get<NdArray<double>>("v").values == std::vector<double>{3.25});
  CHECK(plain.contains("x_train"));
  CHECK_CONTAINS(message_of<IoError>([&] { load_arrays(path, "layers/30"); }), "layers/30: absent");
  CHECK_CONTAINS(message_of<IoError>([&] { load_arrays(path, "order"); }), "order: is an array");
  CHECK_CONTAINS(message_of<ConfigError>([&] { load_arrays(NTKROB_FIXTURES_DIR "/stored.npz", "a"); }), "no group");
  CHECK_CONTAINS(message_of<IoError>([&] { load_arrays(NTKROB_FIXTURES_DIR "/small.csv"); }), "neither");
}

TEST_CASE("the values of a state in HDF5 are limited together, and described where they may be", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("state.h5");
  kit::check_values_are_limited_together(path);
  CHECK_THROWS_AS(load_arrays(path, "", 50000), ResourceError);
  CHECK_NOTHROW(load_arrays(path, "", 150000));
}
