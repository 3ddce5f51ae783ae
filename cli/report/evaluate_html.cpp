#include <algorithm>
#include <cmath>

#include "ntkrob/base/printable.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/version.hpp"
#include "report/class_text.hpp"
#include "report/evaluate_report.hpp"
#include "report/html.hpp"
#include "report/page_style.hpp"

namespace ntkrob::cli {

namespace {

constexpr std::size_t kShownImages = 12;

std::string number(double value, const char* format = "%.3g") {
  char out[40];
  std::snprintf(out, sizeof out, format, value);
  return out;
}

std::string cell(const std::string& content, const char* style = nullptr) {
  return text("<td", style == nullptr ? "" : text(" class=\"", style, "\""), ">", content, "</td>");
}

/// A share as a bar with its number.
std::string bar(double share) {
  return text("<div class=\"bar\"><div style=\"width:", number(100 * share), "%\"></div><span>", percent_text(share),
              "</span></div>");
}

class Page {
 public:
  Page(const EvaluateJob& job, const EvaluateOutcome& outcome)
      : job_(job), outcome_(outcome), report_(outcome.report) {}

  std::string write() const {
    return text(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Robustness of ",
        escape_html(job_.model), "</title>\n<style>\n", kPageStyle, "</style>\n</head>\n<body>\n<main>\n", head(),
        attacks(), class_section(class_report(outcome_)), masking(), images(), constants(), foot(),
        "</main>\n</body>\n</html>\n");
  }

 private:
  std::string fact(const std::string& name, const std::string& value) const {
    return text("<dt>", name, "</dt><dd>", escape_html(value), "</dd>\n");
  }

  std::string head() const {
    std::string facts = fact("Model", job_.model);
    if (!job_.source.empty()) facts += fact("Transfer from", job_.source);
    facts += fact("Data", text(job_.data, ", ", report_.predicted.size(), " samples of split ", job_.split,
                               job_.balanced ? ", balanced by class" : ""));
    facts += fact("Threat", text(job_.norm, " ball of radius ", format_number(job_.eps), " (pixels from 0 to 1)"));
    const std::string note = attack_note(job_, outcome_);
    const char* style = job_.fast ? "note alarm" : "note";
    return text("<h1>Robustness report</h1>\n<dl>\n", facts, "</dl>\n",
                note.empty() ? "" : text("<p class=\"", style, "\">", escape_html(note), "</p>\n"),
                "<div class=\"figures\">\n", figure(percent_text(report_.clean), "clean accuracy"),
                figure(percent_text(report_.worst_case), "right under every attack"),
                outcome_.checked
                    ? figure(outcome_.masking.alarms() == 0 ? "passed" : text(outcome_.masking.alarms(), " alarms"),
                             "masking checks", outcome_.masking.alarms() == 0 ? "good" : "bad")
                    : figure("not run", "masking checks"),
                "</div>\n");
  }

  static std::string figure(const std::string& value, const std::string& label, const char* style = "") {
    return text("<div class=\"figure\"><b class=\"", style, "\">", value, "</b><span>", label, "</span></div>\n");
  }

  std::string attacks() const {
    std::string rows;
    for (std::size_t a = 0; a < report_.attacks.size(); ++a) {
      const AttackReport& attack = report_.attacks[a];
      rows += text("<tr>", cell(text("<code>", escape_html(outcome_.attacks[a]), "</code>")),
                   cell(bar(attack.accuracy)), cell(number(attack.mean_margin), "number"),
                   cell(text(attack.zero_gradients), "number"), cell(number(mean_queries(attack), "%.0f"), "number"),
                   cell(number(attack.seconds, "%.1f"), "number"), "</tr>\n");
      for (const AttackPart& part : attack.parts)
        rows += text("<tr class=\"part\">", cell(text("then <code>", escape_html(part.name), "</code>")),
                     cell(text(part.robust, " of ", part.attacked, " still right")), cell(""),
                     cell(text(part.zero_gradients), "number"), cell(""), cell(number(part.seconds, "%.1f"), "number"),
                     "</tr>\n");
    }
    return text(
        "<h2>Attacks</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>attack</th><th>accuracy</th>"
        "<th class=\"number\">mean margin</th><th class=\"number\">zero gradients</th>"
        "<th class=\"number\">mean queries</th><th class=\"number\">seconds</th></tr></thead>\n<tbody>\n",
        rows, "</tbody></table></div>\n");
  }

  double mean_queries(const AttackReport& attack) const {
    double sum = 0, attacked = 0;
    for (std::size_t i = 0; i < attack.queries.size(); ++i) {
      sum += attack.queries[i];
      attacked += report_.predicted[i] == outcome_.labels[i];
    }
    return attacked > 0 ? sum / attacked : 0;
  }

  std::string masking() const {
    const MaskingReport& m = outcome_.masking;
    if (!outcome_.checked)
      return "<h2>Masking checks</h2>\n<p>Not run. <code>--checks on</code> runs them: they look for signs that "
             "attacks "
             "fail because gradients are hidden.</p>\n";
    std::string rows;
    for (const MaskingCheck& check : m.checks) {
      const bool skipped = check.outcome == MaskingCheck::Outcome::skipped;
      rows +=
          text("<tr>",
               cell(text("<span class=\"tag ", to_string(check.outcome), "\">", to_string(check.outcome), "</span>")),
               cell(text("<b>", escape_html(check.name), "</b><br><span class=\"dim\">", escape_html(check.measures),
                         "</span>")),
               cell(skipped ? "" : number(check.value), "number"), cell(number(check.threshold), "number"),
               cell(escape_html(check.meaning)), "</tr>\n");
    }
    return text("<h2>Masking checks</h2>\n<p class=\"note ", m.alarms() == 0 ? "" : "alarm", "\">",
                escape_html(m.verdict()), "</p>\n<div class=\"pair\">\n<figure>", curve(),
                "<figcaption>Accuracy over the radius, on ", m.samples,
                " samples. It must fall to 0 where the ball covers the box.</figcaption></figure>\n<figure>", trace(),
                "<figcaption>Mean cross-entropy of ", m.attacked,
                " samples along PGD. It must rise.</figcaption></figure>\n</div>\n<div class=\"wide\"><table>\n"
                "<thead><tr><th></th><th>check</th><th class=\"number\">value</th><th class=\"number\">alarm above</th>"
                "<th>meaning</th></tr></thead>\n<tbody>\n",
                rows, "</tbody></table></div>\n");
  }

  std::string curve() const {
    Chart chart;
    chart.title = "Accuracy over the radius";
    chart.x_label = text("radius eps, ", job_.norm, " (square root scale)");
    chart.y_label = "accuracy";
    chart.y_max = 1;
    chart.y_percent = true;
    chart.root_scale = true;
    chart.marked_x = outcome_.threat.eps;
    chart.mark = "judged here";
    chart.lines = {{"gradient attacks", "main", {}, {}}, {"random noise", "second", {}, {}}};
    for (const CurvePoint& point : outcome_.masking.curve)
      for (std::size_t l = 0; l < 2; ++l) {
        chart.lines[l].x.push_back(point.eps);
        chart.lines[l].y.push_back(l == 0 ? point.accuracy : point.noise);
      }
    return chart_svg(chart);
  }

  std::string trace() const {
    Chart chart;
    chart.title = "Loss along the attack";
    chart.x_label = "step";
    chart.y_label = "mean cross-entropy";
    chart.lines = {{"cross-entropy", "main", {}, {}}};
    for (const TraceStep& step : outcome_.masking.trace) {
      chart.lines[0].x.push_back(static_cast<double>(chart.lines[0].x.size()));
      chart.lines[0].y.push_back(step.loss);
      chart.y_max = std::max(chart.y_max, step.loss);
    }
    chart.y_max = axis_end(chart.y_max);
    return chart.lines[0].x.empty() ? std::string("<p class=\"dim\">No sample was attacked.</p>") : chart_svg(chart);
  }

  std::string class_name(int label) const {
    const auto k = static_cast<std::size_t>(label);
    constexpr std::size_t kMostCharacters = 24;
    return k < outcome_.class_names.size() ? shortened_line(outcome_.class_names[k], kMostCharacters)
                                           : std::to_string(label);
  }

  std::string images() const {
    const AdversarialExamples& kept = report_.examples;
    if (kept.samples.empty() || (outcome_.shape.channels != 1 && outcome_.shape.channels != 3)) return {};
    std::vector<std::size_t> order(kept.samples.size());
    for (std::size_t k = 0; k < order.size(); ++k) order[k] = k;
    const auto survives = [&](std::size_t k) {
      return kept.attacks[k] < 0 || report_.attacks[static_cast<std::size_t>(kept.attacks[k])]
                                        .robust[static_cast<std::size_t>(kept.samples[k])];
    };
    // Broken ones first, and a few of those that no attack of the list has broken.
    std::stable_partition(order.begin(), order.end(), [&](std::size_t k) { return !survives(k); });
    const auto broken = static_cast<std::size_t>(
        std::count_if(order.begin(), order.end(), [&](std::size_t k) { return !survives(k); }));
    const std::size_t survivors = std::min<std::size_t>(order.size() - broken, kShownImages / 3);
    order.erase(order.begin() + static_cast<std::ptrdiff_t>(std::min(broken, kShownImages - survivors)),
                order.begin() + static_cast<std::ptrdiff_t>(broken));
    order.resize(std::min(order.size(), kShownImages));
    std::string figures;
    for (const std::size_t k : order)
      if (kept.attacks[k] >= 0) figures += example(k, survives(k));
    return text(
        "<h2>Images</h2>\n<p>Left the image, in the middle the strongest adversarial input that was found for it, "
        "right what was changed: grey is unchanged, white and black are the largest changes of the image.</p>\n"
        "<div class=\"examples\">\n",
        figures, "</div>\n");
  }

  std::string example(std::size_t k, bool survived) const {
    const AdversarialExamples& kept = report_.examples;
    const auto row = static_cast<index>(k);
    const auto i = static_cast<std::size_t>(kept.samples[k]);
    const AttackReport& attack = report_.attacks[static_cast<std::size_t>(kept.attacks[k])];
    const float *clean = outcome_.example_images.row(row), *adversarial = kept.inputs.row(row);
    const index d = kept.inputs.cols();
    std::vector<float> change(static_cast<std::size_t>(d));
    float largest = 0;
    for (index j = 0; j < d; ++j) largest = std::max(largest, std::abs(adversarial[j] - clean[j]));
    for (index j = 0; j < d; ++j)
      change[static_cast<std::size_t>(j)] = largest > 0 ? 0.5f + 0.5f * (adversarial[j] - clean[j]) / largest : 0.5f;
    const std::string name = class_name(outcome_.labels[i]), seen = class_name(outcome_.example_predicted[k]);
    return text("<figure class=\"example\"><div>", image_html(clean, outcome_.shape, "image " + name),
                image_html(adversarial, outcome_.shape, "adversarial, seen as " + seen),
                image_html(change.data(), outcome_.shape, "difference"), "</div><figcaption><b>", escape_html(name),
                survived ? "</b>" : text(" &rarr; ", escape_html(seen), "</b>"),
                survived ? " <span class=\"tag passed\">right</span>" : " <span class=\"tag alarm\">broken</span>",
                " sample ", outcome_.samples[i], "<br><span class=\"dim\">margin ", number(report_.margin[i]),
                " &rarr; ", number(attack.margin[i]), ", distance ", number(attack.distance[i]), "<br>",
                escape_html(outcome_.attacks[static_cast<std::size_t>(kept.attacks[k])]), ", ", attack.queries[i],
                " queries</span></figcaption></figure>\n");
  }

  std::string constants() const {
    std::string lists;
    for (std::size_t a = 0; a < report_.attacks.size(); ++a) {
      if (report_.attacks[a].constants.empty()) continue;
      lists += text("<h3><code>", escape_html(outcome_.attacks[a]), "</code></h3>\n<dl class=\"constants\">\n");
      for (const auto& [name, value] : report_.attacks[a].constants) lists += fact(escape_html(name), value);
      lists += "</dl>\n";
    }
    return text("<details><summary>All constants</summary>\n<dl class=\"constants\">\n",
                fact("seed", std::to_string(job_.seed)), fact("dtype", "float32"), fact("backend", outcome_.backend),
                fact("batch", std::to_string(job_.batch)), fact("eps", format_number(job_.eps)),
                fact("norm", job_.norm), fact("accuracy at eps 0", percent_text(report_.eps0)), "</dl>\n", lists,
                "</details>\n");
  }

  static std::string foot() {
    return text(
        "<footer>Accuracy under attack is an upper bound of robustness: these attacks failed, others may not. "
        "Every adversarial input lies in ball and box exactly and was judged by a forward pass of its own. ntkrob ",
        kVersion, ".</footer>\n");
  }

  const EvaluateJob& job_;
  const EvaluateOutcome& outcome_;
  const EvaluateReport& report_;
};

}  // namespace

std::string evaluate_html(const EvaluateJob& job, const EvaluateOutcome& outcome) { return Page(job, outcome).write(); }

}  // namespace ntkrob::cli
