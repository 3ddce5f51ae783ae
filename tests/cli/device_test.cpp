/// export and import: what a device reads and writes.
#include <ntkrob/micro/device_data.hpp>
#include <ntkrob/micro/weights.hpp>

#include "run.hpp"

using namespace ntkrob::cli_test;
namespace micro = ntkrob::micro;

namespace {

/// A net that has learned the exported set for some epochs, as a device would: its weights' file, and how many it gets
/// right.
struct Trained {
  std::string file;
  std::uint32_t rows = 0, right = 0;
};

template <class Net>
Trained train_on(const std::string& bytes, const Net& net) {
  micro::DeviceData data;
  REQUIRE(micro::open(data, bytes.data(), bytes.size()) == micro::Status::ok);
  REQUIRE(micro::check_fit(net, data) == micro::Status::ok);
  const micro::Options options;
  std::vector<float> arena(micro::bytes_needed(net, options) / sizeof(float));
  micro::Session session;
  REQUIRE(micro::open(session, net, options, arena.data(), arena.size() * sizeof(float)) == micro::Status::ok);
  micro::initialise(session, 1);
  micro::Report report;
  for (std::uint32_t epoch = 0; epoch < 15; ++epoch)
    REQUIRE(micro::train_epoch(session, micro::source(data), epoch, report) == micro::Status::ok);
  REQUIRE(micro::evaluate(session, micro::source(data), report) == micro::Status::ok);
  Trained result;
  result.rows = report.rows;
  result.right = report.right;
  micro::write_weights(
      session,
      [](void* to, const void* from, std::size_t n) {
        static_cast<std::string*>(to)->append(static_cast<const char*>(from), n);
      },
      &result.file);
  return result;
}

}  // namespace

TEST_CASE("a net trained by micro on an exported set is the same net after import", "[cli]") {
  const Folder folder;
  run_ok({"synth", "strokes", "--train", "120", "--test", "0", "--quiet", "-o", folder / "set.h5"});
  run_ok({"export", folder / "set.h5", "--quiet", "-o", folder / "set.nkd"});
  constexpr auto net = micro::net({28, 28, 1}, micro::dense(16), micro::relu(), micro::dense(10));
  const Trained trained = train_on(read_file(folder / "set.nkd"), net);
  CHECK(trained.rows == 120);
  CHECK(trained.right > 100);
  write_file(folder / "net.nkw", trained.file);
  run_ok({"import", folder / "net.nkw", "--quiet", "-o", folder / "net.h5"});
  run_ok({"evaluate", folder / "net.h5", "--data", folder / "set.h5", "--split", "train", "--attacks", "clean",
          "--quiet", "--json", folder / "report.json"});
  const double accuracy = read_json(folder / "report.json")["accuracy"]["clean"];
  CHECK(accuracy == Approx(trained.right / 120.0).epsilon(1e-12));

  // A net with convolution, whose weights are laid out alike.
  constexpr auto conv = micro::net({28, 28, 1}, micro::conv(4, 4, 2, 1), micro::relu(), micro::max_pool(2),
                                   micro::flatten(), micro::dense(10));
  const Trained images = train_on(read_file(folder / "set.nkd"), conv);
  CHECK(images.right > 100);
  write_file(folder / "conv.nkw", images.file);
  run_ok({"import", folder / "conv.nkw", "--quiet", "-o", folder / "conv.h5"});
  run_ok({"evaluate", folder / "conv.h5", "--data", folder / "set.h5", "--split", "train", "--attacks", "clean",
          "--quiet", "--json", folder / "conv.json"});
  CHECK(read_json(folder / "conv.json")["accuracy"]["clean"] == Approx(images.right / 120.0).epsilon(1e-12));

  for (const std::size_t at : {std::size_t{0}, std::size_t{30}, trained.file.size() / 2, trained.file.size() - 1}) {
    std::string damaged = trained.file;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    write_file(folder / "damaged.nkw", damaged);
    CHECK_FAILS(run({"import", folder / "damaged.nkw", "-o", folder / "no.h5"}), 3, "damaged.nkw");
  }
  write_file(folder / "short.nkw", trained.file.substr(0, trained.file.size() - 1));
  CHECK_FAILS(run({"import", folder / "short.nkw", "-o", folder / "no.h5"}), 3, "short.nkw", "shorter");
  CHECK_FAILS(run({"import", folder / "set.nkd", "-o", folder / "no.h5"}), 3, "no file of this kind");
}

TEST_CASE("export keeps pixels within half a step, and takes classes, counts and sizes", "[cli]") {
  const Folder folder;
  // 2 images of 4 x 2 pixels; 0.123 is not a multiple of 1/255.
  std::vector<float> pixels;
  for (int k = 0; k < 3 * 4; ++k) pixels.push_back(0.123f + 0.07f * static_cast<float>(k));
  write_h5(folder / "odd.h5", pixels, 4, {0, 2, 1});
  for (const char* type : {"uint8", "int16"}) {
    run_ok({"export", folder / "odd.h5", "--pixels", type, "--quiet", "--force", "-o", folder / "odd.nkd"});
    const std::string bytes = read_file(folder / "odd.nkd");
    micro::DeviceData data;
    REQUIRE(micro::open(data, bytes.data(), bytes.size()) == micro::Status::ok);
    REQUIRE(data.total == bytes.size());
    for (std::uint32_t i = 0; i < 3; ++i) {
      float x[4];
      micro::Row row{x, nullptr, 9, false};
      REQUIRE(micro::read(data, i, row) == micro::Status::ok);
      CHECK(row.label == (i == 0 ? 0 : i == 1 ? 2 : 1));
      for (std::uint32_t k = 0; k < 4; ++k)
        CHECK(std::abs(x[k] - pixels[4 * i + k]) <= 0.5 * static_cast<double>(data.scale) + 1e-7);
    }
  }

  run_ok({"synth", "strokes", "--train", "200", "--test", "0", "--quiet", "-o", folder / "set.h5"});
  run_ok({"export", folder / "set.h5", "--classes", "7,3", "--per-class", "4", "--downsample", "2", "--quiet", "-o",
          folder / "few.nkd"});
  const std::string bytes = read_file(folder / "few.nkd");
  micro::DeviceData data;
  REQUIRE(micro::open(data, bytes.data(), bytes.size()) == micro::Status::ok);
  CHECK(data.rows == 8);
  CHECK(data.classes == 2);
  CHECK((data.shape == micro::Shape{14, 14, 1}));
  int ones = 0;
  for (std::uint32_t i = 0; i < 8; ++i) {
    float x[196];
    micro::Row row{x, nullptr, 9, false};
    REQUIRE(micro::read(data, i, row) == micro::Status::ok);
    ones += row.label;
  }
  CHECK(ones == 4);
}

TEST_CASE("a header holds the bytes of the file", "[cli]") {
  const Folder folder;
  run_ok({"synth", "strokes", "--train", "10", "--test", "0", "--quiet", "-o", folder / "set.h5"});
  run_ok({"export", folder / "set.h5", "--quiet", "-o", folder / "set.nkd"});
  run_ok({"export", folder / "set.h5", "--name", "digits", "--quiet", "-o", folder / "set.hpp"});
  const std::string bytes = read_file(folder / "set.nkd"), header = read_file(folder / "set.hpp");
  CHECK(contains(header, "inline constexpr unsigned char digits[" + std::to_string(bytes.size()) + "]"));
  std::string back;
  std::size_t at = header.find('{') + 1;
  while (header.find_first_of("0123456789", at) != std::string::npos) {
    std::size_t used = 0;
    at = header.find_first_of("0123456789", at);
    back += static_cast<char>(std::stoi(header.substr(at, 4), &used));
    at += used;
  }
  CHECK(back == bytes);
}

TEST_CASE("an export that does not fit says by how much", "[cli]") {
  const Folder folder;
  run_ok({"synth", "strokes", "--train", "100", "--test", "0", "--quiet", "-o", folder / "set.h5"});
  const std::string set = folder / "set.h5", out = folder / "o.nkd";
  // 64 bytes of header, 784 + 2 bytes per image, 4 of checksum.
  CHECK_FAILS(run({"export", set, "--budget", "78667", "-o", out}), 5, "need 78668 bytes", " 1 more than");
  CHECK(run({"export", set, "--budget", "78668", "-o", out}).code == 0);
  CHECK_FAILS(run({"export", set, "--budget", "20K", "--force", "-o", out}), 5, "--per-class 2 fits");
  CHECK_FAILS(run({"export", set, "--budget", "1K", "--force", "-o", out}), 5, "--downsample");
  CHECK_FAILS(run({"export", set, "--downsample", "3", "--force", "-o", out}), 2, "downsample is 3", "28 x 28");
  CHECK_FAILS(run({"export", set, "--classes", "1,10", "--force", "-o", out}), 2, "classes", "10");
  CHECK_FAILS(run({"export", set, "--classes", "1,1", "--force", "-o", out}), 2, "named twice");
  CHECK_FAILS(run({"export", set, "--labels", "soft", "--force", "-o", out}), 2, "classes only");
  CHECK_FAILS(run({"export", set, "--pixels", "int8", "--force", "-o", out}), 2, "uint8 or int16");
  CHECK_FAILS(run({"export", set, "--name", "1x", "--force", "-o", out}), 2, "identifier");
}
