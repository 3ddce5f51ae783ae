/// The parser: from the words of the command line and of --config to a subcommand that runs; help texts.
/// The only file that knows CLI11, which lays out the help.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>

#include "arguments.hpp"
#include "command.hpp"
#include "config_file.hpp"
#include "ntkrob/base/printable.hpp"
#include "ntkrob/base/spec_text.hpp"
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

/// For the help alone: arguments.hpp reads the words.
void declare(CLI::App& app, HelpFormatter& formatter, const Option& option, const std::string& group) {
  CLI::Option* added = nullptr;
  const auto ignore = [](const std::string&) {};
  switch (option.kind) {
    case Option::Kind::flag:
      added = app.add_flag_function(
          "--" + option.name + ",!--no-" + option.name, [](std::int64_t) {}, option.help);
      formatter.flags[added] = (option.get() == "true" ? "--[no-]" : "--") + option.name;
      added->option_text(option.get() == "true" ? "(on)" : " ");
      break;
    case Option::Kind::list:
      added = app.add_option_function<std::vector<std::string>>(
          option.name, [](const std::vector<std::string>&) {}, option.help);
      added->option_text(" ");
      break;
    default: {
      const bool positional = option.kind == Option::Kind::positional;
      const std::string dash = option.short_name.empty() ? "" : "-" + option.short_name + ",";
      added = app.add_option_function<std::string>(positional ? option.name : dash + "--" + option.name, ignore,
                                                   option.help);
      added->option_text(positional ? " " : value_help(option));
    }
  }
  added->required(option.required);
  if (added->nonpositional()) added->group(group);
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
         "subcommand\nand wins over what stands before the first one; options of several values take lists:\n"
         "  seed = 1\n"
         "  [robustify]\n"
         "  eps = 8/255\n"
         "  kernel = [\"fc:1\", \"fc:3\"]\n\n"
         "A value is the next word or stands behind \"=\" (--log=run.csv), a switch takes none (--force, --no-force), "
         "and behind\n\"--\" nothing is an option.\n\n"
         "Exit codes: 0 ok, 2 usage or configuration, 3 bad input file, 4 numerical failure, 5 resource (memory, "
         "disk,\n"
         "device), 130 interrupted";
}

/// The options of a subcommand and the global ones behind them.
std::vector<const Option*> all_options(const Command& command, const OptionSet& globals) {
  std::vector<const Option*> all;
  for (const Option& option : command.options.all()) all.push_back(&option);
  for (const Option& option : globals.all())
    if (command.options.find(option.name) == nullptr) all.push_back(&option);
  return all;
}

std::string help_text(const Row& row, const Command& command, const OptionSet& globals, const std::string& who) {
  CLI::App app(row.summary, who);
  const auto formatter = std::make_shared<HelpFormatter>();
  formatter->column_width(kHelpColumn);
  formatter->label("Positionals", "Arguments");
  app.formatter(formatter);
  app.footer([&] { return footer(row.name, command); });
  for (const Option& option : command.options.all())
    if (option.not_here.empty()) declare(app, *formatter, option, option.group.empty() ? "Options" : option.group);
  for (const Option& option : globals.all())
    if (command.options.find(option.name) == nullptr) declare(app, *formatter, option, "Global options");
  return app.help();
}

/// What --config names, without what was typed.
std::vector<Given> from_config(const Arguments& typed, const Row& row, const std::vector<const Option*>& own) {
  const Given* config = typed.find("config");
  if (config == nullptr) return {};
  struct Other {
    Session session;
    OptionSet globals;
    Command command;
  };
  std::map<std::string, std::unique_ptr<Other>> others;  // whose options are looked up
  const auto sections = [&](const std::string& section) -> std::vector<const Option*> {
    if (section == row.name) return own;
    for (const Row& other : kRows) {
      if (section != other.name) continue;
      std::unique_ptr<Other>& made = others[section];
      if (!made) {
        made = std::make_unique<Other>();
        visit_globals(made->session.settings, made->session.globals, made->globals.bind());
        made->command = other.make();
      }
      return all_options(made->command, made->globals);
    }
    return {};
  };
  std::vector<Given> extra = read_config(config->values.front(), row.name, sections);
  const auto is_typed = [&](const Given& given) { return typed.find(given.option->name) != nullptr; };
  extra.erase(std::remove_if(extra.begin(), extra.end(), is_typed), extra.end());
  return extra;
}

int run_command(const Row& row, const std::vector<std::string>& typed, Speaker& speaker) {
  const std::string& who = speaker.who;
  Session session;
  session.arguments = typed;
  OptionSet globals;
  visit_globals(session.settings, session.globals, globals.bind());
  Command command = row.make();
  const std::vector<const Option*> options = all_options(command, globals);

  for (const Option* option : options)
    if (option->kind != Option::Kind::positional && option->kind != Option::Kind::list)
      speaker.options.push_back(option->name);

  Arguments arguments = read_words({typed.begin() + 1, typed.end()}, options);
  const std::string remedy = " (see " + who + " --help)";
  try {
    if (!arguments.help) {
      NTKROB_CHECK(arguments.mistake.empty(), ConfigError, arguments.mistake);
      for (Given& given : from_config(arguments, row, options)) {
        speaker.words.insert(speaker.words.end(), given.values.begin(), given.values.end());
        arguments.given.push_back(std::move(given));
      }
    }
    if (command.choose && command.choose(command.options, arguments)) return 0;
    if (arguments.help) {
      std::cout << help_text(row, command, globals, who);
      return 0;
    }
    for (const Given& given : arguments.given)
      NTKROB_CHECK(given.option->not_here.empty(), ConfigError, given.where, field(given.option->name), " ",
                   given.option->not_here);
    set_options(arguments.given, options);
  } catch (const ConfigError& error) {
    throw ConfigError(error.marked() + remedy);
  }
  session.console.set_quiet(session.globals.quiet);
  for (const Given& given : arguments.given)
    if (writes_file(*given.option) && given.values.back().empty() && given.where.empty())
      session.console.note(text(field(given.option->name), " is empty: no such file is written"));
  // All files before any work.
  check_open_files();
  std::vector<FileUse> files = files_of(arguments.given);
  if (command.files)
    for (FileUse& file : command.files()) files.push_back(std::move(file));
  const Option* resume = command.options.find("resume");
  const auto check = [&] { check_files(files, session.settings.force, resume != nullptr && resume->get() == "true"); };
  check();
  std::vector<std::unique_ptr<OutputLock>> locks;
  if (!session.globals.dry_run) {
    locks = lock_files(files);
    check();  // what another run wrote in the meantime
  }
  command.run(session);
  if (session.globals.explain) std::cout << session.account_text();
  NTKROB_CHECK(session.late_error.empty(), ResourceError, session.late_error);
  return 0;
}

}  // namespace

std::string Speaker::line(const Error& error) const {
  const auto is_option = [&](const std::string& name) {
    return std::find(options.begin(), options.end(), name) != options.end();
  };
  return error.line([&](const std::string& name, const std::string& value) {
    return is_option(name) ? spelt_as_flag(name, value) : name + (value.empty() ? "" : "=" + value);
  });
}

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

int dispatch(int argc, const char* const* argv, Speaker& speaker) {
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
      speaker.who = "ntkrob " + first;
      return run_command(row, arguments, speaker);
    }
  throw ConfigError("unknown subcommand \"" + shortened_line(first, kHelpColumn) + "\"" + suggestion(first, names, "") +
                    " (one of " + CLI::detail::join(names, ", ") + ")");
}

}  // namespace ntkrob::cli
