/// From a signal to the end of the process, in every command while it does heavy work. NTKROB_SIGNALS says how many
/// signals each command gets.
#include <csignal>
#include <cstdio>

#include "kill_kit.hpp"

using namespace ntkrob::cli_test;
using namespace ntkrob::kill_test;

namespace {

struct Files {
  Folder folder;
  std::string strokes = folder / "strokes.h5", pictures = folder / "pictures.h5", large = folder / "large.h5";
  Files() {
    run_ok({"synth", "strokes", "--train", "6000", "--test", "1000", "--quiet", "-o", strokes});
    // 32 x 32 x 3, by a formula.
    constexpr int kImages = 400, kD = 32 * 32 * 3;
    std::vector<float> pixels(static_cast<std::size_t>(kImages) * kD);
    std::vector<int> labels;
    for (int i = 0; i < kImages; ++i) {
      labels.push_back(i % 10);
      for (int j = 0; j < kD; ++j)
        pixels[static_cast<std::size_t>(i) * kD + static_cast<std::size_t>(j)] =
            static_cast<float>((i * 37 + j * (11 + i % 10)) % 256) / 255;
    }
    write_h5(folder / "flat.h5", pixels, kD, labels);
    run_ok({"convert", folder / "flat.h5", "--image-shape", "32x32x3", "--test-fraction", "0.2", "--quiet", "-o",
            pictures});
    run_ok({"synth", "strokes", "--train", "100000", "--test", "0", "--quiet", "-o", large});
  }
  static const Files& get() {
    static const Files files;
    return files;
  }
};

struct Work {
  const char* name;
  std::vector<std::string> arguments;
  bool keeps_state;
};

std::vector<Work> works(const Files& f, const Folder& out) {
  const std::string &s = f.strokes, &p = f.pictures;
  return {
      {"kernel of a network on 32x32 images",
       {"kernel", p, "--kernel", "myrtle:5", "--n", "300", "-o", out / "k.h5"},
       true},
      {"kernel of a network with all pairs of positions",
       {"kernel", p, "--kernel", "conv(3)-relu-avgpool(4)-gap-dense", "--precision", "float64", "-o", out / "l.h5"},
       true},
      {"kernel of many images", {"kernel", s, "--kernel", "fc:20", "--precision", "float64", "-o", out / "m.h5"}, true},
      {"eigenvalues", {"kernel", s, "--kernel", "fc:2", "--n", "5000", "--eigenvalues", "50"}, false},
      {"predict at a finite time",
       {"predict", "--kernel", "fc:2", "--support", s, "--n-support", "4000", "--data", s, "--time", "100", "-o",
        out / "q.h5"},
       true},
      {"predict by a network on images",
       {"predict", "--kernel", "myrtle:5", "--support", p, "--data", p, "-o", out / "r.h5"},
       true},
      {"a factor of a large machine",
       {"evaluate", "--kernel", "fc:3", "--support", s, "--data", s, "--attacks", "clean"},
       false},
      {"an iterative solve",
       {"evaluate", "--kernel", "fc:3", "--support", s, "--solver", "cg", "--tolerance", "1e-12", "--data", s,
        "--attacks", "clean"},
       false},
      {"AutoAttack on a large machine",
       {"evaluate", "--kernel", "fc:3", "--support", s, "--n-support", "3000", "--data", s, "--eps", "0.1", "--attacks",
        "autoattack", "--json", out / "a.json"},
       true},
      {"an attack on a machine on 32x32 images",
       {"evaluate", "--kernel", "cnn:2", "--support", p, "--n-support", "100", "--data", p, "--eps", "0.03",
        "--attacks", "pgd-40", "--json", out / "b.json"},
       true},
      {"robustify with a network on images",
       {"robustify", p, "--kernel", "myrtle:5", "--n", "40", "--batch", "60", "--validation", "0", "--eps", "0.03",
        "-o", out / "c.h5"},
       true},
      {"robustify with a large set",
       {"robustify", s, "--kernel", "fc:3", "--n", "3000", "--batch", "2000", "--validation", "500", "-o",
        out / "d.h5"},
       true},
      {"train a convolutional net on 32x32 images",
       {"train", p, "--model", "conv(64,3,pad=1)-relu-conv(128,3,pad=1)-relu-gap-dense", "--batch", "0", "--steps",
        "1000", "-o", out / "e.h5"},
       true},
      {"train with large batches", {"train", s, "--model", "mlp:4000,4000", "--batch", "0", "-o", out / "f.h5"}, true},
      {"synth", {"synth", "strokes", "--train", "3000000", "--test", "0", "-o", out / "g.h5"}, false},
      {"convert of a large set", {"convert", f.large, "-o", out / "h.npz"}, false},
      {"demo", {"demo", "--out", out / "demo", "--steps", "500"}, false},
  };
}

}  // namespace

TEST_CASE("every command answers a signal in time, without leftovers", "[faults]") {
  const Files& f = Files::get();
  const int per_command = count_of("NTKROB_SIGNALS", 1);
  const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  std::mt19937 random(7);
  int sent = 0;
  for (std::size_t w = 0, all = works(f, Folder()).size(); w < all; ++w) {
    double slowest = 0;
    for (int k = 0; k < per_command; ++k) {
      const Folder out;
      const Work work = works(f, out)[w];
      std::vector<std::string> arguments = work.arguments;
      arguments.push_back("--quiet");
      const int number = numbers[(w + static_cast<std::size_t>(k)) % 3];
      const double wait = k == 0 ? 1.0 : std::uniform_real_distribution<double>(0.02, 3)(random);
      const Stopped stopped = stop_after(arguments, wait, number);
      INFO(work.name << ", signal " << number << " after " << wait << " s\n" << stopped.finished.err);
      if ((!stopped.met && k > 0) || stopped.before_main(number)) continue;
      CHECK(stopped.met);
      if (!stopped.met) continue;
      ++sent;
      slowest = std::max(slowest, stopped.latency);
      CHECK(stopped.latency < kPromised);
      CHECK(stopped.finished.code == 130);
      CHECK(contains(stopped.finished.err, "interrupted"));
      const std::string folder = std::filesystem::path(out / "x").parent_path().string();
      CHECK(leftovers(folder).empty());
      if (std::filesystem::exists(out / "demo")) CHECK(leftovers(out / "demo").empty());
    }
    std::printf("%-50s slowest end %.2f s\n", works(f, Folder())[w].name, slowest);
  }
  std::printf("%d signals\n", sent);
}

TEST_CASE("a second signal ends at once, and a signal that was ignored at the start stays ignored", "[faults]") {
  const Files& f = Files::get();
  const Folder out;
  {
    Process process({"train", f.strokes, "--model", "mlp:4000,4000", "--batch", "0", "-o", out / "n.h5"});
    std::this_thread::sleep_for(std::chrono::milliseconds(800));
    REQUIRE(process.running());
    process.signal(SIGINT);
    process.signal(SIGINT);  // the same event, as timeout and make send it
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    if (process.running()) process.signal(SIGTERM);
    const auto sent = Clock::now();
    CHECK(process.wait().code == 130);
    CHECK(since(sent) < 0.5);
    CHECK(leftovers(std::filesystem::path(out / "x").parent_path().string()).empty());
  }
  void (*const before)(int) = ::signal(SIGHUP, SIG_IGN);  // as nohup does
  Process process({"kernel", f.strokes, "--kernel", "fc:2", "--n", "3000", "-o", out / "k.h5", "--quiet"});
  ::signal(SIGHUP, before);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  process.signal(SIGHUP);
  CHECK(process.wait().code == 0);
  CHECK(std::filesystem::exists(out / "k.h5"));
}
