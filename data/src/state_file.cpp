#include "state_file.hpp"

#include "input_file.hpp"
#include "ntkrob/data/format.hpp"

namespace ntkrob {
namespace io {

void check_schema(const std::string& found, const std::string& expected, const std::string& file) {
  const auto split = [](const std::string& schema) {
    const std::size_t slash = schema.rfind('/');
    std::pair<std::string, long> parts{schema.substr(0, slash), -1};
    if (slash != std::string::npos && slash + 1 < schema.size() && schema.size() - slash < 8 &&
        schema.find_first_not_of("0123456789", slash + 1) == std::string::npos)
      parts.second = std::stol(schema.substr(slash + 1));
    return parts;
  };
  const auto [found_kind, found_version] = split(found);
  const auto [kind, version] = split(expected);
  NTKROB_CHECK(found_kind == kind, IoError, file, ": is a file of kind ", found, ", expected ", expected);
  NTKROB_CHECK(found_version >= 1, IoError, file, ": ntkrob_schema is \"", found, "\", expected ", kind, "/<version>");
  NTKROB_CHECK(found_version <= version, IoError, file, ": has schema ", found, ", this library reads up to ", expected,
               "; use a newer ntkrob");
}

}  // namespace io

void save_state(const StateDict& state, const std::string& schema, const std::string& path, bool force) {
  if (io::ends_with(io::lower(path), ".npz"))
    io::save_state_npz(state, schema, path, force);
  else
    io::save_state_hdf5(state, schema, path, force);
}

StateDict load_state(const std::string& path, const std::string& schema, const StateLimits& limits) {
  const bool npz = io::is_file(path) && io::InputFile(path).head(4) == "PK\x03\x04";
  return npz ? io::load_state_npz(path, schema, limits) : io::load_state_hdf5(path, schema, limits);
}

}  // namespace ntkrob
