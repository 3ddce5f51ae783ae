#include "arguments.hpp"

#include <algorithm>

#include "ntkrob/base/error.hpp"
#include "ntkrob/base/printable.hpp"

namespace ntkrob::cli {

namespace {

constexpr std::size_t kEcho = 80;  // characters of a word in an error line

bool is_positional(const Option& option) {
  return option.kind == Option::Kind::positional || option.kind == Option::Kind::list;
}

/// A word as an option: which, and the value that is written in the same word.
struct Spelled {
  const Option* option = nullptr;
  bool negated = false, has_value = false, help = false;
  std::string value;
};

bool starts_with(const std::string& word, const std::string& prefix) {
  return word.compare(0, prefix.size(), prefix) == 0;
}

/// Of "--name=value" the name.
std::string long_name(const std::string& word) {
  const std::size_t equals = word.find('=');
  return word.substr(2, equals == std::string::npos ? std::string::npos : equals - 2);
}

class Reader {
 public:
  Reader(const std::vector<std::string>& words, const std::vector<const Option*>& options)
      : words_(words), options_(options) {
    for (const Option* option : options)
      if (is_positional(*option)) positionals_.push_back(option);
  }

  Arguments read() {
    bool only_positionals = false;
    for (at_ = 0; at_ < words_.size(); ++at_) {
      const std::string& word = words_[at_];
      if (!only_positionals && word == "--") {
        only_positionals = true;
      } else if (only_positionals || word.size() < 2 || word[0] != '-') {
        positional(word);
      } else {
        option(word);
      }
    }
    return std::move(result_);
  }

 private:
  void mistake(const std::string& line) {
    if (result_.mistake.empty()) result_.mistake = line;
  }

  /// option: null where the word is none that the subcommand knows.
  Spelled spelled(const std::string& word) const {
    Spelled s;
    if (word.size() < 2 || word[0] != '-') return s;
    if (starts_with(word, "--")) {
      const std::string name = long_name(word);
      s.has_value = word.size() > 2 + name.size();
      if (s.has_value) s.value = word.substr(3 + name.size());
      s.help = name == "help";
      for (const Option* option : options_) {
        if (is_positional(*option)) continue;
        if (name == option->name) s.option = option;
        if (option->kind == Option::Kind::flag && name == "no-" + option->name) s.option = option, s.negated = true;
      }
      return s;
    }
    s.help = word == "-h";
    for (const Option* option : options_)
      if (!is_positional(*option) && !option->short_name.empty() && word.compare(1, 1, option->short_name) == 0) {
        s.option = option;
        s.has_value = word.size() > 2;
        if (s.has_value) s.value = word.substr(word[2] == '=' ? 3 : 2);
      }
    return s;
  }

  Given& entry(const Option& option) {
    for (Given& given : result_.given)
      if (given.option == &option) return given;
    result_.given.push_back({&option, {}, ""});
    return result_.given.back();
  }

  void option(const std::string& word) {
    const Spelled s = spelled(word);
    if (s.help) {
      if (s.has_value) return mistake("--help takes no value");
      result_.help = true;
      return;
    }
    if (s.option == nullptr) {
      const std::string name = starts_with(word, "--") ? long_name(word) : word.substr(1);
      return mistake("unknown option " + std::string(starts_with(word, "--") ? "--" : "-") +
                     shortened_line(name, kEcho) + suggestion(name, option_names(options_), "--"));
    }
    const std::string name = "--" + s.option->name;
    Given& given = entry(*s.option);
    if (s.option->kind == Option::Kind::flag) {
      if (s.has_value)
        return mistake(name + " is a switch and takes no value, \"" + shortened_line(s.value, kEcho) +
                       "\" was given; write " + name + " or --no-" + s.option->name);
      const std::string value = s.negated ? "false" : "true";
      if (!given.values.empty() && given.values.front() != value)
        return mistake(name + " and --no-" + s.option->name + " are both given; give one of them");
      given.values = {value};
      return;
    }
    if (!given.values.empty() && s.option->joiner.empty())
      mistake(name + " is given twice; it takes one value, give it once");
    if (s.has_value) {
      given.values.push_back(s.value);
      return;
    }
    if (at_ + 1 == words_.size()) return mistake(name + " needs a value");
    const std::string& next = words_[at_ + 1];
    const Spelled other = spelled(next);
    if (other.option != nullptr || other.help || next == "--")
      return mistake(name + " needs a value, but the option " + shortened_line(next, kEcho) + " follows; write " +
                     name + "=... where the value looks like one");
    given.values.push_back(next);
    ++at_;
  }

  void positional(const std::string& word) {
    if (positionals_.empty()) return mistake("unexpected argument \"" + shortened_line(word, kEcho) + "\"");
    entry(*positionals_.front()).values.push_back(word);
    if (positionals_.front()->kind == Option::Kind::positional) positionals_.erase(positionals_.begin());
  }

  const std::vector<std::string>& words_;
  const std::vector<const Option*>& options_;
  std::vector<const Option*> positionals_;  // those that are not filled yet
  std::size_t at_ = 0;
  Arguments result_;
};

/// Edit distance of Levenshtein, to suggest a name.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

/// Whatever was not cut where it was said: a run without blanks that is longer than names are, but for the marks at its
/// end.
std::string without_long_runs(const std::string& line, std::size_t longest) {
  std::string out;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    std::string run = line.substr(at, end - at), marks;
    if (run.size() > longest) {
      const std::size_t last = run.find_last_not_of(":;,.)\"");
      if (last != std::string::npos && last + 1 < run.size() && run.size() - last < 5) {
        marks = run.substr(last + 1);
        run.resize(last + 1);
      }
      run = shortened_line(run, longest);
    }
    out += run + marks;
    if (end < line.size()) out += ' ';
    at = end + 1;
  }
  return out;
}

}  // namespace

const Given* Arguments::find(const std::string& name) const {
  for (const Given& one : given)
    if (one.option->name == name) return &one;
  return nullptr;
}

Arguments read_words(const std::vector<std::string>& words, const std::vector<const Option*>& options) {
  return Reader(words, options).read();
}

void set_options(const std::vector<Given>& given, const std::vector<const Option*>& options) {
  for (const Option* option : options) {
    const bool there = std::any_of(given.begin(), given.end(), [&](const Given& g) { return g.option == option; });
    NTKROB_CHECK(there || !option->required, ConfigError, is_positional(*option) ? "" : "--", option->name,
                 " is required");
  }
  for (const Given& one : given) {
    std::vector<std::string> values = one.values;
    if (!one.option->joiner.empty()) {
      std::string joined;
      for (std::size_t k = 0; k < values.size(); ++k) joined += (k == 0 ? "" : one.option->joiner) + values[k];
      values = {joined};
    }
    try {
      one.option->set(values);
    } catch (const ConfigError& error) {
      throw ConfigError(one.where + error.marked());
    }
  }
}

std::string suggestion(const std::string& typed, const std::vector<std::string>& names, const std::string& dashes) {
  constexpr std::size_t kLongest = 64;  // of a name that may be meant
  if (typed.size() > kLongest) return "";
  const auto better = [&](const std::string& a, const std::string& b) {
    return distance(typed, a) < distance(typed, b);
  };
  const auto best = std::min_element(names.begin(), names.end(), better);
  if (best == names.end() || distance(typed, *best) > 1 + typed.size() / 4) return "";
  return "; did you mean " + dashes + *best + "?";
}

std::vector<std::string> option_names(const std::vector<const Option*>& options) {
  std::vector<std::string> names{"help"};
  for (const Option* option : options)
    if (!is_positional(*option)) names.push_back(option->name);
  return names;
}

std::string readable_error(const std::string& message, const std::vector<std::string>& words) {
  constexpr std::size_t kLong = 200, kHead = 700, kTail = 300;
  std::string line = message;
  const auto tidy = [&](const std::string& word) {
    if (word.size() <= kLong && word.find('\n') == std::string::npos) return;
    const std::string shown = shortened_line(word, word.size() > kLong ? kEcho : kLong);
    // Error has made it printable already, but for line feeds.
    replace_all(line, printable(word), shown);
  };
  for (const std::string& word : words) {
    if (word.empty()) continue;
    if (const std::size_t equals = word.find('='); word[0] == '-' && equals != std::string::npos)
      tidy(word.substr(equals + 1));
    tidy(word);
    if (const std::size_t slash = word.rfind('/'); slash != std::string::npos) tidy(word.substr(slash + 1));
  }
  line = without_long_runs(line, kLong);
  if (line.size() <= kHead + kTail) return line;
  const auto continues = [&](std::size_t at) { return (static_cast<unsigned char>(line[at]) & 0xC0) == 0x80; };
  std::size_t head = kHead, tail = line.size() - kTail;
  while (head > 0 && continues(head)) --head;
  while (tail < line.size() && continues(tail)) ++tail;
  return line.substr(0, head) + " [...] " + line.substr(tail);
}

bool writes_file(const Option& option) {
  const Use use = use_of(option);
  return use != Use::none && use != Use::reads;
}

std::vector<FileUse> files_of(const std::vector<Given>& given) {
  std::vector<FileUse> files;
  for (const Given& one : given) {
    const Option& option = *one.option;
    const bool positional = option.kind == Option::Kind::positional || option.kind == Option::Kind::list;
    const Use use = use_of(option);
    for (const std::string& value : one.values)
      NTKROB_CHECK(!value.empty() || !option.required || use == Use::none, ConfigError,
                   positional ? option.name : "--" + option.name, ": the name of the file is empty");
    for (const std::string& value : one.values)
      if (use != Use::none && !value.empty())
        files.push_back({positional ? option.name : "--" + option.name, value, use, option.name == "log"});
  }
  return files;
}

}  // namespace ntkrob::cli
