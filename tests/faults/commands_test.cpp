/// Command lines and config files that nobody would type, and some that somebody would: made by a seed, over all
/// subcommands and all of their options. Whatever is typed is done, or refused in one line with an exit code that says
/// of what kind the mistake is; nothing crashes or hangs, and nothing is left behind.
///
/// NTKROB_COMMAND_LINES: how many; NTKROB_COMMAND_FIRST: the number of the first, to repeat one that failed.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "run.hpp"

using namespace ntkrob::cli_test;
namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

/// Numbers of a sequence that is the same everywhere.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ULL + 1) {}
  std::uint64_t next() {  // splitmix64, Steele et al. 2014
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }
  bool one_in(std::size_t n) { return below(n) == 0; }
  const std::string& of(const Words& words) { return words[below(words.size())]; }

 private:
  std::uint64_t state_;
};

long from_environment(const char* name, long otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::atol(value);
}

/// An option as the help shows it.
struct Known {
  std::string name, type;  // type empty: a switch
};

std::vector<Known> options_of(const std::string& command) {
  std::vector<Known> all;
  std::istringstream help(run_ok({command, "--help"}));
  for (std::string line; std::getline(help, line);) {
    const std::size_t at = line.find("--");
    if (line.rfind("  ", 0) != 0 || at == std::string::npos || at > 6) continue;
    Known known;
    std::size_t end = line.find_first_of(" ,=", at + 2);
    known.name = line.substr(at + 2, end == std::string::npos ? end : end - at - 2);
    if (known.name.rfind("[no-]", 0) == 0) known.name.erase(0, 5);
    if (end != std::string::npos && line[end] == ' ' && end + 1 < line.size() && line[end + 1] != ' ') {
      const std::size_t stop = line.find_first_of(" =", end + 1);
      const std::string word = line.substr(end + 1, stop == std::string::npos ? stop : stop - end - 1);
      if (word.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos) known.type = word;
    }
    if (known.name != "help" && known.name != "version") all.push_back(known);
  }
  return all;
}

/// Files that commands may read, and two that lie where they may write.
class World {
 public:
  World() {
    write_easy_h5(folder / "a.h5", 24, 2);
    run_ok({"synth", "strokes", "--train", "12", "--test", "6", "--quiet", "-o", folder / "s.h5"});
    run_ok({"train", folder / "a.h5", "--model", "mlp:3", "--steps", "1", "--quiet", "-o", folder / "net.h5"});
    write_file(folder / "t.csv", "x,y,label\n0.1,0.2,a\n0.3,0.1,b\n0.9,0.8,a\n0.7,0.6,b\n");
    write_file(folder / "empty", "");
    write_file(folder / "noise.h5", "\x89HDF\r\n\x1a\n garbage");
    write_file(folder / "w.nkw", "NKW");
    fs::create_directory(folder / "sub");
    for (const std::string& old : olds) write_file(folder / old, "old");
  }
  std::string operator/(const std::string& name) const { return folder / name; }
  std::map<std::string, std::string> content() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(folder / ""))
      if (entry.is_regular_file()) all[fs::relative(entry.path(), folder / "")] = read_file(entry.path());
    return all;
  }
  void restore(const std::map<std::string, std::string>& before) const {
    std::vector<fs::path> extra;
    for (const auto& entry : fs::recursive_directory_iterator(folder / ""))
      if (!entry.is_directory() && before.count(fs::relative(entry.path(), folder / "")) == 0)
        extra.push_back(entry.path());
    for (const fs::path& path : extra) fs::remove(path);
    for (const char* made : {"demo", "o"}) fs::remove_all(folder / made);
    for (const auto& [name, bytes] : before)
      if (!fs::exists(folder / name) || read_file(folder / name) != bytes) write_file(folder / name, bytes);
  }
  const Words olds{"old.h5", "old.json", "old.png"};

 private:
  Folder folder;
};

/// The command as it works: positional arguments and options that keep it tiny.
struct Base {
  Words positional;
  std::map<std::string, std::string> options;
};

Base base_of(const std::string& command, const World& w) {
  const std::string a = w / "a.h5", net = w / "net.h5";
  if (command == "synth") return {{"strokes"}, {{"train", "5"}, {"test", "2"}, {"output", w / "o.h5"}}};
  if (command == "convert") return {{w / "s.h5"}, {{"output", w / "o.npz"}}};
  if (command == "info") return {{a}, {}};
  if (command == "show") return {{w / "s.h5"}, {{"n", "4"}, {"output", w / "o.png"}}};
  if (command == "kernel") return {{a}, {{"kernel", "fc:1"}, {"output", w / "o.h5"}}};
  if (command == "predict")
    return {{}, {{"kernel", "fc:1"}, {"support", a}, {"data", a}, {"split", "train"}, {"output", w / "o.h5"}}};
  if (command == "robustify")
    return {{a},
            {{"kernel", "fc:1"},
             {"n", "4"},
             {"batch", "4"},
             {"validation", "0"},
             {"attack-steps", "1"},
             {"steps", "2"},
             {"output", w / "o.h5"}}};
  if (command == "train") return {{a}, {{"model", "mlp:2"}, {"epochs", "1"}, {"output", w / "o.h5"}}};
  if (command == "evaluate") return {{net}, {{"data", a}, {"split", "train"}, {"n", "4"}, {"attacks", "clean,fgsm"}}};
  if (command == "export") return {{net}, {{"output", w / "o.hpp"}}};
  if (command == "import") return {{w / "w.nkw"}, {{"output", w / "o.h5"}}};
  return {{},
          {{"out", w / "demo"},
           {"train", "20"},
           {"test", "10"},
           {"n", "10"},
           {"steps", "1"},
           {"judge", "2"},
           {"attacks", "clean"},
           {"model", "mlp:2"},
           {"kernel", "fc:1"}}};
}

/// A value for an option: often one that might be meant. None of them makes a command work for long.
std::string value_for(const Known& option, const World& w, Dice& dice) {
  static const Words words{"",         "-1",       "0",      "1",       "x",         "a,b",  ",",
                           "(",        ")",        "fc:1",   "mlp:2",   "linf",      "l2",   "auto",
                           "train",    "test",     "clean",  "fgsm",    "fc:1-fc:1", "relu", "dense-relu-dense",
                           "0:1",      "1:0",      "2x2x4",  "4x4x1",   "NHWC",      "ND",   "x\ny",
                           "\xff\xfe", "\x1b[31m", "--",     "--force", "-o",        "=",    "a=b",
                           "'",        "\"",       "%s%n",   "columns", "first",     "last", "float64",
                           "mixed",    "cg",       "direct", "he",      "mse",       "ce",   "cosine",
                           "adam",     "sgd",      "std",    "class",   "9lives"};
  static const Words counts{"0",   "1", "2", "3", "7", "-1", "", "x", "1.5", "99999999999999999999", "1099511627777",
                            "0x3", " 1"};
  static const Words numbers{"0",     "0.1", "1", "-1", "nan",    "inf", "1e400",
                             "8/255", "1/0", "",  "x",  "1e-300", "0.5", "--1"};
  static const Words sizes{"0", "1", "1K", "64M", "1G", "x", "", "-1", "99999999999T", "1.5G"};
  static const Words files{"a.h5",       "s.h5",   "net.h5",      "t.csv",  "empty",    "noise.h5", "w.nkw",
                           "sub",        "sub/",   "absent.h5",   "old.h5", "old.json", "old.png",  "o.h5",
                           "o.npz",      "o.png",  "o.json",      "o.idx",  "o.csv",    "o.hpp",    "o.onnx",
                           "no/such.h5", "./a.h5", "sub/../a.h5", "o/"};
  if (dice.one_in(40)) return std::string(5000, 'z');
  if (option.name == "backend") return dice.of({"auto", "cpu", "reference", "cuda", "abacus", "cuda:99", ""});
  if (option.name == "threads") return dice.of({"0", "1", "2", "-1", "1025", "x"});
  if (option.name == "out") return w / "demo";
  if (option.type == "N") return dice.of(counts);
  if (option.type == "NUMBER") return dice.of(numbers);
  if (option.type == "BYTES") return dice.of(sizes);
  if (option.type == "FILE" || dice.one_in(6)) {
    if (dice.one_in(20)) return dice.of({"/dev/null", "/dev/zero", "/proc/self/mem", "/", ""});
    return w / dice.of(files);
  }
  return dice.of(words);
}

struct Line {
  Words words;
  std::string config;  // content of the file, where one is named
};

std::string toml(const std::string& value, Dice& dice) {
  if (dice.one_in(4)) return value;
  std::string quoted = "\"";
  for (const char c : value) quoted += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return quoted + "\"";
}

Line make_line(const std::vector<std::pair<std::string, std::vector<Known>>>& commands, const World& w, Dice& dice) {
  const auto& [command, known] = commands[dice.below(commands.size())];
  Base base = base_of(command, w);
  std::set<std::string> switches;
  const std::size_t changes = dice.below(4);
  for (std::size_t k = 0; k < changes; ++k) {
    const Known& option = known[dice.below(known.size())];
    if (option.name == "config") continue;
    option.type.empty() ? void(switches.insert(option.name))
                        : void(base.options[option.name] = value_for(option, w, dice));
  }
  if (dice.one_in(8) && !base.options.empty() && command != "demo")
    base.options.erase(std::next(base.options.begin(), static_cast<long>(dice.below(base.options.size()))));
  if (dice.one_in(8) && !base.positional.empty()) base.positional[0] = value_for({"", "FILE"}, w, dice);
  if (dice.one_in(15)) base.positional.push_back(value_for({"", "FILE"}, w, dice));
  Line line;
  line.words = {command};
  const bool config = dice.one_in(3);
  if (config && dice.one_in(2)) line.config += "[" + command + "]\n";
  Words rest;
  for (const auto& [name, value] : base.options) {
    if (config && dice.one_in(2)) {
      line.config += name + " = " + toml(value, dice) + "\n";
    } else if (dice.one_in(3)) {
      rest.push_back("--" + name + "=" + value);
    } else {
      rest.push_back("--" + name);
      rest.push_back(value);
    }
  }
  for (const std::string& name : switches)
    rest.push_back((dice.one_in(5) ? "--no-" : "--") + name + (dice.one_in(12) ? "=yes" : ""));
  if (dice.one_in(3)) rest.push_back("--quiet");
  if (dice.one_in(3)) rest.push_back("--force");
  if (dice.one_in(25))
    rest.push_back(
        dice.of({"--", "-", "-z", "---", "--=", "--no-", "-o", "--fucre", "--help=1", "\n", "--eps=", "--unknown=3"}));
  if (config) {
    if (dice.one_in(6))
      line.config += dice.of({"[", "x", "= 1", "a = ", "[nowhere]\nx = 1\n", "seed = [1, 2]\n", "force = maybe\n",
                              "seed = \"1\n", "\x01", "seed = 1 2\n"});
    rest.push_back("--config");
    rest.push_back(w / "c.toml");
  }
  Words positional = base.positional;
  // Positional arguments in front, behind, or between.
  if (dice.one_in(2)) std::swap(positional, rest);
  line.words.insert(line.words.end(), positional.begin(), positional.end());
  line.words.insert(line.words.end(), rest.begin(), rest.end());
  return line;
}

/// Null where it did not end in time.
std::optional<Finished> run_in_time(const Words& words) {
  Process process(words);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (process.running()) {
    if (std::chrono::steady_clock::now() > end) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return process.wait();
}

std::string shown(const Line& line) {
  std::string text = "ntkrob";
  for (const std::string& word : line.words)
    text += " '" + (word.size() > 200 ? word.substr(0, 20) + "..." : word) + "'";
  return line.config.empty() ? text : text + "\nconfig:\n" + line.config;
}

bool is_clean(const std::string& text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; });
}

}  // namespace

TEST_CASE("any command line is done, or refused in one line, and leaves nothing behind", "[faults]") {
  const World w;
  // Names without a folder, too, lie where they are looked at.
  const fs::path before_us = fs::current_path();
  fs::current_path(w / "");
  std::vector<std::pair<std::string, std::vector<Known>>> commands;
  for (const char* name : {"synth", "convert", "info", "show", "kernel", "predict", "robustify", "train", "evaluate",
                           "export", "import", "demo"}) {
    commands.emplace_back(name, options_of(name));
    REQUIRE(commands.back().second.size() >= 9);  // the global ones
  }
  const long lines = from_environment("NTKROB_COMMAND_LINES", 150), first = from_environment("NTKROB_COMMAND_FIRST", 0);
  const auto before = w.content();
  std::map<int, long> codes;
  for (long number = first; number < first + lines; ++number) {
    Dice dice(static_cast<std::uint64_t>(number));
    const Line line = make_line(commands, w, dice);
    if (!line.config.empty() || std::find(line.words.begin(), line.words.end(), w / "c.toml") != line.words.end())
      write_file(w / "c.toml", line.config);
    const auto finished = run_in_time(line.words);
    INFO("line " << number << ": " << shown(line));
    REQUIRE(finished.has_value());
    INFO(finished->err.substr(0, 3000));
    ++codes[finished->code];
    CHECK(std::set<int>{0, 2, 3, 4, 5}.count(finished->code) == 1);
    CHECK(!contains(finished->err, "internal error"));
    CHECK(is_clean(finished->err));
    CHECK(is_clean(finished->out));
    CHECK(finished->err.size() < 20000);
    long said = 0;
    std::istringstream err(finished->err);
    for (std::string one; std::getline(err, one);) said += one.rfind("ntkrob", 0) == 0;
    CHECK(said == (finished->code == 0 ? 0 : 1));
    const bool force =
        std::any_of(line.words.begin(), line.words.end(), [](const std::string& word) { return word == "--force"; }) ||
        contains(line.config, "force");
    for (const auto& [name, bytes] : w.content()) {
      INFO(name);
      CHECK(!contains(name, ".tmp-"));
      if (name == "c.toml" || name.rfind("demo", 0) == 0) continue;
      const auto old = before.find(name);
      if (old == before.end())  // new: the output of a success, a log or a checkpoint
        CHECK((finished->code == 0 || contains(name, ".ckpt") ||
               std::find(line.words.begin(), line.words.end(), "--log") != line.words.end() ||
               contains(line.config, "log") || contains(shown(line), "--log=")));
      else if (!(force && finished->code == 0))
        CHECK(bytes == old->second);
    }
    w.restore(before);
  }
  fs::current_path(before_us);
  std::printf("command lines: %ld, exit codes", lines);
  for (const auto& [code, count] : codes) std::printf("  %d: %ld", code, count);
  std::printf("\n");
}
