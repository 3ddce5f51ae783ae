/// The shapes behind make_strokes: how people draw the ten digits, as pen paths in the unit square (x to the right, y
/// down).
#pragma once

#include <vector>

namespace ntkrob::io {

struct Point {
  double x, y;
};

/// A pen path: a smooth curve through the points; corners are made by ending one path and starting another at the same
/// point.
struct Path {
  std::vector<Point> points;
  bool closed = false;
};

/// One way to draw a digit. Points of different paths that coincide stay together when the shape is varied.
using Glyph = std::vector<Path>;

/// The variants of a digit, digit in 0 .. 9, most usual first.
const std::vector<Glyph>& glyphs(int digit);

}  // namespace ntkrob::io
