/// Options of the robustifier (adv-KIP), one visit function for parsing, help, checks, echo and storing.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "ntkrob/attack/threat.hpp"
#include "ntkrob/base/fields.hpp"
#include "ntkrob/kernel/spec.hpp"
#include "ntkrob/optim/optimizer.hpp"

namespace ntkrob {

/// The kernels of an option text: "fc:1|fc:3". A "|" inside parentheses belongs to the spec.
struct KernelSpecs {
  std::vector<KernelSpec> all;  // at least one
  /// throws: ConfigError for an empty one; as KernelSpec::parse
  static KernelSpecs parse(const std::string& text);
};

struct RobustifyOptions {
  Parsed<KernelSpecs> kernel = "fc:3";  // kernel spec, or several with "|" between them: fc:1|fc:3
  /// of several kernels: average, every step takes all of them, each with its own machine and its own attack; sample,
  /// every step takes one, drawn by the seed. Validation averages over all of them in both cases
  std::string kernel_mix = "average";
  std::string precision = "mixed";  // mixed | float64
  index n = 1000;                   // support images in all
  std::string init = "data";        // data: class-balanced draw; noise: uniform noise in the box, classes balanced
  std::string norm = "linf";        // linf | l2
  double eps = 0.1;                 // radius of the inner attack; 0 is KIP
  index steps = 200;                // outer steps
  index batch = 500;                // fresh training images per outer step
  index attack_steps = 5;           // PGD steps of the inner attack
  double attack_step = 0;           // PGD step size; 0: 2.5 eps / attack_steps
  std::string inner_loss = "ce";    // ce | mse | margin
  /// float32: the inner attack computes as `precision` says; bfloat16: its products round their operands to bfloat16
  std::string attack_precision = "float32";
  std::string outer_loss = "mse";        // mse | ce
  double temperature = 1;                // multiplies logits before ce, inner and outer
  std::string optimizer = "adam";        // adam: KIP, v2 of the paper; signed: projected signed steps, v1
  double lr = 1e-2;                      // adam: step size; signed: step in pixel units
  Parsed<Schedule> schedule = "cosine";  // constant | cosine | one-cycle | step(...)
  double radius = 0.2;                   // signed: linf radius of the ball around the initial images
  bool learn_labels = false;
  double label_lr = 1e-2;
  bool clip = true;                // keep support pixels in [0,1]
  double eps_ramp = 0;             // eps grows linearly from 0 over this fraction of the steps
  double ridge = 1e-6;             // relative to trace / n
  std::string factor = "float64";  // float64 | refined: how the machines are solved (krr/machine.hpp)
  double duplicate_angle = 1e-3;   // support candidates closer than this angle (radians) to a chosen one are dropped
  index validation = 500;          // training images held out to choose the best iterate; 0: keep the last
  index validate_every = 10;       // outer steps between validations
  index checkpoint_every = 50;     // outer steps between checkpoints
  std::uint64_t seed = 0;

  /// throws: ConfigError naming the field, the value and its range
  void validate() const;
};

/// Calls visitor(name, field, help, about) for every field (base/fields.hpp); about is left out where there is nothing
/// to say.
template <class Options, class Visitor>
void visit_robustify(Options& o, Visitor&& visitor) {
  const double right_angle = 1.57079632679489662;
  About in_the_box = within(0, 1, "pixels");
  in_the_box.low_open = true;
  visitor("kernel", o.kernel, "kernel spec, e.g. fc:3; may be given several times");
  visitor("kernel-mix", o.kernel_mix, "average | sample: of several kernels, take all in every step, or draw one",
          among("average|sample"));
  visitor("precision", o.precision, "mixed | float64", among("mixed|float64"));
  visitor("n", o.n, "support images in all", at_least(1, "images"));
  visitor("init", o.init, "data | noise", among("data|noise"));
  visitor("norm", o.norm, "linf | l2", among("linf|l2"));
  // At most 1 in linf; how large an l2 radius may be depends on the image size. validate() and ThreatModel know.
  visitor("eps", o.eps, "radius of the inner attack in pixel units, e.g. 0.1 or 8/255; 0 is KIP",
          at_least(0, "pixels"));
  visitor("steps", o.steps, "outer steps", at_least(1));
  visitor("batch", o.batch, "training images per outer step", at_least(1, "images"));
  visitor("attack-steps", o.attack_steps, "PGD steps of the inner attack", at_least(1));
  visitor("attack-step", o.attack_step, "PGD step size; 0: 2.5 eps / attack-steps", within(0, 1e6, "pixels"));
  visitor("inner-loss", o.inner_loss, "ce | mse | margin: what the inner attack maximises", among("ce|mse|margin"));
  visitor("attack-precision", o.attack_precision,
          "float32 | bfloat16: operands of the inner attack's products (bfloat16 needs AVX512_BF16 or cuda)",
          among("float32|bfloat16"));
  visitor("outer-loss", o.outer_loss, "mse | ce: what the support set minimises", among("mse|ce"));
  visitor("temperature", o.temperature, "multiplies logits before ce", positive());
  visitor("optimizer", o.optimizer, "adam | signed (projected on a ball around the initial images)",
          among("adam|signed"));
  visitor("lr", o.lr, "step size of the support images", positive());
  visitor("schedule", o.schedule, "constant | cosine | one-cycle | step");
  visitor("radius", o.radius, "signed: linf radius of the ball around the initial images", in_the_box);
  visitor("learn-labels", o.learn_labels, "optimise the labels too");
  visitor("label-lr", o.label_lr, "step size of the labels", positive());
  visitor("clip", o.clip, "keep support pixels in [0,1]");
  visitor("eps-ramp", o.eps_ramp, "fraction of the steps over which eps grows from 0", within(0, 1));
  visitor("ridge", o.ridge, "ridge relative to trace / n", within(0, 1));
  visitor("factor", o.factor, "float64 | refined: a float32 factor, refined to float64 (for devices with slow float64)",
          among("float64|refined"));
  visitor("duplicate-angle", o.duplicate_angle, "radians; closer candidates are dropped at initialisation",
          within(0, right_angle, "radians"));
  visitor("validation", o.validation, "training images held out to choose the best iterate; 0: keep the last",
          at_least(0, "images"));
  visitor("validate-every", o.validate_every, "outer steps between validations", at_least(1));
  visitor("checkpoint-every", o.checkpoint_every, "outer steps between checkpoints", at_least(1));
  visitor("seed", o.seed, "seed of every random choice");
}

/// Every option as (name, text), in the order of visit_robustify; numbers read back to the same bits.
OptionTexts option_texts(const RobustifyOptions& options);

}  // namespace ntkrob
