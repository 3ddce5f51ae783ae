/// Help, version, parsing of options and config files: everything that reads no data.
#include "run.hpp"

using namespace ntkrob::cli_test;

namespace {
const std::vector<std::string> kCommands{"demo",   "synth",     "convert", "info",    "show",
                                         "kernel", "robustify", "train",   "evaluate"};
}

TEST_CASE("the top help lists every subcommand and the exit codes", "[cli]") {
  const std::string help = run_ok({"--help"});

  for (const std::string& command : kCommands) CHECK(contains(help, "\n  " + command + " "));
  CHECK(contains(help, "130 interrupted"));
}

TEST_CASE("every subcommand's help shows examples that start with its name, and the global options", "[cli]") {
  for (const std::string& command : kCommands) {
    const std::string help = run_ok({command, "--help"});

    INFO(help);
    CHECK(contains(help, "\n  ntkrob " + command));
    for (const char* option :
         {"--threads", "--seed", "--memory", "--backend", "--config", "--dry-run", "--explain", "--force", "--quiet"})
      CHECK(contains(help, option));
  }
}

TEST_CASE("help lists what the libraries offer", "[cli]") {
  const std::string evaluate = run_ok({"evaluate", "--help"});
  CHECK(contains(evaluate, "fgsm"));
  CHECK(contains(evaluate, "dense"));
  const std::string robustify = run_ok({"robustify", "--help"});
  CHECK(contains(robustify, "relu"));
  CHECK(contains(robustify, "one-cycle"));
  CHECK(contains(run_ok({"convert", "--help"}), "IDX"));
}

TEST_CASE("the version is one line", "[cli]") { CHECK(run_ok({"--version"}).rfind("ntkrob ", 0) == 0); }

TEST_CASE("usage mistakes end with code 2 and one line that names them", "[cli]") {
  CHECK_FAILS(run({}), 2, "which subcommand?", "robustify");
  CHECK_FAILS(run({"robustfy"}), 2, "\"robustfy\"", "did you mean robustify?");
  CHECK_FAILS(run({"synth", "strokes"}), 2, "ntkrob synth: ", "--output is required");
  CHECK_FAILS(run({"synth", "strokes", "--trian", "5", "-o", "x.h5"}), 2, "--trian", "did you mean --train?");
  CHECK_FAILS(run({"synth", "strokes", "extra", "-o", "x.h5"}), 2, "unexpected argument \"extra\"");
  CHECK_FAILS(run({"synth", "photos", "-o", "x.h5"}), 2, "\"photos\"", "strokes");
  CHECK_FAILS(run({"synth", "strokes", "--train", "many", "-o", "x.h5"}), 2, "--train", "many");
  CHECK_FAILS(run({"synth", "strokes", "--train", "0", "-o", "x.h5"}), 2, "--train is \"0\", must be");
  CHECK_FAILS(run({"synth", "strokes", "--seed", "-1", "-o", "x.h5"}), 2, "--seed is \"-1\"");
  CHECK_FAILS(run({"synth", "strokes", "--memory", "2X", "-o", "x.h5"}), 2, "--memory is \"2X\"", "2G");
  CHECK_FAILS(run({"info"}), 2, "name a FILE");
  CHECK_FAILS(run({"convert", "-o", "x.h5"}), 2, "no input");
}

TEST_CASE("robustify refuses options out of range before it reads data", "[cli]") {
  const std::vector<std::vector<std::string>> cases{{"--eps", "-1", "--eps is -1, must be"},
                                                    {"--eps", "nan", "--eps"},
                                                    {"--eps", "8/0", "--eps"},
                                                    {"--norm", "l7", "l7"},
                                                    {"--init", "zeros", "zeros"},
                                                    {"--steps", "0", "--steps is \"0\""},
                                                    {"--kernel", "fc:3-tanhh", "tanhh"},
                                                    {"--optimizer", "newton", "newton"},
                                                    {"--schedule", "zigzag", "zigzag"},
                                                    {"--inner-loss", "hinge", "hinge"},
                                                    {"--attack-precision", "half", "float32 or bfloat16"}};
  for (const auto& one : cases) {
    INFO(one[0] << " " << one[1]);
    CHECK_FAILS(run({"robustify", "absent.h5", one[0], one[1], "-o", "x.h5"}), 2, one[2]);
  }
}

TEST_CASE("an unknown layer is shown with its position", "[cli]") {
  const Folder folder;
  write_easy_h5(folder / "a.h5", 8, 2);

  const Finished finished = run({"kernel", "--kernel", "dense-tanhh-dense", folder / "a.h5", "-o", folder / "k.h5"});

  CHECK_FAILS(finished, 2, "\"tanhh\"", "position 7", "dense-tanhh-dense", "relu");
}

TEST_CASE("unknown attacks are refused with the list of those that exist", "[cli]") {
  CHECK_FAILS(run({"evaluate", "net.h5", "--data", "a.h5", "--attacks", "clean,autoatack"}), 2, "autoatack", "fgsm");
  CHECK_FAILS(run({"evaluate", "net.h5", "--data", "a.h5", "--attacks", "clean,,fgsm"}), 2, "--attacks", "empty");
  CHECK_FAILS(run({"evaluate", "--data", "a.h5"}), 2, "either a MODEL");
  CHECK_FAILS(run({"evaluate", "--kernel", "fc:2", "--data", "a.h5"}), 2, "--kernel needs --support");
}

TEST_CASE("a config file sets options, and the command line wins", "[cli]") {
  const Folder folder;
  write_file(folder / "run.toml",
             "train = 30\nseed = 5\n[robustify]\neps = 8/255\n[synth]\ntest = 20\n[train]\nlr = 0.1\n");
  const std::string config = "--config=" + folder / "run.toml";

  run_ok({"synth", "strokes", config, "-o", folder / "a.h5"});
  run_ok({"synth", "strokes", "--train", "30", "--test", "20", "--seed", "5", "-o", folder / "b.h5"});
  CHECK(read_file(folder / "a.h5") == read_file(folder / "b.h5"));

  const std::string plan = run_ok({"synth", "strokes", config, "--train", "40", "--dry-run", "-o", folder / "c.h5"});
  CHECK(contains(plan, "40 training and 20 test"));
  CHECK(contains(plan, "seed 5"));
  write_easy_h5(folder / "easy.h5", 40, 2);
  write_file(folder / "eps.toml", "[robustify]\neps = 8/255\n");
  const std::string resolved =
      run_ok({"robustify", folder / "easy.h5", "--config", folder / "eps.toml", "--dry-run", "-o", "x.h5"});
  CHECK(contains(resolved, "eps               0.0313725"));
}

TEST_CASE("mistakes in a config file name file and key", "[cli]") {
  const Folder folder;
  write_file(folder / "key.toml", "[synth]\ntrian = 30\n");
  write_file(folder / "section.toml", "[sinth]\ntrain = 30\n");
  write_file(folder / "value.toml", "train = lots\n");

  CHECK_FAILS(run({"synth", "strokes", "--config", folder / "key.toml", "-o", "x.h5"}), 2, "key.toml", "\"trian\"",
              "did you mean train?");
  CHECK_FAILS(run({"synth", "strokes", "--config", folder / "section.toml", "-o", "x.h5"}), 2, "[sinth]");
  CHECK_FAILS(run({"synth", "strokes", "--config", folder / "value.toml", "-o", "x.h5"}), 2, "--train", "lots");
  CHECK_FAILS(run({"synth", "strokes", "--config", folder / "absent.toml", "-o", "x.h5"}), 3, "absent.toml");
}

TEST_CASE("backends are listed with reason and remedy, and an absent one is refused", "[cli]") {
  const std::string table = run_ok({"info", "--backends"});
  CHECK(contains(table, "reference"));
  CHECK(contains(table, "cuda"));

  const Folder folder;
  write_easy_h5(folder / "a.h5", 8, 2);
  CHECK_FAILS(run({"kernel", folder / "a.h5", "--backend", "abacus", "-o", folder / "k.h5"}), 2, "abacus", "cpu");
}
