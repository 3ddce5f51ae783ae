/// The whole job on foreign files: convert, robustify, train, evaluate, export, with the options of reading given once
/// in a file.
#include <filesystem>

#include "samples.hpp"

using namespace ntkrob::situations;
using namespace ntkrob::cli_test;
using Json = nlohmann::json;

namespace {

constexpr long kN = 40;

/// Easy classes: the picture of class c is bright in its own rows.
Array easy(const Array& labels, int first, long height, long width, double white, const std::string& type) {
  Array x;
  x.type = type;
  x.shape = {labels.rows(), height, width};
  for (long i = 0; i < labels.rows(); ++i)
    for (long j = 0; j < height * width; ++j) {
      const bool bright = j / width % 4 == static_cast<long>(labels.numbers[static_cast<std::size_t>(i)]) - first;
      x.numbers.push_back(std::floor(white * (bright ? 1 : 0.1) +
                                     static_cast<double>((i * 7 + j * 3) % 5) * white / 100 * (bright ? -1 : 1)));
    }
  return x;
}

struct Job {
  std::string what, config;  // options of reading, as lines of a file
  Content content;
  Format format;
  long classes;
  std::string note;  // what every command says while it reads; empty: nothing that is checked
};

std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

Finished job_ok(const std::vector<std::string>& arguments) {
  const Finished finished = run(arguments);
  INFO(arguments[0] << " stdout: " << finished.out << "\nstderr: " << finished.err);
  REQUIRE(finished.code == 0);
  return finished;
}

std::vector<std::string> tiny(const std::string& data, const std::string& output) {
  return {"robustify", data, "--kernel",       "fc:1", "--n",          "20", "--steps", "2",
          "--batch",   "10", "--attack-steps", "1",    "--validation", "4",  "-o",      output};
}

/// Every command opens the foreign file itself, as the file of options tells it.
void check_job(const Job& job) {
  INFO("job: " << job.what);
  const Folder folder;
  const std::string inside = std::filesystem::path(folder / "x").parent_path().string();
  const Input input = write(job.content, job.format, inside);
  REQUIRE(input.paths.size() == 1);
  const std::string file = input.paths[0];
  write_file(folder / "reading.toml", job.config);
  const std::vector<std::string> config = {"--config", folder / "reading.toml"};

  const auto said = [&](const Finished& finished) {
    INFO("stderr: " << finished.err);
    INFO("expected in it: " << job.note);
    CHECK(contains(finished.err, job.note));
  };
  said(job_ok(with({"convert", file, "-o", folder / "converted.h5"}, config)));
  said(job_ok(with(tiny(file, folder / "robust.h5"), config)));
  said(job_ok(with(
      {"train", file, "--model", "mlp:32", "--steps", "400", "--batch", "10", "--lr", "0.1", "-o", folder / "net.h5"},
      config)));
  const Finished judged = job_ok(with({"evaluate", folder / "net.h5", "--data", file, "--split", "train", "--attacks",
                                       "clean", "--json", folder / "report.json"},
                                      config));
  said(judged);
  CHECK(read_json(folder / "report.json")["accuracy"]["clean"] > 0.9);
  job_ok({"export", folder / "net.h5", "-o", folder / "net.onnx", "--quiet"});
  job_ok({"export", folder / "robust.h5", "-o", folder / "robust.bin", "--quiet"});

  // The robust set made of the foreign file is the one made of the converted file.
  job_ok(tiny(folder / "converted.h5", folder / "again.h5"));
  const auto described = [&](const std::string& name) {
    return Json::parse(run_ok({"info", folder / name, "--json", "-", "--quiet"}))["file"];
  };
  Json robust = described("robust.h5"), again = described("again.h5"), data = described("converted.h5");
  CHECK(robust["checksum"] == again["checksum"]);
  CHECK(robust["classes"] == job.classes);
  CHECK(data["classes"] == job.classes);
  CHECK(robust["class_names"] == data["class_names"]);

  // The options of reading are stored where the file was read.
  if (job.config[0] == '#') return;
  const std::string option = job.config.substr(0, job.config.find(' '));
  INFO("option " << option << " in the provenance of " << data["provenance"].dump());
  CHECK(contains(data["provenance"].dump(), option));
  CHECK(contains(robust["provenance"].dump(), option));
}

}  // namespace

TEST_CASE("the whole job runs on rows of 0 to 16 with the label in the last column", "[situations]") {
  Job job;
  job.what = "optdigits";
  job.config = "value-range = \"0:16\"\n";
  const Array y = cycle(kN, 0, 4);
  job.content.train.x = easy(y, 0, 8, 8, 16, "|u1");
  job.content.train.y = y;
  job.content.table.label_at = TableStyle::last;
  job.format = csv;
  job.classes = 4;
  job.note = "last";
  check_job(job);
}

TEST_CASE("the whole job runs on letters whose labels begin with 1", "[situations]") {
  Job job;
  job.what = "letters";
  job.config = "renumber = true\n";
  const Array y = cycle(kN, 1, 4);
  job.content.train.x = easy(y, 1, 8, 8, 255, "|u1");
  job.content.train.y = y;
  job.format = idx;
  job.classes = 4;
  check_job(job);
}

TEST_CASE("the whole job runs with a class that has no images", "[situations]") {
  Job job;
  job.what = "class 0 is empty";
  job.config = "# nothing\n";
  const Array y = cycle(kN, 1, 4);
  job.content.train.x = easy(y, 1, 8, 8, 255, "|u1");
  job.content.train.y = y;
  job.format = npz;
  job.classes = 5;
  job.note = "class 0 has none";
  check_job(job);
}

TEST_CASE("the whole job runs on arrays of other names and in planes", "[situations]") {
  Job job;
  job.what = "usps";
  job.config = "x = \"train/data\"\ny = \"train/target\"\nimage-shape = \"8x8x1\"\n";
  const Array y = cycle(kN, 0, 4, "<i8");
  job.content.names = {"train/data", "train/target", "", ""};
  const Array x = easy(y, 0, 8, 8, 255, "<f4");
  job.content.train.x = reshaped(mapped(
                                     x, [](double value) { return value / 255; }, "<f4"),
                                 {kN, 64});
  job.content.train.y = y;
  job.format = hdf5;
  job.classes = 4;
  check_job(job);
}

TEST_CASE("the whole job runs on signals", "[situations]") {
  Job job;
  job.what = "signals";
  job.config = "layout = \"NTC\"\n";
  const Array y = cycle(kN, 0, 4);
  job.content.train.x = easy(y, 0, 32, 2, 255, "|u1");
  job.content.train.y = y;
  job.format = npz;
  job.classes = 4;
  check_job(job);
}

TEST_CASE("the whole job runs on a table of words and centimetres", "[situations]") {
  Job job;
  job.what = "table";
  job.config = "value-range = \"columns\"\ndrop = \"subject\"\n";
  const Array y = cycle(kN, 0, 4);
  Array x = reshaped(easy(y, 0, 4, 3, 100, "<f8"), {kN, 12});
  for (std::size_t k = 0; k < x.numbers.size(); ++k)
    x.numbers[k] = x.numbers[k] * static_cast<double>(k % 12 + 1) / 7 - 3;
  job.content.train.x = beside(x, as_type(cycle(kN, 1, 20), "<f8"));
  for (int j = 0; j < 12; ++j) job.content.table.columns.push_back("f" + std::to_string(j));
  job.content.table.columns.push_back("subject");
  std::vector<std::string> names;
  for (const double label : y.numbers) names.push_back(std::string(1, "abcd"[static_cast<int>(label)]) + "x");
  job.content.train.y = texts(names);
  job.content.table.header = true;
  job.content.table.label = "Activity";
  job.content.table.label_at = TableStyle::last;
  job.format = csv;
  job.classes = 4;
  job.note = "Activity";
  check_job(job);
}

TEST_CASE("a single class is refused by what would learn from it", "[situations]") {
  const Folder folder;
  Content content = pictures(cycle(24, 0, 1));
  const Input input = write(content, npz, std::filesystem::path(folder / "x").parent_path().string());
  CHECK_FAILS(run({"train", input.paths[0], "--model", "mlp:4", "--steps", "2", "--quiet", "-o", folder / "net.h5"}), 2,
              "class");
  CHECK_FAILS(run(tiny(input.paths[0], folder / "robust.h5")), 2, "class");
}

TEST_CASE("options of reading that cannot be are refused by every command with the same words", "[situations]") {
  const Folder folder;
  const Input input = write(pictures(cycle(24, 0, 3)), npz, std::filesystem::path(folder / "x").parent_path().string());
  const std::string file = input.paths[0];
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"info", file},
                                             {"convert", file, "-o", folder / "o.h5"},
                                             {"show", file, "-o", folder / "o.png"},
                                             {"kernel", file, "-o", folder / "k.h5"},
                                             {"robustify", file, "-o", folder / "r.h5"},
                                             {"train", file, "-o", folder / "n.h5"},
                                             {"export", file, "-o", folder / "d.bin"},
                                             {"predict", "--kernel", "fc:1", "--support", file, "--data", file},
                                             {"evaluate", "--kernel", "fc:1", "--support", file, "--data", file}}) {
    INFO(command[0]);
    CHECK_FAILS(run(with(command, {"--layout", "XYZ"})), 2, "--layout", "XYZ", "NHWC");
    CHECK_FAILS(run(with(command, {"--value-range", "0:100"})), 3, "255", "--value-range");
  }
}

TEST_CASE("every command that opens data says what it recognised, unless it is to be quiet", "[situations]") {
  const Folder folder;
  Content content = pictures(cycle(24, 0, 3));
  content.train.x = transposed(pattern({24, 8, 9, 3}), {0, 3, 1, 2});
  const Input input = write(content, npz, std::filesystem::path(folder / "x").parent_path().string());
  const std::string file = input.paths[0], net = folder / "net.h5";
  const std::vector<std::vector<std::string>> commands = {
      {"info", file},
      {"convert", file, "-o", folder / "o.h5"},
      {"show", file, "--n", "4", "-o", folder / "o.png"},
      {"kernel", file, "--kernel", "fc:1", "-o", folder / "k.h5"},
      tiny(file, folder / "r.h5"),
      {"train", file, "--model", "mlp:4", "--steps", "2", "-o", net},
      {"evaluate", net, "--data", file, "--split", "train", "--attacks", "clean", "--json", folder / "e.json"},
      {"predict", "--kernel", "fc:1", "--support", file, "--data", file, "--split", "train"},
      {"export", file, "-o", folder / "d.bin"}};
  for (const std::vector<std::string>& command : commands) {
    INFO(command[0]);
    const Finished spoken = run(with(command, {"--force"}));
    INFO("stdout: " << spoken.out << "\nstderr: " << spoken.err);
    CHECK(spoken.code == 0);
    CHECK(contains(spoken.err, "reading " + file + ": "));
    CHECK(contains(spoken.err, "N,C,H,W"));
    const Finished quiet = run(with(command, {"--force", "--quiet"}));
    INFO("quiet, stderr: " << quiet.err);
    CHECK(quiet.code == 0);
    CHECK(!contains(quiet.err, "reading "));
  }
  CHECK(contains(read_json(folder / "e.json").dump(), "N,C,H,W"));
  for (const char* name : {"o.h5", "r.h5"}) {
    INFO("provenance of " << name);
    CHECK(
        contains(Json::parse(run_ok({"info", folder / name, "--json", "-"}))["file"]["provenance"].dump(), "N,C,H,W"));
  }
}

TEST_CASE("what another format cannot hold is said when it is written", "[situations]") {
  const Folder folder;
  Content content = pictures(cycle(24, 0, 3));
  content.class_names = {"cat", "dog", "eel"};
  const Input input = write(content, hdf5, std::filesystem::path(folder / "x").parent_path().string());
  const Finished finished = job_ok({"convert", input.paths[0], "-o", folder / "named.idx"});
  INFO("stderr: " << finished.err);
  CHECK(contains(finished.err, "class names"));
}

TEST_CASE("the first images of a sorted set are said to be of one class", "[situations]") {
  const Folder folder;
  const Input input =
      write(pictures(blocks(24, 0, 3)), npz, std::filesystem::path(folder / "x").parent_path().string());
  const std::string file = input.paths[0];
  job_ok({"train", file, "--model", "mlp:4", "--steps", "2", "--quiet", "-o", folder / "net.h5"});
  const Finished judged =
      run({"evaluate", folder / "net.h5", "--data", file, "--split", "train", "--attacks", "clean", "--n", "6"});
  INFO("stderr: " << judged.err << "\nstdout: " << judged.out);
  CHECK(contains(judged.err, "--balanced"));
  const Finished kernel = run({"evaluate", "--kernel", "fc:1", "--support", file, "--data", file, "--split", "train",
                               "--attacks", "clean", "--n-support", "12"});
  INFO("stderr: " << kernel.err << "\nstdout: " << kernel.out);
  CHECK(contains(kernel.err, "--balanced"));
}

TEST_CASE("balanced choices work where classes are rare or empty, or give a remedy that works", "[situations]") {
  const Folder folder;
  std::vector<double> labels(40, 1);
  for (std::size_t i = 0; i < 18; ++i) labels[i] = 2;
  labels[39] = 3;  // a single image; class 0 has none
  const Input input = write(pictures(numbers(labels)), npz, std::filesystem::path(folder / "x").parent_path().string());
  auto job = tiny(input.paths[0], folder / "robust.h5");
  job.push_back("--balanced");
  const Finished finished = run(job);
  INFO("stderr: " << finished.err);
  if (finished.code != 0) {
    CHECK(finished.code == 2);
    CHECK(contains(finished.err, "--"));
  }
  job_ok(tiny(input.paths[0], folder / "plain.h5"));
}
