#include "ntkrob/data/matrix_file.hpp"

#include <sys/resource.h>

#include <csignal>

#include "data/data_kit.hpp"

namespace ntkrob {
using kit::message_of;
using kit::TemporaryFolder;

namespace {

StateDict some_state() {
  StateDict state;
  state.set("spec", std::string("fc:2"));
  state.set("shape", NdArray<std::int64_t>{{2}, {5, 7}});
  return state;
}

double entry(index i, index j) { return static_cast<double>(100 * i + j) + 0.25; }

template <class R>
void write_entries(MatrixFile& file, std::size_t k, index row, index col, index rows, index cols) {
  Matrix<R> block(rows, cols);
  for (index i = 0; i < rows; ++i)
    for (index j = 0; j < cols; ++j) block(i, j) = static_cast<R>(entry(row + i, col + j));
  file.write(k, row, col, ConstView2D<R>(block.view()));
}

}  // namespace

TEST_CASE("matrices written in blocks in any order come back through load_state, with equal bytes", "[data][matrix]") {
  const TemporaryFolder folder;
  for (const bool backwards : {false, true}) {
    MatrixFile file(some_state(), "ntkrob.kernel/1", {{"a", 5, 7, 4}, {"b", 130, 70, 8}},
                    folder.file(backwards ? "two.h5" : "one.h5"), false);
    if (backwards) {
      write_entries<double>(file, 1, 64, 0, 66, 70);
      write_entries<double>(file, 1, 0, 30, 64, 40);
      write_entries<double>(file, 1, 0, 0, 64, 30);
      write_entries<float>(file, 0, 0, 0, 5, 7);
    } else {
      write_entries<float>(file, 0, 0, 0, 5, 7);
      write_entries<double>(file, 1, 0, 0, 130, 70);
    }
    CHECK_FALSE(std::filesystem::exists(folder.file(backwards ? "two.h5" : "one.h5")));
    file.commit();
  }
  const StateDict state = load_state(folder.file("one.h5"), "ntkrob.kernel/1");
  CHECK(state.get<std::string>("spec") == "fc:2");
  const auto& a = state.get<NdArray<float>>("a");
  const auto& b = state.get<NdArray<double>>("b");
  CHECK(a.shape == std::vector<index>{5, 7});
  CHECK(b.shape == std::vector<index>{130, 70});
  for (index i = 0; i < 130; ++i)
    for (index j = 0; j < 70; ++j) {
      if (i < 5 && j < 7) CHECK(a.values[static_cast<std::size_t>(i * 7 + j)] == static_cast<float>(entry(i, j)));
      REQUIRE(b.values[static_cast<std::size_t>(i * 70 + j)] == entry(i, j));
    }
  const StateDict outline = load_state(folder.file("one.h5"), "ntkrob.kernel/1", StateLimits{0, 1000});
  CHECK(outline.get<NdArray<float>>("a").values == a.values);
  CHECK(outline.get<NdArray<double>>("b").shape == b.shape);
  CHECK(outline.get<NdArray<double>>("b").values.empty());
  CHECK(kit::slurp(folder.file("one.h5")) == kit::slurp(folder.file("two.h5")));
  CHECK(folder.count() == 2);
}

TEST_CASE("a matrix file without commit leaves nothing, and an existing one is kept", "[data][matrix]") {
  const TemporaryFolder folder;
  kit::spill(folder.file("old.h5"), "precious");
  {
    MatrixFile file(some_state(), "ntkrob.kernel/1", {{"a", 50, 70, 4}}, folder.file("new.h5"), false);
    write_entries<float>(file, 0, 0, 0, 5, 7);
    CHECK(folder.count() == 2);
  }
  CHECK(folder.count() == 1);
  const std::string message = message_of<ConfigError>([&] {
    MatrixFile(some_state(), "ntkrob.kernel/1", {{"a", 5, 7, 4}}, folder.file("old.h5"), false);
  });
  CHECK(message.find("force=true") != std::string::npos);
  { MatrixFile(some_state(), "ntkrob.kernel/1", {{"a", 5, 7, 4}}, folder.file("old.h5"), true); }
  CHECK(kit::slurp(folder.file("old.h5")) == "precious");
}

TEST_CASE("blocks outside the matrix or of the other type are refused", "[data][matrix]") {
  const TemporaryFolder folder;
  MatrixFile file(some_state(), "ntkrob.kernel/1", {{"a", 5, 7, 4}}, folder.file("k.h5"), false);
  CHECK_THROWS_AS(write_entries<float>(file, 0, 3, 0, 3, 7), ShapeError);
  CHECK_THROWS_AS(write_entries<float>(file, 0, 0, -1, 2, 2), ShapeError);
  CHECK_THROWS_AS(write_entries<double>(file, 0, 0, 0, 5, 7), ShapeError);
  CHECK_THROWS_AS(write_entries<float>(file, 1, 0, 0, 5, 7), ShapeError);
  CHECK_THROWS_AS(MatrixFile(some_state(), "ntkrob.kernel/1", {{"a", 0, 7, 4}}, folder.file("z.h5"), false),
                  ShapeError);
  CHECK_THROWS_AS(MatrixFile(some_state(), "ntkrob.kernel/1", {{"a", 5, 7, 2}}, folder.file("z.h5"), false),
                  ShapeError);
}

TEST_CASE("a matrix larger than the disk's room is refused before the work, and leaves nothing", "[data][matrix]") {
  const TemporaryFolder folder;
  struct rlimit before;
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 100000;
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::string message = message_of<ResourceError>([&] {
    MatrixFile(some_state(), "ntkrob.kernel/1", {{"a", 500, 500, 8}}, folder.file("k.h5"), false);
  });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(message.find("k.h5") != std::string::npos);
  CHECK(folder.count() == 0);
}

}  // namespace ntkrob
