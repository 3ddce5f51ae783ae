#include "ntkrob/jobs/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "ntkrob/base/error.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/checkpoint_file.hpp"
#include "ntkrob/jobs/context.hpp"

namespace ntkrob::jobs {

namespace {

bool writes(const FileUse& file) { return file.use != Use::none && file.use != Use::reads; }

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

/// What a path leads to.
struct Identity {
  bool exists = false, folder = false;
  dev_t device = 0;
  ino_t number = 0;
  std::string real;  // without "/" at its end
  bool operator==(const Identity& other) const {
    return exists && other.exists ? device == other.device && number == other.number : real == other.real;
  }
};

std::string real_path(const std::string& path) {
  char* found = ::realpath(path.c_str(), nullptr);
  const std::string result = found == nullptr ? "" : found;
  std::free(found);
  return result;
}

Identity identity_of(const std::string& path) {
  Identity identity;
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) {
    identity.exists = true;
    identity.folder = S_ISDIR(info.st_mode);
    identity.device = info.st_dev;
    identity.number = info.st_ino;
    identity.real = real_path(path);
    return identity;
  }
  const std::size_t end = path.find_last_not_of('/');
  const std::string trimmed = end == std::string::npos ? path : path.substr(0, end + 1);
  const std::size_t slash = trimmed.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : trimmed.substr(0, slash);
  const std::string real = real_path(folder);
  identity.real = (real.empty() ? folder : real) + "/" + trimmed.substr(slash == std::string::npos ? 0 : slash + 1);
  return identity;
}

/// Names that IDX files get in a folder, or behind a prefix.
bool is_part(const std::string& path, const std::string& prefix) {
  return path.compare(0, prefix.size(), prefix) == 0 && path.find('/', prefix.size()) == std::string::npos &&
         (path.compare(prefix.size(), 6, "train-") == 0 || path.compare(prefix.size(), 5, "t10k-") == 0);
}

/// Of an output of several files what their names begin with, else empty.
std::string prefix_of(const FileUse& file, const Identity& identity) {
  if (file.use != Use::writes_set) return "";
  if (file.path.back() == '/') return identity.real + "/";
  return file_extension(file.path) == ".idx" ? identity.real.substr(0, identity.real.size() - 4) + "-" : "";
}

/// Whether the output a writes to what b is, or into it where b is a folder of pictures that is read.
bool meets(const FileUse& a, const Identity& of_a, const FileUse& b, const Identity& of_b) {
  if (of_a == of_b) return true;
  if (const std::string prefix = prefix_of(a, of_a); !prefix.empty() && is_part(of_b.real, prefix)) return true;
  const bool inside = b.use == Use::reads && of_b.folder && of_a.exists && !of_a.folder &&
                      of_a.real.compare(0, of_b.real.size() + 1, of_b.real + "/") == 0;
  const std::string name = lower(file_name(of_a.real));
  return inside && (file_extension(name) == ".png" || name.find("-idx") != std::string::npos);
}

void compare(const FileUse& a, const FileUse& b, const Identity& of_a, const Identity& of_b) {
  if (!writes(a) && !writes(b)) return;
  const bool met = (writes(a) && meets(a, of_a, b, of_b)) || (writes(b) && meets(b, of_b, a, of_a));
  if (!met) return;
  const FileUse& written = writes(b) ? b : a;
  const FileUse& other = writes(b) ? a : b;
  const char* why = !writes(other)                               ? ", which is read: an input is not replaced"
                    : a.use == Use::keeps || b.use == Use::keeps ? ": the checkpoint would replace and remove it"
                                                                 : ": one would replace the other";
  throw ConfigError(text(written.option, " ", written.path, " is the file of ", other.option, " ", other.path, why,
                         "; give each a name of its own"));
}

/// Temporary files beside it need room for their names.
void check_length(const FileUse& file) {
  const std::size_t slash = file.path.find_last_of('/');
  const std::string folder = slash == std::string::npos ? "." : file.path.substr(0, slash + 1);
  const std::size_t length = slash == std::string::npos ? file.path.size() : file.path.size() - slash - 1;
  constexpr std::size_t kParts = 30;  // "-train-images-idx3-ubyte" and the like
  const bool several = file.use == Use::writes_set && (file.path.back() == '/' || file_extension(file.path) == ".idx");
  const std::size_t suffix = kTemporarySuffix + (several ? kParts : 0);
  const long most = ::pathconf(folder.c_str(), _PC_NAME_MAX), longest = ::pathconf(folder.c_str(), _PC_PATH_MAX);
  NTKROB_CHECK(most < 0 || length + suffix <= static_cast<std::size_t>(most), ConfigError, file.option, ": the name ",
               file.path, " has ", length, " bytes, at most ", static_cast<std::size_t>(most) - suffix,
               " leave room for temporary files beside it; choose a shorter one");
  NTKROB_CHECK(longest < 0 || file.path.size() + suffix < static_cast<std::size_t>(longest), ConfigError, file.option,
               ": the path ", file.path, " has ", file.path.size(), " bytes, at most ",
               static_cast<std::size_t>(longest) - suffix - 1, " leave room for temporary files; choose a shorter one");
}

/// What the extension promises must be what is written.
void check_format(const FileUse& file) {
  const std::string extension = file_extension(file.path);
  const bool hdf5 = extension == ".h5" || extension == ".hdf5";
  const auto refuse = [&](const char* what, const char* names) {
    throw ConfigError(text(file.option, ": ", file.path, ": ", what, " and needs a name that ends in ", names));
  };
  NTKROB_CHECK(file.use == Use::writes_set || file.path.back() != '/', ConfigError, file.option, ": ", file.path,
               ": is a folder; give the name of a file");
  switch (file.use) {
    case Use::writes_set:
      check_dataset_name(file.path);
      break;
    case Use::writes_state:
      if (!hdf5 && extension != ".npz") refuse("is written as HDF5 or NPZ", ".h5, .hdf5 or .npz");
      break;
    case Use::keeps:
      if (!hdf5 && extension != ".npz" && extension != ".ckpt")
        refuse("a checkpoint is no file of another format", ".h5, .hdf5, .npz or .ckpt");
      break;
    case Use::writes_hdf5:
      if (!hdf5) refuse("is written as HDF5", ".h5 or .hdf5");
      break;
    case Use::writes_picture:
      if (extension != ".png") refuse("is a picture", ".png");
      break;
    case Use::writes_block:
      for (const char* other : {".h5", ".hdf5", ".npy", ".png", ".csv", ".json", ".html", ".idx", ".toml"})
        if (extension == other)
          refuse("bytes for a device are no such file",
                 ".hpp or .h (a header), .onnx, .npz (weights for PyTorch), or .nkd, .nkw");
      for (const char* other : {".pt", ".pth", ".safetensors"})
        if (extension == other) refuse("weights for PyTorch are written as NPZ", ".npz");
      break;
    case Use::writes_text:
      for (const char* other : {".h5", ".hdf5", ".npz", ".npy", ".png", ".onnx"})
        if (extension == other) refuse("is a text", ".json, .html, .csv or the like");
      break;
    default:
      break;
  }
}

}  // namespace

void check_open_files() {
  constexpr int kWanted = 24;
  std::vector<int> opened;
  int error = 0;
  while (static_cast<int>(opened.size()) < kWanted && error == 0) {
    const int one = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    one < 0 ? void(error = errno) : opened.push_back(one);
  }
  for (const int one : opened) ::close(one);
  NTKROB_CHECK(error != EMFILE && error != ENFILE, ResourceError, "this process may open only ", opened.size(),
               " more files, a command has up to ", kWanted,
               " open at once: raise the limit of open files (ulimit -n 256)");
}

void check_files(const std::vector<FileUse>& files, bool force, bool resume) {
  std::vector<Identity> identities;
  for (const FileUse& file : files) identities.push_back(identity_of(file.path));
  for (std::size_t b = 1; b < files.size(); ++b)
    for (std::size_t a = 0; a < b; ++a) compare(files[a], files[b], identities[a], identities[b]);
  for (const FileUse& file : files) {
    if (!writes(file)) continue;
    NTKROB_CHECK(file.path != "-", ConfigError, file.option,
                 " is -, and nothing is written to the standard output; "
                 "give the name of a file (./- is one)");
    check_length(file);
    check_format(file);
    if (file.use == Use::keeps) check_checkpoint_target(file.path);
    check_output(file.path, force || file.use == Use::keeps || (resume && file.goes_on));
  }
}

std::vector<std::unique_ptr<OutputLock>> lock_files(const std::vector<FileUse>& files) {
  std::vector<std::unique_ptr<OutputLock>> locks;
  for (const FileUse& file : files)
    if (writes(file)) locks.push_back(std::make_unique<OutputLock>(file.path));
  return locks;
}

}  // namespace ntkrob::jobs
