#include "checkpoint.hpp"

#include <algorithm>
#include <filesystem>

#include "ntkrob/data/format.hpp"
#include "ntkrob/version.hpp"
#include "outputs.hpp"

namespace ntkrob::cli {

namespace {

constexpr char kSchema[] = "ntkrob.checkpoint/1";
constexpr double kEvery = 5;       // seconds between two writings, at least
constexpr double kCostShare = 20;  // and this many times what the last one took: at most 5 % of the time

/// The instruction sets with fused multiply-add, whose results are the same bytes.
bool same_bytes(const std::string& a, const std::string& b) {
  const auto fused = [](const std::string& set) { return set == "avx2" || set == "avx512"; };
  return a == b || (fused(a) && fused(b));
}

}  // namespace

Checkpoint::Checkpoint(CheckpointOptions options, Session& session)
    : options_(std::move(options)), session_(session), next_(kEvery) {}

void Checkpoint::check(const CheckpointOptions& options, Session& session) {
  const std::string& path = options.path;
  NTKROB_CHECK(!options.resume || !path.empty(), ConfigError,
               "--resume: this run keeps no state; name it by --checkpoint, or name an output");
  if (path.empty()) return;
  check_output(path, true);
  check_checkpoint_target(path, "--checkpoint");
  std::error_code error;
  const bool there = std::filesystem::exists(path, error);
  NTKROB_CHECK(!options.resume || there, IoError, "--resume: there is no checkpoint ", path,
               "; start without --resume, or name it by --checkpoint");
  NTKROB_CHECK(options.resume || session.globals.force || !there, ConfigError, path,
               " exists: an earlier run was stopped; give --resume to go on with it, or --force to start anew");
  if (options.resume) set_last_words("interrupted; " + Checkpoint(options, session).advice());
}

OptionTexts Checkpoint::identity() const {
  const DeviceInfo info = session_.backend().info();
  return {{"job", options_.job},
          {"version", kVersion},
          {"backend", info.name},
          {"instructions", info.instructions},
          {"eigenvalues", info.eigenvalues}};
}

void Checkpoint::check_identity(const std::function<std::string(const std::string& name)>& stored) {
  const DeviceInfo info = session_.backend().info();
  const std::string& path = options_.path;
  const std::string job = stored("job"), version = stored("version"), backend = stored("backend");
  NTKROB_CHECK(job == options_.job, ConfigError, "--resume: ", path, " is the checkpoint of ntkrob ", job,
               ", this is ntkrob ", options_.job, "; name the right one by --checkpoint");
  NTKROB_CHECK(version == kVersion, ConfigError, "--resume: ", path, " was written by version ", version,
               " of ntkrob, this is ", kVersion, ": the result would be that of neither; go on with version ", version,
               ", or start anew with --force");
  NTKROB_CHECK(backend == info.name, ConfigError, "--resume: ", path, " was written by backend ", backend,
               ", this run uses ", info.name, "; give --backend ", backend, " to go on bit-identically");
  const std::string set = stored("instructions"), solver = stored("eigenvalues");
  NTKROB_CHECK(same_bytes(set, info.instructions), ConfigError, "--resume: ", path, " was computed with ", set,
               ", this run with ", info.instructions,
               ", which has other last bits: the result would be that of neither; ",
               info.name == "cpu" && set == "baseline" ? "set NTKROB_SIMD=baseline in the environment to go on"
                                                       : "go on where there is " + set,
               ", or start anew with --force");
  NTKROB_CHECK(solver == info.eigenvalues || !options_.eigenvalues, ConfigError, "--resume: ", path,
               " was computed with eigenvalues by ", solver, ", this run has ", info.eigenvalues,
               ", which has other last bits; go on where there is ", solver, ", or start anew with --force");
  if (set != info.instructions || solver != info.eigenvalues)
    session_.console.note(text("the checkpoint was written on ", set, " with eigenvalues by ", solver,
                               ", this run goes on on ", info.instructions, " with ", info.eigenvalues,
                               ": the result is the same, byte for byte"));
}

void Checkpoint::load(const std::function<void(const StateDict&)>& restore) {
  const StateDict state = load_state(options_.path, kSchema, {session_.globals.memory.value});
  try {
    check_identity([&](const std::string& name) { return state.get<std::string>("cli/" + name); });
    restore(state);
  } catch (const IoError& error) {
    throw IoError(text(options_.path, ": ", error.what(),
                       "; the checkpoint is damaged or of another version of ntkrob: start anew with --force"));
  }
  set_on_disk();
}

void Checkpoint::set_on_disk() {
  saved_ = true;
  set_last_words("interrupted; " + advice());
}

bool Checkpoint::due() const { return kept() && watch_.seconds() >= next_; }

void Checkpoint::save(StateDict state) {
  if (!kept()) return;
  const double start = watch_.seconds();
  if (!saved_) check_checkpoint_target(options_.path, "--checkpoint");
  for (const auto& [name, value] : identity()) state.set("cli/" + name, value);
  try {
    save_state(state, kSchema, options_.path, true);
  } catch (const ResourceError& error) {
    // The run is worth more than its checkpoint, unless somebody waits for this one.
    if (InterruptScope::requested()) throw;
    if (!failed_)
      session_.console.warn(text("the checkpoint cannot be written, the run goes on without it: ", error.what()));
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
  return text("the state is in ", options_.path, ", go on with:\n  ", session_.command_line({"--resume", "--force"}),
              " --resume", session_.globals.force ? " --force" : "");
}

void Checkpoint::give_up(const std::string& what) const {
  throw Interrupted(saved_ ? text(what, "; ", advice()) : text(what, "; nothing was written"));
}

void Checkpoint::finish() {
  if (!kept()) return;
  set_last_words("");
  remove_checkpoint_file(options_.path);
}

}  // namespace ntkrob::cli
