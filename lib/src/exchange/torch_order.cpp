// The order of the modules of a state_dict: see import.hpp.
#include <algorithm>
#include <functional>
#include <set>

#include "exchange/torch_modules.hpp"

namespace ntkrob::exchange {
namespace {

/// More steps than any net with a real choice takes; beyond them the order counts as not certain.
constexpr std::size_t kMostSteps = 200'000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// A run of digits or of other characters that begins at `at`, which moves behind it. Numbers without leading zeros.
std::string next_run(const std::string& name, std::size_t& at) {
  const std::size_t begin = at;
  const bool number = is_digit(name[begin]);
  while (at < name.size() && is_digit(name[at]) == number) ++at;
  std::string run = name.substr(begin, at - begin);
  if (number) run.erase(0, std::min(run.find_first_not_of('0'), run.size() - 1));
  return run;
}

std::size_t common_prefix(const std::vector<TorchModule>& modules) {
  const std::string& first = modules[0].name;
  std::size_t length = 0;
  for (std::size_t at = 0; at < first.size(); ++at) {
    if (first[at] != '.' && first[at] != '/') continue;
    for (const TorchModule& m : modules)
      if (m.name.compare(0, at + 1, first, 0, at + 1) != 0) return length;
    length = at + 1;
  }
  return length;
}

bool all_numbers(const std::vector<TorchModule>& modules) {
  const std::size_t prefix = common_prefix(modules);
  return std::all_of(modules.begin(), modules.end(), [&](const TorchModule& m) {
    const std::string rest = m.name.substr(prefix);
    bool number = false;
    for (const char c : rest) {
      if (!is_digit(c) && !((c == '.' || c == '/') && number)) return false;
      number = is_digit(c);
    }
    return number;
  });
}

void sort_naturally(std::vector<TorchModule>& modules) {
  std::stable_sort(modules.begin(), modules.end(),
                   [](const TorchModule& a, const TorchModule& b) { return natural_less(a.name, b.name); });
}

void order_as_given(std::vector<TorchModule>& modules, const std::vector<std::string>& order) {
  const std::size_t prefix = common_prefix(modules);
  std::vector<TorchModule> result;
  for (const std::string& name : order) {
    const auto at = std::find_if(modules.begin(), modules.end(),
                                 [&](const TorchModule& m) { return m.name == name || m.name.substr(prefix) == name; });
    NTKROB_CHECK(at != modules.end(), ConfigError, field("order"), " names \"", given(name), "\", the file has ",
                 modules.empty() ? "no further module" : names_text(modules));
    result.push_back(std::move(*at));
    modules.erase(at);
  }
  sort_naturally(modules);
  NTKROB_CHECK(modules.empty(), ConfigError, field("order"), " must name every module once, it leaves out ",
               names_text(modules));
  modules = std::move(result);
}

/// A name with "#" for every number, and what it says about its place: -1 first, 1 last, 0 nothing.
struct Name {
  std::string pattern;
  int end = 0;
};
Name read_name(const std::string& name) {
  Name result;
  for (std::size_t at = 0; at < name.size();)
    result.pattern += is_digit(name[at]) ? (next_run(name, at), std::string("#")) : next_run(name, at);
  const std::size_t dot = name.find_last_of("./");
  std::string last = dot == std::string::npos ? name : name.substr(dot + 1);
  for (char& c : last)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (std::set<std::string>{"in", "input", "first"}.count(last) > 0) result.end = -1;
  if (std::set<std::string>{"out", "output", "last", "final", "logits", "classifier", "head"}.count(last) > 0)
    result.end = 1;
  return result;
}

/// before[i]: the modules that names put before module i. Layers and normalisations are numbered on their own.
std::vector<std::vector<std::size_t>> constraints(const std::vector<TorchModule>& modules) {
  std::vector<Name> names;
  for (const TorchModule& m : modules) names.push_back(read_name(m.name));
  std::vector<std::vector<std::size_t>> before(modules.size());
  for (std::size_t i = 0; i < modules.size(); ++i)
    for (std::size_t j = 0; j < modules.size(); ++j) {
      if (i == j || modules[i].normalises() != modules[j].normalises()) continue;
      const bool numbered = names[i].pattern == names[j].pattern && natural_less(modules[j].name, modules[i].name);
      if (numbered || names[j].end < names[i].end) before[i].push_back(j);
    }
  return before;
}

}  // namespace

bool natural_less(const std::string& a, const std::string& b) {
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    const bool numbers = is_digit(a[i]) && is_digit(b[j]);
    const std::string left = next_run(a, i), right = next_run(b, j);
    if (numbers && left.size() != right.size()) return left.size() < right.size();
    if (left != right) return left < right;
  }
  return i < a.size() ? false : j < b.size();
}

bool fits(const TorchModule& module, const TorchPlace& place) {
  return module.normalises() == place.normalises &&
         same_shape((place.normalises ? module.mean : module.weight).array.shape, place);
}

namespace {

/// For every module the place that it is given, -1: none. In order: the longest common subsequence.
std::vector<int> match(const std::vector<TorchModule>& modules, const std::vector<TorchPlace>& places, bool ordered) {
  const std::size_t n = modules.size(), m = places.size();
  std::vector<int> matched(n, -1);
  if (!ordered) {
    std::vector<bool> used(m, false);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < m && matched[i] < 0; ++j)
        if (!used[j] && fits(modules[i], places[j])) used[j] = true, matched[i] = static_cast<int>(j);
    return matched;
  }
  std::vector<std::vector<std::size_t>> longest(n + 1, std::vector<std::size_t>(m + 1, 0));  // of what is behind (i, j)
  for (std::size_t i = n; i-- > 0;)
    for (std::size_t j = m; j-- > 0;)
      longest[i][j] =
          fits(modules[i], places[j]) ? longest[i + 1][j + 1] + 1 : std::max(longest[i + 1][j], longest[i][j + 1]);
  for (std::size_t i = 0, j = 0; i < n && j < m;)
    if (fits(modules[i], places[j]))
      matched[i++] = static_cast<int>(j++);
    else
      longest[i + 1][j] >= longest[i][j + 1] ? ++i : ++j;
  return matched;
}

}  // namespace

std::string unmatched_text(const std::vector<TorchModule>& modules, const std::vector<TorchPlace>& places,
                           bool ordered) {
  constexpr std::size_t kShown = 12, kMost = 4096;
  if (modules.size() > kMost || places.size() > kMost) return {};
  const std::vector<int> matched = match(modules, places, ordered);
  std::string over, missing;
  std::size_t n_over = 0, n_missing = 0;
  const auto add = [](std::string& list, std::size_t& n, const std::string& one) {
    if (++n <= kShown) list += (n == 1 ? "" : ", ") + one;
    if (n == kShown + 1) list += ", ...";
  };
  for (std::size_t i = 0; i < modules.size(); ++i)
    if (matched[i] < 0)
      add(over, n_over,
          text("\"", modules[i].name, "\" ",
               shape_text((modules[i].normalises() ? modules[i].mean : modules[i].weight).array.shape)));
  for (std::size_t j = 0; j < places.size(); ++j)
    if (std::find(matched.begin(), matched.end(), static_cast<int>(j)) == matched.end())
      add(missing, n_missing, text("layer ", places[j].layer, ", ", places[j].type, " ", shape_text(places[j].shape)));
  std::string result;
  if (n_over > 0) result = "left over: " + over;
  if (n_missing > 0) result += (n_over > 0 ? "; nothing for " : "nothing for ") + missing;
  return result;
}

bool order_modules(TorchModules& found, const std::vector<std::string>& order, std::string& note) {
  if (!order.empty()) {
    order_as_given(found.modules, order);
    note = "layers in the order given: ";
  } else if (all_numbers(found.modules)) {
    sort_naturally(found.modules);
    note = "layers in the order of their numbers: ";
  } else if (!found.alphabetical || found.modules.size() == 1) {
    note = "layers in the order of the file: ";
  } else {
    // Until shapes decide: the order in which messages name them.
    sort_naturally(found.modules);
    return false;
  }
  note += names_text(found.modules);
  return true;
}

std::vector<std::vector<std::size_t>> orders_that_fit(const std::vector<TorchModule>& modules,
                                                      const std::vector<TorchPlace>& places) {
  std::vector<std::vector<std::size_t>> orders;
  if (modules.size() != places.size()) return orders;
  const auto before = constraints(modules);
  std::vector<std::size_t> taken;
  std::vector<bool> used(modules.size(), false);
  std::size_t steps = 0;
  const std::function<void()> extend = [&] {
    if (taken.size() == places.size()) return orders.push_back(taken);
    for (std::size_t i = 0; i < modules.size() && orders.size() < 2 && steps < kMostSteps; ++i) {
      ++steps;
      const bool free = !used[i] && fits(modules[i], places[taken.size()]) &&
                        std::all_of(before[i].begin(), before[i].end(), [&](std::size_t j) { return used[j]; });
      if (!free) continue;
      used[i] = true;
      taken.push_back(i);
      extend();
      taken.pop_back();
      used[i] = false;
    }
  };
  extend();
  if (steps >= kMostSteps) orders.resize(2);  // given up: what was found may not be all
  return orders;
}

}  // namespace ntkrob::exchange
