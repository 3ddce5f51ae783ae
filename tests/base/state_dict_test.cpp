#include "ntkrob/base/state_dict.hpp"

#include <chrono>

#include "kit/check.hpp"
#include "ntkrob/version.hpp"

using namespace ntkrob;

TEST_CASE("entries keep the order of insertion and set replaces in place", "[base]") {
  StateDict state;
  state.set("b", std::string("text"));
  state.set("a", std::int64_t(3));
  state.set("b", 2.5);

  REQUIRE(state.entries().size() == 2);
  CHECK(state.entries()[0].first == "b");
  CHECK(state.entries()[1].first == "a");
  CHECK(state.get<double>("b") == 2.5);
  CHECK(state.get<std::int64_t>("a") == 3);
  CHECK(state.contains("a"));
  CHECK_FALSE(state.contains("c"));
  CHECK_THROWS_AS(state.set("", 1.0), ConfigError);
}

TEST_CASE("an absent entry and one of another type are named", "[base]") {
  StateDict state;
  state.set("step", std::int64_t(3));
  CHECK_THROWS_WITH(state.at("seed"), "entry \"seed\" is missing");
  CHECK_THROWS_AS(state.at("seed"), IoError);
  CHECK_THROWS_WITH(state.get<double>("step"), "entry \"step\" has another type than expected");
}

TEST_CASE("a matrix comes back bit for bit, from and to strided views", "[base]") {
  Matrix<float> source(3, 5);
  for (index i = 0; i < source.size(); ++i) source.data()[i] = static_cast<float>(i) / 7;
  const ConstView2D<float> part = source.view().middle_cols(1, 3);
  StateDict state;
  state.set_matrix("part", part);

  Matrix<float> target(3, 4);
  state.get_matrix("part", target.view().middle_cols(1, 3));

  NTKROB_CHECK_SAME(kit::compare(part, ConstView2D<float>(target.view().middle_cols(1, 3)), 0));
  for (index i = 0; i < 3; ++i) CHECK(target(i, 0) == 0);
  CHECK(state.get<NdArray<float>>("part").shape == std::vector<index>{3, 3});
}

TEST_CASE("get_matrix refuses other shapes, other types and arrays that lie about their size", "[base]") {
  StateDict state;
  state.set_matrix("w", ConstView2D<double>(Matrix<double>(2, 3)));
  Matrix<double> wide(3, 2);
  Matrix<float> single(2, 3);
  CHECK_THROWS_WITH(state.get_matrix("w", wide.view()), "entry \"w\" has shape [2, 3], expected [3, 2]");
  CHECK_THROWS_AS(state.get_matrix("w", single.view()), IoError);

  NdArray<float> short_array;
  short_array.shape = {2, 3};
  short_array.values = {1, 2};
  state.set("short", short_array);
  CHECK_THROWS_WITH(state.get_matrix("short", single.view()), "entry \"short\" holds 2 values, expected 6");
}

TEST_CASE("the version text agrees with the version numbers", "[base]") {
  CHECK(std::string(kVersion) == text(kVersionMajor, ".", kVersionMinor, ".", kVersionPatch));
}

TEST_CASE("a state of many entries is made and searched in a time that grows as their number", "[base]") {
  constexpr int kEntries = 200000;  // searched one by one these took minutes
  const auto begin = std::chrono::steady_clock::now();
  StateDict state;
  for (int i = 0; i < kEntries; ++i) state.set("layers/entry-" + std::to_string(i), std::int64_t{i});
  state.set("layers/entry-7", std::int64_t{-7});
  std::int64_t sum = 0;
  for (int i = kEntries; i-- > 0;) sum += state.get<std::int64_t>("layers/entry-" + std::to_string(i));
  StateDict moved = std::move(state);
  const StateDict copy = moved;
  moved.set("new", std::int64_t{1});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

  CHECK(sum == std::int64_t{kEntries} * (kEntries - 1) / 2 - 14);
  CHECK(copy.entries().size() == kEntries);
  CHECK(std::get<std::int64_t>(copy.entries()[7].second) == -7);
  CHECK(copy.get<std::int64_t>("layers/entry-99") == 99);
  CHECK(!copy.contains("new"));
  CHECK(moved.contains("new"));
  CHECK(seconds < 10);
}
