/// From which folders a module is loaded.
#include "runtime/module.hpp"

#include <dlfcn.h>
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

TEST_CASE("modules are looked for beside the library, wherever the program is", "[runtime]") {
  const fs::path module_folder = NTKROB_MODULE_FOLDER;
  // Loaded by a relative name from a folder that is no longer the current one.
  const fs::path here = fs::current_path(), plugin = fs::canonical(NTKROB_PLUGIN);
  fs::current_path(plugin.parent_path());
  void* handle = ::dlopen(("./" + plugin.filename().string()).c_str(), RTLD_NOW | RTLD_LOCAL);
  fs::current_path(here);
  INFO((handle == nullptr ? ::dlerror() : "loaded"));
  REQUIRE(handle != nullptr);
  const auto folder = reinterpret_cast<const char* (*)()>(::dlsym(handle, "plugin_module_folder"));
  REQUIRE(folder != nullptr);
  CHECK(folder() == (plugin.parent_path() / module_folder.filename()).string());
  ::dlclose(handle);
}

TEST_CASE("of a program that holds the library, modules lie in the library folder beside its own", "[runtime]") {
  const fs::path program = fs::canonical("/proc/self/exe");
  for (const std::string& own : {program.string(), std::string("/proc/self/exe")}) {
    const std::vector<std::string> folders = module_folders(own);
    REQUIRE(folders.size() == 2);
    CHECK(folders.front() == (program.parent_path().parent_path() / NTKROB_MODULE_FOLDER).string());
  }
  CHECK(module_folders("/nowhere/libx.so").size() == 1);
}

TEST_CASE("an address is traced to the file that is mapped there", "[runtime]") {
  static const int here = 0;
  CHECK(file_of_address(&here) == fs::canonical("/proc/self/exe").string());
  const auto* c_library = reinterpret_cast<const void*>(::dlsym(RTLD_DEFAULT, "getpid"));
  CHECK_THAT(file_of_address(c_library), Contains("libc"));
  const std::string on_the_heap(1000, ' ');
  CHECK(file_of_address(on_the_heap.data()).empty());
}
