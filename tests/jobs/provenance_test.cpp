#include "jobs/provenance.hpp"

#include "kit/check.hpp"
#include "ntkrob/jobs/input.hpp"

using namespace ntkrob;
using namespace ntkrob::jobs;

TEST_CASE("a canonical command writes every option out, without folders", "[jobs]") {
  ReadOptions read;
  read.value_range = "0:16";
  const OptionTexts options{{"kernel", "fc:1|residual(relu|)"}, {"clip", "false"}, {"eps", "0.1"}, {"labels", "true"}};
  CHECK(canonical_command("robustify", "/data/x.h5", options, read) ==
        "ntkrob robustify x.h5 --kernel fc:1 --kernel residual(relu|) --no-clip --eps 0.1 --labels --value-range 0:16");
}

TEST_CASE("provenance keeps the commands of all parents, the oldest first", "[jobs]") {
  Dataset parent;
  parent.shape = {1, 1, 2};
  parent.classes = 2;
  parent.train.n = 2;
  parent.train.pixels = Matrix<float>(2, 2);
  parent.train.labels = {0, 1};
  parent.provenance.chain = {"ntkrob synth strokes"};
  parent.provenance.command = "ntkrob robustify strokes.h5";
  const Provenance p = made_from(parent, "a/robust.h5", {});
  CHECK(p.chain == std::vector<std::string>{"ntkrob synth strokes", "ntkrob robustify strokes.h5"});
  CHECK(p.parent == "robust.h5");
  CHECK(p.parent_checksum == parent.checksum());
}

TEST_CASE("what a reader recognised is kept with options by their names", "[jobs]") {
  Dataset data;
  data.notes = {text("a/x.idx: pictures are transposed; ", field("layout", "NWH"), " turns them"), "plain"};
  CHECK(reading_record(data, {}, "a/x.idx") ==
        std::vector<std::string>{"x.idx: pictures are transposed; layout=NWH turns them", "plain"});
}

TEST_CASE("curves hold what was measured, and in which steps where that is not all", "[jobs]") {
  const std::vector<Column> columns{{"loss", Column::Kind::number, true, true},
                                    {"lr", Column::Kind::number, false, false},
                                    {"validation_clean", Column::Kind::fraction, false, true},
                                    {"validation_robust", Column::Kind::fraction, false, true}};
  std::vector<Row> rows;
  for (index step = 1; step <= 4; ++step) {
    Row row{step, {0.5 * static_cast<double>(step), 1.0, std::nullopt, std::nullopt}, 0};
    if (step % 2 == 0) row.values[2] = 0.25, row.values[3] = 0.125;
    rows.push_back(row);
  }
  const auto curves = curves_of(columns, rows);
  REQUIRE(curves.size() == 4);
  CHECK(curves[0] == std::pair<std::string, std::vector<double>>{"loss", {0.5, 1, 1.5, 2}});
  CHECK(curves[1] == std::pair<std::string, std::vector<double>>{"validation_step", {2, 4}});
  CHECK(curves[2] == std::pair<std::string, std::vector<double>>{"validation_clean", {0.25, 0.25}});
  CHECK(curves[3].first == "validation_robust");
}
