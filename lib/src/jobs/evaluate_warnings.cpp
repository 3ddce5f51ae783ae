#include "jobs/evaluate_warnings.hpp"

#include <algorithm>

#include "ntkrob/model/classes.hpp"

namespace ntkrob::jobs {

void warn_about_inputs(const ThreatModel& threat, ConstView2D<float> x, Listener& listener) {
  const double cover = covering_radius(threat, x.cols), eps = threat.eps;
  if (eps >= cover / 2)
    listener.warn(text("eps ", eps, " (", to_string(threat.norm), ") covers half of the box [", threat.low, ", ",
                       threat.high,
                       "] or more, where no classifier can be robust; eps is in units of pixels scaled to "
                       "[0,1]: write ",
                       eps, "/255 if it was meant in units of 0..255"));
  if (threat.norm == Norm::linf && eps > 0 && eps < 0.5 / 255)
    listener.warn(text("eps ", eps,
                       " is less than half a step of 8-bit pixels: was it divided by 255 twice? It is in "
                       "units of pixels scaled to [0,1]"));
  float largest = 0;
  for (index i = 0; i < x.rows; ++i) largest = std::max(largest, *std::max_element(x.row(i), x.row(i) + x.cols));
  if (largest <= 2.0f / 255 && x.rows > 0)
    listener.warn(text("the largest pixel is ", largest,
                       ": the images look as if they were divided by 255 twice, and eps would be large beside them"));
}

void warn_about_accuracy(const EvaluateJob& job, double clean, const std::vector<int>& labels, const Dataset& data,
                         Listener& listener) {
  const std::vector<index> count = class_counts(labels, data.classes);
  const std::vector<index> present = classes_present(count);
  if (present.size() == 1) {
    // Where the split has more, the choice of samples has been warned about.
    if (classes_present(class_counts(data.split(job.split).labels, data.classes)).size() == 1)
      listener.warn(text("all ", labels.size(), " samples are of class ", class_text(present.front(), data.class_names),
                         ": their accuracy says nothing about other classes"));
    return;
  }
  const double chance = static_cast<double>(*std::max_element(count.begin(), count.end())) /
                        static_cast<double>(std::max<std::size_t>(1, labels.size()));
  if (clean > chance) return;
  const bool knows_few = job.fitted_classes > 0 && job.fitted_classes < static_cast<index>(present.size());
  const std::string cause =
      knows_few ? text("the model was fitted to ", job.fitted_classes, " of these ", present.size(), " classes")
                : std::string("was the model trained on images scaled or normalised otherwise, or with other labels?");
  listener.warn(text("clean accuracy is ", percent_text(clean),
                     ", no better than always answering the most frequent class (", percent_text(chance),
                     "): ", cause));
}

}  // namespace ntkrob::jobs
