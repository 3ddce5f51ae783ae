/// ntkrob: parse, dispatch, and turn every error into one line and an exit code.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "command.hpp"
#include "interrupt.hpp"
#include "ntkrob/base/error.hpp"
#include "ntkrob/base/printable.hpp"
#include "ntkrob/data/format.hpp"
#include "streams.hpp"

int main(int argc, char** argv) {
  ntkrob::cli::answer_signals();
  ntkrob::cli::Speaker speaker;
  std::string message;
  speaker.words.assign(argv + std::min(argc, 1), argv + argc);
  int code = 1;
  // An OpenBLAS that is loaded for eigenvalues starts no threads of its own: our workers call it.
  ::setenv("OPENBLAS_NUM_THREADS", "1", 0);
  ntkrob::cli::prepare_streams();
  ntkrob::cli::StandardOutput output;
  ntkrob::leave_hdf5_open_at_exit();
  try {
    code = ntkrob::cli::dispatch(argc, argv, speaker);
    output.finish();
    return code;
  } catch (const ntkrob::Error& error) {
    message = speaker.line(error);
    code = error.exit_code();
  } catch (const std::bad_alloc&) {
    message = "out of memory; lower --memory, or use a narrower net, a smaller batch or fewer images";
    code = ntkrob::ResourceError::kExitCode;
  } catch (const std::filesystem::filesystem_error& error) {
    message = ntkrob::printable_line(error.path1().string()) + ": " + error.code().message();
    code = ntkrob::ResourceError::kExitCode;
  } catch (const std::exception& error) {
    message = std::string("internal error: ") + ntkrob::printable(error.what());
  }
  std::cout.flush();
  // What names a command to go on with is never cut.
  if (code != ntkrob::Interrupted::kExitCode) message = ntkrob::cli::readable_error(message, speaker.words);
  std::fprintf(stderr, "%s: %s\n", speaker.who.c_str(), message.c_str());
  // Everything of ours is closed. What other libraries do at the end of a process, after a disk has failed them, is not
  // waited for: HDF5 writes to its files once more, and may crash on them.
  std::fflush(nullptr);
  std::_Exit(code);
}
