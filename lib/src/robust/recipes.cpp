#include <algorithm>
#include <numeric>

#include "robust/recipe_kit.hpp"

namespace ntkrob {
namespace {

/// Levenshtein's distance: characters that are left out, put in or replaced.
std::size_t edits(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row.back();
}

RecipeInfo named(RecipeInfo info, const char* name, const char* summary) {
  info.name = name;
  info.summary = summary;
  return info;
}

}  // namespace

OptionTexts RecipeOptions::texts() const {
  OptionTexts texts;
  // Fields are bound for writing, but are only read here.
  for (const Field& field : const_cast<RecipeOptions*>(this)->fields()) texts.emplace_back(field.name, field.get());
  return texts;
}

const std::vector<RecipeInfo>& recipes() {
  static const std::vector<RecipeInfo> all{
#define NTKROB_RECIPE(name, function, summary) named(robust::function(), name, summary),
#include "robust/recipes.def"
#undef NTKROB_RECIPE
  };
  return all;
}

const RecipeInfo& find_recipe(const std::string& name) {
  for (const RecipeInfo& info : recipes())
    if (info.name == name) return info;
  std::vector<std::string> names;
  for (const RecipeInfo& info : recipes()) names.push_back(info.name);
  // Of a name that is far too long only the beginning can be near to anything.
  const std::string given_name = name.substr(0, 100);
  const auto nearest = std::min_element(names.begin(), names.end(), [&](const auto& a, const auto& b) {
    return edits(given_name, a) < edits(given_name, b);
  });
  std::string hint;
  if (edits(given_name, *nearest) <= nearest->size() / 3) {
    std::rotate(names.begin(), nearest, nearest + 1);
    hint = text("; ", advice("did you mean ", field("recipe", names.front()), "?"));
  }
  std::string list;
  for (const std::string& one : names) list += (list.empty() ? "" : " | ") + one;
  throw ConfigError(text(field("recipe"), " is \"", given(name), "\", must be ", limit(list), hint));
}

}  // namespace ntkrob
