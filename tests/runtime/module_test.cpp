/// From which folders a module is loaded.
#include "runtime/module.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "kit/check.hpp"
#include "ntkrob/base/error.hpp"

using namespace ntkrob;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

/// prefix/bin/program and prefix/lib/ntkrob/module.so in a folder of their own, written by the owner alone.
struct Installation {
  Installation() {
    char name[] = "/tmp/ntkrob-module-XXXXXX";
    prefix = ::mkdtemp(name);
    fs::create_directories(prefix / "bin");
    fs::create_directories(prefix / "lib/ntkrob");
    for (const fs::path& file : {program(), module()}) {
      std::ofstream(file) << "x";
      ::chmod(file.c_str(), 0755);
    }
    for (const char* folder : {"", "bin", "lib", "lib/ntkrob"}) ::chmod((prefix / folder).c_str(), 0755);
  }
  ~Installation() { fs::remove_all(prefix); }
  fs::path program() const { return prefix / "bin/program"; }
  fs::path module() const { return prefix / "lib/ntkrob/module.so"; }
  std::string check() const { return check_module_owner(module().string(), program().string()); }
  fs::path prefix;
};

}  // namespace

TEST_CASE("a module is taken from folders that the owner of the program alone may write", "[runtime]") {
  const Installation installed;
  CHECK(installed.check() == fs::canonical(installed.module()).string());
}

TEST_CASE("a module that others may write is not loaded, nor one in such a folder", "[runtime]") {
  for (const char* part : {"lib/ntkrob/module.so", "lib/ntkrob", "lib", ""})
    for (const mode_t mode : {0775, 0757}) {
      const Installation installed;
      const fs::path changed = installed.prefix / part;
      ::chmod(changed.c_str(), mode);
      INFO(part << " with mode " << std::oct << mode);
      CHECK_THROWS_AS(installed.check(), BackendUnavailable);
      CHECK_THROWS_WITH(installed.check(), Contains("others may write") && Contains("chmod go-w"));
    }
}

TEST_CASE("who may write the program may write the module", "[runtime]") {
  const Installation installed;
  for (const char* part : {"bin/program", "lib", "lib/ntkrob/module.so"})
    ::chmod((installed.prefix / part).c_str(), 0775);
  CHECK_NOTHROW(installed.check());
}

TEST_CASE("a module of another user is not loaded", "[runtime]") {
  if (::geteuid() != 0) {
    WARN("not run: only root can make files of another user");
    return;
  }
  const Installation installed;
  REQUIRE(::chown(installed.module().parent_path().c_str(), 12345, 12345) == 0);
  CHECK_THROWS_WITH(installed.check(), Contains("belongs to another user (12345)"));
}
