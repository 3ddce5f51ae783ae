/// What the tests of classes share: sets with as many images of each class as a test likes, jobs on them, and a report
/// counted again.
#pragma once

#include <map>
#include <numeric>

#include "run.hpp"

namespace ntkrob::cli_test {

constexpr int kClassPixels = 64;

/// Noisy images of 8 x 8 pixels with one pattern for each class.   counts: images of each class
/// shuffled: classes in turn, else sorted
enum class Order { in_turn, sorted };
inline void write_classes(const std::string& path, std::vector<int> counts, Order order = Order::in_turn) {
  std::vector<float> pixels;
  std::vector<int> labels;
  unsigned state = 12345;
  const auto random = [&] { return static_cast<float>((state = state * 1664525U + 1013904223U) >> 8) / 16777216.0F; };
  const auto add = [&](int label) {
    labels.push_back(label);
    for (unsigned j = 0; j < kClassPixels; ++j) {
      const unsigned hash = (static_cast<unsigned>(label) * 2654435761U ^ j * 2246822519U) * 3266489917U;
      pixels.push_back((hash >> 16) % 2 == 0 ? 0.15F + 0.3F * random() : 0.55F + 0.3F * random());
    }
  };
  if (order == Order::sorted)
    for (std::size_t c = 0; c < counts.size(); ++c)
      for (int k = 0; k < counts[c]; ++k) add(static_cast<int>(c));
  else
    for (bool any = true; any;) {
      any = false;
      for (std::size_t c = 0; c < counts.size(); ++c)
        if (counts[c]-- > 0) add(static_cast<int>(c)), any = true;
    }
  write_h5(path, pixels, kClassPixels, labels);
}

inline std::vector<std::string> robustify(const std::string& data, const std::string& output, const std::string& n) {
  return {
      "robustify", data,   "--kernel",       "fc:1", "--n",          n,    "--steps",          "2", "--batch", "30",
      "--eps",     "0.05", "--attack-steps", "2",    "--validation", "30", "--validate-every", "1", "-o",      output};
}

inline std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

inline std::vector<std::string> train(const std::string& data, const std::string& output) {
  return {"train", data, "--model", "mlp:24", "--loss", "ce", "--steps", "80", "--lr", "0.05", "--quiet", "-o", output};
}

/// Every sample of the report, counted again.
inline void check_against_samples(const nlohmann::json& report) {
  std::map<std::pair<int, int>, int> clean, worst;
  std::map<int, int> count;
  for (const nlohmann::json& sample : report["samples"]) {
    const int label = sample["label"], predicted = sample["predicted"];
    ++count[label];
    ++clean[{label, predicted}];
    bool right = label == predicted;
    for (const nlohmann::json& attack : sample["attacks"]) right = right && attack["robust"].get<bool>();
    if (right || label != predicted) ++worst[{label, predicted}];
  }
  const nlohmann::json &per_class = report["per_class"], &confusion = report["confusion"];
  int right = 0, survived = 0;
  for (std::size_t c = 0; c < per_class.size(); ++c) {
    INFO("class " << c << ": " << per_class[c].dump());
    const int k = static_cast<int>(c), n = count[k];
    CHECK(per_class[c]["class"] == k);
    CHECK(per_class[c]["n"] == n);
    const std::vector<int> row = confusion["clean"][c], attacked = confusion["worst_case"][c];
    CHECK(std::accumulate(row.begin(), row.end(), 0) == n);
    CHECK(std::accumulate(attacked.begin(), attacked.end(), 0) == n);
    for (std::size_t d = 0; d < row.size(); ++d) {
      const int other = static_cast<int>(d);
      CHECK(row[d] == clean[{k, other}]);
      if (d == c)
        CHECK(attacked[d] == worst[{k, other}]);
      else
        CHECK(attacked[d] >= worst[{k, other}]);  // and what attacks made of right ones
    }
    CHECK(per_class[c]["clean"].is_null() == (n == 0));
    CHECK(per_class[c]["worst_case"].is_null() == (n == 0));
    if (n == 0) continue;
    right += row[c];
    survived += attacked[c];
    CHECK(per_class[c]["clean"] == static_cast<double>(row[c]) / n);
    CHECK(per_class[c]["worst_case"] == static_cast<double>(attacked[c]) / n);
  }
  const double n = static_cast<double>(report["samples"].size());
  CHECK(report["accuracy"]["clean"] == right / n);
  CHECK(report["worst_case"] == survived / n);
}

}  // namespace ntkrob::cli_test
