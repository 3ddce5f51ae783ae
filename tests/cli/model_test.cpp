/// Nets on images through the command: training, attacking, and weights of PyTorch.
#include <hdf5.h>

#include <tuple>
#include <utility>

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

/// A set of 4 x 4 pixels with names of its classes.
void write_named(const std::string& path, const std::vector<std::string>& names) {
  write_easy_h5(path, 12, static_cast<int>(names.size()));
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  REQUIRE(file >= 0);
  std::string padded;
  for (std::string name : names) {
    name.resize(8, '\0');
    padded += name;
  }
  const hsize_t count = names.size();
  const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &count, nullptr);
  H5Tset_size(type, 8);
  const hid_t attribute = H5Acreate2(file, "class_names", type, space, H5P_DEFAULT, H5P_DEFAULT);
  REQUIRE(H5Awrite(attribute, type, padded.data()) >= 0);
  H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
  H5Fclose(file);
}

/// Plain weights "fc<k>.weight" of 4 x 4 and "out.weight" of outputs x 4, written one after the other into an HDF5 file
/// that keeps their order or not, as h5py does with and without track_order=True.
void write_weights(const std::string& path, int layers, bool tracked, hsize_t outputs = 3) {
  const hid_t made = H5Pcreate(H5P_FILE_CREATE);
  if (tracked) REQUIRE(H5Pset_link_creation_order(made, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED) >= 0);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, made, H5P_DEFAULT);
  REQUIRE(file >= 0);
  for (int l = 1; l <= layers; ++l) {
    const hsize_t extents[2] = {l < layers ? hsize_t{4} : outputs, 4};
    std::vector<float> values(extents[0] * extents[1]);
    for (std::size_t k = 0; k < values.size(); ++k) values[k] = static_cast<float>(l) + 0.01f * static_cast<float>(k);
    const std::string name = l < layers ? "fc" + std::to_string(l) + ".weight" : "out.weight";
    const hid_t space = H5Screate_simple(2, extents, nullptr);
    const hid_t array = H5Dcreate2(file, name.c_str(), H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    REQUIRE(H5Dwrite(array, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
    H5Dclose(array);
    H5Sclose(space);
  }
  H5Fclose(file);
  H5Pclose(made);
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
  CHECK_FAILS(run(convert(kGolden, "conv(3,3)-relu-swish-dense", "11x9x2", output)), 2, "no layer \"swish\"",
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
  CHECK_FAILS(run({"convert", "a.h5", "--order", "a,b", "-o", "x.h5"}), 2, "belong to --model");
  CHECK_FAILS(run({"convert", "a.h5", "--two-class", "-o", "x.h5"}), 2, "belong to --model");
}

TEST_CASE("weights in HDF5 come in the order in which they were written, or of their numbers, and it is said",
          "[cli]") {
  const Folder folder;
  const std::string spec = "mlp:4,4,4,4,4,4,4,4,4,4";  // fc1 .. fc10, out
  for (const bool tracked : {true, false}) {
    const std::string file = folder / (tracked ? "tracked.h5" : "plain.h5"), net = file + ".net.h5";
    write_weights(file, 11, tracked);
    const Finished done = run({"convert", "--model", file, "--spec", spec, "--input-shape", "4", "-o", net});
    INFO(done.err);
    REQUIRE(done.code == 0);
    CHECK(contains(done.err, "reading " + file + ": " +
                                 (tracked ? "layers in the order of the file: fc1, fc2, "
                                          : "the file keeps no order of its arrays; layers in ")));
    CHECK(contains(done.err, "fc8, fc9, fc10, out"));
    const auto entries = nlohmann::json::parse(run_ok({"info", net, "--json", "-"}))["file"]["entries"];
    for (int l = 0; l < 11; ++l)
      CHECK(std::abs(entries["layers/" + std::to_string(l) + "/weight"]["min"].get<double>() - (l + 1)) < 1e-6);
    CHECK(contains(entries["provenance/reading/0"], "fc8, fc9, fc10, out"));
  }
  // Backwards on request, but for the last, whose shape decides; and what an order needs.
  const std::string plain = folder / "plain.h5", out = folder / "o.h5";
  const auto job = [&](const std::string& order) {
    return std::vector<std::string>{"convert", "--model", plain, "--spec", spec, "--input-shape",
                                    "4",       "--order", order, "-o",     out};
  };
  run_ok(with(job("fc10,fc9,fc8,fc7,fc6,fc5,fc4,fc3,fc2,fc1,out"), {"--quiet"}));
  const auto entries = nlohmann::json::parse(run_ok({"info", out, "--json", "-"}))["file"]["entries"];
  CHECK(std::abs(entries["layers/0/weight"]["min"].get<double>() - 10) < 1e-6);
  CHECK_FAILS(run(with(job("fc1,out"), {"--force"})), 2, "leaves out fc2, fc3");
  CHECK_FAILS(run(with(job("fc1,fc1"), {"--force"})), 2, "names \"fc1\" twice");
}

TEST_CASE("batch normalisation and single outputs are explained, and taken once the user says how", "[cli]") {
  const Folder folder;
  const std::string weights = NTKROB_GOLDEN_DIR "/nn_torch_batchnorm_state.npz", net = folder / "n.h5";
  const auto job = [&](const std::string& spec) {
    return std::vector<std::string>{"convert", "--model", weights, "--spec", spec, "--input-shape", "6x5x1", "-o", net};
  };
  CHECK_FAILS(run(job("conv(3,3)-relu-flatten-dense(7)-relu-dense")), 3, "module \"module.bn1\" is batch normalisation",
              "write batchnorm where it stands");
  CHECK_FAILS(run(job("batchnorm-conv(3,3)-relu-flatten-dense(7)-batchnorm-relu-dense")), 3,
              "module \"module.conv\" is a layer with weights, the spec has batchnorm at its place, layer 0");
  const Finished done = run(job("conv(3,3)-batchnorm(eps=1e-3)-relu-flatten-dense(7)-batchnorm-relu-dense"));
  INFO(done.err);
  REQUIRE(done.code == 0);
  for (const char* part : {"ignored 2 num_batches_tracked", "layers in the order of the file: module.conv, module.bn1"})
    CHECK(contains(done.err, "reading " + weights + ": " + part));
  const std::string info = run_ok({"info", net});
  CHECK(contains(info, "conv(3,3)-batchnorm(eps=1e-3)-relu-flatten-dense(7)-batchnorm-relu-dense\n"));
  CHECK(contains(info, "layers/1/running_var"));

  // One output.
  const std::string file = folder / "one.h5";
  write_weights(file, 1, true, 1);
  std::vector<std::string> one{
      "convert", "--model", file, "--spec", "mlp:", "--input-shape", "4", "-o", folder / "one.model.h5"};
  CHECK_FAILS(run(one), 2, "one output, as for a sigmoid", "--two-class makes");
  const Finished twin = run(with(one, {"--two-class", "--classes", "no,yes"}));
  CHECK(twin.code == 0);
  CHECK(contains(twin.err, "two-class twin of one output z: the outputs are 0 and z, class 1 is z > 0"));
  CHECK(contains(run_ok({"info", folder / "one.model.h5"}), "classes     no, yes\n"));
}

TEST_CASE("names of classes travel with a model into info, ONNX and headers", "[cli]") {
  const Folder folder;
  const std::string spec =
      "normalise(mean=0.4:0.6,std=0.25:0.5)-conv(3,3,stride=2,pad=1)-relu-maxpool(3,stride=2,pad=1)-"
      "conv(5,2,pad=valid)-relu-avgpool(2,stride=1,pad=1)-flatten-dense(6)-relu-dense";
  const std::string net = folder / "m.h5";
  auto job = convert(kGolden, spec, "11x9x2", net);
  CHECK_FAILS(run(with(job, {"--classes", "a,b"})), 2, "2 names of classes", "4 classes");
  run_ok(with(job, {"--classes", "cat,d\"og,\xc3\xa4,x"}));
  CHECK(contains(run_ok({"info", net}), "classes     cat, d\"og, \xc3\xa4, x\n"));
  CHECK(nlohmann::json::parse(run_ok({"info", net, "--json", "-"}))["file"]["class_names"].size() == 4);
  run_ok({"export", net, "--quiet", "-o", folder / "m.onnx"});
  const std::string onnx = read_file(folder / "m.onnx");
  CHECK(contains(onnx, "[\"cat\",\"d\\\"og\",\"\\u00e4\",\"x\"]"));
  CHECK(contains(onnx, "pixels in [0,1]"));
  CHECK(contains(onnx, "ntkrob convert --model "));
  CHECK(contains(onnx, "Pad"));

  // A net for devices, and a set.
  write_named(folder / "set.h5", {"cat", "dog", "bird"});
  run_ok({"train", folder / "set.h5", "--model", "mlp:4", "--epochs", "2", "--quiet", "-o", folder / "t.h5"});
  CHECK(contains(run_ok({"info", folder / "t.h5"}), "classes     cat, dog, bird\n"));
  for (const char* what : {"t", "set"}) {
    const std::string file = folder / (std::string(what) + ".h5"), bare = folder / (std::string(what) + ".bin");
    run_ok({"export", file, "--name", "it", "--quiet", "-o", folder / (std::string(what) + ".hpp")});
    CHECK(contains(read_file(folder / (std::string(what) + ".hpp")),
                   "inline constexpr const char* it_classes[3] = {\"cat\", \"dog\", \"bird\"};"));
    const Finished done = run({"export", file, "-o", bare});
    CHECK(done.code == 0);
    CHECK(contains(done.err, "left out: the names of the 3 classes"));
    CHECK(!contains(read_file(bare), "cat"));
  }
  run_ok({"export", folder / "set.h5", "--classes", "2,0", "--quiet", "-o", folder / "few.hpp"});
  CHECK(contains(read_file(folder / "few.hpp"), "robust_set_classes[2] = {\"bird\", \"cat\"}"));
}

TEST_CASE("export writes weights that convert reads back to the same net", "[cli]") {
  const Folder folder;
  const std::string spec =
      "normalise(mean=0.4:0.6,std=0.25:0.5)-conv(3,3,stride=2,pad=1)-relu-maxpool(3,stride=2,pad=1)-"
      "conv(5,2,pad=valid)-relu-avgpool(2,stride=1,pad=1)-flatten-dense(6)-relu-dense";
  const std::string net = folder / "m.h5", weights = folder / "w.npz";
  run_ok(with(convert(kGolden, spec, "11x9x2", net), {"--classes", "a,b,c,d"}));
  const Finished done = run({"export", net, "-o", weights});
  CHECK(done.code == 0);
  CHECK(contains(done.err, "weights for PyTorch, float32"));
  CHECK(contains(done.err, "modules are numbered as nn.Sequential counts these layers: " + spec));
  CHECK(contains(done.err, "left out: the names of the 4 classes"));
  // Nothing but the arrays, which PyTorch takes as they are.
  CHECK(!contains(read_file(weights), "ntkrob_schema"));
  run_ok(convert(weights, spec, "11x9x2", folder / "back.npz"));
  run_ok(convert(kGolden, spec, "11x9x2", folder / "first.npz"));
  // The archives differ in what they say about their parent.
  const auto layers = [](const std::string& file) {
    const std::string bytes = read_file(file);
    constexpr std::size_t kHeader = 30;  // of a member, before its name; it holds a checksum
    return bytes.substr(0, bytes.find("provenance/") - kHeader);
  };
  CHECK(layers(folder / "back.npz").size() > 3000);
  CHECK((layers(folder / "back.npz") == layers(folder / "first.npz")));
  // A preset is written out.
  run_ok({"train", (write_easy_h5(folder / "easy.h5", 12, 3), folder / "easy.h5"), "--model", "mlp:4", "--epochs", "1",
          "--quiet", "-o", folder / "t.h5"});
  CHECK(contains(run({"export", folder / "t.h5", "-o", folder / "t.npz"}).err, "these layers: dense(4)-relu-dense"));

  CHECK_FAILS(run({"export", net, "-o", folder / "w.pt"}), 2, "weights for PyTorch are written as NPZ", "ends in .npz");
  CHECK_FAILS(run({"export", net, "--int8", "--calibrate", folder / "easy.h5", "-o", folder / "q.npz"}), 2,
              "not as weights for PyTorch");
  CHECK_FAILS(run({"export", folder / "easy.h5", "-o", folder / "s.npz"}), 2, "is a data set, which ntkrob convert");
  CHECK_FAILS(run({"export", net, "--budget", "1K", "-o", folder / "b.npz"}), 5, "more than the budget");
}

TEST_CASE("info describes models that versions of before wrote", "[cli]") {
  for (const char* file : {"c029c71_mlp.h5", "94bf234_mlp.npz", "94bf234_cnn.h5", "5067cad_mlp.h5", "5067cad_cnn.npz",
                           "5067cad_gap.npz", "5067cad_folded.npz"}) {
    const auto report = nlohmann::json::parse(
        run_ok({"info", std::string(NTKROB_GOLDEN_DIR "/old_models/") + file, "--quiet", "--json", "-"}));
    INFO(report.dump());
    CHECK(report["file"]["entries"]["classes"] == 3);
  }
}

TEST_CASE("a model says what it is robust against and what its pixels were, in ONNX too", "[cli]") {
  const Folder folder;
  write_easy_h5(folder / "easy.h5", 12, 3);
  run_ok({"robustify", folder / "easy.h5", "--n", "6", "--steps", "2", "--batch", "6", "--validation", "0", "--eps",
          "0.05", "--quiet", "-o", folder / "robust.h5"});
  run_ok({"train", folder / "robust.h5", "--model", "mlp:4", "--epochs", "2", "--quiet", "-o", folder / "net.h5"});
  run_ok({"train", folder / "easy.h5", "--model", "mlp:4", "--epochs", "2", "--quiet", "-o", folder / "plain.h5"});
  run_ok({"train", folder / "easy.h5", "--model", "mlp:4", "--epochs", "2", "--adversarial", "--eps", "0.02", "--norm",
          "l2", "--quiet", "-o", folder / "madry.h5"});
  const auto entries = [&](const char* file) {
    return nlohmann::json::parse(run_ok({"info", folder / file, "--json", "-"}))["file"]["entries"];
  };
  CHECK(entries("net.h5")["provenance/eps"] == "0.05");
  CHECK(entries("net.h5")["provenance/norm"] == "linf");
  CHECK(entries("net.h5")["provenance/value_range"] == "0:1");
  CHECK(!entries("plain.h5").contains("provenance/eps"));
  CHECK(entries("madry.h5")["provenance/eps"] == "0.02");
  CHECK(entries("madry.h5")["provenance/norm"] == "l2");
  run_ok({"export", folder / "net.h5", "--quiet", "-o", folder / "net.onnx"});
  const std::string onnx = read_file(folder / "net.onnx");
  for (const char* part : {"eps", "0.05", "norm", "linf", "in the training data 0 is the value 0 and 1 the value 1"})
    CHECK(contains(onnx, part));
}

TEST_CASE("train takes a weight decay on robust sets and says why, and none elsewhere", "[cli]") {
  const Folder folder;
  const std::string plain = folder / "a.h5", robust = folder / "r.h5", kip = folder / "k.h5", ball = folder / "l2.h5";
  run_ok({"synth", "strokes", "--train", "100", "--test", "20", "--quiet", "-o", plain});
  const std::vector<std::string> make{"robustify", plain,     "--kernel", "fc:1",         "--n", "20",      "--steps",
                                      "2",         "--batch", "20",       "--validation", "20",  "--quiet", "-o"};
  run_ok(with(make, {robust, "--eps", "0.1"}));
  run_ok(with(make, {kip, "--eps", "0"}));
  run_ok(with(make, {ball, "--eps", "0.5", "--norm", "l2"}));
  int number = 0;
  const auto train = [&](const std::string& data, const std::vector<std::string>& more) {
    const std::string net = folder / (std::to_string(++number) + ".h5");
    const Finished finished = run(with({"train", data, "--steps", "2", "--batch", "10", "-o", net}, more));
    INFO(finished.err);
    REQUIRE(finished.code == 0);
    const std::string command = nlohmann::json::parse(run_ok({"info", net, "--json", "-"}))["file"].dump();
    return std::pair(finished.err, contains(command, "--weight-decay 0.005 "));
  };
  const std::string said = "weight decay 0.005", pictures = "--model cnn:small is recommended";

  const auto [note, decays] = train(robust, {"--model", "mlp:8"});
  CHECK(contains(note, "robust set (linf, eps 0.1): " + said));
  CHECK(contains(note, pictures));
  CHECK(decays);
  const auto [of_l2, decays_l2] = train(ball, {"--model", "mlp:8"});
  CHECK(contains(of_l2, "robust set (l2, eps 0.5): " + said));
  CHECK(decays_l2);
  const auto [of_cnn, decays_cnn] = train(robust, {"--model", "cnn:small"});
  CHECK(contains(of_cnn, said));
  CHECK_FALSE(contains(of_cnn, pictures));
  CHECK(decays_cnn);
  const auto [quiet, decays_quietly] = train(robust, {"--model", "mlp:8", "--quiet"});
  CHECK(quiet.empty());
  CHECK(decays_quietly);
  const auto [of_auto, decays_auto] = train(robust, {"--model", "mlp:8", "--weight-decay", "auto"});
  CHECK(contains(of_auto, said));
  CHECK(decays_auto);
  write_file(folder / "run.toml", "[train]\nweight-decay = 0.005\n");
  const auto [configured, decays_configured] = train(plain, {"--model", "mlp:8", "--config", folder / "run.toml"});
  CHECK_FALSE(contains(configured, said));
  CHECK(decays_configured);

  const std::vector<std::pair<std::string, std::vector<std::string>>> without{
      {robust, {"--weight-decay", "0"}}, {robust, {"--adversarial", "--attack-steps", "1"}}, {kip, {}}, {plain, {}}};
  for (const auto& [data, more] : without) {
    INFO(data << (more.empty() ? "" : " " + more.front()));
    const auto [silent, decay] = train(data, with({"--model", "mlp:8"}, more));
    CHECK_FALSE(contains(silent, said));
    CHECK_FALSE(decay);
  }
  CHECK_FAILS(run({"train", plain, "--weight-decay", "much", "-o", folder / "x.h5"}), 2, "--weight-decay is \"much\"");
  CHECK(contains(run_ok({"train", "--help"}), "auto: 0.005 on a set that robustify has made"));
}

TEST_CASE("rows that are no pictures get no advice on nets for pictures", "[cli]") {
  const Folder folder;
  write_easy_h5(folder / "rows.h5", 60, 3);
  run_ok({"robustify", folder / "rows.h5", "--kernel", "fc:1", "--n", "9", "--steps", "2", "--batch", "20",
          "--validation", "10", "--quiet", "-o", folder / "r.h5"});
  const Finished finished =
      run({"train", folder / "r.h5", "--model", "mlp:8", "--steps", "2", "--batch", "9", "-o", folder / "n.h5"});
  REQUIRE(finished.code == 0);
  CHECK(contains(finished.err, "weight decay 0.005"));
  CHECK_FALSE(contains(finished.err, "cnn:small"));
}
