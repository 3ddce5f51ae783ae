/// How the command writes JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace ntkrob::cli {

/// Indented, with a line feed at the end. Names from files may be no UTF-8, which JSON cannot hold: such bytes become
/// U+FFFD.
inline std::string json_text(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace ntkrob::cli
