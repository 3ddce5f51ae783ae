/// The kernel machine of a job: a kernel, a support set, a solver.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "ntkrob/data/dataset.hpp"
#include "ntkrob/jobs/context.hpp"
#include "ntkrob/jobs/image_choice.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/kernel/spec.hpp"
#include "ntkrob/krr/iterative_machine.hpp"
#include "ntkrob/krr/machine.hpp"

namespace ntkrob::jobs {

struct MachineJob {
  Parsed<KernelSpec> kernel;
  std::string support;  // file name, for messages
  double ridge = 1e-6;
  std::string precision = "mixed";
  index n = 0;  // the first n images of the training split; 0: all
  std::string solver = "direct";
  std::string factor = "float64";
  index rank = 0;
  double tolerance = 1e-6;
  index iterations = 1000;
  bool balanced = false;  // draw the n images by the seed, the same number of each class
};

template <class Job, class Visitor>
void visit_machine(Job& j, Visitor&& visitor) {
  visitor("kernel", j.kernel, "judge the kernel machine of this kernel instead of a net");
  visitor("support", j.support, "support set of the kernel machine: its training split");
  visitor("n-support", j.n, "the first N images of it; 0: all", at_least(0, "images"));
  visitor("balanced-support", j.balanced, "draw these N by seed, the same number of each class");
  visitor("ridge", j.ridge, "ridge of the kernel machine relative to trace / n", within(0, 1e6));
  visitor("precision", j.precision, "mixed | float64, of the kernel machine", among("mixed|float64"));
  visitor("solver", j.solver, "direct: a factor of the n x n matrix | cg: by iteration, in n x rank memory",
          among("direct|cg"));
  visitor(
      "factor", j.factor,
      "float64 | refined, of direct: refined is a float32 factor, refined to float64 (for devices with slow float64)",
      among("float64|refined"));
  visitor("rank", j.rank,
          "cg: columns of the preconditioner; 0: a fifth of n, at most 2000 and what the memory limit allows",
          at_least(0, "columns"));
  visitor("tolerance", j.tolerance, "cg: largest relative residual, over the classes", between(0, 1));
  visitor("iterations", j.iterations, "cg: give up after N", at_least(1));
}

/// What can be refused before files are read.   throws: ConfigError
void check_machine(const MachineJob& job);
/// Number of support images in use.   throws: ConfigError where n is more than there are
index support_size(const MachineJob& job, const Dataset& support);
/// Which images of the training split those are.
ImageChoice support_choice(const MachineJob& job, std::uint64_t seed);
/// What a machine fitted to the training split should reproduce: its targets, or centred one-hot labels.   n x classes
Matrix<float> support_labels(const Dataset& support);
/// The plan of the solver, as lines of text for --explain.
std::string explain_machine(const MachineJob& job, const Dataset& support, Context& context);

struct Machine {
  std::unique_ptr<Model> model;
  std::optional<FitReport> fit;          // of a direct solve that was refined
  std::optional<SolveReport> solve;      // of a solve by iteration
  index fitted_classes = 0;              // how many classes the support images have; 0: not a machine
  std::vector<std::string> class_names;  // of what it was trained on, or none
};
/// The kernel machine on the training split of `support`.
///   throws: as its constructor
Machine make_machine(const MachineJob& job, const Dataset& support, Context& context);

}  // namespace ntkrob::jobs
