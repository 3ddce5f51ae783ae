#include "report/html.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "ntkrob/base/printable.hpp"
#include "ntkrob/data/format.hpp"

namespace ntkrob::cli {

namespace {

// The drawing area of a chart, in units of its view box.
constexpr double kWidth = 640, kHeight = 310, kLeft = 56, kRight = 16, kTop = 46, kBottom = 50;

std::string base64(const std::string& bytes) {
  static const char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t block = 0;
    for (std::size_t k = 0; k < 3; ++k)
      block = block << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) out += i + k <= bytes.size() ? kDigits[block >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::string fixed(double value, int digits) {
  char out[40];
  std::snprintf(out, sizeof out, "%.*f", digits, value);
  return out;
}

std::string short_number(double value) {
  char out[40];
  std::snprintf(out, sizeof out, "%.3g", value);
  return out;
}

class Plot {
 public:
  explicit Plot(const Chart& chart) : chart_(chart) {
    for (const ChartLine& line : chart.lines)
      for (const double x : line.x) x_max_ = std::max(x_max_, x);
    if (!(x_max_ > 0)) x_max_ = 1;
  }

  std::string draw() const {
    std::string svg = text("<svg class=\"chart\" viewBox=\"0 0 ", kWidth, " ", kHeight, "\" role=\"img\" aria-label=\"",
                           escape_html(chart_.title), "\">\n");
    svg += label(kLeft, 15, "start", chart_.y_label);
    svg += label((kLeft + kWidth - kRight) / 2, kHeight - 8, "middle", chart_.x_label);
    constexpr int kGrid = 4;
    for (int k = 0; k <= kGrid; ++k) {
      const double value = chart_.y_max * k / kGrid, y = y_at(value);
      svg += segment("grid", kLeft, y, kWidth - kRight, y);
      svg += label(kLeft - 8, y + 4, "end", chart_.y_percent ? fixed(100 * value, 0) + " %" : short_number(value));
    }
    svg += ticks();
    if (chart_.marked_x >= 0) {
      const double x = x_at(chart_.marked_x);
      svg += segment("mark", x, kTop, x, kHeight - kBottom);
      svg += label(x, kTop - 7, "middle", chart_.mark);
    }
    constexpr double kLegendWidth = 150;
    double legend = kWidth - kRight - kLegendWidth * static_cast<double>(chart_.lines.size());
    for (const ChartLine& line : chart_.lines) {
      svg += curve(line);
      if (chart_.lines.size() == 1) continue;
      svg += segment(line.style.c_str(), legend, 11, legend + 24, 11);
      svg += label(legend + 30, 15, "start", line.name);
      legend += kLegendWidth;
    }
    return svg + "</svg>\n";
  }

 private:
  double x_at(double value) const {
    const double share = chart_.root_scale ? std::sqrt(value / x_max_) : value / x_max_;
    return kLeft + share * (kWidth - kRight - kLeft);
  }
  double y_at(double value) const { return kHeight - kBottom - value / chart_.y_max * (kHeight - kBottom - kTop); }
  static std::string segment(const char* style, double x1, double y1, double x2, double y2) {
    return text("<line class=\"", style, "\" x1=\"", fixed(x1, 1), "\" y1=\"", fixed(y1, 1), "\" x2=\"", fixed(x2, 1),
                "\" y2=\"", fixed(y2, 1), "\"/>\n");
  }
  static std::string label(double x, double y, const char* anchor, const std::string& content) {
    return text("<text x=\"", fixed(x, 1), "\" y=\"", fixed(y, 1), "\" text-anchor=\"", anchor, "\">",
                escape_html(content), "</text>\n");
  }

  /// A label under each point of the first line, where there is room since the last one.
  std::string ticks() const {
    constexpr double kRoom = 42;
    std::string svg;
    double last = -kRoom;
    const std::vector<double>& points = chart_.lines.front().x;
    for (std::size_t k = 0; k < points.size(); ++k) {
      const double x = x_at(points[k]);
      const bool end = k + 1 == points.size();
      if (x < last + kRoom || (!end && x > x_at(points.back()) - kRoom)) continue;
      last = x;
      svg += segment("tick", x, kHeight - kBottom, x, kHeight - kBottom + 5);
      svg += label(x, kHeight - kBottom + 20, "middle", short_number(points[k]));
    }
    return svg;
  }

  std::string curve(const ChartLine& line) const {
    std::string points, dots;
    for (std::size_t k = 0; k < line.x.size(); ++k) {
      const std::string x = fixed(x_at(line.x[k]), 1), y = fixed(y_at(line.y[k]), 1);
      points += x + "," + y + " ";
      dots += text(
          "<circle class=\"", line.style, "\" cx=\"", x, "\" cy=\"", y, "\" r=\"3\"><title>", short_number(line.x[k]),
          ": ", chart_.y_percent ? fixed(100 * line.y[k], 1) + " %" : short_number(line.y[k]), "</title></circle>\n");
    }
    return text("<polyline class=\"", line.style, "\" points=\"", points, "\"/>\n", dots);
  }

  const Chart& chart_;
  double x_max_ = 0;
};

}  // namespace

std::string escape_html(const std::string& raw) {
  std::string out;
  for (const char c : printable(raw)) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

std::string image_html(const float* image, ImageShape shape, const std::string& alt) {
  return text("<img alt=\"", escape_html(alt), "\" src=\"data:image/png;base64,", base64(png_bytes(image, shape)),
              "\">");
}

double axis_end(double largest) {
  if (!(largest > 0)) return 1;
  const double unit = std::pow(10.0, std::floor(std::log10(largest)));
  for (const double factor : {1.0, 1.2, 1.6, 2.0, 2.4, 3.0, 4.0, 5.0, 6.0, 8.0})
    if (factor * unit >= largest) return factor * unit;
  return 10 * unit;
}

std::string chart_svg(const Chart& chart) { return Plot(chart).draw(); }

}  // namespace ntkrob::cli
