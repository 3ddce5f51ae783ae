#include <charconv>
#include <cstring>

#include "text_table.hpp"

namespace ntkrob::io {
namespace {

constexpr std::size_t kMaxLineBytes = std::size_t{1} << 26;
constexpr const char* kByteOrderMark = "\xef\xbb\xbf";

std::string_view trimmed(std::string_view field) {
  while (true) {
    while (!field.empty() && (field.front() == ' ' || field.front() == '\t')) field.remove_prefix(1);
    while (!field.empty() && (field.back() == ' ' || field.back() == '\t')) field.remove_suffix(1);
    const bool quoted =
        field.size() >= 2 && field.front() == field.back() && (field.front() == '"' || field.front() == '\'');
    if (!quoted) return field;
    field = field.substr(1, field.size() - 2);  // a loop: a line may be nothing but quotes
  }
}

}  // namespace

bool Lines::next(std::string& line) {
  line.clear();
  bool any = false;
  while (true) {
    if (at_ == filled_) {
      filled_ = stream_.read_some(buffer_.data(), buffer_.size());
      at_ = 0;
      if (filled_ == 0) break;
    }
    any = true;
    const char* begin = buffer_.data() + at_;
    const void* end = std::memchr(begin, '\n', filled_ - at_);
    const std::size_t length = end ? static_cast<std::size_t>(static_cast<const char*>(end) - begin) : filled_ - at_;
    line.append(begin, length);
    at_ += length + (end ? 1 : 0);
    NTKROB_CHECK(line.size() <= kMaxLineBytes, IoError, path(), ": line ", number_ + 1, ": longer than ", kMaxLineBytes,
                 " bytes; this is no table");
    if (end) break;
  }
  if (!any) return false;
  if (++number_ == 1 && line.compare(0, 3, kByteOrderMark) == 0) line.erase(0, 3);
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return true;
}

void split_fields(const std::string& line, char separator, std::vector<std::string_view>& fields,
                  std::string& scratch) {
  fields.clear();
  const auto full = [&] { return fields.size() > kMaxColumns; };
  std::string_view rest = line;
  if (separator == ' ') {
    while (!full()) {
      const std::size_t begin = rest.find_first_not_of(" \t");
      if (begin == std::string_view::npos) return;
      rest.remove_prefix(begin);
      const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
      fields.push_back(trimmed(rest.substr(0, end)));
      rest.remove_prefix(end);
    }
    return;
  }
  if (line.find('"') == std::string::npos && line.find('\'') == std::string::npos) {
    // Fields are a few characters long: looking at each is faster than a search for the next separator.
    const char *begin = line.data(), *const end = begin + line.size();
    for (const char* at = begin; at != end; ++at) {
      if (*at != separator) continue;
      fields.push_back(trimmed({begin, static_cast<std::size_t>(at - begin)}));
      begin = at + 1;
      if (full()) return;
    }
    fields.push_back(trimmed({begin, static_cast<std::size_t>(end - begin)}));
    return;
  }
  // A quote opens a field where nothing but blanks stands before it, and closes it before a separator.
  const char* blanks = separator == '\t' ? " " : " \t";
  scratch.clear();
  scratch.reserve(line.size());
  // Quotes from which no closing one was found: nobody looks from them again, or many open ones cost their square.
  std::vector<bool> passed;
  for (std::size_t at = 0; at <= line.size() && !full();) {
    const std::size_t first = line.find_first_not_of(blanks, at);
    std::size_t end = line.find(separator, at);
    if (first != std::string::npos && (line[first] == '"' || line[first] == '\'')) {
      const std::size_t opened = line.find(line[first], first + 1);
      std::size_t close = opened;
      const auto known = [&](std::size_t quote) { return !passed.empty() && passed[quote]; };
      while (close != std::string::npos) {  // a doubled quote is part of the text
        if (known(close)) close = std::string::npos;
        if (close == std::string::npos) break;
        const std::size_t after = line.find_first_not_of(blanks, close + 1);
        if (after == std::string::npos || line[after] == separator) break;
        close = line.find(line[first], close + (line[close + 1] == line[first] ? 2 : 1));
      }
      if (close != std::string::npos) end = line.find(separator, close);
      if (close == std::string::npos && opened != std::string::npos && passed.empty())
        passed.resize(line.size(), false);
      for (std::size_t quote = opened; close == std::string::npos && quote != std::string::npos && !known(quote);
           quote = line.find(line[first], quote + (line[quote + 1] == line[first] ? 2 : 1)))
        passed[quote] = true;
    }
    end = std::min(end, line.size());
    fields.push_back(trimmed(std::string_view(line).substr(at, end - at)));
    at = end + 1;
  }
}

bool parse_field(std::string_view field, double& value) {
  // Most numbers of most tables are whole and short.
  constexpr std::size_t kShort = 9;
  if (field.size() - 1 < kShort) {
    std::uint32_t whole = 0;
    bool digits = true;
    for (const char c : field) {
      const auto digit = static_cast<std::uint32_t>(static_cast<unsigned char>(c)) - '0';
      digits = digits && digit < 10;
      whole = whole * 10 + digit;
    }
    if (digits) {
      value = whole;
      return true;
    }
  }
  if (!field.empty() && field.front() == '+') field.remove_prefix(1);
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  return error == std::errc() && end == field.data() + field.size();
}

char separator_of(const std::string& line) {
  for (const char candidate : {',', ';', '\t'})
    if (line.find(candidate) != std::string::npos) return candidate;
  return ' ';
}

}  // namespace ntkrob::io
