/// The same seed, the same bytes: robust sets, trained nets and verdicts, on every instruction set with fused
/// multiply-add, and whatever kernels a BLAS takes for the processor.
#include <functional>
#include <map>

#include "run.hpp"

using namespace ntkrob::cli_test;

namespace {

/// A processor as the program and OpenBLAS see it. OPENBLAS_CORETYPE means nothing to other libraries.
struct Processor {
  const char *simd, *blas;
};

std::string name_of(const Processor& p) { return std::string(p.simd) + " with " + p.blas; }

/// Those that this processor can pass for.
std::vector<Processor> processors() {
  std::vector<Processor> result;
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return result;
#if !defined(__SANITIZE_ADDRESS__)  // sanitized builds have the widest set and the portable one
  for (const char* blas : {"Prescott", "Haswell"}) result.push_back({"avx2", blas});
#endif
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    for (const char* blas : {"Sandybridge", "SkylakeX"}) result.push_back({"avx512", blas});
  return result;
}

using Files = std::map<std::string, std::string>;  // content by name

/// Runs the jobs, then `after`, as every processor; what they wrote, by name of the processor.
std::map<std::string, Files> on_every_processor(const std::vector<std::vector<std::string>>& jobs,
                                                const std::vector<std::string>& outputs,
                                                const std::function<void()>& after) {
  std::map<std::string, Files> result;
  for (const Processor& processor : processors()) {
    const Environment simd("NTKROB_SIMD", processor.simd), blas("OPENBLAS_CORETYPE", processor.blas);
    for (const std::vector<std::string>& job : jobs) run_ok(job);
    if (after) after();
    Files& files = result[name_of(processor)];
    for (const std::string& output : outputs) files[output] = read_file(output);
  }
  return result;
}

void check_same(const std::vector<std::vector<std::string>>& jobs, const std::vector<std::string>& outputs,
                const std::function<void()>& after = {}) {
  const auto results = on_every_processor(jobs, outputs, after);
  if (results.empty()) {
    WARN("not run: this processor has no AVX2 with FMA, for which the bytes are promised");
    return;
  }
  const auto& [first, expected] = *results.begin();
  for (const auto& [name, files] : results)
    for (const auto& [output, bytes] : files) {
      INFO(output << " as " << name << " against " << first << ", " << bytes.size() << " bytes");
      CHECK_FALSE(bytes.empty());
      const bool same = bytes == expected.at(output);
      CHECK(same);
    }
}

/// Strokes, and jobs on them whose outputs lie in one folder.
struct Jobs {
  Folder folder;
  std::string data = folder / "strokes.h5";
  Jobs() { run_ok({"synth", "strokes", "--train", "700", "--test", "60", "--quiet", "-o", data}); }

  static std::vector<std::string> with(std::vector<std::string> job, const std::vector<std::string>& more) {
    job.insert(job.end(), more.begin(), more.end());
    return job;
  }
  std::vector<std::string> robustify(const std::string& output, const std::vector<std::string>& more) const {
    return with({"robustify", data, "--validate-every", "1", "--quiet", "--force", "-o", output}, more);
  }
  std::vector<std::string> train(const std::string& on, const std::string& output,
                                 const std::vector<std::string>& more) const {
    return with({"train", on, "--quiet", "--force", "-o", output}, more);
  }
};

}  // namespace

TEST_CASE("a robust set has the same bytes on every instruction set and BLAS", "[cli]") {
  const Jobs jobs;
  const std::string set = jobs.folder / "robust.h5";

  // More images than a block of the factor has columns, and multiples of nothing.
  const std::vector<std::string> usual{"--steps", "3", "--batch", "110", "--validation", "60"};

  SECTION("float64 factor, and a refined one with learned labels and cross-entropy") {
    const std::string refined = jobs.folder / "refined.h5";
    check_same({jobs.robustify(set, Jobs::with(usual, {"--n", "410"})),
                jobs.robustify(refined, Jobs::with(usual, {"--n", "260", "--factor", "refined", "--learn-labels",
                                                           "--outer-loss", "ce"}))},
               {set, refined});
  }
  SECTION("in float64, with the other optimiser and in l2") {
    check_same({jobs.robustify(set, Jobs::with(usual, {"--n", "230", "--precision", "float64", "--optimizer", "signed",
                                                       "--norm", "l2", "--eps", "1", "--kernel",
                                                       "dense-leaky(0.2)-dense(b=0.1)-relu-dense"}))},
               {set});
  }
  SECTION("of networks on images, in both precisions") {
    const std::string wide = jobs.folder / "wide.h5";
    const std::vector<std::string> small{"--n",     "20", "--batch",        "12", "--validation",      "12",
                                         "--steps", "2",  "--attack-steps", "2",  "--duplicate-angle", "0"};
    check_same(
        {jobs.robustify(set, Jobs::with(small, {"--kernel", "conv(5,stride=4)-residual(relu-conv(3))-gap-dense"})),
         jobs.robustify(wide,
                        Jobs::with(small, {"--kernel", "conv(3,stride=3)-relu-avgpool(2)-conv(3)-relu-flatten-dense",
                                           "--precision", "float64"}))},
        {set, wide});
  }
}

TEST_CASE("trained nets have the same bytes on every instruction set and BLAS", "[cli]") {
  const Jobs jobs;
  const std::string net = jobs.folder / "net.npz";

  for (const char* loss : {"mse", "ce"}) {
    DYNAMIC_SECTION("mlp by " << loss) {
      check_same({jobs.train(jobs.data, net, {"--model", "mlp:130,40", "--loss", loss, "--steps", "25"})}, {net});
    }
    DYNAMIC_SECTION("cnn:small by " << loss) {
      check_same({jobs.train(jobs.data, net, {"--model", "cnn:small", "--loss", loss, "--steps", "5"})}, {net});
    }
  }
  SECTION("against attacks, in full batches") {
    check_same({jobs.train(jobs.data, net,
                           {"--model", "conv(7,3)-relu-maxpool(2)-flatten-dense(33)-relu-dense", "--adversarial",
                            "--batch", "0", "--steps", "2", "--init", "he"})},
               {net});
  }
}

TEST_CASE("verdicts on a kernel machine are the same on every instruction set and BLAS", "[cli]") {
  const Jobs jobs;
  const std::string report = jobs.folder / "report.json", plain = jobs.folder / "plain.json";
  const auto without_times = [&] {
    auto json = read_json(report);
    for (auto& attack : json["attacks"]) attack.erase("seconds");
    REQUIRE(json["samples"].size() == 30);
    write_file(plain, json.dump());
  };
  for (const std::vector<std::string>& solver :
       {std::vector<std::string>{"--factor", "float64"}, {"--factor", "refined"}, {"--solver", "cg"}}) {
    DYNAMIC_SECTION(solver[0] << " " << solver[1]) {
      check_same({Jobs::with({"evaluate",
                              "--kernel",
                              "fc:2",
                              "--support",
                              jobs.data,
                              "--n-support",
                              "450",
                              "--data",
                              jobs.data,
                              "--eps",
                              "0.1",
                              "--attacks",
                              "clean,fgsm,pgd-5,apgd-ce",
                              "--n",
                              "30",
                              "--checks",
                              "off",
                              "--quiet",
                              "--force",
                              "--json",
                              report},
                             solver)},
                 {plain}, without_times);
    }
  }
}
