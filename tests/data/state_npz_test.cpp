// States in NPZ: what a build without HDF5 keeps its models in.
#include <cstring>
#include <limits>

#include "data/data_kit.hpp"
#include "ntkrob/base/state_dict.hpp"

using namespace ntkrob;
using kit::message_of;

namespace {

StateDict some_state() {
  StateDict state;
  state.set("spec", std::string("mlp:256,128"));
  state.set("empty text", std::string());
  state.set("umlaut", std::string("gr\xc3\xbc\xc3\x9f"));
  state.set("step", std::int64_t{std::numeric_limits<std::int64_t>::min()});
  state.set("nan", std::numeric_limits<double>::quiet_NaN());
  state.set("tiny", std::numeric_limits<double>::denorm_min());
  state.set("input_shape", NdArray<std::int64_t>{{3}, {28, 28, 1}});
  state.set("no integers", NdArray<std::int64_t>{{0}, {}});
  state.set("adam/m", NdArray<double>{{2, 1}, {3.25, -0.0}});
  state.set("layers/0/weight", NdArray<float>{{2, 1, 2}, {-0.0f, std::numeric_limits<float>::infinity(), 1e-40f, 3}});
  state.set("mask", NdArray<std::uint8_t>{{2, 2}, {0, 1, 254, 255}});
  return state;
}

struct SameBits {
  const StateDict::Value& other;
  bool operator()(const std::string& a) const { return a == std::get<std::string>(other); }
  template <class T>
  bool operator()(const T& a) const {
    return std::memcmp(&a, &std::get<T>(other), sizeof a) == 0;
  }
  template <class T>
  bool operator()(const NdArray<T>& a) const {
    const auto& b = std::get<NdArray<T>>(other);
    return a.shape == b.shape && a.values.size() == b.values.size() &&
           (a.values.empty() || std::memcmp(a.values.data(), b.values.data(), a.values.size() * sizeof(T)) == 0);
  }
};

}  // namespace

TEST_CASE("a state in NPZ gives back every value type bit for bit", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("state.npz"), again = folder.file("again.npz");
  const StateDict state = some_state();

  save_state(state, "ntkrob.model/1", path, false);
  save_state(state, "ntkrob.model/1", again, false);
  const StateDict loaded = load_state(path, "ntkrob.model/1");

  REQUIRE(loaded.entries().size() == state.entries().size());
  for (std::size_t k = 0; k < state.entries().size(); ++k) {
    const auto& [name, value] = state.entries()[k];
    INFO("entry " << name);
    REQUIRE(loaded.entries()[k].first == name);
    REQUIRE(loaded.at(name).index() == value.index());
    CHECK(std::visit(SameBits{loaded.at(name)}, value));
  }
  CHECK(identify(path) == std::pair<std::string, std::string>("model", "ntkrob.model/1"));
  CHECK(kit::slurp(path) == kit::slurp(again));
}

TEST_CASE("large arrays of a state in NPZ can come without their values", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("state.npz");
  save_state(some_state(), "ntkrob.model/1", path, false);

  const StateDict loaded = load_state(path, "ntkrob.model/1", StateLimits{0, 15});

  CHECK(loaded.get<NdArray<float>>("layers/0/weight").shape == std::vector<ntkrob::index>{2, 1, 2});
  CHECK(loaded.get<NdArray<float>>("layers/0/weight").values.empty());
  CHECK(loaded.get<NdArray<std::uint8_t>>("mask").values.size() == 4);
}

TEST_CASE("the values of a state in NPZ are limited together, and described where they may be", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("state.npz");
  kit::check_values_are_limited_together(path);
  const std::string plain = NTKROB_FIXTURES_DIR "/stored.npz";  // 10 images of 28 x 28 bytes are its largest array
  CHECK_THROWS_AS(load_arrays(plain, "", 7000), ResourceError);
  CHECK_NOTHROW(load_arrays(plain, "", 50000));
}

TEST_CASE("a state in NPZ of another kind, a newer version or damaged is refused", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("state.npz"), data = folder.file("data.npz");
  save_state(some_state(), "ntkrob.model/2", path, false);
  save_dataset(make_strokes(10, 0, 1), data, false);

  CHECK_CONTAINS(message_of([&] { load_state(path, "ntkrob.model/1"); }), "ntkrob.model/2");
  CHECK_CONTAINS(message_of([&] { load_state(path, "ntkrob.kernel/1"); }), "is a file of kind ntkrob.model/2");
  CHECK_NOTHROW(load_state(path, "ntkrob.model/3"));
  CHECK_CONTAINS(message_of([&] { load_state(data, "ntkrob.model/1"); }),
                 "is a file of kind ntkrob.dataset/1, expected ntkrob.model/1");
  CHECK_CONTAINS(message_of([&] { open_dataset({path}); }), "expected ntkrob.dataset/1");

  const std::string whole = kit::slurp(path);
  for (std::size_t cut = 0; cut < whole.size(); cut += 37) {
    INFO("cut at " << cut);
    kit::spill(path, whole.substr(0, cut));
    CHECK_THROWS_AS(load_state(path, "ntkrob.model/3"), Error);
  }
}

TEST_CASE("a state that NPZ cannot hold is refused and leaves no file", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("state.npz");
  const auto save_one = [&](const std::string& name, StateDict::Value value) {
    StateDict state;
    state.set(name, std::move(value));
    return message_of<ConfigError>([&] { save_state(state, "ntkrob.model/1", path, false); });
  };

  CHECK_CONTAINS(save_one("ntkrob_schema", 1.0), "reserved");
  CHECK_CONTAINS(save_one("text", std::string("a\0b", 3)), "zero byte");
  CHECK_CONTAINS(save_one("scalar", NdArray<float>{{}, {1}}), "without extents");
  CHECK_CONTAINS(save_one("bad", NdArray<float>{{2, 2}, {1, 2, 3}}), "the shape says 4 values, there are 3");
  CHECK(folder.count() == 0);
}
