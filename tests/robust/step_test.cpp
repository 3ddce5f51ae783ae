/// One step of the robustifier as a whole: on any number of workers, and all or nothing.

#include "kit/check.hpp"
#include "robust/blobs.hpp"

namespace ntkrob {
namespace {

/// The test backend, but with a Cholesky factor that can be made to fail, and a stop that comes with a loop.
class FailingBackend : public Backend {
 public:
  bool fail = false;
  index loops_left = -1;  // before somebody asks for a stop; negative: nobody does
  Stop asked;

  DeviceInfo info() const override { return inner_.info(); }
  std::string supports(const Chain& chain) const override { return inner_.supports(chain); }
  void for_each(index n, const std::function<void(index, int)>& task) override {
    if (loops_left >= 0 && loops_left-- == 0) asked.request();
    look_for_stop(stop());
    inner_.for_each(n, task);
  }
  void gemm(Transpose ta, Transpose tb, float alpha, ConstView2D<float> a, ConstView2D<float> b, float beta,
            View2D<float> c) override {
    inner_.gemm(ta, tb, alpha, a, b, beta, c);
  }
  void gemm(Transpose ta, Transpose tb, double alpha, ConstView2D<double> a, ConstView2D<double> b, double beta,
            View2D<double> c) override {
    inner_.gemm(ta, tb, alpha, a, b, beta, c);
  }
  void pack(Transpose t, ConstView2D<float> b, Panels<float>& panels) override { inner_.pack(t, b, panels); }
  void multiply(float alpha, ConstView2D<float> a, const Panels<float>& panels, index begin, float beta,
                View2D<float> c) override {
    inner_.multiply(alpha, a, panels, begin, beta, c);
  }
  void add_thin(ConstView2D<float> a, ConstView2D<float> vt, View2D<double> sum) override {
    inner_.add_thin(a, vt, sum);
  }
  void pack(Transpose t, ConstView2D<double> b, Panels<double>& panels) override { inner_.pack(t, b, panels); }
  void multiply(double alpha, ConstView2D<double> a, const Panels<double>& panels, index begin, double beta,
                View2D<double> c) override {
    inner_.multiply(alpha, a, panels, begin, beta, c);
  }
  void add_thin(ConstView2D<double> a, ConstView2D<double> vt, View2D<double> sum) override {
    inner_.add_thin(a, vt, sum);
  }
  index factor_spd(View2D<float> a) override { return fail ? 0 : inner_.factor_spd(a); }
  index factor_spd(View2D<double> a) override { return fail ? 0 : inner_.factor_spd(a); }
  void solve_spd(ConstView2D<float> factor, View2D<float> b) override { inner_.solve_spd(factor, b); }
  void solve_spd(ConstView2D<double> factor, View2D<double> b) override { inner_.solve_spd(factor, b); }
  void sample_table(const Chain& chain, ConstView2D<float> x, SampleTable<float>& table) override {
    inner_.sample_table(chain, x, table);
  }
  void sample_table(const Chain& chain, ConstView2D<double> x, SampleTable<double>& table) override {
    inner_.sample_table(chain, x, table);
  }
  void pair_tile(const PairTile<float>& tile) override { inner_.pair_tile(tile); }
  void pair_tile(const PairTile<double>& tile) override { inner_.pair_tile(tile); }
  void weigh_tile(ConstView2D<float> u, ConstView2D<float> vt, View2D<float> dq, ConstView2D<float> da,
                  View2D<double> row_sum) override {
    inner_.weigh_tile(u, vt, dq, da, row_sum);
  }
  void weigh_tile(ConstView2D<double> u, ConstView2D<double> vt, View2D<double> dq, ConstView2D<double> da,
                  View2D<double> row_sum) override {
    inner_.weigh_tile(u, vt, dq, da, row_sum);
  }

 private:
  Backend& inner_ = test_backend();
};

void check_same_sets(const RobustSet& a, const RobustSet& b) {
  CHECK(a.best_step == b.best_step);
  NTKROB_CHECK_SAME(kit::compare(a.images.view(), b.images.view(), 0));
  NTKROB_CHECK_SAME(kit::compare(a.targets.view(), b.targets.view(), 0));
}

}  // namespace

TEST_CASE("steps of many rows have the same bytes for every number of workers", "[robust]") {
  const Blobs blobs(300);
  RobustifyOptions options = small_options();
  options.n = 75;  // support and batch are several chunks of rows, the last ones not full
  options.batch = 110;
  options.steps = 5;
  options.validate_every = 2;
  options.learn_labels = true;
  options.optimizer = GENERATE(as<std::string>{}, "adam", "signed");
  options.precision = GENERATE(as<std::string>{}, "mixed", "float64");
  CAPTURE(options.optimizer, options.precision);
  RobustSet expected;
  std::vector<StepRecord> history;
  for (const int workers : {1, 2, 3}) {
    CAPTURE(workers);
    const auto backend = make_backend("cpu", workers);
    Robustifier robustifier(options, blobs.data(), *backend);
    while (!robustifier.done()) robustifier.step();
    if (workers == 1) {
      expected = robustifier.result();
      history = robustifier.history();
      continue;
    }
    check_same_sets(robustifier.result(), expected);
    for (std::size_t i = 0; i < history.size(); ++i) {
      CHECK(robustifier.history()[i].loss == history[i].loss);
      CHECK(robustifier.history()[i].gradient_norm == history[i].gradient_norm);
      CHECK(robustifier.history()[i].validation_robust == history[i].validation_robust);
    }
  }
}

TEST_CASE("a backend without bfloat16 products is refused with the remedy", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.attack_precision = "bfloat16";
  FailingBackend without;  // has what every backend has
  CHECK_THROWS_AS(Robustifier(options, blobs.data(), without), NotSupported);
  CHECK_THROWS_WITH(Robustifier(options, blobs.data(), without),
                    Catch::Contains("bfloat16 on backend cpu") && Catch::Contains("give attack-precision=float32"));
}

TEST_CASE("images that moved too far are blamed on the option that moved them", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.clip = false;
  options.lr = 1e30;
  Robustifier robustifier(options, blobs.data(), test_backend());
  const auto run = [&] {
    while (!robustifier.done()) robustifier.step();
  };
  CHECK_THROWS_WITH(run(), Catch::Contains("outer step ") &&
                               Catch::Contains("the images have moved too far with lr=1e+30 and clip=false"));
}

TEST_CASE("a step that is stopped in any of its loops leaves the last finished step, and can be taken again",
          "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.steps = 6;
  options.validate_every = 3;
  options.learn_labels = true;
  options.optimizer = GENERATE(as<std::string>{}, "adam", "signed");
  options.precision = GENERATE(as<std::string>{}, "mixed", "float64");
  CAPTURE(options.optimizer, options.precision);
  Robustifier whole(options, blobs.data(), test_backend());
  while (!whole.done()) whole.step();

  FailingBackend backend;
  backend.set_stop(&backend.asked);
  Robustifier stopped(options, blobs.data(), backend);
  index stops = 0;
  for (index loop = 0; !stopped.done(); ++loop) {
    const index done = stopped.steps_done();
    backend.loops_left = loop;
    try {
      stopped.step();
      loop = -1;
    } catch (const Interrupted&) {
      ++stops;
      CHECK(stopped.steps_done() == done);
    }
    backend.loops_left = -1;
    backend.asked.clear();
  }
  CHECK(stops > 20);
  for (std::size_t i = 0; i < whole.history().size(); ++i) {
    INFO("step " << i + 1);
    CHECK(stopped.history()[i].loss == whole.history()[i].loss);
    CHECK(stopped.history()[i].gradient_norm == whole.history()[i].gradient_norm);
    CHECK(stopped.history()[i].validation_robust == whole.history()[i].validation_robust);
  }
  CHECK(stopped.result().best_step == whole.result().best_step);
  NTKROB_CHECK_SAME(kit::compare(stopped.result().images.view(), whole.result().images.view(), 0));
  NTKROB_CHECK_SAME(kit::compare(stopped.result().targets.view(), whole.result().targets.view(), 0));
}

TEST_CASE("a run goes on from a failed validation as if it had never been tried", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.steps = 8;
  options.validate_every = 1;
  options.learn_labels = true;
  Robustifier whole(options, blobs.data(), test_backend());
  while (!whole.done()) whole.step();

  FailingBackend backend;
  Robustifier tripped(options, blobs.data(), backend);
  for (int step = 0; !tripped.done(); ++step) {
    // With a validation in every step the machine of the iterate is there: what fails is that of the next iterate.
    backend.fail = step > 0;
    if (backend.fail) CHECK_THROWS_AS(tripped.step(), NotPositiveDefinite);
    backend.fail = false;
    tripped.step();
  }

  CHECK(tripped.steps_done() == 8);
  check_same_sets(tripped.result(), whole.result());
  Matrix<float> last(12, Blobs::kD), expected(12, Blobs::kD);
  tripped.state().get_matrix("support", last.view());
  whole.state().get_matrix("support", expected.view());
  NTKROB_CHECK_SAME(kit::compare(last.view(), expected.view(), 0));
}

}  // namespace ntkrob
