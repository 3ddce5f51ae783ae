#include "evaluate_samples.hpp"

#include <algorithm>

namespace ntkrob::cli {

namespace {

/// n samples, the same number of each class or one more, drawn without replacement.
std::vector<index> draw_balanced(const Split& split, index classes, index n, std::uint64_t seed) {
  std::vector<index> wanted(static_cast<std::size_t>(classes)), held(wanted.size());
  for (index c = 0; c < classes; ++c) wanted[static_cast<std::size_t>(c)] = n / classes + (c < n % classes ? 1 : 0);
  for (const int label : split.labels) ++held[static_cast<std::size_t>(label)];
  for (std::size_t c = 0; c < wanted.size(); ++c)
    NTKROB_CHECK(held[c] >= wanted[c], ConfigError, "--balanced: class ", c, " has ", held[c], " samples, ", wanted[c],
                 " are needed for --n ", n, "; lower --n");
  std::vector<index> chosen;
  for (const index i : Rng(seed, "evaluate/balanced").permutation(split.n)) {
    index& left = wanted[static_cast<std::size_t>(split.labels[static_cast<std::size_t>(i)])];
    if (left == 0) continue;
    --left;
    chosen.push_back(i);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace

std::vector<index> choose_samples(const EvaluateJob& job, const Split& split, index classes) {
  constexpr index kFastSamples = 200;
  NTKROB_CHECK(job.n <= split.n, ConfigError, "n is ", job.n, ", but split ", job.split, " of ", job.data, " has only ",
               split.n, " samples");
  NTKROB_CHECK(!job.balanced || job.n > 0, ConfigError, "--balanced needs --n, the number of samples to choose");
  if (job.balanced) return draw_balanced(split, classes, job.n, job.seed);
  std::vector<index> rows(static_cast<std::size_t>(job.n > 0  ? job.n
                                                   : job.fast ? std::min(split.n, kFastSamples)
                                                              : split.n));
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<index>(i);
  return rows;
}

void warn_about_inputs(const ThreatModel& threat, ConstView2D<float> x, Console& console) {
  const double cover = covering_radius(threat, x.cols), eps = threat.eps;
  if (eps >= cover / 2)
    console.warn(text("eps ", eps, " (", to_string(threat.norm), ") covers half of the box [", threat.low, ", ",
                      threat.high,
                      "] or more, where no classifier can be robust; eps is in units of pixels scaled to "
                      "[0,1]: write ",
                      eps, "/255 if it was meant in units of 0..255"));
  if (threat.norm == Norm::linf && eps > 0 && eps < 0.5 / 255)
    console.warn(text("eps ", eps,
                      " is less than half a step of 8-bit pixels: was it divided by 255 twice? It is in "
                      "units of pixels scaled to [0,1]"));
  float largest = 0;
  for (index i = 0; i < x.rows; ++i) largest = std::max(largest, *std::max_element(x.row(i), x.row(i) + x.cols));
  if (largest <= 2.0f / 255 && x.rows > 0)
    console.warn(text("the largest pixel is ", largest,
                      ": the images look as if they were divided by 255 twice, and eps would be large beside them"));
}

void warn_about_accuracy(double clean, const std::vector<int>& labels, index classes, Console& console) {
  std::vector<index> count(static_cast<std::size_t>(classes));
  for (const int label : labels) ++count[static_cast<std::size_t>(label)];
  const double chance = static_cast<double>(*std::max_element(count.begin(), count.end())) /
                        static_cast<double>(std::max<std::size_t>(1, labels.size()));
  if (clean <= chance)
    console.warn(text("clean accuracy is ", percent_text(clean),
                      ", no better than always answering the most frequent "
                      "class (",
                      percent_text(chance),
                      "): was the model trained on images scaled or normalised otherwise, "
                      "or with other labels?"));
}

}  // namespace ntkrob::cli
