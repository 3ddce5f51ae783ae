#include "ntkrob/model/classes.hpp"

#include <algorithm>

#include "ntkrob/base/error.hpp"

namespace ntkrob {

std::vector<index> class_counts(const std::vector<int>& labels, index classes) {
  std::vector<index> counts(static_cast<std::size_t>(classes), 0);
  for (const int label : labels) {
    NTKROB_CHECK(label >= 0 && label < classes, ConfigError, "a label is ", label, ", must be in [0, ", classes, ")");
    ++counts[static_cast<std::size_t>(label)];
  }
  return counts;
}

std::vector<index> classes_present(const std::vector<index>& counts) {
  std::vector<index> present;
  for (std::size_t c = 0; c < counts.size(); ++c)
    if (counts[c] > 0) present.push_back(static_cast<index>(c));
  return present;
}

std::vector<index> balanced_shares(const std::vector<index>& held, index n) {
  std::vector<index> shares(held.size(), 0);
  index left = n;
  for (bool any = true; any && left > 0;) {
    const auto open = [&](std::size_t c) { return shares[c] < held[c]; };
    index able = 0, least = left;
    for (std::size_t c = 0; c < held.size(); ++c)
      if (open(c)) ++able, least = std::min(least, held[c] - shares[c]);
    any = able > 0;
    // As many whole rounds as every open class can take part in; a last round goes as far as it goes.
    const index rounds = any ? std::min(least, left / able) : 0;
    for (std::size_t c = 0; c < held.size() && left > 0; ++c) {
      if (!open(c)) continue;
      const index more = std::max<index>(rounds, 1);
      shares[c] += more;
      left -= more;
    }
  }
  return shares;
}

std::vector<index> rare_classes(const std::vector<index>& shares) {
  const index most = shares.empty() ? 0 : *std::max_element(shares.begin(), shares.end());
  std::vector<index> rare;
  for (std::size_t c = 0; c < shares.size(); ++c)
    if (shares[c] > 0 && shares[c] < most - 1) rare.push_back(static_cast<index>(c));
  return rare;
}

std::string class_text(index number, const std::vector<std::string>& names) {
  constexpr std::size_t kMostCharacters = 40;
  const auto c = static_cast<std::size_t>(number);
  if (c >= names.size() || names[c].empty() || names[c] == std::to_string(number)) return text(number);
  return text(number, " (", shortened_line(names[c], kMostCharacters), ")");
}

std::string class_list(const std::vector<index>& classes, const std::vector<std::string>& names,
                       const std::vector<index>* counts) {
  constexpr std::size_t kMost = 10;
  // Eleven are not worth a rest of one.
  const std::size_t shown = classes.size() <= kMost + 1 ? classes.size() : kMost;
  std::string list;
  for (std::size_t k = 0; k < shown; ++k) {
    list += (k == 0 ? "" : ", ") + class_text(classes[k], names);
    if (counts == nullptr) continue;
    const index held = (*counts)[static_cast<std::size_t>(classes[k])];
    list += text(": ", held, held == 1 ? " image" : " images");
  }
  return shown == classes.size() ? list : text(list, " and ", classes.size() - shown, " more");
}

}  // namespace ntkrob
