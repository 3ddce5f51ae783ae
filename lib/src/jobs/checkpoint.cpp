#include "jobs/checkpoint.hpp"

#include <algorithm>
#include <filesystem>

#include "ntkrob/data/format.hpp"
#include "ntkrob/data/journal.hpp"
#include "ntkrob/jobs/checkpoint_file.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob::jobs {

namespace {

constexpr char kSchema[] = "ntkrob.checkpoint/1";
constexpr double kEvery = 5;       // seconds between two writings, at least
constexpr double kCostShare = 20;  // and this many times what the last one took: at most 5 % of the time

/// The instruction sets with fused multiply-add, whose results are the same bytes.
bool same_bytes(const std::string& a, const std::string& b) {
  const auto fused = [](const std::string& set) { return set == "avx2" || set == "avx512"; };
  return a == b || (fused(a) && fused(b));
}

/// The job whose state a file is, or an empty text.
std::string job_of(const std::string& path) {
  constexpr std::size_t kTexts = 4096;  // larger arrays are not read
  try {
    if (!Journal::is_journal(path)) {
      const StateDict state = load_state(path, kSchema, StateLimits{0, kTexts});
      return state.contains("run/job") ? state.get<std::string>("run/job") : std::string("an earlier version");
    }
    for (const auto& [name, value] : Journal::read_head(path))
      if (name == "run/job") return value;
  } catch (const Error&) {
    return {};
  }
  return {};
}

}  // namespace

Checkpoint::Checkpoint(CheckpointOptions options, Context& context)
    : options_(std::move(options)), context_(context), next_(kEvery) {}

void Checkpoint::check(const CheckpointOptions& options, Context& context) {
  const std::string& path = options.path;
  NTKROB_CHECK(!options.resume || !path.empty(), ConfigError, field("resume", "true"),
               ": this run keeps no state; name it by ", field("checkpoint"), ", or name an output");
  if (path.empty()) return;
  check_output(path, true);
  check_checkpoint_target(path);
  std::error_code error;
  const bool there = std::filesystem::exists(path, error);
  NTKROB_CHECK(!options.resume || there, IoError, field("resume", "true"), ": there is no checkpoint ", path,
               "; start without ", field("resume", "true"), ", or name it by ", field("checkpoint"));
  if (there && !options.resume && !context.settings.force) {
    const std::string other = job_of(path);
    NTKROB_CHECK(other == options.job, ConfigError, field("checkpoint"), ": ", given(path),
                 " exists and is the state of ntkrob ", other, "; ",
                 ntkrob::advice("name another file, or give ", field("force", "true"), ", which replaces it"));
    throw ConfigError(text(path, " exists: an earlier run was stopped; give ", field("resume", "true"),
                           " to go on with it, or ", field("force", "true"), " to start anew"));
  }
  if (options.resume) context.listener().last_words("interrupted; " + Checkpoint(options, context).advice());
}

OptionTexts Checkpoint::identity() const {
  const DeviceInfo info = context_.backend().info();
  return {{"job", options_.job},
          {"version", kVersion},
          {"backend", info.name},
          {"instructions", info.instructions},
          {"eigenvalues", info.eigenvalues}};
}

void Checkpoint::check_identity(const std::function<std::string(const std::string& name)>& stored) {
  const DeviceInfo info = context_.backend().info();
  const std::string& path = options_.path;
  const std::string job = stored("job"), version = stored("version"), backend = stored("backend");
  NTKROB_CHECK(job == options_.job, ConfigError, field("resume"), ": ", path, " is the checkpoint of ntkrob ", job,
               ", this is ntkrob ", options_.job, "; name the right one by ", field("checkpoint"));
  NTKROB_CHECK(version == kVersion, ConfigError, field("resume"), ": ", path, " was written by version ", version,
               " of ntkrob, this is ", kVersion, ": the result would be that of neither; go on with version ", version,
               ", or start anew with ", field("force", "true"));
  NTKROB_CHECK(backend == info.name, ConfigError, field("resume"), ": ", path, " was written by backend ", backend,
               ", this run uses ", info.name, "; give ", field("backend"), " ", backend, " to go on bit-identically");
  const std::string set = stored("instructions"), solver = stored("eigenvalues");
  NTKROB_CHECK(same_bytes(set, info.instructions), ConfigError, field("resume"), ": ", path, " was computed with ", set,
               ", this run with ", info.instructions,
               ", which has other last bits: the result would be that of neither; ",
               info.name == "cpu" && set == "baseline" ? "set NTKROB_SIMD=baseline in the environment to go on"
                                                       : "go on where there is " + set,
               ", or start anew with ", field("force", "true"));
  NTKROB_CHECK(solver == info.eigenvalues || !options_.eigenvalues, ConfigError, field("resume"), ": ", path,
               " was computed with eigenvalues by ", solver, ", this run has ", info.eigenvalues,
               ", which has other last bits; go on where there is ", solver, ", or start anew with ",
               field("force", "true"));
  if (set != info.instructions || solver != info.eigenvalues)
    context_.listener().note(text("the checkpoint was written on ", set, " with eigenvalues by ", solver,
                                  ", this run goes on on ", info.instructions, " with ", info.eigenvalues,
                                  ": the result is the same, byte for byte"));
}

void Checkpoint::load(const std::function<void(const StateDict&)>& restore) {
  const StateDict state = load_state(options_.path, kSchema, {context_.settings.memory.value});
  NTKROB_CHECK(!state.contains("cli/job") || state.contains("run/job"), ConfigError, field("resume"), ": ",
               options_.path,
               " was written by an earlier ntkrob, before there were recipes; finish the run with that one, or start "
               "anew with ",
               field("force", "true"));
  try {
    check_identity([&](const std::string& name) { return state.get<std::string>("run/" + name); });
    restore(state);
  } catch (const IoError& error) {
    throw IoError(text(options_.path, ": ", error.marked(),
                       "; the checkpoint is damaged or of another version of ntkrob: start anew with ",
                       field("force", "true")));
  }
  set_on_disk();
}

void Checkpoint::set_on_disk() {
  saved_ = true;
  context_.listener().last_words("interrupted; " + advice());
}

bool Checkpoint::due() const { return kept() && watch_.seconds() >= next_; }

void Checkpoint::save(StateDict state) {
  if (!kept()) return;
  const double start = watch_.seconds();
  if (!saved_) check_checkpoint_target(options_.path);
  for (const auto& [name, value] : identity()) state.set("run/" + name, value);
  try {
    save_state(state, kSchema, options_.path, true);
  } catch (const ResourceError& error) {
    // The run is worth more than its checkpoint, unless somebody waits for this one.
    if (context_.stop != nullptr && context_.stop->requested()) throw;
    if (!failed_)
      context_.listener().warn(text("the checkpoint cannot be written, the run goes on without it: ", error.marked()));
    failed_ = true;
    pending_ = std::make_unique<StateDict>(std::move(state));
    next_ = watch_.seconds() + kEvery;
    return;
  }
  set_on_disk();
  pending_.reset();
  const double now = watch_.seconds();
  next_ = now + std::max(kEvery, kCostShare * (now - start));
}

void Checkpoint::offer(StateDict state) {
  if (!kept()) return;
  pending_ = std::make_unique<StateDict>(std::move(state));
  if ((!saved_ && !failed_) || due()) flush();
}

void Checkpoint::flush() {
  if (pending_) save(std::move(*pending_));
}

std::string Checkpoint::advice() const {
  return text("the state is in ", options_.path, ", ", context_.how_to_resume());
}

void Checkpoint::give_up(const std::string& what) const {
  throw Interrupted(saved_ ? text(what, "; ", advice()) : text(what, "; nothing was written"));
}

void Checkpoint::finish() {
  if (!kept()) return;
  context_.listener().last_words("");
  remove_checkpoint_file(options_.path);
}

}  // namespace ntkrob::jobs
