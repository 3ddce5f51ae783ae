/// The parser: builds the CLI11 command tree from the option sets, reads --config, reports mistakes in one line.
/// The only file that knows CLI11.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>

#include "command.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob::cli {

namespace {

struct Row {
  const char* name;
  const char* summary;
  Command (*make)();
};

const Row kRows[] = {
#define NTKROB_COMMAND(name, summary) {#name, summary, &make_##name},
#include "commands.def"
#undef NTKROB_COMMAND
};

constexpr int kHelpColumn = 34;

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

std::string suggestion(const std::string& typed, const std::vector<std::string>& names, const std::string& dashes) {
  const auto better = [&](const std::string& a, const std::string& b) {
    return distance(typed, a) < distance(typed, b);
  };
  const auto best = std::min_element(names.begin(), names.end(), better);
  if (best == names.end() || distance(typed, *best) > 1 + typed.size() / 4) return "";
  return "; did you mean " + dashes + *best + "?";
}

std::vector<std::string> option_names(const OptionSet& set) {
  std::vector<std::string> names{"help"};
  for (const Option& option : set.all())
    if (option.kind == Option::Kind::value || option.kind == Option::Kind::flag) names.push_back(option.name);
  return names;
}

[[noreturn]] void unknown_option(const std::string& argument, const OptionSet& set, const std::string& who) {
  if (argument.rfind("--", 0) == 0) {
    const std::string name =
        argument.substr(2, argument.find('=') == std::string::npos ? std::string::npos : argument.find('=') - 2);
    throw ConfigError("unknown option --" + name + suggestion(name, option_names(set), "--") + " (see " + who +
                      " --help)");
  }
  throw ConfigError("unexpected argument \"" + argument + "\" (see " + who + " --help)");
}

/// Default shown in the help: " NUMBER=0.1".
std::string value_help(const Option& option) {
  const std::string value = option.get();
  return option.type + (option.required ? " (required)" : value.empty() ? "" : "=" + value);
}

/// CLI11's layout, except that a flag shows only the form that changes something.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    const auto flag = flags.find(option);
    return flag == flags.end() ? CLI::Formatter::make_option_name(option, is_positional) : flag->second;
  }
  std::map<const CLI::Option*, std::string> flags;
};

void declare(CLI::App& app, HelpFormatter& formatter, const Option& option, const std::string& group) {
  CLI::Option* added = nullptr;
  const auto set = option.set;
  switch (option.kind) {
    case Option::Kind::flag:
      added = app.add_flag_function(
          "--" + option.name + ",!--no-" + option.name,
          [set](std::int64_t count) { set({count > 0 ? "true" : "false"}); }, option.help);
      formatter.flags[added] = (option.get() == "true" ? "--[no-]" : "--") + option.name;
      added->option_text(option.get() == "true" ? "(on)" : " ");
      break;
    case Option::Kind::list:
      added = app.add_option_function<std::vector<std::string>>(option.name, set, option.help);
      added->option_text(" ");
      break;
    default: {
      const bool positional = option.kind == Option::Kind::positional;
      const std::string dash = option.short_name.empty() ? "" : "-" + option.short_name + ",";
      if (!option.joiner.empty()) {
        const std::string joiner = option.joiner;
        added = app.add_option_function<std::vector<std::string>>(
            dash + "--" + option.name,
            [set, joiner](const std::vector<std::string>& values) { set({CLI::detail::join(values, joiner)}); },
            option.help);
        added->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->option_text(value_help(option));
        break;
      }
      added = app.add_option_function<std::string>(
          positional ? option.name : dash + "--" + option.name, [set](const std::string& value) { set({value}); },
          option.help);
      added->option_text(positional ? " " : value_help(option));
    }
  }
  added->required(option.required);
  if (added->nonpositional()) added->group(group);
}

/// Config file: `key = value` lines; keys outside of a section, or in the section [subcommand], are options of the
/// subcommand that runs. Returns them as arguments, without those that were typed.
std::vector<std::string> config_arguments(const std::string& path, const std::string& command, const OptionSet& own,
                                          const OptionSet& global, const std::vector<std::string>& typed) {
  std::ifstream file(path);
  NTKROB_CHECK(file.good(), IoError, "cannot read ", path, ", named by --config");
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_config(file);
  } catch (const CLI::Error& error) {
    throw ConfigError(path + ": " + error.what());
  }
  std::vector<std::string> arguments;
  for (const CLI::ConfigItem& item : items) {
    if (item.name == "++" || item.name == "--") continue;  // CLI11's marks of sections
    if (!item.parents.empty()) {
      const std::string& section = item.parents.front();
      const bool known =
          std::any_of(std::begin(kRows), std::end(kRows), [&](const Row& r) { return section == r.name; });
      NTKROB_CHECK(known, ConfigError, path, ": unknown section [", section, "]; sections are names of subcommands");
      if (section != command) continue;
    }
    const Option* option = own.find(item.name) != nullptr ? own.find(item.name) : global.find(item.name);
    if (option == nullptr || option->kind == Option::Kind::list || option->kind == Option::Kind::positional) {
      std::vector<std::string> names = option_names(own);
      for (const std::string& name : option_names(global)) names.push_back(name);
      throw ConfigError(path + ": \"" + item.name + "\" is no option of " + command + suggestion(item.name, names, ""));
    }
    NTKROB_CHECK(item.inputs.size() == 1, ConfigError, path, ": ", item.name, " needs exactly one value, found ",
                 item.inputs.size());
    const auto is_typed = [&](const std::string& argument) {
      const std::string name = argument.substr(0, argument.find('='));
      return name == "--" + option->name || name == "--no-" + option->name ||
             (!option->short_name.empty() && argument.rfind("-" + option->short_name, 0) == 0);
    };
    if (std::none_of(typed.begin(), typed.end(), is_typed))
      arguments.push_back("--" + option->name + "=" + item.inputs.front());
  }
  return arguments;
}

/// The value of --config among the arguments, or empty.
std::string config_path(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].rfind("--config=", 0) == 0) return arguments[i].substr(9);
    if (arguments[i] == "--config" && i + 1 < arguments.size()) return arguments[i + 1];
  }
  return "";
}

std::string footer(const std::string& name, const Command& command) {
  std::string text = "Examples:\n";
  for (const std::string& example : command.examples) text += "  " + example + "\n";
  if (command.notes) text += "\n" + command.notes();
  if (name == "robustify" || name == "train")
    text += "\nExit codes: 0 ok, 2 usage, 3 bad input file, 4 numerical failure, 5 resource, 130 interrupted";
  return text;
}

std::string top_footer() {
  return "Every subcommand has --help with examples.\n\n"
         "First steps:\n"
         "  ntkrob demo --out demo                                  everything once, in a few minutes\n"
         "  ntkrob synth strokes --train 6000 --test 1000 -o strokes.h5\n"
         "  ntkrob robustify strokes.h5 --n 300 --eps 0.1 -o robust.h5\n"
         "  ntkrob train robust.h5 --model mlp:256,128 -o net.h5\n"
         "  ntkrob evaluate net.h5 --data strokes.h5 --eps 0.1 --attacks clean,fgsm,pgd-40\n\n"
         "Options may stand in a file (--config run.toml), those on the command line win; a section holds for one "
         "subcommand:\n"
         "  seed = 1\n"
         "  [robustify]\n"
         "  eps = 8/255\n"
         "  steps = 500\n\n"
         "Exit codes: 0 ok, 2 usage or configuration, 3 bad input file, 4 numerical failure, 5 resource (memory, "
         "disk,\n"
         "device), 130 interrupted";
}

/// The library's messages start with the name of a field ("eps is -1, ..."): make that the option the user typed.
std::string with_dashes(const std::string& message, const OptionSet& set) {
  const std::string word = message.substr(0, message.find_first_of(" :"));
  const Option* option = set.find(word);
  return option != nullptr && option->kind != Option::Kind::positional && option->kind != Option::Kind::list
             ? "--" + message
             : message;
}

int run_command(const Row& row, const std::vector<std::string>& typed, const std::string& who) {
  Session session;
  session.arguments = typed;
  OptionSet globals;
  visit_globals(session.globals, globals.bind());
  const Command command = row.make();

  CLI::App app(row.summary, who);
  const auto formatter = std::make_shared<HelpFormatter>();
  formatter->column_width(kHelpColumn);
  formatter->label("Positionals", "Arguments");
  app.formatter(formatter);
  app.footer([&] { return footer(row.name, command); });
  for (const Option& option : command.options.all())
    declare(app, *formatter, option, option.group.empty() ? "Options" : option.group);
  for (const Option& option : globals.all())
    if (command.options.find(option.name) == nullptr) declare(app, *formatter, option, "Global options");

  std::vector<std::string> arguments(typed.begin() + 1, typed.end());
  const std::string config = config_path(arguments);
  if (!config.empty()) {
    const auto extra = config_arguments(config, row.name, command.options, globals, arguments);
    arguments.insert(arguments.begin(), extra.begin(), extra.end());
  }
  std::reverse(arguments.begin(), arguments.end());  // CLI11's order
  try {
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return 0;
  } catch (const CLI::ExtrasError&) {
    OptionSet all = command.options;
    visit_globals(session.globals, all.bind());
    unknown_option(app.remaining().front(), all, who);
  } catch (const CLI::ParseError& error) {
    throw ConfigError(std::string(error.what()) + " (see " + who + " --help)");
  }
  session.console.set_quiet(session.globals.quiet);
  try {
    command.run(session);
  } catch (const ShapeError&) {
    throw;
  } catch (const ConfigError& error) {
    throw ConfigError(with_dashes(error.what(), command.options));
  }
  if (session.globals.explain) std::cout << session.account_text();
  return 0;
}

}  // namespace

std::string list_text(const std::string& heading, const std::vector<std::string>& lines) {
  std::string text = heading + "\n";
  for (const std::string& line : lines) text += "  " + line + "\n";
  return text;
}

std::string list_text(const std::string& heading, const std::vector<std::pair<std::string, std::string>>& lines) {
  std::size_t width = 0;
  for (const auto& [name, description] : lines) width = std::max(width, name.size());
  std::vector<std::string> joined;
  for (const auto& [name, description] : lines)
    joined.push_back(name + std::string(width - name.size() + 2, ' ') + description);
  return list_text(heading, joined);
}

int dispatch(int argc, const char* const* argv, std::string& who) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  std::vector<std::string> names;
  for (const Row& row : kRows) names.push_back(row.name);
  NTKROB_CHECK(!arguments.empty(), ConfigError, "which subcommand? One of ", CLI::detail::join(names, ", "),
               " (see ntkrob --help)");
  const std::string& first = arguments.front();
  if (first == "--version") {
    std::cout << "ntkrob " << kVersion << "\n";
    return 0;
  }
  if (first == "--help" || first == "-h" || first == "help") {
    CLI::App app(
        "ntkrob makes data sets robust by neural tangent kernels, trains nets on them, and attacks the result.",
        "ntkrob");
    app.get_formatter()->column_width(14);
    for (const Row& row : kRows) app.add_subcommand(row.name, row.summary);
    app.add_flag("--version", "print the version");
    app.footer(top_footer());
    std::cout << app.help();
    return 0;
  }
  for (const Row& row : kRows)
    if (first == row.name) {
      who = "ntkrob " + first;
      return run_command(row, arguments, who);
    }
  throw ConfigError("unknown subcommand \"" + first + "\"" + suggestion(first, names, "") + " (one of " +
                    CLI::detail::join(names, ", ") + ")");
}

}  // namespace ntkrob::cli
