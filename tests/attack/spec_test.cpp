/// Reading of attack specs and lists.
#include "kit/check.hpp"
#include "ntkrob/attack/attack.hpp"

using namespace ntkrob;

TEST_CASE("attack specs are read completely or refused with the choices", "[attack]") {
  CHECK(make_attack(" pgd-20(loss=margin,restarts=5) ")->name() == "pgd-20(loss=margin,restarts=5)");
  const auto constants = make_attack("pgd(step=2/255,temperature=1e-1)")->constants();
  const auto value = [&](const std::string& key) {
    for (const auto& [k, v] : constants)
      if (k == key) return v;
    return std::string("absent");
  };
  CHECK(value("steps") == "40");
  CHECK(std::stod(value("step")) == Approx(2.0 / 255));
  CHECK(value("temperature") == "0.1");
  CHECK(value("loss") == "ce");
  CHECK(value("start") == "random");

  CHECK_THROWS_WITH(make_attack("pdg"), Catch::Contains("autoattack") && Catch::Contains("fgsm, noise-gaussian") &&
                                            Catch::Contains("pgd-K"));
  for (const char* wrong : {"",
                            "pgd-",
                            "pgd-0",
                            "pgd-x",
                            "pgd-4.5",
                            "fgsm-3",
                            "clean-2",
                            "pgd(loss=hinge)",
                            "pgd(restarts=0)",
                            "pgd(step=0)",
                            "pgd(step=-1)",
                            "pgd(start=y)",
                            "pgd(speed=3)",
                            "pgd(5)",
                            "pgd(",
                            "pgd-5)",
                            "pgd(loss=ce)-fgsm",
                            "pgd(temperature=0)",
                            "fgsm(step=0.1)",
                            "fgsm(restarts=2)",
                            "clean(loss=ce)",
                            "pgd(start=x,restarts=2)",
                            "pgd:40",
                            "apgd-ce-5",
                            "apgd-ce(rho=0)",
                            "apgd-ce(rho=1.5)",
                            "apgd-ce(targets=3)",
                            "apgd-t(targets=0)",
                            "apgd-t(schedule=long)",
                            "fab-t(beta=2)",
                            "square(queries=0)",
                            "square(p_init=0)",
                            "autoattack(version=custom)",
                            "autoattack(queries=5)",
                            "autoattack-2",
                            "noise-uniform(draws=0)"}) {
    INFO(wrong);
    CHECK_THROWS_AS(make_attack(wrong), ConfigError);
  }
}
