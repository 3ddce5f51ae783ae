/// Options of the robustifier (adv-KIP), one visit() for parsing, help, echo and storing.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "ntkrob/attack/threat.hpp"

namespace ntkrob {

struct RobustifyOptions {
  std::string kernel = "fc:3";        // kernel spec, or several with "|" between them: fc:1|fc:3
  /// of several kernels: average, every step takes all of them, each with its own machine and its own attack; sample,
  /// every step takes one, drawn by the seed. Validation averages over all of them in both cases
  std::string kernel_mix = "average";
  std::string precision = "mixed";    // mixed | float64
  index n = 1000;                     // support images in all
  std::string init = "data";          // data: class-balanced draw; noise: uniform noise in the box, classes balanced
  std::string norm = "linf";          // linf | l2
  double eps = 0.1;                   // radius of the inner attack; 0 is KIP
  index steps = 200;                  // outer steps
  index batch = 500;                  // fresh training images per outer step
  index attack_steps = 5;             // PGD steps of the inner attack
  double attack_step = 0;             // PGD step size; 0: 2.5 eps / attack_steps
  std::string inner_loss = "ce";      // ce | mse | margin
  /// float32: the inner attack computes as `precision` says; bfloat16: its products round their operands to bfloat16
  std::string attack_precision = "float32";
  std::string outer_loss = "mse";     // mse | ce
  double temperature = 1;             // multiplies logits before ce, inner and outer
  std::string optimizer = "adam";     // adam: KIP, v2 of the paper; signed: projected signed steps, v1
  double lr = 1e-2;                   // adam: step size; signed: step in pixel units
  std::string schedule = "cosine";    // constant | cosine | one-cycle | step(...)
  double radius = 0.2;                // signed: linf radius of the ball around the initial images
  bool learn_labels = false;
  double label_lr = 1e-2;
  bool clip = true;                   // keep support pixels in [0,1]
  double eps_ramp = 0;                // eps grows linearly from 0 over this fraction of the steps
  double ridge = 1e-6;                // relative to trace / n
  std::string factor = "float64";     // float64 | refined: how the machines are solved (krr/machine.hpp)
  double duplicate_angle = 1e-3;      // support candidates closer than this angle (radians) to a chosen one are dropped
  index validation = 500;             // training images held out to choose the best iterate; 0: keep the last
  index validate_every = 10;          // outer steps between validations
  index checkpoint_every = 50;        // outer steps between checkpoints
  std::uint64_t seed = 0;

  /// throws: ConfigError naming the field, the value and its range
  void validate() const;
};

/// Calls visitor(name, field, help) for every field: name as on the command line without dashes ("attack-steps").
template <class Options, class Visitor>
void visit_robustify(Options& o, Visitor&& visitor) {
  visitor("kernel", o.kernel, "kernel spec, e.g. fc:3; may be given several times");
  visitor("kernel-mix", o.kernel_mix, "average | sample: of several kernels, take all in every step, or draw one");
  visitor("precision", o.precision, "mixed | float64");
  visitor("n", o.n, "support images in all");
  visitor("init", o.init, "data | noise");
  visitor("norm", o.norm, "linf | l2");
  visitor("eps", o.eps, "radius of the inner attack in pixel units, e.g. 0.1 or 8/255; 0 is KIP");
  visitor("steps", o.steps, "outer steps");
  visitor("batch", o.batch, "training images per outer step");
  visitor("attack-steps", o.attack_steps, "PGD steps of the inner attack");
  visitor("attack-step", o.attack_step, "PGD step size; 0: 2.5 eps / attack-steps");
  visitor("inner-loss", o.inner_loss, "ce | mse | margin: what the inner attack maximises");
  visitor("attack-precision", o.attack_precision,
          "float32 | bfloat16: operands of the inner attack's products (bfloat16 needs AVX512_BF16 or cuda)");
  visitor("outer-loss", o.outer_loss, "mse | ce: what the support set minimises");
  visitor("temperature", o.temperature, "multiplies logits before ce");
  visitor("optimizer", o.optimizer, "adam | signed (projected on a ball around the initial images)");
  visitor("lr", o.lr, "step size of the support images");
  visitor("schedule", o.schedule, "constant | cosine | one-cycle | step");
  visitor("radius", o.radius, "signed: linf radius of the ball around the initial images");
  visitor("learn-labels", o.learn_labels, "optimise the labels too");
  visitor("label-lr", o.label_lr, "step size of the labels");
  visitor("clip", o.clip, "keep support pixels in [0,1]");
  visitor("eps-ramp", o.eps_ramp, "fraction of the steps over which eps grows from 0");
  visitor("ridge", o.ridge, "ridge relative to trace / n");
  visitor("factor", o.factor,
          "float64 | refined: a float32 factor, refined to float64 (for devices with slow float64)");
  visitor("duplicate-angle", o.duplicate_angle, "radians; closer candidates are dropped at initialisation");
  visitor("validation", o.validation, "training images held out to choose the best iterate; 0: keep the last");
  visitor("validate-every", o.validate_every, "outer steps between validations");
  visitor("checkpoint-every", o.checkpoint_every, "outer steps between checkpoints");
  visitor("seed", o.seed, "seed of every random choice");
}

/// The kernels of an option text: "fc:1|fc:3" -> {"fc:1", "fc:3"}. A "|" inside parentheses belongs to the spec.
///   throws: ConfigError for an empty one
std::vector<std::string> split_kernels(const std::string& kernels);

/// Every option as (name, text), in the order of visit_robustify; numbers read back to the same bits.
std::vector<std::pair<std::string, std::string>> option_texts(const RobustifyOptions& options);

}  // namespace ntkrob
