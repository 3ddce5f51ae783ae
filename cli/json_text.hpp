/// How the command writes JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "ntkrob/base/printable.hpp"
#include "ntkrob/base/utf8.hpp"
#include "ntkrob/jobs/report.hpp"

namespace ntkrob::cli {

inline nlohmann::ordered_json to_json(const jobs::Report& report) {
  using Json = nlohmann::ordered_json;
  return std::visit(
      [](const auto& value) -> Json {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return Json();
        } else if constexpr (std::is_same_v<T, jobs::Report::List>) {
          Json list = Json::array();
          for (const jobs::Report& item : value) list.push_back(to_json(item));
          return list;
        } else if constexpr (std::is_same_v<T, jobs::Report::Members>) {
          Json object = Json::object();
          for (const auto& [name, member] : value) object[name] = to_json(member);
          return object;
        } else {
          return Json(value);
        }
      },
      report.value());
}

/// Indented, with a line feed at the end. Names from files may be no UTF-8, which JSON cannot hold: such bytes become
/// U+FFFD. All characters that printable() escapes are written as \uNNNN, also those that JSON would allow and a
/// terminal or an editor obeys (DEL, C1, marks of direction): what reads the JSON gets the name as it is.
inline std::string json_text(const nlohmann::ordered_json& json) {
  const std::string raw = json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  static const char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(raw.size() + 1);
  for (std::size_t at = 0; at < raw.size();) {
    const auto byte = static_cast<unsigned char>(raw[at]);
    if (byte < 0x7F) {
      text += raw[at++];
      continue;
    }
    const std::size_t length = utf8_length(raw, at);  // dump() has left nothing else
    const std::string one = raw.substr(at, length);
    at += length;
    if (length == 4 || printable(one) == one) {
      text += one;
      continue;
    }
    const std::uint32_t code = code_point(one, 0, length);
    text += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) text += kDigits[code >> shift & 15];
  }
  return text + "\n";
}

inline std::string json_text(const jobs::Report& report) { return json_text(to_json(report)); }

}  // namespace ntkrob::cli
