/// Words of the command line and of --config: which is an option, which its value, and what is refused in one line.
#include <algorithm>

#include "run.hpp"

using namespace ntkrob::cli_test;

namespace {

/// One error line, whatever was typed.
void check_one_line(const Finished& finished) {
  INFO(finished.err);
  CHECK(std::count(finished.err.begin(), finished.err.end(), '\n') == 1);
  CHECK(finished.err.size() < 1000);
  CHECK(!contains(finished.err, "internal error"));
}

}  // namespace

TEST_CASE("an option takes exactly one value, also where it may be given several times", "[cli]") {
  const Folder folder;
  write_easy_h5(folder / "a.h5", 40, 2);
  const std::string data = folder / "a.h5", out = folder / "r.h5";

  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"robustify", "--kernel", "fc:2", data, "-o", out, "--dry-run"},
           {"robustify", "-o", out, "--dry-run", "--kernel", "fc:2", data},
           {"robustify", "--kernel=fc:2", data, "-o" + out, "--dry-run"},
           {"robustify", "--kernel", "fc:1", "--dry-run", "--kernel", "fc:2", data, "-o=" + out},
           {"robustify", "--dry-run", "-o", out, "--kernel", "fc:2", "--", data}}) {
    const std::string plan = run_ok(words);
    CHECK(contains(plan, "fc:2"));
  }
  CHECK_FAILS(run({"robustify", data, "-o", out, "--eps", "0.1", "--eps", "0.2"}), 2, "--eps is given twice");
  CHECK_FAILS(run({"robustify", data, "-o"}), 2, "--output needs a value");
}

TEST_CASE("a config's last key does not take the data file", "[cli]") {
  const Folder folder;
  write_easy_h5(folder / "a.h5", 40, 2);
  write_file(folder / "run.toml", "[robustify]\nn = 4\nkernel = \"fc:1\"\n");

  const std::string plan = run_ok({"robustify", "--config", folder / "run.toml", folder / "a.h5", "--eps", "0.1", "-o",
                                   folder / "r.h5", "--dry-run"});

  CHECK(contains(plan, "fc:1"));
}

TEST_CASE("a value behind = is taken as it is, and never the next word", "[cli]") {
  const Folder folder;

  CHECK_FAILS(run({"synth", "strokes", "--train=", "5", "-o", folder / "a.h5"}), 2, "unexpected argument \"5\"");
  CHECK_FAILS(run({"synth", "strokes", "--train=", "-o", folder / "a.h5"}), 2, "--train is \"\"");
  CHECK_FAILS(run({"synth", "strokes", "--config=", "-o", folder / "a.h5"}), 2, "--config", "empty");
  CHECK_FAILS(run({"synth", "strokes", "--train", "-5", "-o", folder / "a.h5"}), 2, "--train is \"-5\"");
  run_ok({"synth", "strokes", "--train", "5", "--test", "0", "-o=" + folder / "a=b.h5"});
  CHECK(std::filesystem::exists(folder / "a=b.h5"));
  CHECK_FAILS(run({"robustify", "x.h5", "--log", "--resume", "-o", folder / "r.h5"}), 2, "--log needs a value",
              "--resume", "--log=");
}

TEST_CASE("names of files that are wanted and empty are refused by the option", "[cli]") {
  const Folder folder;
  CHECK_FAILS(run({"evaluate", folder / "net.h5", "--data="}), 2, "--data: the name of the file is empty");
  CHECK_FAILS(run({"predict", "--support", "", "--data", folder / "a.h5"}), 2, "--support", "is empty");
  CHECK_FAILS(run({"info", "--formats", "--memory", "99999999999G"}), 2, "--memory", "99999999999G");
}

TEST_CASE("switches refuse values and contradictions", "[cli]") {
  for (const char* word : {"--force=maybe", "--force=true", "--no-force=1", "--force="}) {
    const Finished finished = run({"synth", "strokes", word, "-o", "x.h5"});
    CHECK_FAILS(finished, 2, "--force is a switch and takes no value");
    check_one_line(finished);
  }
  CHECK_FAILS(run({"synth", "strokes", "--force", "--no-force", "-o", "x.h5"}), 2, "--force and --no-force");
  CHECK_FAILS(run({"synth", "--help=3"}), 2, "--help takes no value");
}

TEST_CASE("behind -- everything is an argument", "[cli]") {
  CHECK_FAILS(run({"info", "--", "--formats"}), 3, "--formats");
  CHECK_FAILS(run({"info", "--", "a.h5", "b.h5"}), 2, "unexpected argument \"b.h5\"");
}

TEST_CASE("--threads has one range in every subcommand", "[cli]") {
  const Folder folder;
  for (const char* command : {"synth", "convert", "info", "show", "kernel", "predict", "robustify", "train", "evaluate",
                              "export", "import", "demo"})
    for (const char* threads : {"1025", "-1", "many"}) {
      INFO(command << " " << threads);
      // What is missing beside it comes first.
      const Finished finished =
          run({command, "x", "--data", "x", "--support", "x", "-o", "x.h5", "--threads", threads});
      CHECK(finished.code == 2);
      if (!contains(finished.err, "unknown option") && !contains(finished.err, "unexpected argument"))
        CHECK(contains(finished.err, "[0, 1024]"));
    }
  CHECK_FAILS(run({"info", "--formats", "--threads", "1025"}), 2, "--threads is \"1025\"", "[0, 1024]");
  CHECK_FAILS(run({"synth", "strokes", "-o", folder / "a.h5", "--threads", "99999"}), 2, "[0, 1024]");
  CHECK_FAILS(run({"demo", "--threads", "1025"}), 2, "[0, 1024]");
}

TEST_CASE("long words and line feeds are echoed short and in one line", "[cli]") {
  const std::string many(100000, 'x'), lines = "a\nwarning: all is well\nb";
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{many},
                                             {"info", many},
                                             {"info", "/" + std::string(3000, 'y')},
                                             {"info", "--" + many},
                                             {"info", "--formats", "--seed", many},
                                             {"info", "--formats", "--memory=" + many},
                                             {"train", "x.h5", "-o", "n.h5", "--lr", many},
                                             {"info", lines},
                                             {"info", "--" + lines},
                                             {"synth", lines, "-o", "x.h5"},
                                             {"info", "--formats", "--backend", lines, "--seed", lines}}) {
    const Finished finished = run(words);
    CHECK(finished.code != 0);
    check_one_line(finished);
  }
}

TEST_CASE("a config file says what it holds that is no option, with its line", "[cli]") {
  const Folder folder;
  write_easy_h5(folder / "a.h5", 40, 2);
  const std::string file = folder / "c.toml";
  const auto with = [&](const std::string& content) {
    write_file(file, content);
    return run({"synth", "strokes", "--config", file, "--dry-run", "-o", folder / "x.h5"});
  };
  struct Case {
    std::string content;
    int code;
    std::vector<std::string> said;
  };
  for (const Case& one :
       std::vector<Case>{{"train = 3\ntrain = 4\n", 2, {":2:", "set twice", ":1"}},
                         {"[synth]\ntrain = 3\n[info]\n[synth]\ntrain = 4\n", 2, {":5:", "set twice"}},
                         {"[sinth]\n", 2, {":1:", "[sinth]"}},
                         {"[robustify]\nepss = 3\n", 2, {":2:", "\"epss\"", "did you mean eps?"}},
                         {"trian = 3\n", 2, {"\"trian\"", "did you mean train?"}},
                         {"train\n", 2, {":1:", "key = value"}},
                         {"train =\n", 2, {"a value is missing"}},
                         {"train = 3 4\n", 2, {"more than one value"}},
                         {"train = [3, 4]\n", 2, {"takes one value"}},
                         {"force = maybe\n", 2, {"true or false"}},
                         {"force = [true]\n", 2, {"true or false"}},
                         {"train = \"3\n", 2, {"not closed"}},
                         {"train = lots\n", 2, {":1:", "--train is \"lots\""}},
                         {"config = \"d.toml\"\n", 2, {"another one"}},
                         {"help = true\n", 2, {"\"help\"", "command line alone", "ntkrob synth --help"}},
                         {"--help = true\n", 2, {"command line alone"}},
                         {"[train]\nversion = 1\n", 2, {"command line alone", "ntkrob --version"}},
                         {"no-force = true\n", 2, {"force = false"}},
                         {"--seed = 1\n", 2, {"is written seed"}},
                         {"o = x.h5\n", 2, {"is written output"}},
                         {"SET = strokes\n", 2, {"\"SET\"", "is an argument"}},
                         {"hepl = true\n", 2, {"\"hepl\" is no option of synth"}},
                         {"train = 3\x01\n", 2, {"control character"}},
                         {std::string("train = 3\0\n", 11), 3, {"c.toml", "0"}},
                         {"train = \"\"\"\n3\"\"\"\n", 2, {":1:"}},
                         {"[[synth]]\n", 2, {":1:"}},
                         {"[synth\n", 2, {":1:"}},
                         {"[robustify]\nkernel = [\"fc:1\", \"fc:2\"\n", 2, {":2:", "a list needs"}},
                         {"[convert]\ndrop = [\"a,b\"]\n", 2, {":2:", "separates items"}},
                         {std::string(2 << 20, '#'), 5, {"c.toml", "limit"}}}) {
    INFO(one.content.substr(0, 60));
    const Finished finished = with(one.content);
    CHECK(finished.code == one.code);
    for (const std::string& part : one.said) {
      INFO(finished.err << "expected " << part);
      CHECK(contains(finished.err, part));
    }
    check_one_line(finished);
  }
  CHECK_FAILS(run({"synth", "strokes", "--config", "/dev/zero", "-o", folder / "x.h5"}), 3, "/dev/zero");
  CHECK_FAILS(run({"synth", "strokes", "--config", folder / "", "-o", folder / "x.h5"}), 3, "folder");
}

TEST_CASE("values and names that are long are cut where they are said, wherever they come from", "[cli]") {
  const Folder folder;
  const std::string digits(90000, '9'), words = [] {
    std::string all;
    while (all.size() < 60000) all += "a b ";
    return all;
  }();
  write_easy_h5(folder / "a.h5", 40, 2);
  const auto short_line = [](const std::string& what, const Finished& finished) {
    INFO(what << ": " << finished.err.substr(0, 2000));
    CHECK(finished.code != 0);
    CHECK(finished.err.size() < 600);
    check_one_line(finished);
  };
  const std::string file = folder / "c.toml";
  for (const char* key : {"seed", "memory", "lr", "threads", "eps", "model", "backend", "label-map", "value-range",
                          "image-shape", "layout", "x", "drop", "y", "batch", "loss"})
    for (const std::string& value : {digits, words}) {
      write_file(file, std::string(key) + " = '" + value + "'\n");
      short_line(std::string("config ") + key,
                 run({"train", folder / "a.h5", "--config", file, "-o", folder / "n.h5", "--dry-run"}));
      short_line(std::string("option ") + key,
                 run({"train", folder / "a.h5", "--" + std::string(key), value, "-o", folder / "n.h5", "--dry-run"}));
    }
  for (const char* option : {"--label-map", "--value-range", "--image-shape"})
    for (const std::string& value :
         {digits + ":1", "0-" + digits, words + ":1", digits.substr(0, 40000) + "x1," + words})
      short_line(option, run({"info", folder / "a.h5", option, value}));
  // Names in tables.
  for (const std::string& name : {digits, words}) {
    write_file(folder / "t.csv", name + ",label\n0.5,0\nwrong,1\n");
    short_line("column", run({"info", folder / "t.csv"}));
    write_file(folder / "t.csv", "a," + name + ",label\n0.5,1,0\n300000,1000,1\n");
    short_line("columns", run({"info", folder / "t.csv"}));
    write_file(folder / "t.arff", "@relation r\n@attribute '" + name + "' numeric\n@attribute c {a,b}\n@data\nx,a\n");
    short_line("attribute", run({"info", folder / "t.arff"}));
  }
  // Names in HDF5.
  for (const std::string& name : {std::string(60000, 'n'), words}) {
    const std::string path = folder / "n.h5";
    std::filesystem::remove(path);
    write_h5(path, {0, 1, 0.5f, 0.25f}, 2, {0, 1});
    rename_h5(path, "x_train", name);
    short_line("array", run({"info", path}));
    short_line("array by option", run({"info", path, "--x", name, "--y", "none"}));
    short_line("arrays", run({"info", path, "--x", "none", "--y", name}));
  }
}

TEST_CASE("too few open files are said before the work", "[cli]") {
  const Folder folder;
  write_easy_h5(folder / "a.h5", 40, 2);
  const std::string out = folder / "k.h5";
  for (const int n : {8, 10, 12, 16, 20}) {
    const Finished finished = run_shell("ulimit -n " + std::to_string(n) + "; \"$NTKROB\" kernel '" +
                                        (folder / "a.h5") + "' --kernel fc:2 --quiet -o '" + out + "'");
    INFO(n << ": " << finished.err);
    CHECK(finished.code == 5);
    CHECK(contains(finished.err, "ulimit -n"));
    CHECK_FALSE(std::filesystem::exists(out));
    check_one_line(finished);
  }
  CHECK(run_shell("ulimit -n 40; \"$NTKROB\" kernel '" + (folder / "a.h5") + "' --kernel fc:2 --quiet -o '" + out + "'")
            .code == 0);
}

#ifdef __linux__
TEST_CASE("a config that is said to be empty and is not is refused", "[cli]") {
  CHECK_FAILS(run({"info", "--formats", "--config", "/proc/self/environ"}), 3, "/proc/self/environ", "store it");
}
#endif

TEST_CASE("config files of other systems, lists, quotation marks and comments are read", "[cli]") {
  const Folder folder;
  const std::string file = folder / "c.toml";
  const auto plan = [&](const std::string& content) {
    write_file(file, content);
    return run_ok({"synth", "strokes", "--config", file, "--dry-run", "-o", folder / "x.h5"});
  };
  CHECK(contains(plan("\xEF\xBB\xBFtrain = 31\r\n# all\r\n\r\n[synth] # own\r\ntest = '7'\r\n"),
                 "31 training and 7 test"));
  CHECK(contains(plan("train = 31 # few\nsynth.test = \"7\""), "31 training and 7 test"));
  CHECK(contains(plan("train = 5\n[synth]\ntrain = 31\ntest=7\n"), "31 training and 7 test"));
  CHECK(contains(plan("\t train=31\n[robustify]\neps = 8/255\ntest-file = \"a # b\"\n[synth]\ntest= 7"),
                 "31 training and 7 test"));

  write_easy_h5(folder / "a.h5", 40, 2);
  write_file(file, "[robustify]\nkernel = [\"fc:1\", 'fc:2',]\n[train]\nwrong = 1\n");
  CHECK_FAILS(run({"robustify", folder / "a.h5", "--config", file, "-o", folder / "r.h5"}), 2, ":4:", "\"wrong\"");
  write_file(file, "[robustify]\nkernel = [\"fc:1\", 'fc:2',]\n");
  CHECK(contains(run_ok({"robustify", "--config", file, folder / "a.h5", "--dry-run", "-o", folder / "r.h5"}),
                 "fc:1|fc:2"));

  write_file(folder / "t.csv", "id,a,b,class\n1,0.1,0.2,x\n2,0.4,0.1,y\n3,0.3,0.9,x\n4,0.5,0.5,y\n");
  write_file(file, "[info]\ndrop = [\"id\", \"b\"]\nvalue-range = 0:1\n");
  const std::string info = run_ok({"info", folder / "t.csv", "--config", file});
  CHECK(contains(info, "1 feature"));
}
