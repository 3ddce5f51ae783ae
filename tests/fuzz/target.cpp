#include "target.hpp"

#include <cstdio>
#include <cstdlib>

#include "ntkrob/base/error.hpp"

/// One array of this size is more than any input of a few kilobytes may ask for; libhdf5 loses memory of its own when
/// it refuses.
extern "C" const char* __asan_default_options() { return "max_allocation_size_mb=512:allocator_may_return_null=0"; }
/// Names of temporary files are kept on purpose: a handler of signals may be reading them.
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5\nleak:enter_temporary\n"; }

namespace ntkrob::fuzz {
namespace {

[[noreturn]] void found(const Target& target, const std::string& what) {
  std::fprintf(stderr, "fuzz: %s: %s\n", target.name.c_str(), what.c_str());
  std::abort();
}

}  // namespace

const std::vector<Target>& targets() {
  static const std::vector<Target> all = [] {
    std::vector<Target> rows = reader_targets();
    for (Target& target : parser_targets()) rows.push_back(std::move(target));
    return rows;
  }();
  return all;
}

bool run_one(const Target& target, const std::string& bytes) {
  constexpr std::size_t kLongest = 20000;  // of a message; names in it may be long
  try {
    target.run(bytes);
    return true;
  } catch (const Error& error) {
    const std::string message = error.what();
    if (message.find('\n') != std::string::npos) found(target, "a message of several lines: " + message);
    if (message.empty() || message.size() > kLongest) found(target, text("a message of ", message.size(), " bytes"));
    return false;
  } catch (const std::exception& error) {
    found(target, std::string("an exception that is no error of the library: ") + error.what());
  }
}

}  // namespace ntkrob::fuzz
