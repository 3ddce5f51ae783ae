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
                         {"SET = strokes\n", 2, {"\"SET\""}},
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
