/// The standard streams of the command: results go to stdout, checked at the end; what stderr does costs no run.
#pragma once

#include <streambuf>
#include <string>

namespace ntkrob::cli {

/// Before anything is opened: descriptors 0 to 2 that are closed are taken, so that no output file gets one of them and
/// is written to by whoever prints; a reader of a pipe that goes away, or a limit on the size of files, becomes an
/// error of the write and no death in the middle of the work.
void prepare_streams();

/// std::cout while it lives: keeps what is printed, makes it printable (base/printable.hpp: no control characters but
/// line feeds, no bytes that are no UTF-8) and knows whether it has been written. At a terminal every line goes out at
/// once. Nothing else may print to stdout.
class StandardOutput : public std::streambuf {
 public:
  StandardOutput();
  ~StandardOutput() override;
  StandardOutput(const StandardOutput&) = delete;
  StandardOutput& operator=(const StandardOutput&) = delete;
  /// Writes what is left; for a result that is complete.
  ///   throws: ResourceError with the system's reason where not all that was printed could be written. Where the reader
  ///   of a pipe has gone, as of `| head -1`, the process ends as others do, by SIGPIPE and without a word.
  void finish();

 protected:
  int_type overflow(int_type c) override;
  std::streamsize xsputn(const char* text, std::streamsize n) override;
  int sync() override;

 private:
  void write_out();
  std::streambuf* before_;
  std::string pending_;
  bool terminal_;
  int error_ = 0;  // of the first write that failed
};

}  // namespace ntkrob::cli
