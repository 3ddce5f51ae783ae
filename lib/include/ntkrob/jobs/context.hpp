/// Context: what every job gets. Settings, the backend, somebody who listens, and a token by which it may be stopped.
///
///     Stop stop;                       // another thread calls stop.request()
///     jobs::Context context;
///     context.settings.threads = 4;
///     context.stop = &stop;
///     const Dataset data = jobs::open_input(context, "mnist.h5", {});
///     jobs::run_robustify(job, data, context);
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ntkrob/backend/backend.hpp"
#include "ntkrob/base/fields.hpp"
#include "ntkrob/base/log.hpp"
#include "ntkrob/base/stop.hpp"
#include "ntkrob/base/words.hpp"

namespace ntkrob::jobs {

/// The largest number of threads: that of WorkerPool.
constexpr index kMostThreads = 1024;

/// Options that every job has.
struct Settings {
  index threads = 0;
  std::uint64_t seed = 0;  // of choices that have no seed of their own: samples, support images, solves
  Bytes memory;
  std::string backend = "auto";
  bool force = false;
};

template <class Options, class Visitor>
void visit_settings(Options& o, Visitor&& visitor) {
  visitor("threads", o.threads, "worker threads, up to 1024; 0: all. Results do not depend on it",
          within(0, kMostThreads));
  visitor("seed", o.seed, "seed of every random choice");
  visitor("memory", o.memory,
          "limit for what reading a data set takes, and for scratch memory with results, e.g. 2G; 0: three quarters of "
          "this machine's for reading, 1 GiB or a quarter for the rest");
  visitor("backend", o.backend, "auto | cpu | reference | cuda[:i], cuda:0,1 or cuda:all; the table is in ntkrob info");
  visitor("force", o.force, "overwrite existing outputs");
}

/// What a job says while it works. Every function does nothing unless it is overridden; lines have no line feed. Calls
/// come from the thread that runs the job, and must not throw.
class Listener {
 public:
  virtual ~Listener() = default;
  /// How options are spelt in the lines, see base/error.hpp; empty: by their names.
  FieldSpelling spelling;

  /// A line that is worth keeping, and one about what is likely a mistake.
  void note(const std::string& line) { on_note(spelt(line, spelling)); }
  void warn(const std::string& line) { on_warning(spelt(line, spelling)); }
  /// How far the work is: done counts from 1 to total.
  void progress(const std::string& line, index done, index total) { on_progress(line, done, total); }
  /// What begins now; a newer text for the line of progress; no line of progress any more.
  void stage(const std::string& line) { on_stage(line); }
  void refresh(const std::string& line) { on_refresh(line); }
  void finish() { on_finish(); }

  // For programs that handle signals, and may end the process from there.
  /// From now on a request to stop is looked for and answered by a checkpoint, or no longer.
  virtual void answers_stop(bool) {}
  /// A request has been seen, and the checkpoint is being written.
  virtual void stopping() {}
  /// What to say where the process ends at once: where its state is and how to go on. Empty: there is none.
  void last_words(const std::string& words) { on_last_words(spelt(words, spelling)); }

 protected:
  virtual void on_note(const std::string&) {}
  virtual void on_warning(const std::string&) {}
  virtual void on_progress(const std::string&, index /*done*/, index /*total*/) {}
  virtual void on_stage(const std::string&) {}
  virtual void on_refresh(const std::string&) {}
  virtual void on_finish() {}
  virtual void on_last_words(const std::string&) {}
};

class Context {
 public:
  /// With a listener that hears nothing.
  Context();
  explicit Context(Listener& listener);
  virtual ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Settings settings;
  /// Null: nobody may stop the jobs of this context.
  Stop* stop = nullptr;
  /// How to go on with an interrupted job, in the words of those who started it.
  std::function<std::string()> how_to_resume;

  /// Made at the first call.   throws: as make_backend
  Backend& backend();
  bool has_backend() const { return backend_ != nullptr; }
  /// The memory limit in bytes; never 0.
  std::size_t memory_limit();
  Listener& listener() { return *listener_; }
  /// The library's messages: warnings and infos to the listener.
  LogSink log();

  /// Inputs that were opened, each with what its reader recognised.
  std::vector<std::pair<std::string, std::vector<std::string>>> readings;
  /// Names and ranges of the features of the first input or model that has them; others must agree.
  std::vector<std::string> feature_names;
  std::vector<float> feature_low, feature_high;
  std::string names_source, ranges_source;
  /// What went wrong beside the work and did not cost it; empty: nothing. Whoever runs jobs has to look.
  std::string late_error;

 private:
  Listener* listener_;
  std::unique_ptr<Backend> backend_;
};

/// Seconds since its construction. For progress and reports; never part of a result.
class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// While it lives, the backend looks for the context's stop token. One at a time.
class StopScope {
 public:
  /// keeps_state: the job answers a request by a checkpoint, which the listener is told
  ///   throws: Interrupted where a request has come that nobody has answered
  StopScope(Context& context, bool keeps_state);
  ~StopScope();
  StopScope(const StopScope&) = delete;
  StopScope& operator=(const StopScope&) = delete;
  /// throws: Interrupted
  void look() const { look_for_stop(context_.stop); }
  /// The state is being written: the backend computes again.
  void answered();

 private:
  Context& context_;
  bool keeps_state_;
};

// ---- the words of jobs -------------------------------------------------------------------------------------------

/// "name  value" lines, aligned.
std::string options_text(const OptionTexts& texts);
/// "backend   cpu: 2 workers, ..." and why better ones were not taken.
std::string backend_text(Context& context);
/// The last part of a path.
std::string file_name(const std::string& path);
/// ".h5" of "A/B.H5": in lower case, with its dot; empty where there is none.
std::string file_extension(const std::string& path);

/// Refuses now what would fail after the work: the file exists (without force), or its folder does not.
///   throws: ConfigError, ResourceError, NotCompiled
void check_output(const std::string& path, bool force);

}  // namespace ntkrob::jobs
