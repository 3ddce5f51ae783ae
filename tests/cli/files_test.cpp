/// Bad files, bad outputs, limits; info, show, convert and kernel on good ones.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <limits>
#include <thread>

#include "run.hpp"

using namespace ntkrob::cli_test;

namespace {

/// Options that keep a robustify run tiny.
std::vector<std::string> tiny_robustify(const std::string& data, const std::string& output) {
  return {"robustify",      data, "--kernel",     "fc:1", "--n",     "4",  "--steps", "1", "--batch", "4",
          "--attack-steps", "1",  "--validation", "0",    "--quiet", "-o", output};
}

std::string idx_images(int n, int said) {
  std::string bytes{0, 0, 8, 3, 0, 0, 0, static_cast<char>(said), 0, 0, 0, 4, 0, 0, 0, 4};
  for (int i = 0; i < 16 * n; ++i) bytes += static_cast<char>(i + 100);
  return bytes;
}

std::string idx_labels(int n) {
  std::string bytes{0, 0, 8, 1, 0, 0, 0, static_cast<char>(n)};
  for (int i = 0; i < n; ++i) bytes += static_cast<char>(i % 2);
  return bytes;
}

}  // namespace

TEST_CASE("missing, truncated, corrupt and foreign files end with code 3 and name the file", "[cli]") {
  const Folder folder;
  run_ok({"synth", "strokes", "--train", "20", "--test", "0", "--quiet", "-o", folder / "good.h5"});
  const std::string good = read_file(folder / "good.h5");
  write_file(folder / "truncated.h5", good.substr(0, good.size() / 2));
  write_file(folder / "corrupt.h5", good.substr(0, 8) + std::string(good.size() - 8, '\x5a'));
  write_file(folder / "foreign.h5", "this is no data set at all, only a text with a wrong name\n");
  write_file(folder / "empty.h5", "");

  for (const char* name : {"absent.h5", "truncated.h5", "corrupt.h5", "foreign.h5", "empty.h5"}) {
    INFO(name);
    CHECK_FAILS(run({"info", folder / name}), 3, name);
    CHECK_FAILS(run(tiny_robustify(folder / name, folder / "out.h5")), 3, name);
  }
  CHECK_FAILS(run({"evaluate", folder / "good.h5", "--data", folder / "good.h5", "--split", "train"}), 3, "good.h5");
}

TEST_CASE("IDX files that contradict themselves or each other are refused", "[cli]") {
  const Folder folder;
  write_file(folder / "images", idx_images(6, 6));
  write_file(folder / "short", idx_images(5, 6));
  write_file(folder / "labels", idx_labels(6));
  write_file(folder / "fewer", idx_labels(5));
  write_file(folder / "magic", std::string("\x01\x02\x03\x04", 4) + idx_images(6, 6).substr(4));
  const auto convert = [&](const char* images, const char* labels) {
    return run({"convert", "--train-images", folder / images, "--train-labels", folder / labels, "-o", folder / "o.h5",
                "--force"});
  };

  CHECK(convert("images", "labels").code == 0);
  CHECK_FAILS(convert("short", "labels"), 3, "short");
  CHECK_FAILS(convert("images", "fewer"), 3, "6", "5");
  CHECK_FAILS(convert("magic", "labels"), 3, "magic");
}

TEST_CASE("labels and pixels that make no sense are refused with index and value", "[cli]") {
  const Folder folder;
  std::vector<float> pixels(32, 0.5F);
  write_h5(folder / "count.h5", pixels, 4, {0, 1, 0, 1, 0});
  write_h5(folder / "negative.h5", pixels, 4, {0, 1, 0, -3, 0, 1, 0, 1});
  pixels[21] = std::numeric_limits<float>::quiet_NaN();
  write_h5(folder / "nan.h5", pixels, 4, {0, 1, 0, 1, 0, 1, 0, 1});
  pixels[21] = 300;
  write_h5(folder / "range.h5", pixels, 4, {0, 1, 0, 1, 0, 1, 0, 1});

  CHECK_FAILS(run({"info", folder / "count.h5"}), 3, "count.h5", "8", "5");
  CHECK_FAILS(run({"info", folder / "negative.h5"}), 3, "negative.h5", "-3");
  CHECK_FAILS(run({"info", folder / "nan.h5"}), 3, "nan.h5", "nan");
  CHECK_FAILS(run({"info", folder / "range.h5"}), 3, "range.h5", "300");
}

TEST_CASE("robustify refuses data that it cannot use", "[cli]") {
  const Folder folder;
  write_h5(folder / "one.h5", std::vector<float>(48, 0.5F), 4, std::vector<int>(12, 2));
  write_easy_h5(folder / "small.h5", 8, 2);

  CHECK_FAILS(run(tiny_robustify(folder / "one.h5", folder / "out.h5")), 2,
              "one.h5: all 12 training images are of class 2");
  auto large = tiny_robustify(folder / "small.h5", folder / "out.h5");
  large[5] = "100";
  CHECK_FAILS(run(large), 2, "100", "8");
  auto far = tiny_robustify(folder / "small.h5", folder / "out.h5");
  far.insert(far.end(), {"--eps", "1.5"});
  CHECK_FAILS(run(far), 2, "eps", "1.5");
}

TEST_CASE("outputs are never overwritten without --force, and unwritable ones fail at once", "[cli]") {
  const Folder folder;
  write_easy_h5(folder / "a.h5", 8, 2);
  write_file(folder / "out.h5", "precious");

  for (const char* command : {"robustify", "train", "kernel", "convert"}) {
    INFO(command);
    CHECK_FAILS(run({command, folder / "a.h5", "-o", folder / "out.h5"}), 2, "out.h5 exists", "--force");
    CHECK_FAILS(run({command, folder / "a.h5", "-o", folder / "no/such/out.h5"}), 5, "no/such");
  }
  CHECK(read_file(folder / "out.h5") == "precious");
  CHECK_FAILS(run({"synth", "strokes", "-o", folder / "a.h5"}), 2, "--force");
  CHECK_FAILS(run({"show", folder / "a.h5", "-o", "/dev/null/x.png"}), 5, "/dev/null");
}

TEST_CASE("too little memory ends with code 5 and the bytes needed", "[cli]") {
  const Folder folder;
  write_easy_h5(folder / "a.h5", 64, 2);

  CHECK_FAILS(run({"kernel", folder / "a.h5", "--memory", "1000", "-o", folder / "k.h5"}), 5, "needs 4096 bytes",
              "--memory");
  CHECK(!std::filesystem::exists(folder / "k.h5"));
  auto robustify = tiny_robustify(folder / "a.h5", folder / "out.h5");
  robustify.insert(robustify.end(), {"--memory", "64"});
  CHECK_FAILS(run(robustify), 5, "bytes");
}

TEST_CASE("a file of a newer schema is refused with both versions", "[cli]") {
  const Folder folder;
  write_easy_h5(folder / "a.h5", 8, 2);
  run_ok({"train", folder / "a.h5", "--model", "mlp:4", "--steps", "2", "--quiet", "-o", folder / "net.h5"});
  write_file(folder / "newer.h5", read_file(folder / "net.h5"));
  set_h5_text(folder / "newer.h5", "ntkrob_schema", "ntkrob.model/9");

  CHECK_FAILS(run({"evaluate", folder / "newer.h5", "--data", folder / "a.h5", "--split", "train"}), 3, "newer.h5", "9",
              "1");
}

TEST_CASE("info describes data sets, models and kernels as text and as JSON", "[cli]") {
  const Folder folder;
  run_ok({"synth", "strokes", "--train", "30", "--test", "10", "--quiet", "-o", folder / "a.h5"});
  run_ok({"train", folder / "a.h5", "--model", "mlp:5", "--steps", "2", "--quiet", "-o", folder / "net.h5"});
  run_ok({"kernel", folder / "a.h5", "--n", "7", "--nngp", "--quiet", "-o", folder / "k.h5"});

  CHECK(contains(run_ok({"info", folder / "a.h5"}), "30 images of 28 x 28"));
  const auto data = nlohmann::json::parse(run_ok({"info", folder / "a.h5", "--json", "-"}))["file"];
  CHECK(data["train"]["class_counts"] == nlohmann::json(std::vector<int>(10, 3)));
  CHECK(data["test"]["n"] == 10);
  const auto net = nlohmann::json::parse(run_ok({"info", folder / "net.h5", "--json", "-"}))["file"];
  CHECK(net["parameters"] == 784 * 5 + 5 + 5 * 10 + 10);
  const auto kernel = nlohmann::json::parse(run_ok({"info", folder / "k.h5", "--json", "-"}))["file"]["entries"];
  CHECK(kernel["ntk"]["shape"] == nlohmann::json({7, 7}));
  CHECK(kernel["nngp"]["shape"] == nlohmann::json({7, 7}));
  CHECK(kernel["ntk"]["max"] > kernel["nngp"]["max"]);
}

TEST_CASE("a kernel larger than the memory limit has the bytes of one that fits, and is left whole or not at all",
          "[cli]") {
  const Folder folder;
  run_ok({"synth", "strokes", "--train", "700", "--test", "0", "--quiet", "-o", folder / "a.h5"});
  const std::vector<std::string> job{"kernel", folder / "a.h5", "--kernel", "fc:1", "--nngp", "--quiet", "-o"};
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = job;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };

  run_ok(with({folder / "large.h5"}));
  run_ok(with({folder / "small.h5", "--memory", "1M", "--threads", "3"}));  // the result has 3.9 MB

  CHECK(read_file(folder / "large.h5").size() > 2 * 700 * 700 * sizeof(float));
  CHECK(read_file(folder / "large.h5") == read_file(folder / "small.h5"));
  const std::string described = run_ok({"info", folder / "large.h5", "--memory", "1M"});
  CHECK(contains(described, "700 x 700"));
  CHECK(!contains(described, " from "));

  const auto temporary_files = [&] {
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(folder / "a.h5").parent_path()))
      files += contains(entry.path().filename().string(), ".tmp-");
    return files;
  };
  Process process(with({folder / "cut.h5", "--precision", "float64", "--threads", "1", "--memory", "1M"}));
  // The lock of the output is there from the beginning, the file itself when the work has begun.
  while (process.running() && temporary_files() < 2) std::this_thread::sleep_for(std::chrono::microseconds(200));
  if (process.running()) process.signal(SIGINT);
  const Finished cut = process.wait();
  INFO(cut.err);
  CHECK(cut.code == (std::filesystem::exists(folder / "cut.h5") ? 0 : 130));
  CHECK(temporary_files() == 0);
}

TEST_CASE("kernel prints eigenvalues with bounds and the largest learning rate, and writes no matrix", "[cli]") {
  const Folder folder;
  run_ok({"synth", "strokes", "--train", "60", "--test", "0", "--quiet", "-o", folder / "a.h5"});

  const std::string table =
      run_ok({"kernel", folder / "a.h5", "--kernel", "fc:1", "--eigenvalues", "3", "-o", folder / "e.h5", "--quiet"});

  CHECK(contains(table, "error bound"));
  CHECK(contains(table, "largest stable learning rate"));
  const auto entries = nlohmann::json::parse(run_ok({"info", folder / "e.h5", "--json", "-"}))["file"]["entries"];
  REQUIRE(entries["eigenvalues/ntk"]["shape"] == nlohmann::json({3}));
  CHECK(entries["eigenvalues/ntk"]["values"][0] > entries["eigenvalues/ntk"]["values"][2]);
  CHECK(!entries.contains("ntk"));
  CHECK_FAILS(run({"kernel", folder / "a.h5", folder / "a.h5", "--eigenvalues", "3"}), 2, "--eigenvalues");
  CHECK_FAILS(run({"kernel", folder / "a.h5"}), 2, "name the file to write");
}

TEST_CASE("predict writes means and variances, at infinite time those of the kernel machine", "[cli]") {
  const Folder folder;
  run_ok({"synth", "strokes", "--train", "200", "--test", "50", "--quiet", "-o", folder / "a.h5"});
  const auto predict = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all{"predict",       "--kernel", "fc:1",          "--support",
                                 folder / "a.h5", "--data",   folder / "a.h5", "--quiet"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const auto accuracy_line = [](const std::string& out) {
    const std::size_t begin = out.find("accuracy");
    return out.substr(begin, out.find('\n', begin) - begin);
  };

  const std::string forever = run_ok(predict({"--ridge", "1e-6", "-o", folder / "p.h5", "--variance"}));
  const std::string machine = run_ok({"evaluate", "--kernel", "fc:1", "--support", folder / "a.h5", "--data",
                                      folder / "a.h5", "--attacks", "clean", "--json", folder / "r.json", "--quiet"});

  const double clean = read_json(folder / "r.json")["accuracy"]["clean"];
  char expected[32];
  std::snprintf(expected, sizeof expected, "%.1f %%", 100 * clean);
  CHECK(contains(accuracy_line(forever), expected));
  const auto entries = nlohmann::json::parse(run_ok({"info", folder / "p.h5", "--json", "-"}))["file"]["entries"];
  CHECK(entries["mean"]["shape"] == nlohmann::json({50, 10}));
  CHECK(entries["variance"]["shape"] == nlohmann::json({50}));
  CHECK(entries["variance"]["min"] >= 0);
  CHECK(entries["time"] == "inf");

  CHECK(contains(run_ok(predict({"--time", "1000"})), "largest stable learning rate"));
  CHECK(contains(run_ok(predict({"--posterior", "nngp", "--ridge", "0.01", "--variance", "--n", "7"})), "of 7 images"));
  CHECK_FAILS(run(predict({"--time", "soon"})), 2, "--time");
  CHECK_FAILS(run(predict({"--time=-1"})), 2, "--time");
  CHECK_FAILS(run(predict({"--posterior", "gp"})), 2, "--posterior");
  CHECK_FAILS(run(predict({"--n-support", "201"})), 2, "--n-support", "200");
}

TEST_CASE("convert keeps images and labels through other formats", "[cli]") {
  const Folder folder;
  run_ok({"synth", "strokes", "--train", "20", "--test", "10", "--quiet", "-o", folder / "a.h5"});

  run_ok({"convert", folder / "a.h5", "--quiet", "-o", folder / "b/"});
  run_ok({"convert", folder / "b", "--quiet", "-o", folder / "c.npz"});
  run_ok({"convert", folder / "c.npz", "--quiet", "-o", folder / "c.h5"});

  const auto checksum = [&](const char* name) {
    return nlohmann::json::parse(run_ok({"info", folder / name, "--json", "-"}))["file"]["checksum"];
  };
  CHECK(checksum("a.h5") == checksum("c.h5"));
}

TEST_CASE("convert --initial writes the images an optimisation started from, wherever it went", "[cli]") {
  const Folder folder;
  write_easy_h5(folder / "a.h5", 20, 2);
  for (const std::string lr : {"0.1", "0.001"}) {
    auto job = tiny_robustify(folder / "a.h5", folder / ("lr" + lr + ".h5"));
    job.insert(job.end(), {"--lr", lr});
    run_ok(job);
    run_ok({"convert", folder / ("lr" + lr + ".h5"), "--initial", "--quiet", "-o", folder / ("initial" + lr + ".h5")});
  }

  const auto checksum = [&](const char* name) {
    return nlohmann::json::parse(run_ok({"info", folder / name, "--json", "-"}))["file"]["checksum"];
  };
  CHECK(checksum("initial0.1.h5") == checksum("initial0.001.h5"));
  CHECK(checksum("initial0.1.h5") != checksum("lr0.1.h5"));
  CHECK(checksum("lr0.1.h5") != checksum("lr0.001.h5"));
  CHECK_FAILS(run({"convert", folder / "a.h5", "--initial", "-o", folder / "x.h5"}), 2, "--initial", "a.h5",
              "0 initial images");
}

TEST_CASE("show writes a PNG with a row per class, and pairs twice as wide", "[cli]") {
  const Folder folder;
  run_ok({"synth", "strokes", "--train", "30", "--test", "0", "--quiet", "-o", folder / "a.h5"});

  run_ok({"show", folder / "a.h5", "--n", "20", "--scale", "2", "--quiet", "-o", folder / "one.png"});
  run_ok({"show", folder / "a.h5", folder / "a.h5", "--n", "20", "--scale", "2", "--quiet", "-o", folder / "two.png"});

  const auto width = [&](const char* name) {
    const std::string png = read_file(folder / name);
    REQUIRE(png.substr(1, 3) == "PNG");
    return static_cast<unsigned char>(png[18]) * 256 + static_cast<unsigned char>(png[19]);
  };
  CHECK(width("one.png") >= 2 * 28 * 2);
  CHECK(width("two.png") >= 2 * width("one.png") - 8);
  CHECK_FAILS(run({"show", folder / "a.h5", "--initial", "-o", folder / "x.png"}), 2, "--initial", "no initial images");
}

TEST_CASE("a dry run prints the plan and writes nothing", "[cli]") {
  const Folder folder;
  write_easy_h5(folder / "a.h5", 40, 2);
  auto robustify = tiny_robustify(folder / "a.h5", folder / "out.h5");
  robustify.push_back("--dry-run");

  const std::string plan = run_ok(robustify);

  CHECK(contains(plan, "attack-steps"));
  CHECK(contains(plan, "backend"));
  CHECK(contains(run_ok({"train", folder / "a.h5", "--dry-run", "-o", folder / "n.h5"}), "parameters"));
  CHECK(contains(run_ok({"kernel", folder / "a.h5", "--dry-run", "-o", folder / "k.h5"}), "40 x 40"));
  for (const char* name : {"out.h5", "out.h5.ckpt.h5", "n.h5", "k.h5"}) {
    INFO(name);
    CHECK(!std::filesystem::exists(folder / name));
  }
}
