#include "ntkrob/base/spec_text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace ntkrob {
namespace {

// The functions of <cctype> depend on the locale; the grammar is ASCII.
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// Recursive descent over the text; every function consumes what it names and the white space after it.
class Parser {
 public:
  explicit Parser(const std::string& text, std::size_t at = 0, int depth = 0) : text_(text), at_(at), depth_(depth) {}

  std::vector<SpecItem> spec() {
    skip_space();
    std::vector<SpecItem> items = joined();
    if (at_ < text_.size()) fail("unexpected " + found());
    return items;
  }

  /// Specs between "|", up to the end of an argument.
  std::vector<std::vector<SpecItem>> branches() {
    if (depth_ == kMaxSpecDepth) fail(ntkrob::text("specs are nested more than ", kMaxSpecDepth, " deep"));
    ++depth_;
    std::vector<std::vector<SpecItem>> result;
    do {
      result.push_back(at_branch_end() ? std::vector<SpecItem>() : joined());
    } while (accept('|'));
    --depth_;
    if (!at_branch_end()) fail("unexpected " + found());
    return result;
  }

 private:
  std::vector<SpecItem> joined() {
    std::vector<SpecItem> items;
    items.push_back(item());
    while (accept('-')) items.push_back(item());
    return items;
  }

  SpecItem item() {
    SpecItem result;
    result.position = at_;
    result.name = name("name");
    if (accept(':')) result.suffix = value(depth_ == 0);
    if (accept('(')) {
      do {
        result.arguments.push_back(argument(result));
      } while (accept(','));
      if (!accept(')')) fail("expected \",\" or \")\", found " + found());
    }
    return result;
  }

  SpecArgument argument(const SpecItem& owner) {
    SpecArgument result;
    // Whether a word is a key shows only at the "=" behind it.
    const std::size_t begin = at_;
    if (at_ < text_.size() && is_letter(text_[at_])) {
      result.key = name("argument");
      if (!accept('=')) {
        result.key.clear();
        at_ = begin;
      }
    }
    for (const SpecArgument& other : owner.arguments)
      if (!result.key.empty() && other.key == result.key)
        spec_error(text_, begin, "argument \"" + result.key + "\" of \"" + owner.name + "\" is given twice,");
    result.position = at_;
    const bool word = at_ < text_.size() && is_letter(text_[at_]);
    if (!next_is('|')) result.value = value(false);
    if (next_is('|') || (word && (next_is('(') || continues_spec()))) {
      at_ = result.position;
      branches();
      std::size_t end = at_;
      while (end > result.position && is_space(text_[end - 1])) --end;
      result.value = text_.substr(result.position, end - result.position);
    }
    return result;
  }

  /// At a "-" between two items; a digit behind it is a number gone wrong, better reported as such.
  bool continues_spec() const {
    if (!next_is('-')) return false;
    std::size_t after = at_ + 1;
    while (after < text_.size() && is_space(text_[after])) ++after;
    return after < text_.size() && is_letter(text_[after]);
  }

  bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool at_branch_end() const { return at_ == text_.size() || next_is('|') || next_is(')') || next_is(','); }

  std::string name(const char* what) {
    const std::size_t begin = at_;
    if (at_ == text_.size() || !is_letter(text_[at_])) fail("expected a " + std::string(what) + ", found " + found());
    while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]) || text_[at_] == '_')) ++at_;
    return finish(begin);
  }

  std::string value(bool commas) {
    const std::size_t begin = at_;
    while (at_ < text_.size() && belongs_to_value(begin, commas)) ++at_;
    if (at_ == begin) fail("expected a value, found " + found());
    return finish(begin);
  }

  bool belongs_to_value(std::size_t begin, bool commas) const {
    const char c = text_[at_];
    if (c == ',') return commas;
    if (c == '-') return minus_is_sign(begin) || minus_is_in_exponent(begin);
    return c != '(' && c != ')' && c != '=' && c != '|' && !is_space(c);
  }

  bool minus_is_sign(std::size_t begin) const {
    const char after = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    const bool starts_number = at_ == begin || text_[at_ - 1] == ',' || text_[at_ - 1] == '/';
    return starts_number && (is_digit(after) || after == '.');
  }

  bool minus_is_in_exponent(std::size_t begin) const {
    if (at_ < begin + 2 || at_ + 1 >= text_.size()) return false;
    const char e = text_[at_ - 1], before = text_[at_ - 2];
    if ((e != 'e' && e != 'E') || !(is_digit(before) || before == '.') || !is_digit(text_[at_ + 1])) return false;
    // "2e-1" is a number, but the "-" in "a2e-1" is not part of one.
    std::size_t start = at_ - 1;
    while (start > begin && (is_digit(text_[start - 1]) || text_[start - 1] == '.')) --start;
    return start == begin || !(is_letter(text_[start - 1]) || text_[start - 1] == '_');
  }

  std::string finish(std::size_t begin) {
    std::string result = text_.substr(begin, at_ - begin);
    skip_space();
    return result;
  }

  bool accept(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    skip_space();
    return true;
  }

  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  std::string found() const { return at_ == text_.size() ? "the end" : "\"" + text_.substr(at_, 1) + "\""; }
  [[noreturn]] void fail(const std::string& message) const { spec_error(text_, at_, message); }

  const std::string& text_;
  std::size_t at_;
  int depth_;  // of the specs around the one that is read
};

/// A plain decimal number that uses up [begin, end).
bool read_decimal(const char* begin, const char* end, double* value) {
  const std::from_chars_result result = std::from_chars(begin, end, *value);
  return result.ec == std::errc() && result.ptr == end && std::isfinite(*value);
}

}  // namespace

std::vector<SpecItem> parse_spec(const std::string& text) { return Parser(text).spec(); }

std::vector<std::vector<SpecItem>> parse_branches(const std::string& text, const SpecArgument& argument) {
  return Parser(text, argument.position).branches();
}

void spec_error(const std::string& text, std::size_t position, const std::string& message) {
  constexpr std::size_t kBefore = 60, kShown = 120;
  // A long spec is shown around the place; names in the message are cut, too.
  const std::size_t begin = text.size() <= kShown ? 0 : position - std::min(position, kBefore);
  throw ConfigError(ntkrob::text(shortened_line(message, 1000), " at position ", position + 1, " in \"",
                                 begin > 0 ? "\u2026" : "", shortened_line(text.substr(begin), kShown), "\""));
}

namespace {

/// A name alone is an option; a longer text says where a number stands.
std::string named(const std::string& what) { return what.find(' ') == std::string::npos ? text(field(what)) : what; }

}  // namespace

std::vector<std::string> split_list(const std::string& list, const std::string& what, char separator) {
  const auto refuse = [&](const std::string& fault) {
    throw ConfigError(text(field(what), " is \"", given(shortened_line(list, 120)), "\": ", fault));
  };
  std::vector<std::string> items(1);
  int depth = 0;
  for (const char c : list) {
    depth += (c == '(') - (c == ')');
    if (depth < 0) refuse("a \")\" without \"(\"");
    if (c == separator && depth == 0)
      items.emplace_back();
    else
      items.back() += c;
  }
  if (depth != 0) refuse("a \"(\" without \")\"");
  for (std::string& item : items) {
    const auto first = std::find_if_not(item.begin(), item.end(), is_space);
    const auto last = std::find_if_not(item.rbegin(), item.rend(), is_space).base();
    if (first == item.end()) refuse(text("an item between two \"", separator, "\" is empty"));
    item = std::string(first, last);
  }
  return items;
}

double parse_number(const std::string& text, const std::string& what) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const std::size_t slash = text.find('/');
  const char* const middle = slash == std::string::npos ? end : begin + slash;
  double value = 0, divisor = 1;
  const bool readable =
      read_decimal(begin, middle, &value) && (middle == end || read_decimal(middle + 1, end, &divisor));
  NTKROB_CHECK(readable, ConfigError, named(what), " is \"", given(shortened_line(text, 60)),
               "\", must be a finite number such as 0.03, 1e-3 or 8/255");
  NTKROB_CHECK(divisor != 0 && std::isfinite(value / divisor), ConfigError, named(what), " is \"",
               given(shortened_line(text, 60)), "\", the fraction is not finite");
  return value / divisor;
}

index parse_integer(const std::string& text, const std::string& what, index low, index high) {
  index value = 0;
  const char* const end = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), end, value);
  const bool whole = result.ec == std::errc() && result.ptr == end;
  NTKROB_CHECK(whole && value >= low && value <= high, ConfigError, named(what), " is \"",
               given(shortened_line(text, 60)), "\", must be a whole number in [", low, ", ", high, "]");
  return value;
}

std::string format_number(double value) {
  char buffer[32];
  const std::to_chars_result result = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, result.ptr);
}

}  // namespace ntkrob
