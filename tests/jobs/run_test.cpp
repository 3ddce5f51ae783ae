#include "ntkrob/jobs/run.hpp"

#include <filesystem>
#include <fstream>

#include "jobs/folder.hpp"
#include "kit/check.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/data/format.hpp"

using namespace ntkrob;
using namespace ntkrob::jobs;

namespace {

/// A job whose result depends on all of its steps.
class Toy : public Stepped {
 public:
  explicit Toy(index steps, Stop* stop = nullptr, index stop_at = 0) : steps_(steps), stop_(stop), stop_at_(stop_at) {}
  const std::vector<Column>& columns() const override {
    static const std::vector<Column> all{{"value", Column::Kind::number, true},
                                         {"share", Column::Kind::fraction, true},
                                         {"rare", Column::Kind::number, true}};
    return all;
  }
  index steps() const override { return steps_; }
  index steps_done() const override { return done_; }
  Row step() override {
    if (stop_ != nullptr && done_ + 1 == stop_at_) stop_->request();
    value_ = 0.5 * value_ + Rng(1, "toy").uniform(static_cast<std::uint64_t>(done_));
    ++done_;
    Row row{done_, {value_, 0.25, std::nullopt}, 0.5};
    if (done_ % 2 == 0) row.values[2] = 7;
    return row;
  }
  StateDict state() const override {
    StateDict state;
    state.set("done", static_cast<std::int64_t>(done_));
    state.set("value", value_);
    return state;
  }
  void restore(const StateDict& state) override {
    done_ = static_cast<index>(state.get<std::int64_t>("done"));
    value_ = state.get<double>("value");
  }
  double value() const { return value_; }

 private:
  index steps_, done_ = 0;
  double value_ = 1;
  Stop* stop_;
  index stop_at_;
};

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Hears what programs that handle signals hear.
struct Ear : Listener {
  std::vector<std::string> heard;
  void answers_stop(bool yes) override { heard.push_back(yes ? "answers" : "no longer"); }
  void stopping() override { heard.push_back("stopping"); }
  void on_last_words(const std::string& words) override {
    if (!words.empty()) heard.push_back("last words");
  }
};

std::string interrupted(const std::function<void()>& act) {
  try {
    act();
  } catch (const Interrupted& error) {
    return error.what();
  }
  return "not interrupted";
}

}  // namespace

TEST_CASE("a job that is stopped at any step and resumed ends with the same bits and the same log", "[jobs]") {
  const Folder folder("run");
  const std::string state = folder / (std::string("toy.ckpt") + state_extension());
  Context context;
  Stop stop;
  context.stop = &stop;
  Toy whole(20);
  Run({"toy", "", false, folder / "whole.csv", 0}, context).steps(whole);
  const std::vector<std::string> log = lines_of(folder / "whole.csv");
  REQUIRE(log.size() == 21);
  CHECK(log[0] == "step,value,share,rare,seconds");
  CHECK(log[1].find(",0.25,,0.5") != std::string::npos);
  CHECK(log[2].find(",0.25,7,0.5") != std::string::npos);

  for (const index at : {1, 2, 9, 19}) {
    INFO("stopped in step " << at);
    stop.clear();
    Toy first(20, &stop, at);
    const std::string said = interrupted([&] {
      Run({"toy", state, false, folder / "run.csv", 0}, context).steps(first);
    });
    CHECK(said.find(text("interrupted after step ", at, " of 20; the state is in ")) == 0);
    CHECK(said.find("resume=true") != std::string::npos);
    stop.clear();
    Toy second(20);
    Run run({"toy", state, true, folder / "run.csv", 0}, context);
    CHECK(run.steps(second) == at);
    CHECK(second.value() == whole.value());
    CHECK(lines_of(folder / "run.csv") == log);
    CHECK(std::filesystem::exists(state));  // until the outputs are there
    run.finish();
    CHECK_FALSE(std::filesystem::exists(state));
  }
}

TEST_CASE("a job without a checkpoint stops, too, and says that nothing was written", "[jobs]") {
  Context context;
  Stop stop;
  context.stop = &stop;
  Toy job(5, &stop, 3);
  CHECK(interrupted([&] {
          Run({"toy", "", false, "", 0}, context).steps(job);
        }) == "interrupted after step 3 of 5; nothing was written");
  // A request that nobody has answered ends the next job before its first step.
  Toy next(5);
  CHECK(interrupted([&] { Run({"toy", "", false, "", 0}, context).steps(next); }) != "not interrupted");
  CHECK(next.steps_done() == 0);
}

TEST_CASE("checkpoints come every so many steps where that is asked for", "[jobs]") {
  const Folder folder("run");
  const std::string state = folder / (std::string("toy.ckpt") + state_extension());
  Context context;
  class Watched : public Toy {
   public:
    using Toy::Toy;
    StateDict state() const override {
      saved.push_back(steps_done());
      return Toy::state();
    }
    mutable std::vector<index> saved;
  } job(10);
  Run({"toy", state, false, "", 3}, context).steps(job);
  CHECK(job.saved == std::vector<index>{3, 6, 9});
}

TEST_CASE("programs that handle signals hear when a stop is answered", "[jobs]") {
  const Folder folder("run");
  Ear ear;
  Context context(ear);
  Stop stop;
  context.stop = &stop;
  Toy job(5, &stop, 2);
  interrupted([&] {
    Run({"toy", folder / (std::string("toy.ckpt") + state_extension()), false, "", 0}, context).steps(job);
  });
  CHECK(ear.heard == std::vector<std::string>{"answers", "stopping", "last words", "no longer"});
  ear.heard.clear();
  stop.clear();
  Toy other(2);
  Run({"toy", "", false, "", 0}, context).steps(other);
  CHECK(ear.heard.empty());
}

TEST_CASE("a checkpoint of another job, of other words or of none is refused, with what to do", "[jobs]") {
  const Folder folder("run");
  const std::string state = folder / (std::string("toy.ckpt") + state_extension());
  Context context;
  Toy job(4);
  Run({"toy", state, false, "", 2}, context).steps(job);
  const auto refusal = [&](const RunOptions& options) -> std::string {
    try {
      Run::check(options, context);
      Toy again(4);
      Run(options, context).steps(again);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  CHECK(refusal({"game", state, true, "", 0}).find("is the checkpoint of ntkrob toy") != std::string::npos);
  CHECK(refusal({"toy", state, false, "", 0}).find("an earlier run was stopped; give resume=true") !=
        std::string::npos);
  CHECK(refusal({"toy", folder / (std::string("none") + state_extension()), true, "", 0})
            .find("there is no checkpoint") != std::string::npos);
  CHECK(refusal({"toy", "", true, "", 0}).find("this run keeps no state") != std::string::npos);

  StateDict old;
  old.set("cli/job", std::string("toy"));
  save_state(old, "ntkrob.checkpoint/1", state, true);
  CHECK(refusal({"toy", state, true, "", 0}).find("was written by an earlier ntkrob") != std::string::npos);

  // A file of another kind is never replaced, whatever `force` says.
  context.settings.force = true;
  std::ofstream(state) << "letters to a friend";
  CHECK(refusal({"toy", state, false, "", 0}).find("is no checkpoint of ntkrob") != std::string::npos);
  CHECK(lines_of(state) == std::vector<std::string>{"letters to a friend"});
}

TEST_CASE("the line of progress shows what was measured, and the time left", "[jobs]") {
  const Toy toy(4);
  CHECK(progress_text(toy.columns(), {2, {1.23456, 0.5, 7.0}, 0}, 4, 1.5) ==
        "step 2/4  value 1.235  share 50.0 %  rare 7  40.0 steps/min  3 s left");
  CHECK(progress_text(toy.columns(), {1, {1.0, 0.5, std::nullopt}, 0}, 4, 1) ==
        "step 1/4  value 1  share 50.0 %  60.0 steps/min  3 s left");
}
