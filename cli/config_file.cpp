#include "config_file.hpp"

#include <algorithm>
#include <sstream>

#include "ntkrob/base/error.hpp"
#include "ntkrob/base/printable.hpp"
#include "ntkrob/data/format.hpp"

namespace ntkrob::cli {

namespace {

constexpr std::size_t kEcho = 80;
const char* const kBlanks = " \t";

/// The value of a key as it is written: one, or a list.
struct Value {
  std::vector<std::string> items;
  bool list = false;
};

/// One line, read from the left.
class Line {
 public:
  Line(const std::string& text, std::string where) : text_(text), where_(std::move(where)) { skip(); }

  bool at_end() const { return at_ == text_.size() || text_[at_] == '#'; }
  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    skip();
    return true;
  }
  /// Letters, digits, "-", "_" and ".".
  std::string key() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '-' ||
                                  text_[at_] == '_' || text_[at_] == '.'))
      ++at_;
    const std::string key = text_.substr(begin, at_ - begin);
    skip();
    return key;
  }
  Value value() {
    Value value;
    value.list = take('[');
    if (!value.list) return value.items.push_back(item(false)), value;
    while (!take(']')) {
      value.items.push_back(item(true));
      if (take(']')) break;
      check(take(','), "a list needs \",\" between its items and \"]\" at its end, in the same line");
    }
    return value;
  }
  void check(bool good, const std::string& what) const {
    NTKROB_CHECK(good, ConfigError, where_, what, ": ", shortened_line(text_, kEcho));
  }
  const std::string& where() const { return where_; }

 private:
  void skip() { at_ = std::min(text_.find_first_not_of(kBlanks, at_), text_.size()); }

  std::string item(bool in_list) {
    check(!at_end(), "a value is missing; an empty one is \"\"");
    std::string item;
    const char quote = text_[at_];
    if (quote == '"' || quote == '\'') {
      for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
        if (quote == '"' && text_[at_] == '\\') {
          ++at_;
          item += escaped();
        } else {
          item += text_[at_];
        }
      }
      check(at_ < text_.size(), "a quotation mark is not closed in its line");
      ++at_;
    } else {
      const std::size_t end = std::min(text_.find_first_of(in_list ? " \t#,]" : " \t#", at_), text_.size());
      item = text_.substr(at_, end - at_);
      check(!item.empty(), "a value is missing; an empty one is \"\"");
      at_ = end;
    }
    skip();
    return item;
  }

  char escaped() const {
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    switch (c) {
      case '"':
      case '\\':
        return c;
      case 'n':
        return '\n';
      case 't':
        return '\t';
      default:
        check(false, "\"...\" knows the escapes \\\" \\\\ \\n \\t alone; '...' takes everything as it is");
        return c;
    }
  }

  const std::string& text_;
  std::string where_;
  std::size_t at_ = 0;
};

bool is_key(const Option& option) { return option.kind == Option::Kind::value || option.kind == Option::Kind::flag; }

Given given_by(const Option& option, Value value, const Line& line) {
  Given given{&option, {}, line.where()};
  const std::string& separator = option.joiner.empty() ? option.separator : option.joiner;
  if (option.kind == Option::Kind::flag) {
    line.check(!value.list && (value.items[0] == "true" || value.items[0] == "false"),
               option.name + " is a switch: true or false");
    given.values = std::move(value.items);
  } else if (!value.list || !option.joiner.empty()) {
    line.check(!value.items.empty(), option.name + ": the list is empty");
    given.values = std::move(value.items);
  } else {
    line.check(!separator.empty(), option.name + " takes one value, not a list");
    std::string joined;
    for (std::size_t k = 0; k < value.items.size(); ++k) {
      const std::string& item = value.items[k];
      int depth = 0;
      for (const char c : item) {
        depth += (c == '(') - (c == ')');
        line.check(depth > 0 || separator[0] != c,
                   option.name + ": an item of a list holds \"" + separator + "\", which separates items");
      }
      joined += (k == 0 ? "" : separator) + item;
    }
    given.values = {joined};
  }
  return given;
}

/// Why `key` cannot be set in a file, and what to write.
std::string no_key(const std::string& key, const std::string& command, const std::vector<const Option*>& options) {
  const std::string shown = "\"" + shortened_line(key, kEcho) + "\"",
                    bare = key.substr(std::min(key.find_first_not_of('-'), key.size()));
  if (bare == "help" || bare == "h" || bare == "version")
    return shown + " belongs on the command line alone: ntkrob " +
           (bare == "version" ? "--version" : command + " --help");
  std::vector<std::string> names;
  for (const Option* option : options) {
    if (option->name == key && !is_key(*option))
      return shown + " is an argument, which stands on the command line: ntkrob " + command + " " + key;
    if (!is_key(*option)) continue;
    names.push_back(option->name);
    if (bare == option->name || bare == option->short_name) return shown + " is written " + option->name + " in a file";
    if (option->kind == Option::Kind::flag && bare == "no-" + option->name)
      return shown + " is written " + option->name + " = false in a file";
  }
  return shown + " is no option of " + command + suggestion(key, names, "");
}

/// Keys and where they were seen first.
class Keys {
 public:
  void add(Given given, const Line& line) {
    for (const Given& other : all_)
      line.check(other.option != given.option, given.option->name + " is set twice, first in " + place(other));
    all_.push_back(std::move(given));
  }
  std::vector<Given> all_;

 private:
  static std::string place(const Given& given) { return given.where.substr(0, given.where.size() - 2); }
};

}  // namespace

std::vector<Given> read_config(const std::string& path, const std::string& command, const SectionOptions& sections) {
  NTKROB_CHECK(!path.empty(), ConfigError, "--config: the name of the file is empty");
  std::string content = read_small_text_file(path);
  if (content.compare(0, 3, "\xEF\xBB\xBF") == 0) content.erase(0, 3);
  std::string section = command;
  bool in_section = false;
  Keys general, own, others;
  std::istringstream lines(content);
  std::size_t number = 0;
  for (std::string text; std::getline(lines, text);) {
    if (!text.empty() && text.back() == '\r') text.pop_back();
    Line line(text, path + ":" + std::to_string(++number) + ": ");
    const auto control = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; };
    line.check(std::none_of(text.begin(), text.end(), control), "a control character is in this line");
    if (line.at_end()) continue;
    if (line.take('[')) {
      section = line.key();
      in_section = true;
      line.check(line.take(']') && line.at_end(), "a section is [subcommand], alone in its line");
      line.check(!sections(section).empty(),
                 "unknown section [" + shortened_line(section, kEcho) + "]; sections are names of subcommands");
      others = Keys();
      continue;
    }
    std::string key = line.key(), of = section;
    line.check(!key.empty() && line.take('='), "expected key = value, or [subcommand]");
    const bool dotted = !in_section && key.find('.') != std::string::npos;
    if (dotted) {
      of = key.substr(0, key.find('.'));
      key.erase(0, of.size() + 1);
      line.check(!sections(of).empty(),
                 "unknown section " + shortened_line(of, kEcho) + "; sections are names of subcommands");
    }
    const std::vector<const Option*> options = sections(of);
    const auto at = std::find_if(options.begin(), options.end(),
                                 [&](const Option* option) { return option->name == key && is_key(*option); });
    line.check(at != options.end(), no_key(key, of, options));
    line.check(key != "config", "a file of options cannot name another one");
    Given given = given_by(**at, line.value(), line);
    line.check(line.at_end(), "more than one value; put a value with blanks into quotation marks");
    if (in_section || dotted)
      (of == command ? own : others).add(std::move(given), line);
    else
      general.add(std::move(given), line);
  }
  for (Given& given : general.all_) {
    const auto same = [&](const Given& other) { return other.option == given.option; };
    if (std::none_of(own.all_.begin(), own.all_.end(), same)) own.all_.push_back(std::move(given));
  }
  return own.all_;
}

}  // namespace ntkrob::cli
