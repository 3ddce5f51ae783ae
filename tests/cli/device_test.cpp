/// export and import: what a device reads and writes.
#include <ntkrob/micro/device_data.hpp>
#include <ntkrob/micro/int8.hpp>
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

/// The bytes of the array that a header ends with.
std::string bytes_of(const std::string& header) {
  std::string back;
  std::size_t at = header.rfind('{') + 1;
  while (header.find_first_of("0123456789", at) != std::string::npos) {
    std::size_t used = 0;
    at = header.find_first_of("0123456789", at);
    back += static_cast<char>(std::stoi(header.substr(at, 4), &used));
    at += used;
  }
  return back;
}

/// A set of drawn digits and a net that has learned it: set.h5 and net.h5.
void make_net(const Folder& folder) {
  run_ok({"synth", "strokes", "--train", "400", "--test", "100", "--quiet", "-o", folder / "set.h5"});
  run_ok({"train", folder / "set.h5", "--model", "mlp:32", "--epochs", "15", "--loss", "ce", "--batch", "20", "--quiet",
          "-o", folder / "net.h5"});
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
  CHECK(bytes_of(header) == bytes);
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

TEST_CASE("a net goes out as weights and comes back the same", "[cli]") {
  const Folder folder;
  make_net(folder);
  run_ok({"export", folder / "net.h5", "--quiet", "-o", folder / "net.nkw"});
  run_ok({"export", folder / "net.h5", "--quiet", "-o", folder / "net.hpp"});
  const std::string block = read_file(folder / "net.nkw"), header = read_file(folder / "net.hpp");
  CHECK(contains(header, "inline constexpr auto trained_net_layers ="));
  CHECK(contains(header, "ntkrob::micro::net({28, 28, 1}, ntkrob::micro::dense(32), ntkrob::micro::relu(),"));
  CHECK(bytes_of(header) == block);
  run_ok({"import", folder / "net.nkw", "--quiet", "-o", folder / "back.h5"});
  for (const char* net : {"net", "back"})
    run_ok({"evaluate", folder / (std::string(net) + ".h5"), "--data", folder / "set.h5", "--attacks", "clean,pgd-5",
            "--checks", "off", "--quiet", "--json", folder / (std::string(net) + ".json")});
  CHECK(read_json(folder / "net.json")["accuracy"] == read_json(folder / "back.json")["accuracy"]);
  CHECK_FAILS(run({"export", folder / "net.h5", "--budget", "1K", "-o", folder / "no.nkw"}), 5, "more than the budget",
              "--int8");
  CHECK_FAILS(run({"export", folder / "net.h5", "--pixels", "int16", "-o", folder / "no.nkw"}), 2, "--pixels",
              "is a net");
  CHECK_FAILS(run({"export", folder / "set.h5", "--int8", "-o", folder / "no.nkd"}), 2, "is a data set");
  CHECK_FAILS(run({"export", folder / "set.h5", "-o", folder / "no.onnx"}), 2, "ONNX holds nets");
}

TEST_CASE("an int8 net is exported for devices and judged beside float32", "[cli]") {
  const Folder folder;
  make_net(folder);
  const std::string set = folder / "set.h5", net = folder / "net.h5";
  run_ok({"export", net, "--int8", "--calibrate", set, "--quiet", "-o", folder / "net.nkq"});
  const std::string block = read_file(folder / "net.nkq");
  run_ok({"evaluate", net, "--int8", "--calibrate", set, "--data", set, "--eps", "0.05", "--attacks", "clean,pgd-5",
          "--checks", "off", "--quiet", "--json", folder / "r.json"});
  const auto report = read_json(folder / "r.json");
  CHECK(report["dtype"] == "int8");
  CHECK(contains(report["model"], "int8"));
  CHECK(contains(report["note"], "gradient attacks follow the float32 net"));
  const auto& int8 = report["accuracy"];
  for (const char* attack : {"clean", "pgd-5", "square(queries=1000)", "transfer(pgd-5)"}) CHECK(int8.contains(attack));
  const auto& float32 = report["float32"]["accuracy"];
  CHECK(std::abs(double(float32["clean"]) - double(int8["clean"])) <= 0.02);
  CHECK(std::abs(double(float32["pgd-5"]) - double(int8["pgd-5"])) <= 0.05);
  CHECK(double(int8["pgd-5"]) < double(int8["clean"]));

  // The device's arithmetic on the exported block gives the report's clean verdicts.
  const std::string images = folder / "test.nkd";
  run_ok({"export", set, "--split", "test", "--quiet", "-o", images});
  const std::string pixels = read_file(images);
  micro::DeviceData data;
  REQUIRE(micro::open(data, pixels.data(), pixels.size()) == micro::Status::ok);
  static micro::StoredNet stored;
  REQUIRE(micro::describe(stored, block.data(), block.size()) == micro::Status::ok);
  std::vector<std::int32_t> arena(micro::int8_bytes_needed(stored) / sizeof(std::int32_t));
  micro::Int8Session session;
  REQUIRE(micro::open(session, stored, block.data(), block.size(), arena.data(), 4 * arena.size()) ==
          micro::Status::ok);
  std::vector<float> x(784);
  micro::Report counted;
  REQUIRE(micro::evaluate(session, micro::source(data), x.data(), counted) == micro::Status::ok);
  CHECK(counted.rows == 100);
  CHECK(counted.right / 100.0 == Approx(double(int8["clean"])).epsilon(1e-12));

  CHECK_FAILS(run({"export", net, "--int8", "-o", folder / "no.nkq"}), 2, "--int8 needs --calibrate");
  CHECK_FAILS(run({"export", net, "--calibrate", set, "-o", folder / "no.nkq"}), 2, "belongs to --int8");
  CHECK_FAILS(run({"export", net, "--int8", "--calibrate", set, "-o", folder / "no.onnx"}), 2, "not as ONNX");
  CHECK_FAILS(run({"evaluate", net, "--int8", "--data", set}), 2, "--int8 needs --calibrate");
  CHECK_FAILS(run({"evaluate", net, "--calibrate", set, "--data", set}), 2, "belongs to --int8");
  CHECK_FAILS(run({"evaluate", "--kernel", "fc:2", "--support", set, "--int8", "--calibrate", set, "--data", set}), 2,
              "not about kernel machines");
  write_easy_h5(folder / "easy.h5", 12, 3);
  CHECK_FAILS(run({"export", net, "--int8", "--calibrate", folder / "easy.h5", "-o", folder / "no.nkq"}), 2,
              "--calibrate", "1 x 1 x 16");
  CHECK_FAILS(run({"import", folder / "net.nkq", "-o", folder / "no.h5"}), 3, "no file of this kind");
}
