#include "ntkrob/jobs/context.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "jobs/stack.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob::jobs {

namespace {

Listener& nobody() {
  static Listener listener;
  return listener;
}

}  // namespace

Context::Context() : Context(nobody()) {}
Context::Context(Listener& listener)
    : how_to_resume([] { return text("run the job again with ", field("resume", "true")); }), listener_(&listener) {}
Context::~Context() = default;

Backend& Context::backend() {
  if (!backend_) {
    grow_stack();
    backend_ = make_backend(settings.backend, static_cast<int>(settings.threads));
  }
  return *backend_;
}

std::size_t Context::memory_limit() {
  return settings.memory.value != 0 ? settings.memory.value : backend().info().default_host_budget();
}

LogSink Context::log() {
  return [this](LogLevel level, const std::string& line) {
    if (level == LogLevel::warning) listener_->warn(line);
    if (level == LogLevel::info) listener_->note(line);
  };
}

StopScope::StopScope(Context& context, bool keeps_state) : context_(context), keeps_state_(keeps_state) {
  look();
  context_.backend().set_stop(context_.stop);
  if (keeps_state_) context_.listener().answers_stop(true);
}

StopScope::~StopScope() {
  // A request that came too late for a look is answered by the next scope.
  if (keeps_state_) context_.listener().answers_stop(false);
  context_.backend().set_stop(nullptr);
}

void StopScope::answered() {
  context_.listener().stopping();
  context_.backend().set_stop(nullptr);
}

std::string options_text(const OptionTexts& texts) {
  std::size_t width = 0;
  for (const auto& [name, value] : texts) width = std::max(width, name.size());
  std::string lines;
  for (const auto& [name, value] : texts)
    lines += "  " + name + std::string(width - name.size() + 2, ' ') + (value.empty() ? "(none)" : value) + "\n";
  return lines;
}

std::string backend_text(Context& context) {
  const DeviceInfo info = context.backend().info();
  std::string lines = "backend   " + info.name + ": " + info.description + "\n";
  if (context.settings.backend == "auto")
    for (const BackendState& row : backends()) {
      if (row.name == info.name) break;
      if (!row.available) lines += "          not " + row.name + ": " + row.reason + "\n";
    }
  return lines;
}

std::string file_name(const std::string& path) { return std::filesystem::path(path).filename().string(); }

std::string file_extension(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  for (char& c : extension)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return extension;
}

void check_output(const std::string& path, bool force) {
  namespace fs = std::filesystem;
  NTKROB_CHECK(!path.empty(), ConfigError, "the name of the output is empty");
  std::error_code error;
  const bool wants_folder = path.back() == '/';  // IDX: several files
  const fs::file_status status = fs::status(path, error);
  // What no --force replaces is said first.
  NTKROB_CHECK(wants_folder || !fs::is_directory(status), ResourceError, "cannot write ", path, ": it is a folder");
  NTKROB_CHECK(!fs::exists(status) || fs::is_regular_file(status) || fs::is_directory(status), ConfigError, path,
               ": is not a regular file; give the name of a file");
  // A link that leads nowhere is there, too.
  NTKROB_CHECK(force || (!fs::exists(status) && !fs::is_symlink(fs::symlink_status(path, error))), ConfigError, path,
               " exists; ", advice("give ", field("force", "true"), " to overwrite it"));
  const std::string extension = fs::path(path).extension();
  NTKROB_CHECK((extension != ".h5" && extension != ".hdf5") || std::string(state_extension()) == ".h5", NotCompiled,
               "cannot write ", path, ": this build has no HDF5; use .npz");
  fs::path folder = fs::path(wants_folder ? path.substr(0, path.size() - 1) : path).parent_path();
  if (folder.empty()) folder = ".";
  NTKROB_CHECK(fs::is_directory(folder, error), ResourceError, "cannot write ", path, ": there is no folder ",
               folder.string());
  NTKROB_CHECK(access(folder.c_str(), W_OK) == 0, ResourceError, "cannot write ", path, ": the folder ",
               folder.string(), " is not writable");
}

}  // namespace ntkrob::jobs
