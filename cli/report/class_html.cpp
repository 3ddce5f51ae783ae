/// The section about classes of the page: bars and matrices.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "ntkrob/base/printable.hpp"
#include "report/class_text.hpp"
#include "report/html.hpp"
#include "session.hpp"

namespace ntkrob::cli {

namespace {

constexpr std::size_t kMostRows = 30;  // of the table before only the worst are shown
constexpr std::size_t kWorstRows = 15;
constexpr std::size_t kMostNumbered = 30;  // classes of a matrix with numbers in its cells
constexpr std::size_t kMostInPair = 12;    // classes of matrices that stand side by side
constexpr std::size_t kMostDrawn = 128;    // classes of a matrix

std::string fixed(double value, int digits = 1) {
  char out[40];
  std::snprintf(out, sizeof out, "%.*f", digits, value);
  return out;
}

/// A shortened name, with the whole of it where the pointer rests.
std::string name_html(const ClassReport& report, index label, std::size_t most) {
  constexpr std::size_t kWhole = 1000;
  const std::string name = class_label(report, label, most), whole = class_label(report, label, kWhole);
  return name == whole ? escape_html(name)
                       : text("<span title=\"", escape_html(whole), "\">", escape_html(name), "</span>");
}

std::string bar_cell(index part, index all) {
  const double value = share(part, all);
  return text("<td><div class=\"bar\"><div style=\"width:", fixed(100 * value), "%\"></div><span>", percent_text(value),
              "</span></div></td>");
}

std::string mistake_cell(const ClassReport& report, index to, index count) {
  return to < 0 ? "<td class=\"dim\">none</td>"
                : text("<td>", name_html(report, to, 24), " <span class=\"dim\">", count, "</span></td>");
}

std::string table(const ClassReport& report, const std::vector<ClassResult>& results) {
  std::string rows;
  for (const ClassResult& r : results)
    rows +=
        text("<tr><td>", name_html(report, r.label, 32), "</td><td class=\"number\">", r.samples, "</td>",
             bar_cell(r.clean, r.samples), bar_cell(r.worst_case, r.samples),
             mistake_cell(report, r.taken_for, r.taken), mistake_cell(report, r.attacked_for, r.attacked), "</tr>\n");
  return text(
      "<div class=\"wide\"><table class=\"classes\">\n<thead><tr><th>class</th><th class=\"number\">samples</th>"
      "<th>clean</th><th>right under every attack</th><th>taken for most often</th><th>under attack</th></tr></thead>\n"
      "<tbody>\n",
      rows, "</tbody></table></div>\n");
}

/// The classes that a matrix shows: those with samples or taken for; of very many those with the most mistakes.
std::vector<index> drawn_classes(const ClassReport& report) {
  std::vector<index> mistakes(report.results.size(), -1);
  for (const Confusion* confusion : {&report.clean, &report.worst_case})
    for (const auto& [pair, n] : *confusion)
      for (const index c : {pair.first, pair.second})
        mistakes[static_cast<std::size_t>(c)] =
            std::max<index>(0, mistakes[static_cast<std::size_t>(c)]) + (pair.first == pair.second ? 0 : n);
  std::vector<index> classes;
  for (std::size_t c = 0; c < mistakes.size(); ++c)
    if (mistakes[c] >= 0) classes.push_back(static_cast<index>(c));
  if (classes.size() <= kMostDrawn) return classes;
  std::stable_sort(classes.begin(), classes.end(), [&](index a, index b) {
    return mistakes[static_cast<std::size_t>(a)] > mistakes[static_cast<std::size_t>(b)];
  });
  classes.resize(kMostDrawn);
  std::sort(classes.begin(), classes.end());
  return classes;
}

/// A confusion matrix as a drawing: a row per true class, a column per answer, as dark as the share of the row.
class MatrixDrawing {
 public:
  MatrixDrawing(const ClassReport& report, const Confusion& confusion, const std::vector<index>& classes)
      : report_(report), confusion_(confusion), classes_(classes) {
    const auto n = static_cast<double>(classes.size());
    size_ = classes.size() <= kMostInPair ? 480 : 900;
    step_ = classes.size() <= kMostNumbered ? 1 : 5;
    std::size_t longest = 1;
    for (const index c : classes) longest = std::max(longest, character_count(label(c)));
    font_ = step_ > 1 ? 12 : std::min(13.0, 0.62 * (size_ - 80) / n);
    margin_ = 30 + 0.62 * font_ * static_cast<double>(longest);
    cell_ = (size_ - margin_) / n;
  }

  std::string draw(const std::string& title) const {
    std::string svg = text("<svg class=\"matrix\" viewBox=\"0 0 ", fixed(size_), " ", fixed(size_),
                           "\" role=\"img\" aria-label=\"", escape_html(title), "\">\n");
    svg += caption(margin_ + (size_ - margin_) / 2, 11, "", "seen as");
    svg += caption(11, margin_ + (size_ - margin_) / 2,
                   " transform=\"rotate(-90 11 " + fixed(margin_ + (size_ - margin_) / 2) + ")\"", "true class");
    const double side = size_ - margin_;
    svg += text("<rect class=\"ground\" x=\"", fixed(margin_), "\" y=\"", fixed(margin_), "\" width=\"", fixed(side),
                "\" height=\"", fixed(side), "\"/>\n");
    for (std::size_t k = 0; k < classes_.size(); ++k)
      if (k % step_ == 0) svg += labels(k);
    for (std::size_t r = 0; r < classes_.size(); ++r)
      for (std::size_t c = 0; c < classes_.size(); ++c) svg += cell(r, c);
    return svg + "</svg>\n";
  }

 private:
  std::string label(index c) const { return step_ > 1 ? std::to_string(c) : class_label(report_, c, 14); }
  static std::string caption(double x, double y, const std::string& turned, const char* content) {
    return text("<text class=\"axis\" x=\"", fixed(x), "\" y=\"", fixed(y), "\" text-anchor=\"middle\"", turned, ">",
                content, "</text>\n");
  }

  std::string labels(std::size_t k) const {
    const double middle = margin_ + (static_cast<double>(k) + 0.5) * cell_, base = middle + 0.35 * font_;
    const std::string name = escape_html(label(classes_[k]));
    const std::string font = text(" font-size=\"", fixed(font_), "\"");
    const std::string x = fixed(base), y = fixed(margin_ - 5);
    return text("<text", font, " x=\"", fixed(margin_ - 5), "\" y=\"", fixed(base), "\" text-anchor=\"end\">", name,
                "</text>\n<text", font, " x=\"", x, "\" y=\"", y, "\" transform=\"rotate(-90 ", x, " ", y, ")\">", name,
                "</text>\n");
  }

  std::string cell(std::size_t r, std::size_t c) const {
    const auto found = confusion_.find({classes_[r], classes_[c]});
    if (found == confusion_.end()) return {};
    const index samples = report_.results[static_cast<std::size_t>(classes_[r])].samples;
    const double part = share(found->second, samples);
    // The root, so that a few mistakes are seen; numbers on dark cells are white.
    const double shade = 0.08 + 0.87 * std::sqrt(part);
    const double x = margin_ + static_cast<double>(c) * cell_, y = margin_ + static_cast<double>(r) * cell_;
    const double gap = cell_ > 8 ? 1 : 0;
    std::string svg =
        text("<rect class=\"", r == c ? "right" : "wrong", "\" x=\"", fixed(x), "\" y=\"", fixed(y), "\" width=\"",
             fixed(cell_ - gap, 2), "\" height=\"", fixed(cell_ - gap, 2), "\" fill-opacity=\"", fixed(shade, 2),
             "\"><title>", escape_html(class_label(report_, classes_[r])), r == c ? " right" : " seen as ",
             r == c ? std::string() : escape_html(class_label(report_, classes_[c])), ": ", found->second, " of ",
             samples, "</title></rect>\n");
    if (classes_.size() > kMostNumbered) return svg;
    const std::string count = std::to_string(found->second);
    const double font = std::min(15.0, std::min(0.5, 1.35 / static_cast<double>(count.size())) * cell_);
    return svg + text("<text class=\"count", shade > 0.55 ? " light" : "", "\" font-size=\"", fixed(font), "\" x=\"",
                      fixed(x + (cell_ - gap) / 2), "\" y=\"", fixed(y + (cell_ - gap) / 2 + 0.36 * font),
                      "\" text-anchor=\"middle\">", count, "</text>\n");
  }

  const ClassReport& report_;
  const Confusion& confusion_;
  const std::vector<index>& classes_;
  std::size_t step_ = 1;
  double size_ = 0, margin_ = 0, cell_ = 0, font_ = 0;
};

}  // namespace

std::string class_section(const ClassReport& report) {
  std::vector<ClassResult> results = worst_first(report);
  std::vector<ClassResult> in_order;
  for (const ClassResult& r : report.results)
    if (r.samples > 0) in_order.push_back(r);
  std::string html = "<h2>Classes</h2>\n";
  if (results.size() < report.results.size())
    html += text("<p>", results.size(), " of the model's ", report.results.size(), " classes have samples here.</p>\n");
  if (in_order.size() <= kMostRows) {
    html += table(report, in_order);
  } else {
    results.resize(kWorstRows);
    html += text("<p>The ", kWorstRows, " worst of ", in_order.size(), " classes:</p>\n", table(report, results),
                 "<details class=\"more\"><summary>All ", in_order.size(), " classes</summary>\n",
                 table(report, in_order), "</details>\n");
  }
  const std::vector<index> drawn = drawn_classes(report);
  const std::string names =
      drawn.size() > kMostNumbered && !report.names.empty() ? "; on the sides are the numbers of the classes" : "";
  const std::string limit = drawn.size() == kMostDrawn && drawn.size() < in_order.size()
                                ? text(", the ", kMostDrawn, " classes with the most mistakes")
                                : "";
  html += text("<div class=\"", drawn.size() <= kMostInPair ? "pair" : "stack", "\">\n<figure>",
               MatrixDrawing(report, report.clean, drawn).draw("Confusion of clean predictions"),
               "<figcaption>Clean predictions", limit, names,
               ". A row is a true class; blue is right, red is wrong, and the darker the larger its share of the row."
               "</figcaption></figure>\n<figure>",
               MatrixDrawing(report, report.worst_case, drawn).draw("Confusion in the worst case"),
               "<figcaption>The worst case", limit,
               ": what the model sees in the strongest adversarial input of each sample.</figcaption></figure>\n"
               "</div>\n");
  return html;
}

}  // namespace ntkrob::cli
