#include "jobs/evaluate_progress.hpp"

#include <algorithm>

namespace ntkrob::jobs {

void EvaluationProgress::plan(const EvaluateOptions& options, const MaskingOptions* checks, index classes, index d) {
  std::vector<index> passes;
  for (const std::string& spec : options.attacks) {
    first_part_.push_back(passes.size());
    const std::unique_ptr<Attack> attack = make_listed_attack(spec);
    for (const Attack* part : attack->parts()) passes.push_back(part->passes(classes, options.threat));
    if (attack->parts().empty()) passes.push_back(attack->passes(classes, options.threat));
  }
  curve_ = passes.size();
  checks_ = checks != nullptr;
  if (checks_) {
    cost_ = masking_cost(*checks, d);
    check_samples_ = checks->samples;
    passes.insert(passes.end(), {cost_.passes_of_radius, cost_.passes_of_square});
  }
  time_ = std::make_unique<TimeLeft>(passes);
  left_.assign(passes.size(), 0);
}

void EvaluationProgress::close_part() {
  if (running_) {
    time_->add(part_, samples_, watch_.seconds() - started_);
    left_[part_] -= samples_;
  }
  running_ = false;
}

void EvaluationProgress::stage(const EvaluateStage& next) {
  close_part();
  const auto at = first_part_[static_cast<std::size_t>(next.attack)] + static_cast<std::size_t>(next.part);
  if (!sized_) {
    // The first stage says how many samples there are, and where an earlier run has stopped.
    sized_ = true;
    const std::size_t begin = at - static_cast<std::size_t>(next.part),
                      end = begin + static_cast<std::size_t>(next.parts);
    for (std::size_t p = 0; p < curve_; ++p)
      left_[p] = p < begin ? 0 : p >= end ? next.total : next.total - next.done - (p < at ? next.batch : 0);
    if (checks_) set_checks_left(0, 1 + cost_.radii);
  }
  running_ = true;
  part_ = at;
  samples_ = next.batch;
  started_ = watch_.seconds();
  passes_ = 0;
  what_ = text(next.name, next.parts > 1 ? text(" ", next.part + 1, "/", next.parts, " ", next.part_name) : "", ", ",
               next.done, " of ", next.total, " samples");
  // Elsewhere than at a terminal, once for each part: a line for every batch would be too many.
  const std::string part = text(next.attack, " ", next.part);
  if (part == told_part_ || next.done > 0) return listener_.refresh(what_ + time_text());
  told_part_ = part;
  listener_.stage(what_ + time_text());
}

void EvaluationProgress::batch_done(const std::string& attack, index done, index total) {
  close_part();
  what_ = text(attack, ", ", done, " of ", total, " samples");
  listener_.progress(what_ + time_text(), done, total);
}

void EvaluationProgress::set_checks_left(index done, index total) {
  const index radii = std::min(done, cost_.radii);
  left_[curve_] = (cost_.radii - radii) * check_samples_;
  left_[curve_ + 1] = done < total ? check_samples_ : 0;
}

void EvaluationProgress::start_checks(index samples, index done) {
  close_part();
  check_samples_ = std::min(check_samples_, samples);
  set_checks_left(done, 1 + cost_.radii);
  std::fill(left_.begin(), left_.begin() + static_cast<std::ptrdiff_t>(curve_), index{0});
  what_ = text("masking checks, ", done, " of ", 1 + cost_.radii);
  running_ = true;
  part_ = curve_ + (done >= cost_.radii ? 1 : 0);
  samples_ = check_samples_;
  started_ = watch_.seconds();
  passes_ = 0;
  listener_.stage(what_ + time_text());
}

void EvaluationProgress::check_done(const std::string& what, index done, index total) {
  close_part();
  set_checks_left(done, total);
  what_ = text("masking checks, ", what, ", ", done, " of ", total);
  listener_.progress(what_ + time_text(), done, total);
  running_ = done < total;
  part_ = curve_ + (done >= cost_.radii ? 1 : 0);
  samples_ = check_samples_;
  started_ = watch_.seconds();
  passes_ = 0;
}

void EvaluationProgress::pass() {
  ++passes_;
  const double now = watch_.seconds();
  if (now < told_ + 1) return;
  told_ = now;
  listener_.refresh(text(what_.empty() ? "looking at the clean inputs" : what_, ", pass ", passes_, time_text()));
}

std::string EvaluationProgress::time_text() const {
  const double now = watch_.seconds();
  std::string line = text(", ", duration_text(now), " so far");
  if (!sized_ && !running_) return line;
  const TimeLeft::Estimate left = time_->estimate(left_);
  const bool over = std::all_of(left_.begin(), left_.end(), [](index samples) { return samples == 0; });
  if (!left.known || over) return line;
  return line + text(left.rough ? ", roughly " : ", about ",
                     duration_text(std::max(0.0, left.seconds - (running_ ? now - started_ : 0))), " left");
}

}  // namespace ntkrob::jobs
