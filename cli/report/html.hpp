/// Pieces of a page that needs nothing beside itself: escaped text, charts as SVG, pictures as data URIs.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/base/view.hpp"

namespace ntkrob::cli {

/// With &, <, > and " as entities, and control characters as in printable().
std::string escape_html(const std::string& text);
/// <img> with the image inside, one CSS class for its size; alt is escaped.   image: shape.size() numbers in [0,1]
std::string image_html(const float* image, ImageShape shape, const std::string& alt);

struct ChartLine {
  std::string name;
  std::string style;  // CSS class of the line: "main" | "second"
  std::vector<double> x, y;
};

struct Chart {
  std::string title, x_label, y_label;
  std::vector<ChartLine> lines;
  double y_max = 0;         // the y axis goes from 0 to here
  bool y_percent = false;   // y in [0,1], labelled as percent
  bool root_scale = false;  // x on a square root scale: small values get room
  double marked_x = -1;     // a vertical line here, where it is 0 or more
  std::string mark;         // its label
};
/// The round number at or above `largest` where an axis with four parts may end.
double axis_end(double largest);
/// An <svg> that scales with its place.
std::string chart_svg(const Chart& chart);

}  // namespace ntkrob::cli
