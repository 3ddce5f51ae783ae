#include "ntkrob/jobs/run.hpp"

#include <algorithm>
#include <cstdio>

#include "jobs/checkpoint.hpp"
#include "jobs/log.hpp"

namespace ntkrob::jobs {

namespace {

CheckpointOptions checkpoint_options(const RunOptions& options) {
  return {options.job, options.checkpoint, options.resume};
}

}  // namespace

Run::Run(RunOptions options, Context& context)
    : options_(std::move(options)),
      context_(context),
      checkpoint_(std::make_unique<Checkpoint>(checkpoint_options(options_), context)) {}

Run::~Run() = default;

void Run::check(const RunOptions& options, Context& context) {
  Checkpoint::check(checkpoint_options(options), context);
}

bool Run::kept() const { return checkpoint_->kept(); }
void Run::load(const std::function<void(const StateDict&)>& restore) { checkpoint_->load(restore); }
void Run::watch() { scope_ = std::make_unique<StopScope>(context_, kept()); }
void Run::rest() { scope_.reset(); }
void Run::look() const { scope_->look(); }
void Run::offer(StateDict state) { checkpoint_->offer(std::move(state)); }

void Run::give_up(const std::string& what) {
  scope_->answered();
  checkpoint_->flush();
  checkpoint_->give_up(what);
}

void Run::finish() { checkpoint_->finish(); }
void Run::finish(const RunOptions& options, Context& context) {
  Checkpoint(checkpoint_options(options), context).finish();
}

index Run::steps(Stepped& job) {
  if (options_.resume) {
    load([&](const StateDict& state) { job.restore(state); });
    context_.listener().note(text("resumed after step ", job.steps_done()));
  }
  const index resumed_at = job.steps_done();
  Log log(options_.log, job.columns(), resumed_at, context_);
  const Stopwatch clock;
  watch();
  try {
    while (job.steps_done() < job.steps()) {
      const Row row = job.step();
      const index steps = job.steps();
      log.append(row);
      const double per_step = clock.seconds() / static_cast<double>(row.step - resumed_at);
      context_.listener().progress(progress_text(job.columns(), row, steps, per_step), row.step, steps);
      if (row.step == steps) break;
      look();
      const bool wanted = options_.checkpoint_every > 0 && row.step % options_.checkpoint_every == 0;
      if (kept() && (wanted || checkpoint_->due())) checkpoint_->save(job.state());
    }
  } catch (const Interrupted&) {
    scope_->answered();
    if (job.steps_done() > resumed_at && kept()) checkpoint_->save(job.state());
    checkpoint_->give_up(text("interrupted after step ", job.steps_done(), " of ", job.steps()));
  }
  rest();
  return resumed_at;
}

std::string progress_text(const std::vector<Column>& columns, const Row& row, index steps, double seconds_per_step) {
  std::string line = text("step ", row.step, "/", steps);
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (!columns[c].shown || !row.values[c]) continue;
    char number[40];
    std::snprintf(number, sizeof number, "%.4g", *row.values[c]);
    line += "  " + columns[c].name + " " +
            (columns[c].kind == Column::Kind::fraction ? percent_text(*row.values[c]) : std::string(number));
  }
  char rate[40];
  const double per_second = 1 / std::max(1e-9, seconds_per_step);
  if (per_second < 10)
    std::snprintf(rate, sizeof rate, "  %.1f steps/min", 60 * per_second);
  else
    std::snprintf(rate, sizeof rate, "  %.0f steps/s", per_second);
  return line + rate + "  " + duration_text(seconds_per_step * static_cast<double>(steps - row.step)) + " left";
}

}  // namespace ntkrob::jobs
