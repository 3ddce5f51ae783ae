/// Files, groups, links and names: what is where, before anything is read.
#include <algorithm>
#include <cerrno>

#include "hdf5_file.hpp"
#include "input_file.hpp"
#include "shortage.hpp"

namespace ntkrob::io {
namespace {

std::mutex& library_mutex() {
  static std::mutex mutex;
  return mutex;
}

constexpr std::size_t kMaxMembers = 1 << 20;

/// What a reason of the library says of a file that a newer one wrote, or "the file is damaged".
std::string verdict(const std::string& reason) {
  if (reason.find("version") == std::string::npos) return "the file is damaged";
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return text("it was written by a newer HDF5 library than ", major, ".", minor, ".", release,
              ", or is damaged; rewrite it with h5py.File(name, 'w', libver='v110')");
}

/// Whether an error of the library's stack says that memory was not given to it.
bool says_no_memory() {
  bool found = false;
  const auto look = [](unsigned, const H5E_error2_t* error, void* out) -> herr_t {
    if (error->min_num == H5E_NOSPACE || error->min_num == H5E_CANTALLOC) *static_cast<bool*>(out) = true;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, look, &found);
  return found;
}

/// What failed for want of memory or open files is not called damaged.   throws: ResourceError
void check_shortage(const std::string& where, const std::string& what, const std::string& reason) {
  const std::string line = text(what, " (HDF5: ", reason, ")");
  for (const int error : {EMFILE, ENFILE, ENOMEM})
    if (reason.find(text("errno = ", error, ",")) != std::string::npos) fail_system(where, line, error);
  if (says_no_memory()) fail_memory(where, line);
  // Where zlib got none, the library calls the data bad.
  if (is_short_of_memory()) fail_memory(where, line + ", or the file is damaged");
}

template <class Names>
herr_t guarded_append(Names* names, const char* name) {
  // Exceptions must not cross the C library.
  try {
    names->emplace_back(name);
    return names->size() > kMaxMembers ? -1 : 0;
  } catch (...) {
    return -1;
  }
}

}  // namespace

void fail(const std::string& where, const std::string& what) {
  const std::string reason = hdf5_reason();
  check_shortage(where, what, reason);
  throw IoError(text(where, ": ", what, " (HDF5: ", reason, "); ", verdict(reason)));
}

Session::Session() : lock_(library_mutex()) {
  // No library is loaded because a file names a filter. The bits are those of the kinds of plugins.
  H5PLget_loading_state(&plugins_);
  H5PLset_loading_state(0);
  H5Eget_auto2(H5E_DEFAULT, &handler_, &handler_data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5Eclear2(H5E_DEFAULT);
}

Session::~Session() {
  H5PLset_loading_state(plugins_);
  H5Eset_auto2(H5E_DEFAULT, handler_, handler_data_);
}

std::string hdf5_reason() {
  std::string reason;
  const auto keep = [](unsigned n, const H5E_error2_t* error, void* out) -> herr_t {
    if (n == 0 && error->desc != nullptr) try {
        *static_cast<std::string*>(out) = error->desc;
      } catch (...) {
        return -1;
      }
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep, &reason);
  std::replace(reason.begin(), reason.end(), '\n', ' ');
  return reason.empty() ? "no reason given" : reason;
}

Handle open_to_read(const std::string& path) {
  const std::size_t n_bytes = InputFile(path).size();  // says why, when the file cannot be read at all
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (!file.valid()) {
    const std::string reason = hdf5_reason();
    check_shortage(path, "cannot be opened", reason);
    NTKROB_CHECK(
        reason.find("unable to lock file") == std::string::npos, IoError, path,
        ": is locked: another program is writing this file, or has not closed it; wait until it is done (on a file "
        "system without locks set HDF5_USE_FILE_LOCKING=FALSE in the environment)");
    const bool version = reason.find("version") != std::string::npos;
    throw IoError(text(path, ": not a readable HDF5 file (", n_bytes, " bytes; HDF5: ", reason, "); ",
                       version ? verdict(reason) : "it is damaged or cut off, get it again"));
  }
  return file;
}

std::vector<std::string> member_names(hid_t group, const std::string& where) {
  std::vector<std::string> names;
  const auto visit = [](hid_t, const char* name, const H5L_info_t*, void* out) {
    return guarded_append(static_cast<std::vector<std::string>*>(out), name);
  };
  // A file that was opened does not know how its root group was made (H5Fget_create_plist tells the defaults): the
  // group itself does.
  Handle root(H5Iget_type(group) == H5I_FILE ? H5Gopen2(group, "/", H5P_DEFAULT) : -1, H5Gclose);
  Handle properties(H5Gget_create_plist(root.valid() ? root : group), H5Pclose);
  unsigned order = 0;
  if (properties.valid()) H5Pget_link_creation_order(properties, &order);
  const H5_index_t by = (order & H5P_CRT_ORDER_INDEXED) != 0 ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
  if (H5Literate(group, by, H5_ITER_INC, nullptr, visit, &names) < 0) fail(where, "cannot list the members");
  return names;
}

std::vector<std::string> attribute_names(hid_t object, const std::string& where) {
  std::vector<std::string> names;
  const auto visit = [](hid_t, const char* name, const H5A_info_t*, void* out) {
    return guarded_append(static_cast<std::vector<std::string>*>(out), name);
  };
  // Where creation order is not tracked the library falls back to an error, then names decide.
  if (H5Aiterate2(object, H5_INDEX_CRT_ORDER, H5_ITER_INC, nullptr, visit, &names) >= 0) return names;
  names.clear();
  if (H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, visit, &names) < 0)
    fail(where, "cannot list the attributes");
  return names;
}

bool has_member(hid_t group, const std::string& name) {
  if (H5Lexists(group, name.c_str(), H5P_DEFAULT) <= 0) return false;
  H5L_info_t info;
  return H5Lget_info(group, name.c_str(), &info, H5P_DEFAULT) >= 0 && info.type == H5L_TYPE_HARD;
}

Handle open_member(hid_t group, const std::string& name, const std::string& where) {
  NTKROB_CHECK(has_member(group, name), IoError, where, ": absent, or a link to elsewhere (links are not followed)");
  Handle object(H5Oopen(group, name.c_str(), H5P_DEFAULT), H5Oclose);
  if (!object.valid()) fail(where, "cannot open");
  return object;
}

bool is_group(hid_t object) { return H5Iget_type(object) == H5I_GROUP; }

Handle find_inside(hid_t file, const std::string& path) {
  Handle access(H5Pcreate(H5P_LINK_ACCESS), H5Pclose);
  // Called where the way leads into another file; refusing makes the library give up.
  const auto refuse = [](const char*, const char*, const char*, const char*, unsigned*, hid_t, void*) -> herr_t {
    return -1;
  };
  if (!access.valid() || H5Pset_elink_cb(access, refuse, nullptr) < 0) fail(path, "cannot set how links are followed");
  Handle object(H5Oopen(file, path.c_str(), access), H5Oclose);
  H5Eclear2(H5E_DEFAULT);
  return object;
}

Handle open_inside(hid_t file, const std::string& path, const std::string& where) {
  Handle object = find_inside(file, path);
  NTKROB_CHECK(object.valid(), IoError, where, ": absent, or a link that leads nowhere in this file");
  return object;
}

bool is_external_link(hid_t group, const std::string& name) {
  H5L_info_t info;
  return H5Lget_info(group, name.c_str(), &info, H5P_DEFAULT) >= 0 && info.type != H5L_TYPE_HARD &&
         info.type != H5L_TYPE_SOFT;
}

std::string address_of(hid_t object) {
  H5O_info_t info;
#if H5_VERSION_GE(1, 12, 0)
  if (H5Oget_info(object, &info, H5O_INFO_BASIC) < 0) return "";
  return std::string(reinterpret_cast<const char*>(&info.token), sizeof info.token);
#else
  if (H5Oget_info(object, &info) < 0) return "";
  return std::to_string(info.addr);
#endif
}

}  // namespace ntkrob::io

namespace ntkrob {

void leave_hdf5_open_at_exit() { H5dont_atexit(); }

}  // namespace ntkrob
