/// Nets on images through the command: training, attacking, and weights of PyTorch.
#include "run.hpp"

using namespace ntkrob::cli_test;

namespace {
const std::string kGolden = NTKROB_GOLDEN_DIR "/nn_torch_state.npz";

std::vector<std::string> convert(const std::string& weights, const std::string& spec, const std::string& shape,
                                 const std::string& output) {
  return {"convert", "--model", weights, "--spec", spec, "--input-shape", shape, "--quiet", "-o", output};
}

std::vector<std::string> with(std::vector<std::string> job, const std::vector<std::string>& more) {
  job.insert(job.end(), more.begin(), more.end());
  return job;
}

}  // namespace

TEST_CASE("a convolutional net is trained, stored, described and attacked", "[cli]") {
  const Folder folder;
  run_ok({"synth", "strokes", "--train", "300", "--test", "60", "--quiet", "-o", folder / "a.h5"});

  run_ok({"train", folder / "a.h5", "--model", "cnn:small", "--loss", "ce", "--init", "he", "--epochs", "6", "--batch",
          "30", "--quiet", "-o", folder / "net.h5", "--json", folder / "train.json"});

  CHECK(read_json(folder / "train.json")["test_accuracy"] > 0.8);
  const auto net = nlohmann::json::parse(run_ok({"info", folder / "net.h5", "--json", "-"}))["file"];
  CHECK(net["parameters"] == 16 * 16 + 16 + 32 * 256 + 32 + 100 * 1568 + 100 + 10 * 100 + 10);
  CHECK(net["entries"]["layers/1/weight"]["shape"] == nlohmann::json({32, 16, 4, 4}));
  run_ok({"evaluate", folder / "net.h5", "--data", folder / "a.h5", "--eps", "0.1", "--attacks", "clean,fgsm,pgd-5",
          "--quiet", "--json", folder / "report.json"});
  const auto report = read_json(folder / "report.json")["accuracy"];
  CHECK(report["clean"] == read_json(folder / "train.json")["test_accuracy"]);
  CHECK(report["fgsm"] < report["clean"]);
}

TEST_CASE("train --help lists every layer of nets", "[cli]") {
  const std::string help = run_ok({"train", "--help"});

  for (const char* layer : {"mlp:", "cnn:small", "\n    avgpool(", "\n    conv(", "\n    dense(",
                            "\n    gap:", "\n    maxpool(", "\n    normalise(", "\n    flatten:", "\n    relu:"})
    CHECK(contains(help, layer));
}

TEST_CASE("convert --model matches the arrays of PyTorch with the layers, or says which one does not fit", "[cli]") {
  const Folder folder;
  const std::string spec =
      "normalise(mean=0.4:0.6,std=0.25:0.5)-conv(3,3,stride=2,pad=1)-relu-maxpool(3,stride=2,pad=1)-"
      "conv(5,2,pad=valid)-relu-avgpool(2,stride=1,pad=1)-flatten-dense(6)-relu-dense";
  const auto job = convert(kGolden, spec, "11x9x2", folder / "m.h5");

  CHECK(contains(run_ok(with(job, {"--dry-run"})), "426 parameters, input 11 x 9 x 2, 4 classes"));
  run_ok(job);

  const std::string info = run_ok({"info", folder / "m.h5"});
  CHECK(contains(info, "float32 5 x 3 x 2 x 2"));
  CHECK(contains(info, "nn_torch_state.npz"));
  const std::string output = folder / "n.h5";
  CHECK_FAILS(run(convert(kGolden, "conv(3,5)-relu-conv(5,2)-relu-dense(6)-relu-dense", "11x9x2", output)), 3,
              "nn_torch_state.npz: array \"0.weight\" has shape [3,2,3,3]", "a conv, needs [3,2,5,5]");
  CHECK_FAILS(run(convert(kGolden, "conv(3,3)-relu-tanh-dense", "11x9x2", output)), 2, "no layer \"tanh\"",
              "position 16");
  CHECK_FAILS(run(convert(kGolden, spec, "11x9", output)), 2, "11x9", "height x width x channels");
  CHECK_FAILS(run(convert(kGolden, spec, "11x0x2", output)), 2, "11x0x2", "\"0\"");
  CHECK_FAILS(run(convert(folder / "none.npz", spec, "11x9x2", output)), 3, "none.npz");
  CHECK_FAILS(run(with(job, {"--force", "--group", "weights"})), 2, "has no group \"weights\"");
}

TEST_CASE("options of convert that do not go together are refused", "[cli]") {
  CHECK_FAILS(run({"convert", "--model", kGolden, "-o", "x.h5"}), 2, "--model needs --spec");
  CHECK_FAILS(run({"convert", "a.h5", "--model", kGolden, "--spec", "mlp:", "-o", "x.h5"}), 2, "takes no images");
  CHECK_FAILS(run({"convert", "a.h5", "--spec", "mlp:", "-o", "x.h5"}), 2, "belong to --model");
}
