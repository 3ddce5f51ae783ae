#include "streams.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>

#include "ntkrob/base/error.hpp"
#include "ntkrob/base/printable.hpp"

namespace ntkrob::cli {

void prepare_streams() {
  // What is closed becomes what cannot be written (stdout), what is empty (stdin), and what nobody reads (stderr).
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(descriptor, F_GETFD) < 0 && errno == EBADF) {
      const int opened = ::open("/dev/null", descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY);
      if (opened >= 0 && opened != descriptor) ::close(opened);  // cannot be: the lowest free one is taken
    }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

StandardOutput::StandardOutput() : before_(std::cout.rdbuf(this)), terminal_(::isatty(STDOUT_FILENO) != 0) {}

StandardOutput::~StandardOutput() {
  write_out();
  std::cout.rdbuf(before_);
}

StandardOutput::int_type StandardOutput::overflow(int_type c) {
  const char one = traits_type::to_char_type(c);
  if (!traits_type::eq_int_type(c, traits_type::eof())) xsputn(&one, 1);
  return traits_type::not_eof(c);
}

std::streamsize StandardOutput::xsputn(const char* text, std::streamsize n) {
  constexpr std::size_t kKept = 1 << 16;
  pending_.append(text, static_cast<std::size_t>(n));
  if (pending_.size() >= kKept || (terminal_ && pending_.find('\n') != std::string::npos)) write_out();
  return n;
}

int StandardOutput::sync() {
  write_out();
  return 0;
}

/// Whole lines, or what there is of one: a character is not cut, because texts are printed whole.
void StandardOutput::write_out() {
  const std::string bytes = printable(pending_);
  pending_.clear();
  for (std::size_t at = 0; at < bytes.size() && error_ == 0;) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data() + at, bytes.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0)
      error_ = written < 0 ? errno : ENOSPC;
    else
      at += static_cast<std::size_t>(written);
  }
}

void StandardOutput::finish() {
  write_out();
  if (error_ == 0) return;
  if (error_ == EPIPE) {
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
  }
  throw ResourceError(
      text("cannot write to standard output: ", error_ == EBADF ? "it is closed" : std::strerror(error_),
           "; files named by options are complete, what was to be printed is not"));
}

}  // namespace ntkrob::cli
