// The command on the emulated device and on the processor: the same results.
#include <hdf5.h>

#include <cmath>
#include <cstdlib>

#include "cli/run.hpp"

using namespace ntkrob::cli_test;

namespace {

struct Strokes {
  Folder folder;
  std::string data = folder / "strokes.h5";
  Strokes() { run_ok({"synth", "strokes", "--train", "200", "--test", "40", "--quiet", "-o", data}); }

  std::vector<std::string> robustify(const std::string& backend, const std::string& output) const {
    return {"robustify",
            data,
            "--kernel",
            "fc:2",
            "--n",
            "30",
            "--steps",
            "6",
            "--batch",
            "40",
            "--eps",
            "0.05",
            "-o",
            output,
            "--attack-steps",
            "3",
            "--quiet",
            "--backend",
            backend,
            "--validation",
            "20",
            "--validate-every",
            "3"};
  }
};

std::vector<float> images(const std::string& path) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), set = H5Dopen2(file, "x_train", H5P_DEFAULT);
  REQUIRE(set >= 0);
  const hid_t space = H5Dget_space(set);
  std::vector<float> values(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)));
  REQUIRE(H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
  H5Sclose(space);
  H5Dclose(set);
  H5Fclose(file);
  return values;
}

nlohmann::json checksum(const std::string& path) {
  return nlohmann::json::parse(run_ok({"info", path, "--json", "-"}))["file"]["checksum"];
}

}  // namespace

TEST_CASE("the emulated device is listed", "[emulator]") {
  const auto info = run_ok({"info", "--backends"});
  INFO(info);
  CHECK(contains(info, "cuda      available"));
}

TEST_CASE("robustify on the device makes the set of the processor, the same bytes for every schedule", "[emulator]") {
  const Strokes s;
  run_ok(s.robustify("cpu", s.folder / "cpu.h5"));
  run_ok(s.robustify("cuda", s.folder / "cuda.h5"));
  const std::vector<float> expected = images(s.folder / "cpu.h5"), found = images(s.folder / "cuda.h5");
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    INFO("pixel " << i << ": " << found[i] << ", on the processor " << expected[i]);
    if (!(std::abs(found[i] - expected[i]) <= 1e-3F)) FAIL_CHECK("they differ by more than 1e-3");
  }
  {
    const Environment schedule("NTKROB_EMULATOR_SCHEDULE", "early"), order("NTKROB_EMULATOR_ORDER", "backward");
    std::vector<std::string> job = s.robustify("cuda", s.folder / "early.h5");
    job.insert(job.end(), {"--threads", "1"});
    run_ok(job);
  }
  CHECK(checksum(s.folder / "early.h5") == checksum(s.folder / "cuda.h5"));
}

TEST_CASE("evaluate and train on the device find what the processor finds", "[emulator]") {
  const Strokes s;
  const auto report = [&](const std::string& backend, std::vector<std::string> job) {
    const std::string json = s.folder / (backend + ".json");
    job.insert(job.end(), {"--quiet", "--backend", backend, "--json", json});
    run_ok(job);
    const auto read = read_json(json);
    std::filesystem::remove(json);
    return read;
  };
  const std::vector<std::string> machine{
      "evaluate", "--kernel", "fc:2",      "--support",        s.data, "--n-support", "30", "--data", s.data,
      "--eps",    "0.05",     "--attacks", "clean,fgsm,pgd-3", "--n",  "20"};
  CHECK(report("cuda", machine)["accuracy"] == report("cpu", machine)["accuracy"]);
  for (const char* model : {"mlp:16", "cnn:small"}) {
    INFO(model);
    const auto train = [&](const std::string& backend) {
      return report(backend, {"train", s.data, "--model", model, "--loss", "ce", "--epochs", "2", "--batch", "50", "-o",
                              s.folder / (backend + model + ".h5")});
    };
    const double loss = train("cuda")["loss"], expected = train("cpu")["loss"];
    CHECK(loss == Approx(expected).epsilon(1e-3));
  }
}

TEST_CASE("no memory and no such device are refused with what there is", "[emulator]") {
  const Strokes s;
  {
    const Environment small("NTKROB_EMULATOR_MEMORY", "100000");
    CHECK_FAILS(run(s.robustify("cuda", s.folder / "x.h5")), 5, " bytes needed, ", " of 100000");
  }
  CHECK_FAILS(run(s.robustify("cuda:1", s.folder / "x.h5")), 2, "there is no device 1, this machine has 1: cuda:0");
  const Environment three("NTKROB_EMULATOR_DEVICES", "3");
  CHECK_FAILS(run(s.robustify("cuda:3", s.folder / "x.h5")), 2, "this machine has 3: cuda:0 to cuda:2");
  run_ok(s.robustify("cuda:1", s.folder / "x.h5"));
}
