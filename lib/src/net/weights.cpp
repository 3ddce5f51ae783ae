#include "net/weights.hpp"

#include <algorithm>

namespace ntkrob::net {
namespace {

constexpr double kLargestScale = 1e6;

}  // namespace

std::vector<std::string> weight_parameters(std::vector<std::string> first) {
  for (const char* name : {"w", "b", "param", "width", "in"})
    if (std::find(first.begin(), first.end(), name) == first.end()) first.emplace_back(name);
  return first;
}

void read_scales(const SpecArguments& arguments, Layer& layer) {
  arguments.choice("param", 0, {"ntk", "standard"});
  if (arguments.find("w") != nullptr) layer.w = arguments.number("w", 0, 0, kLargestScale);
  if (arguments.find("b") != nullptr) layer.b = arguments.number("b", 0, 0, kLargestScale);
}

std::string limit_weights(const SpecArguments& arguments, index width) {
  std::string out;
  for (const char* name : {"w", "b"})
    if (arguments.find(name) != nullptr)
      out += text(out.empty() ? "" : ",", name, "=", format_number(arguments.number(name, 0, 0, kLargestScale)));
  if (width > 0) out += text(out.empty() ? "" : ",", "width=", width);
  return out;
}

}  // namespace ntkrob::net
