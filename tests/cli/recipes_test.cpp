/// Every recipe of the list through the command: what a plan touches, options from a file and from the command line,
/// options of others. Nothing here names a recipe.
#include <filesystem>
#include <sstream>

#include "ntkrob/robust/recipe.hpp"
#include "robust/recipe_bench.hpp"
#include "run.hpp"

namespace ntkrob::cli_test {

namespace {

/// The small values of a recipe's own options as (name, value).
OptionTexts small_options(const RecipeInfo& info) {
  OptionTexts given;
  const auto options = info.options();
  for (const Field& field : options->fields())
    for (const auto& [name, value] : small_values())
      if (name == field.name) given.emplace_back(name, value);
  return given;
}

std::vector<std::string> command(const RecipeInfo& info, const Folder& folder, const std::string& output) {
  std::vector<std::string> words{"robustify", folder / "easy.h5", "--recipe", info.name, "-o", output};
  if (info.needs_model) words.insert(words.end(), {"--kernel", "fc:1", "--support", folder / "easy.h5"});
  return words;
}

std::vector<std::string> with_options(std::vector<std::string> words, const RecipeInfo& info) {
  for (const auto& [name, value] : small_options(info)) words.insert(words.end(), {"--" + name, value});
  return words;
}

std::vector<std::string> listing(const Folder& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "."))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST_CASE("every recipe: a dry run shows its options and touches nothing", "[cli]") {
  const Folder folder;
  write_easy_h5(folder / "easy.h5", 60, 3);
  const std::vector<std::string> before = listing(folder);
  for (const RecipeInfo& info : recipes()) {
    INFO(info.name);
    std::vector<std::string> words = with_options(command(info, folder, folder / "out.h5"), info);
    words.insert(words.end(), {"--dry-run", "--log", folder / "log.csv", "--json", folder / "report.json"});
    const std::string shown = run_ok(words);
    CHECK(contains(shown, info.name));
    for (const auto& [name, value] : small_options(info)) CHECK(contains(shown, name));
    CHECK(listing(folder) == before);
  }
}

TEST_CASE("every recipe: options of a file and of the command line give the same bytes", "[cli]") {
  const Folder folder;
  write_easy_h5(folder / "easy.h5", 60, 3);
  for (const RecipeInfo& info : recipes()) {
    INFO(info.name);
    run_ok(with_options(command(info, folder, folder / "words.h5"), info));
    std::ostringstream config;
    config << "[robustify]\n";
    for (const auto& [name, value] : small_options(info)) config << name << " = \"" << value << "\"\n";
    write_file(folder / "run.toml", config.str());
    std::vector<std::string> words = command(info, folder, folder / "file.h5");
    words.insert(words.end(), {"--config", folder / "run.toml"});
    run_ok(words);
    CHECK(read_file(folder / "file.h5") == read_file(folder / "words.h5"));
    for (const char* name : {"words.h5", "file.h5"}) std::filesystem::remove(folder / name);
  }
}

TEST_CASE("every recipe: its help has its options, and those of others alone are refused by name", "[cli]") {
  const Folder folder;
  write_easy_h5(folder / "easy.h5", 60, 3);
  const std::string shelf = run_ok({"robustify", "--recipe", "list"});
  for (const RecipeInfo& info : recipes()) {
    INFO(info.name);
    CHECK(contains(shelf, info.name));
    const std::string help = run_ok({"robustify", "--recipe", info.name, "--help"});
    const auto own = info.options();
    for (const Field& field : own->fields())
      CHECK(contains(help, field.type == Field::Type::flag ? field.name : "--" + field.name));
    for (const RecipeInfo& other : recipes()) {
      if (other.name == info.name || other.needs_model || info.needs_model) continue;
      const auto options = other.options();
      for (const Field& field : options->fields()) {
        const std::vector<Field> fields = own->fields();
        const bool shared =
            std::any_of(fields.begin(), fields.end(), [&](const Field& one) { return one.name == field.name; });
        if (shared || field.type == Field::Type::flag) continue;
        std::vector<std::string> words = command(info, folder, folder / "out.h5");
        words.insert(words.end(), {"--" + field.name, field.get().empty() ? "x" : field.get()});
        CHECK_FAILS(run(words), 2, "--" + field.name, "no option of recipe " + info.name);
      }
    }
  }
  CHECK_FAILS(run({"robustify", folder / "easy.h5", "--recipe", "no-such", "-o", folder / "out.h5"}), 2, "--recipe",
              recipes().front().name, recipes().back().name);
  CHECK(listing(folder) == std::vector<std::string>{"easy.h5"});
}

}  // namespace ntkrob::cli_test
