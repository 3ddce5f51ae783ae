/// ntkrob demo: the whole job on the built-in data.
#include <algorithm>
#include <iostream>

#include "command.hpp"
#include "json_text.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/report.hpp"

namespace ntkrob::cli {

namespace {

void report(const DemoJob& p, const DemoOutcome& outcome, Session& session) {
  const double seconds = outcome.seconds;
  const std::vector<std::string> names = p.attacks->specs();
  std::vector<std::vector<std::string>> rows{{"model", "trained on", "decay"}};
  rows[0].insert(rows[0].end(), names.begin(), names.end());
  rows[0].push_back("worst case");
  for (const DemoVerdict& v : outcome.verdicts) {
    rows.push_back({v.model, text(p.n, " ", v.trained_on), v.weight_decay ? format_number(*v.weight_decay) : "-"});
    for (std::size_t a = 0; a < names.size(); ++a) rows.back().push_back(percent_text(v.report.attacks[a].accuracy));
    rows.back().push_back(percent_text(v.report.worst_case));
  }
  write_text(p.out + "/demo.json", json_text(demo_report(p, outcome, session)), session.settings.force);
  std::cout << "\nAccuracy on " << std::min(p.judge, p.test) << " test images, linf, eps " << format_number(p.eps)
            << "\n\n"
            << table_text(rows) << "\nAn upper bound of the true robustness: other attacks may leave less.\n"
            << "decay: weight decay of a net; its default on robust images is that of train, on originals the best\n"
            << "of 0, 0.001, 0.005 and 0.02 for them.\n"
            << "In " << p.out << ": pairs.png (originals beside robust images), strokes.png, robust.h5, originals.h5,\n"
            << "net-originals.h5, net-robust.h5, robustify.csv, demo.json. Time: " << duration_text(seconds) << "\n";
}

void demo(const DemoJob& p, Session& session) {
  check_demo(p, session);
  if (session.globals.dry_run || session.globals.explain) {
    TextCollector collector;
    visit_demo(p, collector);
    std::cout << "options\n" << options_text(collector.texts) << backend_text(session);
  }
  if (session.globals.dry_run) return;
  session.console.last_words(text("interrupted; finished files stay in ", p.out,
                                  ", the demo itself starts anew: ", session.command_line({"--force"}), " --force"));
  report(p, run_demo(p, session), session);
}

}  // namespace

Command make_demo() {
  auto p = std::make_shared<DemoJob>();
  Command command;
  visit_demo(*p, command.options.bind());
  command.options.add("attacks", p->attacks, "").separator = ",";
  command.examples = {"ntkrob demo", "ntkrob demo --out demo05 --eps 0.05",
                      "ntkrob demo --n 100 --steps 40 --judge 200"};
  command.run = [p](Session& session) { demo(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
