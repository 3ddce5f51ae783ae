/// Answers that must be true where they are given: advice that works, files that are there, options by their names.
#include <filesystem>

#include "ntkrob/data/format.hpp"
#include "ntkrob/data/journal.hpp"
#include "run.hpp"

namespace ntkrob::cli_test {

namespace {

/// The number behind `before` in a text.
std::string number_behind(const std::string& text, const std::string& before) {
  const std::size_t at = text.find(before);
  REQUIRE(at != std::string::npos);
  return text.substr(at + before.size(), text.find_first_not_of("0123456789", at + before.size()) - at - before.size());
}

}  // namespace

TEST_CASE("what was written is called by the names of the files that are there", "[cli]") {
  const Folder folder;
  run_ok({"synth", "strokes", "--train", "30", "--test", "0", "-o", folder / "easy.h5"});
  const Finished idx = run({"convert", folder / "easy.h5", "-o", folder / "s.IDX"});
  REQUIRE(idx.code == 0);
  CHECK(contains(idx.err, "s-{train,t10k}-{images,labels}-idx*"));
  CHECK(std::filesystem::exists(folder / "s-train-images-idx3-ubyte"));
  const Finished signs = run({"robustify", folder / "easy.h5", "--recipe", "sign-mix", "-o", folder / "m.idx"});
  REQUIRE(signs.code == 0);
  CHECK(contains(signs.err, "m-{train,t10k}-{images,labels}-idx*"));
  const Finished picture = run({"convert", folder / "easy.h5", "-o", folder / "s.png"});
  REQUIRE(picture.code == 0);
  CHECK(contains(picture.err, "s.png: a picture of the first images"));
  CHECK_FALSE(contains(picture.err, "training and"));
}

TEST_CASE("a report to - is refused, and one without a name is said to be none", "[cli]") {
  const Folder folder;
  write_easy_h5(folder / "easy.h5", 30, 3);
  const std::vector<std::string> robustify{"robustify", folder / "easy.h5", "--recipe", "sign-mix",
                                           "-o",        folder / "m.h5"};
  for (const char* option : {"--json", "--log"}) {
    std::vector<std::string> words = robustify;
    words.insert(words.end(), {option, "-"});
    CHECK_FAILS(run(words), 2, std::string(option) + " is -", "./-");
  }
  std::vector<std::string> words = robustify;
  words.emplace_back("--json=");
  const Finished finished = run(words);
  CHECK(finished.code == 0);
  CHECK(contains(finished.err, "--json is empty: no such file is written"));
}

TEST_CASE("the state of another job is not offered for --resume", "[cli]") {
  const Folder folder;
  write_easy_h5(folder / "easy.h5", 30, 3);
  StateDict state;
  state.set("run/job", std::string("robustify"));
  save_state(state, "ntkrob.checkpoint/1", folder / "x.ckpt.h5", false);
  Journal::create(folder / "rows.ckpt", {{"run/job", "kernel"}, {"kernel", "fc:3"}});
  for (const auto& [path, job] : {std::pair<const char*, const char*>{"x.ckpt.h5", "ntkrob robustify"},
                                  std::pair<const char*, const char*>{"rows.ckpt", "ntkrob kernel"}}) {
    const Finished finished =
        run({"train", folder / "easy.h5", "--model", "mlp:2", "--checkpoint", folder / path, "-o", folder / "net.h5"});
    CHECK_FAILS(finished, 2, std::string("is the state of ") + job, "--force");
    CHECK_FALSE(contains(finished.err, "--resume"));
    CHECK(std::filesystem::exists(folder / path));
  }
  // Rows of kernel and predict are described, too.
  const std::string shown = run_ok({"info", folder / "rows.ckpt"});
  CHECK(contains(shown, "checkpoint"));
  CHECK(contains(shown, "fc:3"));
}

TEST_CASE("the folder of a demo is a folder with a name", "[cli]") {
  const Folder folder;
  write_file(folder / "file", "x");
  CHECK_FAILS(run({"demo", "--out", ""}), 2, "--out is empty");
  const Finished finished = run({"demo", "--out", folder / "file"});
  CHECK_FAILS(finished, 2, "is no folder");
  CHECK_FALSE(contains(finished.err, "--force"));
}

TEST_CASE("steps beyond sense are refused by their names and limits, before data are read", "[cli]") {
  for (const char* option : {"--attack-step", "--lr", "--temperature", "--label-lr"}) {
    INFO(option);
    const Finished finished = run({"robustify", "absent.h5", option, "1e300", "-o", "x.h5"});
    CHECK_FAILS(finished, 2, std::string(option) + " is 1e+300, must be ");
    CHECK_FALSE(contains(finished.err, "positive and finite"));
  }
}

TEST_CASE("a budget that is too small for a matrix is answered with one that is enough", "[cli]") {
  const Folder folder;
  run_ok({"synth", "strokes", "--train", "40", "--test", "0", "-o", folder / "easy.h5"});
  const std::vector<std::string> kernel{"kernel", folder / "easy.h5", "--kernel", "cnn:3", "--n", "20",
                                        "-o",     folder / "k.h5",    "--memory"};
  std::vector<std::string> words = kernel;
  words.emplace_back("3M");
  const Finished refused = run(words);
  CHECK_FAILS(refused, 5, "give twice that");
  words.back() = std::to_string(2 * std::stoll(number_behind(refused.err, "needs ")));
  const Finished accepted = run(words);
  INFO(accepted.err);
  CHECK(accepted.code == 0);
}

}  // namespace ntkrob::cli_test
