#include "session.hpp"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <sstream>

#include "ntkrob/base/printable.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/runtime/runtime.hpp"
#include "terminal.hpp"

namespace ntkrob::cli {

Console::~Console() {
  // Whoever writes next, an error among them, begins a row of its own.
  if (open_line_) std::fputc('\n', stderr);
}

void Console::clear() {
  if (open_line_) std::fputs("\r\033[K", stderr);
  open_line_ = false;
}

void Console::finish() {
  clear();
  std::fflush(stderr);
}

void Console::note(const std::string& line) {
  if (quiet_) return;
  clear();
  std::fprintf(stderr, "%s\n", printable_line(line).c_str());
}

void Console::warn(const std::string& line) {
  clear();
  std::fprintf(stderr, "warning: %s\n", printable_line(line).c_str());
}

void Console::progress(const std::string& line, index done, index total) {
  if (quiet_) return;
  if (at_terminal()) {
    done < total ? refresh(line) : finish();
  } else if (done == total || done * 10 / std::max<index>(1, total) != (done - 1) * 10 / std::max<index>(1, total)) {
    std::fprintf(stderr, "%s\n", printable_line(line).c_str());
  }
}

void Console::stage(const std::string& line) {
  if (!at_terminal()) return note(line);
  refresh(line);
}

void Console::refresh(const std::string& line) {
  if (quiet_ || !at_terminal()) return;
  // One column less than there are: some terminals begin the next row as soon as the last column is written.
  const std::string row = cut_to_columns(printable_line(line), terminal_columns() - 1);
  std::fprintf(stderr, "\r%s\033[K", row.c_str());
  open_line_ = true;
  std::fflush(stderr);
}

LogSink Console::sink() {
  return [this](LogLevel level, const std::string& line) {
    if (level == LogLevel::warning) warn(line);
    if (level == LogLevel::info) note(line);
  };
}

namespace {

/// What loops of products take of the stack of every thread, with a reserve.
constexpr std::size_t kStack = std::size_t{1} << 20;

/// Touches pages of the stack from the top down, so that it has them.
__attribute__((noinline)) void touch_stack() {
  volatile char pages[kStack];
  for (std::size_t i = kStack; i >= 4096; i -= 4096) pages[i - 1] = 0;
}

/// The stack grows as it is used, and a process whose limits refuse that ends on the spot: it is asked for before.
void grow_stack() {
  rlimit limit;
  const bool known = ::getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  NTKROB_CHECK(!known || limit.rlim_cur >= kStack, ResourceError, "the limit of the stack is ", limit.rlim_cur >> 10,
               " KiB, ", kStack >> 10, " KiB are needed; raise it (ulimit -s ", kStack >> 10, ")");
  void* const room = ::mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  NTKROB_CHECK(room != MAP_FAILED, ResourceError, "the stack needs ", kStack >> 10,
               " KiB of address space, which this process does not get; raise its limit (ulimit -v)");
  ::munmap(room, kStack);
  touch_stack();
}

}  // namespace

Backend& Session::backend() {
  if (!backend_) {
    grow_stack();
    backend_ = make_backend(globals.backend, static_cast<int>(globals.threads));
  }
  return *backend_;
}

std::size_t Session::memory_limit() {
  return globals.memory.value != 0 ? globals.memory.value : backend().info().default_host_budget();
}

std::string Session::command_line(const std::vector<std::string>& without) const {
  std::string line = "ntkrob";
  for (const std::string& argument : arguments) {
    if (std::find(without.begin(), without.end(), argument) != without.end()) continue;
    const bool plain = !argument.empty() && argument.find_first_not_of(
                                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                                "-_=+./,:@%") == std::string::npos;
    std::string quoted;
    for (const char c : argument) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += " " + (plain ? argument : "'" + quoted + "'");
  }
  return line;
}

std::string Session::backend_text() {
  const DeviceInfo info = backend().info();
  std::string lines = "backend   " + info.name + ": " + info.description + "\n";
  if (globals.backend == "auto")
    for (const BackendState& row : backends()) {
      if (row.name == info.name) break;
      if (!row.available) lines += "          not " + row.name + ": " + row.reason + "\n";
    }
  return lines;
}

std::string Session::account_text() const {
  const std::string account = backend_ ? backend_->account() : std::string();
  return account.empty() ? account : backend_->info().name + ": " + account + "\n";
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
               " exists; give --force to overwrite it");
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

namespace {

std::string fixed_text(double value, int digits) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(digits) << value;
  return out.str();
}

}  // namespace

std::string bytes_text(double bytes) {
  const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
  int unit = 0;
  while (bytes >= 1024 && unit < 5) bytes /= 1024, ++unit;
  return fixed_text(bytes, unit == 0 || bytes >= 100 ? 0 : 1) + " " + units[unit];
}

std::string percent_text(double fraction) { return fixed_text(100 * fraction, 1) + " %"; }

std::string number_text(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<long long>(seconds + 0.5);
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
}

std::string block_text(const std::string& heading, const std::string& lines) {
  std::string block = heading + "\n";
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) block += "  " + line + "\n";
  return block;
}

std::string options_text(const OptionTexts& texts) {
  std::size_t width = 0;
  for (const auto& [name, value] : texts) width = std::max(width, name.size());
  std::string lines;
  for (const auto& [name, value] : texts)
    lines += "  " + name + std::string(width - name.size() + 2, ' ') + (value.empty() ? "(none)" : value) + "\n";
  return lines;
}

std::string table_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> width;
  for (const auto& row : rows)
    for (std::size_t j = 0; j < row.size(); ++j) {
      if (width.size() <= j) width.push_back(0);
      width[j] = std::max(width[j], character_count(row[j]));
    }
  std::string lines;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::string line;
    for (std::size_t j = 0; j < rows[i].size(); ++j) {
      const std::string pad(width[j] - character_count(rows[i][j]), ' ');
      line += (j == 0 ? "" : "  ") + (j == 0 ? rows[i][j] + pad : pad + rows[i][j]);
    }
    lines += line + "\n";
    if (i == 0) lines += std::string(character_count(line), '-') + "\n";
  }
  return lines;
}

std::string file_name(const std::string& path) { return std::filesystem::path(path).filename().string(); }

}  // namespace ntkrob::cli
