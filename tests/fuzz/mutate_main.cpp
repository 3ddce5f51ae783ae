/// fuzz_mutate [--runs N] [--seed S] [--write-seeds FOLDER] [TARGET ...]: changes sound inputs by a seeded generator
/// and runs them.
///
/// Equal seeds give equal inputs. An input that takes more than Target::most_seconds is a finding, as a crash is; it is
/// written to the current folder as finding-TARGET-RUN.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "ntkrob/base/error.hpp"
#include "target.hpp"

namespace ntkrob::fuzz {
namespace {

using Draw = std::mt19937_64;

std::size_t below(Draw& draw, std::size_t n) { return n == 0 ? 0 : draw() % n; }

/// Numbers at the edges of types and of our limits, little and big end first.
void put_number(std::string& bytes, Draw& draw) {
  static const std::uint64_t kNumbers[] = {0,
                                           1,
                                           2,
                                           7,
                                           8,
                                           127,
                                           128,
                                           255,
                                           256,
                                           32767,
                                           32768,
                                           65535,
                                           65536,
                                           1u << 20,
                                           (1u << 20) + 1,
                                           0x7fffffff,
                                           1u << 31,
                                           0xffffffff,
                                           0x100000000,
                                           0x7fffffffffffffff,
                                           0x8000000000000000,
                                           0xffffffffffffffff};
  const std::size_t width = std::size_t{1} << below(draw, 4);
  if (bytes.size() < width) return;
  const std::uint64_t value = kNumbers[below(draw, std::size(kNumbers))];
  const std::size_t at = below(draw, bytes.size() - width + 1);
  const bool big = below(draw, 2) == 0;
  for (std::size_t i = 0; i < width; ++i)
    bytes[at + i] = static_cast<char>(value >> 8 * (big ? width - 1 - i : i) & 0xff);
}

void put_word(std::string& bytes, Draw& draw) {
  static const char* const kWords[] = {",",
                                       ";",
                                       "\t",
                                       "\n",
                                       "\r\n",
                                       " ",
                                       "\"",
                                       "'",
                                       "''",
                                       ":",
                                       "-",
                                       "+",
                                       "(",
                                       ")",
                                       "{",
                                       "}",
                                       "nan",
                                       "inf",
                                       "-1",
                                       "1e999",
                                       "0x10",
                                       "1e-999",
                                       "65536",
                                       "2147483648",
                                       "9223372036854775808",
                                       "99999999999999999999",
                                       "0.5",
                                       "label",
                                       "class",
                                       "@data",
                                       "@attribute",
                                       "#",
                                       "%",
                                       "\xef\xbb\xbf",
                                       "\xff",
                                       "\x1b[2J",
                                       "relu",
                                       "dense",
                                       "conv",
                                       "x",
                                       "=",
                                       "|",
                                       "/",
                                       "0:1",
                                       "True",
                                       "<f8",
                                       "|S0",
                                       "(1000000,)"};
  const std::string word = kWords[below(draw, std::size(kWords))];
  const std::size_t at = below(draw, bytes.size() + 1);
  bytes.replace(at, below(draw, 2) == 0 ? 0 : std::min(word.size(), bytes.size() - at), word);
}

std::string mutated(std::string bytes, const std::vector<std::string>& seeds, bool text, Draw& draw) {
  constexpr std::size_t kMostBytes = std::size_t{1} << 16;
  for (std::size_t n = 1 + below(draw, below(draw, 4) == 0 ? 16 : 3); n > 0; --n) {
    const std::size_t size = bytes.size(), at = below(draw, size),
                      length = 1 + below(draw, std::min<std::size_t>(size, 64));
    switch (below(draw, text ? 12 : 9)) {
      case 0:
        if (size > 0) bytes[at] = static_cast<char>(bytes[at] ^ 1 << below(draw, 8));
        break;
      case 1:
        if (size > 0) bytes[at] = static_cast<char>(draw());
        break;
      case 2:
        bytes.erase(at, length);
        break;
      case 3:
        bytes.insert(at, bytes.substr(below(draw, size), length));
        break;
      case 4:
        bytes.resize(below(draw, size + 1));
        break;
      case 5:
        bytes.insert(at, std::string(length, static_cast<char>(draw())));
        break;
      case 6: {
        const std::string& other = seeds[below(draw, seeds.size())];
        bytes = bytes.substr(0, at) + other.substr(below(draw, other.size()));
        break;
      }
      case 7:
      case 8:
        put_number(bytes, draw);
        break;
      default:
        put_word(bytes, draw);
    }
    if (bytes.size() > kMostBytes) bytes.resize(kMostBytes);
  }
  return bytes;
}

/// What is being run, for the file of a finding: written before, removed behind.
struct Trace {
  std::string path;
  void keep(const std::string& bytes) const {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
};

int fuzz(const Target& target, std::size_t runs, std::uint64_t seed) {
  const std::vector<std::string> seeds = target.seeds();
  for (const std::string& sound : seeds) run_one(target, sound);
  const auto begin = std::chrono::steady_clock::now();
  const Trace trace{text("/dev/shm/ntkrob-fuzz-", target.name, "-running")};
  std::size_t read = 0;
  double slowest = 0;
  for (std::size_t i = 0; i < runs; ++i) {
    Draw draw(seed * 1000003 + i);
    const std::string bytes = mutated(seeds[below(draw, seeds.size())], seeds, target.text, draw);
    trace.keep(bytes);
    const auto before = std::chrono::steady_clock::now();
    read += run_one(target, bytes) ? 1 : 0;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
    slowest = std::max(slowest, seconds);
    if (seconds > target.most_seconds) {
      std::fprintf(stderr, "%s: run %zu of seed %llu takes %.1f s: %s\n", target.name.c_str(), i,
                   static_cast<unsigned long long>(seed), seconds, trace.path.c_str());
      return 1;
    }
  }
  std::filesystem::remove(trace.path);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%-12s %6zu mutations, %6zu read, %6zu refused, slowest %.3f s, %.1f s\n", target.name.c_str(), runs,
              read, runs - read, slowest, seconds);
  std::fflush(stdout);
  return 0;
}

int main_of(int argc, char** argv) {
  std::size_t runs = 1000;
  std::uint64_t seed = 1;
  std::string folder;
  std::vector<std::string> wanted;
  for (int i = 1; i < argc; ++i) {
    const bool more = i + 1 < argc;
    if (std::strcmp(argv[i], "--runs") == 0 && more)
      runs = std::stoull(argv[++i]);
    else if (std::strcmp(argv[i], "--seed") == 0 && more)
      seed = std::stoull(argv[++i]);
    else if (std::strcmp(argv[i], "--write-seeds") == 0 && more)
      folder = argv[++i];
    else
      wanted.emplace_back(argv[i]);
  }
  int failed = 0;
  std::size_t used = 0;
  for (const Target& target : targets()) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), target.name) == wanted.end()) continue;
    ++used;
    if (folder.empty()) {
      failed += fuzz(target, runs, seed);
      continue;
    }
    std::filesystem::create_directories(folder + "/" + target.name);
    std::size_t k = 0;
    for (const std::string& sound : target.seeds())
      std::ofstream(folder + "/" + target.name + "/seed-" + std::to_string(k++), std::ios::binary) << sound;
  }
  if (used == 0 || used < wanted.size()) {
    std::fprintf(stderr, "no such target; there are");
    for (const Target& target : targets()) std::fprintf(stderr, " %s", target.name.c_str());
    std::fprintf(stderr, "\n");
    return 2;
  }
  return failed > 0 ? 1 : 0;
}

}  // namespace
}  // namespace ntkrob::fuzz

int main(int argc, char** argv) { return ntkrob::fuzz::main_of(argc, argv); }
