/// What there is of every layer of nets and kernels.
#include <algorithm>

#include "ntkrob/jobs/report.hpp"
#include "ntkrob/kernel/spec.hpp"
#include "ntkrob/net/description.hpp"

namespace ntkrob::jobs {

namespace {

using Answers = std::vector<std::pair<std::string, std::string>>;
struct LayerRow {
  std::string layer;
  Answers answers;
};

/// Those of nets and those that kernels have alone, by name.
std::vector<LayerRow> rows() {
  std::vector<LayerRow> all;
  for (const net::Coverage& c : net::coverage())
    all.push_back({c.layer,
                   {{"kernel", c.kernel},
                    {"cpu", c.cpu},
                    {"cuda", c.cuda},
                    {"micro", c.micro},
                    {"int8", c.int8},
                    {"onnx", c.onnx},
                    {"torch", c.torch}}});
  for (const std::string& name : kernel_layers()) {
    const bool of_nets = name == "flatten" || name == "residual" ||
                         std::any_of(all.begin(), all.end(), [&](const LayerRow& row) { return row.layer == name; });
    if (of_nets) continue;
    LayerRow row{name, {{"kernel", "yes"}}};
    for (const char* target : {"cpu", "cuda", "micro", "int8", "onnx", "torch"})
      row.answers.emplace_back(target, "kernels only");
    all.push_back(std::move(row));
  }
  std::sort(all.begin(), all.end(), [](const LayerRow& a, const LayerRow& b) { return a.layer < b.layer; });
  return all;
}

}  // namespace

Report layers_report() {
  Report list = Report::list();
  for (const LayerRow& row : rows()) {
    Report one{{"layer", row.layer}};
    for (const auto& [target, answer] : row.answers) one[target] = answer;
    list.push_back(std::move(one));
  }
  return list;
}

std::string layers_text() {
  std::string lines =
      "| layer | kernel | cpu | cuda | micro | int8 | onnx | torch |\n|---|---|---|---|---|---|---|---|\n";
  for (const LayerRow& row : rows()) {
    lines += "| `" + row.layer + "` |";
    for (const auto& [target, answer] : row.answers) lines += " " + answer + " |";
    lines += "\n";
  }
  return lines;
}

}  // namespace ntkrob::jobs
