#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "runtime/module.hpp"

namespace ntkrob {
namespace {

namespace fs = std::filesystem;

const char kHere = 0;  // lies in the file that holds this code

}  // namespace

std::string file_of_address(const void* address) {
  // Not by dladdr: it repeats what the loader was told, which may be relative to a folder that is no longer the current
  // one, and of the program what the caller wrote into argv.
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    char* dash = nullptr;  // begin-end rights offset device inode path
    const std::uint64_t begin = std::strtoull(line.c_str(), &dash, 16);
    const std::uint64_t end = *dash == '-' ? std::strtoull(dash + 1, nullptr, 16) : 0;
    if (wanted < begin || wanted >= end) continue;
    const std::size_t slash = line.find('/');
    return slash == std::string::npos ? std::string() : line.substr(slash);
  }
  return {};
}

std::string own_file() {
  const std::string file = file_of_address(&kHere);
  return file.empty() ? "/proc/self/exe" : file;
}

std::vector<std::string> module_folders(const std::string& own) {
  std::error_code ignored;
  const fs::path folder = NTKROB_MODULE_FOLDER, file = fs::canonical(own, ignored);
  std::vector<std::string> found;
  if (!ignored) {
    const bool is_program = file == fs::canonical("/proc/self/exe", ignored);
    found.push_back(
        (is_program ? file.parent_path().parent_path() / folder : file.parent_path() / folder.filename()).string());
  }
  found.emplace_back(NTKROB_INSTALLED_MODULE_FOLDER);
  return found;
}

}  // namespace ntkrob
