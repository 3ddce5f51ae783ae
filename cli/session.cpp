#include "session.hpp"

#include <algorithm>

#include "interrupt.hpp"
#include "ntkrob/base/printable.hpp"
#include "terminal.hpp"

namespace ntkrob::cli {

Console::Console() { spelling = spelt_as_flag; }

Console::~Console() {
  // Whoever writes next, an error among them, begins a row of its own.
  if (open_line_) std::fputc('\n', stderr);
}

void Console::clear() {
  if (open_line_) std::fputs("\r\033[K", stderr);
  open_line_ = false;
}

void Console::on_finish() {
  clear();
  std::fflush(stderr);
}

void Console::on_note(const std::string& line) {
  if (quiet_) return;
  clear();
  std::fprintf(stderr, "%s\n", printable_line(line).c_str());
}

void Console::on_warning(const std::string& line) {
  clear();
  std::fprintf(stderr, "warning: %s\n", printable_line(line).c_str());
}

void Console::on_progress(const std::string& line, index done, index total) {
  if (quiet_) return;
  if (at_terminal()) {
    done < total ? on_refresh(line) : on_finish();
  } else if (done == total || done * 10 / std::max<index>(1, total) != (done - 1) * 10 / std::max<index>(1, total)) {
    std::fprintf(stderr, "%s\n", printable_line(line).c_str());
  }
}

void Console::on_stage(const std::string& line) {
  if (!at_terminal()) return on_note(line);
  on_refresh(line);
}

void Console::on_refresh(const std::string& line) {
  if (quiet_ || !at_terminal()) return;
  // One column less than there are: some terminals begin the next row as soon as the last column is written.
  const std::string row = cut_to_columns(printable_line(line), terminal_columns() - 1);
  std::fprintf(stderr, "\r%s\033[K", row.c_str());
  open_line_ = true;
  std::fflush(stderr);
}

void Console::answers_stop(bool yes) { keep_state(yes); }
void Console::stopping() { give_time_to_write(); }
void Console::on_last_words(const std::string& words) { set_last_words(words); }

std::string spelt_as_flag(const std::string& name, const std::string& value) {
  if (value == "true") return "--" + name;
  if (value == "false") return "--no-" + name;
  return "--" + name + (value.empty() ? "" : " " + value);
}

Session::Session() : Context(console) {
  stop = &stop_request();
  how_to_resume = [this] {
    return text("go on with:\n  ", command_line({"--resume", "--force"}), " --resume",
                settings.force ? " --force" : "");
  };
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

std::string Session::account_text() {
  const std::string account = has_backend() ? backend().account() : std::string();
  return account.empty() ? account : backend().info().name + ": " + account + "\n";
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

}  // namespace ntkrob::cli
