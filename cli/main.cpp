/// ntkrob: parse, dispatch, and turn every error into one line and an exit code.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>

#include "command.hpp"
#include "ntkrob/base/error.hpp"
#include "ntkrob/base/printable.hpp"

namespace {

/// A line that quotes something very long is cut in the middle: what is wrong stands at its ends.
std::string readable(const std::string& message) {
  constexpr std::size_t kEnds = 1500;
  if (message.size() <= 3 * kEnds) return message;
  // A character that the cut takes apart is shown as bytes.
  return ntkrob::printable(message.substr(0, kEnds)) + " \u2026 (" + std::to_string(message.size() - 2 * kEnds) +
         " characters) \u2026 " + ntkrob::printable(message.substr(message.size() - kEnds));
}

}  // namespace

int main(int argc, char** argv) {
  std::string who = "ntkrob";
  std::string message;
  int code = 1;
  // An OpenBLAS that is loaded for eigenvalues starts no threads of its own: our workers call it.
  ::setenv("OPENBLAS_NUM_THREADS", "1", 0);
  try {
    return ntkrob::cli::dispatch(argc, argv, who);
  } catch (const ntkrob::Error& error) {
    message = error.what();
    code = error.exit_code();
  } catch (const std::bad_alloc&) {
    message = "out of memory; lower --memory, or use a narrower net, a smaller batch or fewer images";
    code = ntkrob::ResourceError("").exit_code();
  } catch (const std::exception& error) {
    message = std::string("internal error: ") + ntkrob::printable(error.what());
  }
  std::fprintf(stderr, "%s: %s\n", who.c_str(), readable(message).c_str());
  return code;
}
