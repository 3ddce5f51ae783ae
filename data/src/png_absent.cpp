/// The PNG functions of a build without libpng.
#include "ntkrob/base/error.hpp"
#include "png_file.hpp"

namespace ntkrob::io {
namespace {

[[noreturn]] void fail(const std::string& where) {
  throw NotCompiled(text(where, ": this build has no PNG; configure with -DNTKROB_WITH_PNG=ON (needs libpng)"));
}

}  // namespace

bool has_png() { return false; }
Picture read_png_file(const std::string& path, ReadBudget&) { fail(path); }
std::string encode_png(const std::string& what, const Picture&) { fail(what); }
void write_png_file(const std::string& path, const Picture&, bool) { fail(path); }

}  // namespace ntkrob::io
