/// The judge: reports, masking checks, resumption, choice of samples, transfer, and inputs that are likely mistakes.
#include <signal.h>

#include <chrono>
#include <thread>

#include "run.hpp"

using namespace ntkrob::cli_test;
using nlohmann::json;

namespace {

/// A data set and two nets trained on it, made once.
struct Fixture {
  Folder folder;
  std::string data = folder / "strokes.h5", net = folder / "net.h5", other = folder / "other.h5";
  Fixture() {
    run_ok({"synth", "strokes", "--train", "300", "--test", "60", "--quiet", "-o", data});
    for (const auto& [file, seed] : {std::pair(net, "0"), std::pair(other, "1")})
      run_ok({"train", data, "--model", "mlp:24", "--loss", "ce", "--steps", "200", "--seed", seed, "--quiet", "-o",
              file});
  }
  static const Fixture& get() {
    static const Fixture fixture;
    return fixture;
  }
  std::vector<std::string> command(const std::vector<std::string>& more) const {
    std::vector<std::string> all{"evaluate", net, "--data", data, "--eps", "0.05", "--quiet"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

/// Without what may differ from run to run.
json without_seconds(json value) {
  if (value.is_object()) value.erase("seconds");
  if (value.is_structured())
    for (auto& one : value) one = without_seconds(one);
  return value;
}

bool wait_for_file(Process& process, const std::string& path) {
  while (!std::filesystem::exists(path)) {
    if (!process.running()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return process.running();
}

}  // namespace

TEST_CASE("the report holds constants, checks, curve and every sample, and the page needs nothing beside itself",
          "[cli]") {
  const Fixture& f = Fixture::get();
  const Folder folder;
  const std::string out =
      run_ok(f.command({"--n", "30", "--attacks", "clean,fgsm,apgd-ce(iterations=10)", "--check-samples", "15",
                        "--seed", "4", "--json", folder / "r.json", "--html", folder / "r.html"}));
  const json report = read_json(folder / "r.json");
  CHECK(report["schema"] == "ntkrob.evaluate/1");
  CHECK(report["dtype"] == "float32");
  CHECK(report["seed"] == 4);
  CHECK(report["eps0"] == report["accuracy"]["clean"]);
  CHECK(report["attacks"]["apgd-ce(iterations=10)"]["constants"]["iterations"] == "10");
  CHECK(contains(report["note"].get<std::string>(), "no autoattack"));
  REQUIRE(report["samples"].size() == 30);
  for (const json& sample : report["samples"]) {
    const json& attack = sample["attacks"]["fgsm"];
    const bool right = sample["label"] == sample["predicted"];
    CHECK((sample["margin"] > 0) == right);
    CHECK(attack["success"].get<bool>() == (right && !attack["robust"].get<bool>()));
    CHECK(attack["distance"] <= 0.05001);
    CHECK((attack["queries"] > 0) == right);
  }
  const json& masking = report["masking"];
  CHECK(masking["samples"] == 15);
  CHECK(masking["checks"].size() == 10);
  CHECK(masking["curve"].front()["eps"] == 0);
  CHECK(masking["curve"].back()["eps"] == 1);
  CHECK(masking["curve"].back()["accuracy"] < 0.1);
  CHECK(masking["trace"].size() == 21);
  CHECK(contains(out, masking["verdict"].get<std::string>()));

  const std::string page = read_file(folder / "r.html");
  for (const char* part :
       {"<svg", "data:image/png;base64,iVBOR", "apgd-ce(iterations=10)", "curve-reaches-0", "</html>"}) {
    INFO(part);
    CHECK(contains(page, part));
  }
  for (const char* foreign : {"http", "<script", "<link", "@import", "url("}) {
    INFO(foreign);
    CHECK(!contains(page, foreign));
  }
}

TEST_CASE("masking checks run when asked for, and by themselves with a report or with autoattack", "[cli]") {
  const Fixture& f = Fixture::get();
  const auto text = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all{"--n", "10", "--check-samples", "5"};
    all.insert(all.end(), more.begin(), more.end());
    return run_ok(f.command(all));
  };
  const Folder folder;
  CHECK(!contains(text({"--attacks", "fgsm"}), "masking check"));
  CHECK(contains(text({"--attacks", "fgsm", "--checks", "on", "--curve", "0.02,0.3"}), "0.02"));
  CHECK(contains(text({"--attacks", "fgsm", "--json", folder / "a.json"}), "masking check"));
  CHECK(!contains(text({"--attacks", "fgsm", "--json", folder / "b.json", "--checks", "off"}), "masking check"));
  CHECK(!contains(text({"--attacks", "clean", "--json", folder / "c.json"}), "masking check"));
  CHECK(contains(text({"--attacks", "autoattack(version=rand)"}), "masking check"));
  CHECK_FAILS(run(f.command({"--checks", "maybe"})), 2, "--checks", "maybe");
  CHECK_FAILS(run(f.command({"--checks", "on", "--curve", "0,8"})), 2, "radius 8");
}

TEST_CASE("an interrupted or killed evaluation resumes to the report of an uninterrupted one", "[cli]") {
  const Fixture& f = Fixture::get();
  const Folder folder;
  const auto command = [&](const std::string& name) {
    return f.command({"--attacks", "fgsm,autoattack", "--n", "20", "--batch", "4", "--check-samples", "20", "--json",
                      folder / name});
  };
  run_ok(command("whole.json"));
  const json whole = without_seconds(read_json(folder / "whole.json"));
  CHECK(!std::filesystem::exists(folder / "whole.json.ckpt.h5"));

  for (const int number : {SIGINT, SIGKILL}) {
    const std::string name = std::to_string(number) + ".json", checkpoint = folder / (name + ".ckpt.h5");
    INFO("signal " << number);
    Process process(command(name));
    REQUIRE(wait_for_file(process, checkpoint));
    process.signal(number);
    const Finished stopped = process.wait();
    CHECK(stopped.code == (number == SIGINT ? 130 : 128 + SIGKILL));
    if (number == SIGINT) CHECK_FAILS(stopped, 130, "interrupted", name + ".ckpt.h5", "--resume");
    CHECK(!std::filesystem::exists(folder / name));
    CHECK_FAILS(run(command(name)), 2, "ckpt.h5 exists", "--resume", "--force");
    auto other = command(name);
    other.insert(other.end(), {"--resume", "--seed", "7"});
    CHECK_FAILS(run(other), 2, "--seed 0", "--seed 7");

    auto resumed = command(name);
    resumed.push_back("--resume");
    run_ok(resumed);

    CHECK(without_seconds(read_json(folder / name)) == whole);
    CHECK(!std::filesystem::exists(checkpoint));
  }
  CHECK_FAILS(run(f.command({"--resume", "--json", folder / "never.json"})), 3, "no checkpoint");
  CHECK_FAILS(run(f.command({"--resume"})), 2, "--resume", "--checkpoint");
}

TEST_CASE("an evaluation interrupted inside a sequence or inside the checks keeps every part that is finished",
          "[cli]") {
  const Fixture& f = Fixture::get();
  const Folder folder;
  // Square and the checks are long enough to be met by the signal.
  const auto command = [&](const std::string& name, const std::string& threads) {
    return std::vector<std::string>{"evaluate", f.net,        "--data",  f.data,     "--eps",     "0.05",
                                    "--n",      "30",         "--seed",  "3",        "--threads", threads,
                                    "--checks", "on",         "--curve", "0.01,0.1", "--attacks", "fgsm,autoattack",
                                    "--json",   folder / name};
  };
  const auto stop_at = [&](const std::vector<std::string>& arguments, const std::string& line) {
    Process process(arguments);
    while (process.running() && !contains(process.said(), line))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    process.signal(SIGINT);
    const Finished stopped = process.wait();
    CHECK_FAILS(stopped, 130, "interrupted", "--resume");
    return stopped.err;
  };
  run_ok(command("whole.json", "2"));
  const json whole = without_seconds(read_json(folder / "whole.json"));
  REQUIRE(whole["attacks"]["autoattack"]["parts"].size() == 4);

  stop_at(command("cut.json", "1"), "autoattack 4/4 square");
  auto resume = command("cut.json", "1");
  resume.push_back("--resume");
  const std::string second = stop_at(resume, "masking checks, accuracy over eps, 3 of ");
  INFO(second);
  CHECK(contains(second, "3 parts of it"));
  CHECK(contains(second, "autoattack 4/4 square"));
  CHECK(!contains(second, "autoattack 1/4"));
  const Finished finished = run(resume);
  INFO(finished.err);
  CHECK(finished.code == 0);
  CHECK(contains(finished.err, "steps of the masking checks"));
  CHECK(!contains(finished.err, "autoattack"));
  CHECK(!contains(finished.err, "accuracy over eps, 3 of"));
  CHECK(without_seconds(read_json(folder / "cut.json")) == whole);
}

TEST_CASE("--balanced draws the same number of each class by the seed", "[cli]") {
  const Fixture& f = Fixture::get();
  const Folder folder;
  const auto samples = [&](const std::string& name, const std::string& seed) {
    run_ok(f.command({"--attacks", "clean", "--n", "23", "--balanced", "--seed", seed, "--json", folder / name}));
    return read_json(folder / name)["samples"];
  };
  const json drawn = samples("a.json", "0");
  std::vector<int> count(10);
  for (const json& sample : drawn) ++count[sample["label"].get<std::size_t>()];
  CHECK(count == std::vector<int>{3, 3, 3, 2, 2, 2, 2, 2, 2, 2});
  CHECK(drawn == samples("b.json", "0"));
  CHECK(drawn != samples("c.json", "1"));
  CHECK_FAILS(run(f.command({"--balanced"})), 2, "--balanced needs --n");
  CHECK_FAILS(run(f.command({"--balanced", "--n", "61"})), 2, "61", "60");
}

TEST_CASE("the preset for development says in text, JSON and page that it is not AutoAttack", "[cli]") {
  const Fixture& f = Fixture::get();
  const Folder folder;
  const std::string out = run_ok(f.command(
      {"--fast", "--n", "20", "--check-samples", "5", "--json", folder / "r.json", "--html", folder / "r.html"}));
  const json report = read_json(folder / "r.json");
  CHECK(report["preset"] == "fast");
  for (const std::string& place : {out, report["note"].get<std::string>(), read_file(folder / "r.html")})
    CHECK(contains(place, "NOT AutoAttack"));
  CHECK(!report["accuracy"].contains("autoattack"));
  CHECK_FAILS(run(f.command({"--fast", "--attacks", "fgsm"})), 2, "--fast", "--attacks");
}

TEST_CASE("attacks made on another net or on a kernel machine are judged on the model, per sample", "[cli]") {
  const Fixture& f = Fixture::get();
  const Folder folder;
  const auto report = [&](const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> all{"--n", "40", "--checks", "off", "--json", folder / name};
    all.insert(all.end(), more.begin(), more.end());
    run_ok(f.command(all));
    return read_json(folder / name);
  };
  const std::string direct = "pgd-10(loss=margin)", transfer = "transfer(" + direct + ")";
  const json same = report("same.json", {"--attacks", direct + "," + transfer, "--transfer-from", f.net});
  CHECK(same["accuracy"][direct] == same["accuracy"][transfer]);
  const json net = report("net.json", {"--attacks", direct + "," + transfer, "--transfer-from", f.other});
  CHECK(net["source"] == f.other);
  CHECK(net["accuracy"][direct] < net["accuracy"][transfer]);
  const json& one = net["attacks"][transfer];
  CHECK(one["transferred"] <= one["source_fooled"]);
  CHECK(one["source_fooled"] > 0);
  for (const json& sample : net["samples"]) CHECK(sample["attacks"][transfer].contains("source_fooled"));
  const json machine = report("machine.json", {"--source-kernel", "fc:1", "--source-support", f.data});
  CHECK(machine["accuracy"].contains("transfer(pgd-40(loss=margin))"));

  CHECK_FAILS(run(f.command({"--attacks", transfer})), 2, "--transfer-from");
  CHECK_FAILS(run(f.command({"--source-kernel", "fc:1"})), 2, "--source-support");
  CHECK_FAILS(run(f.command({"--attacks", "transfer(tgv)", "--transfer-from", f.other})), 2, "tgv");
}

TEST_CASE("likely mistakes in eps, pixels and labels are named in one line", "[cli]") {
  const Fixture& f = Fixture::get();
  const Folder folder;
  const auto with_eps = [&](const std::string& norm, const std::string& eps) {
    auto command = f.command({"--attacks", "clean", "--n", "10", "--norm", norm});
    command[5] = eps;
    return run(command);
  };
  CHECK_FAILS(with_eps("linf", "8"), 2, "eps is 8", "8/255");
  CHECK_FAILS(with_eps("linf", "1"), 0, "warning", "1/255");
  CHECK_FAILS(with_eps("l2", "128"), 2, "128/255");
  CHECK_FAILS(with_eps("l2", "20"), 0, "warning", "20/255");
  CHECK(with_eps("linf", "8/255").err.empty());
  CHECK_FAILS(with_eps("linf", "0.00012"), 0, "warning", "divided by 255 twice");

  std::filesystem::copy_file(f.net, folder / "damaged.h5");
  set_h5_text(folder / "damaged.h5", "spec", "mlp:25");
  CHECK_FAILS(run({"evaluate", folder / "damaged.h5", "--data", f.data, "--attacks", "clean"}), 3, "damaged.h5",
              "layers/0/weight");

  write_easy_h5(folder / "easy.h5", 40, 2);
  run_ok({"train", folder / "easy.h5", "--model", "mlp:4", "--steps", "50", "--quiet", "-o", folder / "two.h5"});
  const auto judge = [&](const std::string& data) {
    return run({"evaluate", folder / "two.h5", "--data", data, "--split", "train", "--eps", "0.05", "--attacks",
                "clean", "--quiet"});
  };
  std::vector<float> pixels(160, 0.25F);
  const std::vector<int> labels{0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
  for (std::size_t k = 0; k < pixels.size(); ++k) pixels[k] = k % 3 == 0 ? 0.9F : 0.1F;
  write_h5(folder / "labels.h5", pixels, 16, {0, 1, 0, 1, 5, 1, 0, 1, 0, 1});
  CHECK_FAILS(judge(folder / "labels.h5"), 2, "6 classes", "only 2");
  pixels[21] = -1.7F;
  write_h5(folder / "normalised.h5", pixels, 16, labels);
  CHECK_FAILS(judge(folder / "normalised.h5"), 3, "normalised.h5", "-1.7", "look normalised");
  pixels[21] = 1.001F;
  write_h5(folder / "above.h5", pixels, 16, labels);
  CHECK_FAILS(judge(folder / "above.h5"), 3, "above.h5", "1.001", "clip");
  pixels[21] = 0.1F;
  for (float& pixel : pixels) pixel /= 255;
  write_h5(folder / "twice.h5", pixels, 16, labels);
  CHECK_FAILS(judge(folder / "twice.h5"), 0, "warning", "divided by 255 twice", "no better than");
}
