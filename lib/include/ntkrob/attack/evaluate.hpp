/// Robust accuracy: a list of attacks on a model, sample by sample, in batches.
///
/// Every adversarial input is judged again by a forward pass of its own, whose verdict and margin are the ones
/// reported. Samples that are wrong on clean inputs count as not robust and are not attacked; every attack of the list
/// is run on all others, so the attacks can be compared and worst_case is their per-sample minimum. Random numbers are
/// keyed by the sample's number, and the library's models compute every row by itself, so the report does not depend on
/// batch_rows.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "ntkrob/attack/attack.hpp"

namespace ntkrob {

struct EvaluateProgress;
struct EvaluateReport;

/// What an evaluation does next: an attack, or one part of a sequence, on one batch.
struct EvaluateStage {
  index attack = 0;           // number in the list
  std::string name;           // of the attack
  index part = 0, parts = 1;  // of a sequence
  std::string part_name;      // empty where the attack is no sequence
  index batch = 0;            // samples in the batch
  index done = 0, total = 0;  // samples that the attack is through with, and in all: those right on clean inputs
};

struct EvaluateOptions {
  std::vector<std::string> attacks;  // specs for make_attack, in order; transfer(SPEC): found on `source`
  ThreatModel threat;
  std::uint64_t seed = 0;
  index batch_rows = 250;
  const Model* source = nullptr;  // where transfer(SPEC) looks for adversarial inputs; judged is `model` as always
  index examples = 0;             // adversarial inputs to keep: the strongest for each of the first so many attacked
  const EvaluateProgress* resume = nullptr;  // goes on from there, to the report of an evaluation without interruption
  /// Called after each part of a sequence and after each batch, before progress, with what has been found so far
  /// (evaluate_state.hpp makes a StateDict of it).
  std::function<void(const EvaluateProgress& so_far)> checkpoint;
  /// Called before each part of each batch. May throw Interrupted.
  std::function<void(const EvaluateStage& next)> stage;
  /// Called after each batch: attack name, samples done, samples in all (those right on clean inputs). May throw
  /// Interrupted.
  std::function<void(const std::string& attack, index done, index total)> progress;
};

struct AttackReport {
  std::string name;
  AttackNature nature = AttackNature::gradients;
  std::vector<std::pair<std::string, std::string>> constants;
  double accuracy = 0;  // fraction still right, in [0,1]
  double mean_margin = 0;
  index zero_gradients = 0;  // sample-steps with an input gradient of exactly 0: a sign of gradient masking
  index changed =
      0;  // verdicts that another pass over the adversarial inputs changed: ties, or an output that is random
  std::vector<AttackPart> parts;  // of a sequence such as autoattack; empty otherwise
  double seconds = 0;
  std::vector<char> robust;      // per sample
  std::vector<float> margin;     // per sample, at the best iterate; the clean margin where the sample was not attacked
  std::vector<int> predicted;    // per sample: on the adversarial input; on the clean one where it was not attacked
  std::vector<int> queries;      // per sample: forward passes; 0 where the sample was not attacked
  std::vector<double> distance;  // per sample: of the adversarial input, in the norm; 0 where it was not attacked
  std::vector<char> source_robust;  // transfer(...): per sample, 1 if the source still gets the adversarial input right

  bool transferred() const { return !source_robust.empty(); }
  /// It has seen no gradient of the model that is judged.
  bool black_box() const { return transferred() || nature != AttackNature::gradients; }
};

/// Adversarial inputs for people to look at.
struct AdversarialExamples {
  std::vector<index> samples;
  std::vector<index> attacks;  // which attack of the report found it
  Matrix<float> inputs;        // samples.size() x D
};

struct EvaluateReport {
  std::vector<int> predicted;         // on the clean inputs
  std::vector<float> margin;          // on the clean inputs
  std::vector<int> source_predicted;  // by the source, on the clean inputs; empty without source
  double clean = 0;
  double worst_case = 0;              // fraction right under every attack of the list
  double eps0 = 0;                    // accuracy under pgd-2 at eps = 0: equals clean, or evaluate() throws
  bool randomised = false;            // two passes over the same inputs differed; then eps0 need not equal clean
  std::vector<AttackReport> attacks;  // in the order of the options
  AdversarialExamples examples;
};

/// Where an evaluation was interrupted.
struct EvaluateProgress {
  EvaluateReport report;
  index done = 0;             // attacked samples that the last attack in the report is through with
  AttackResult batch;         // of a sequence: the parts that are through with the batch after these, if any ...
  Matrix<float> adversarial;  // ... and what they have found
};

/// x: N x D in [low, high] of the threat model. targets: N x C or empty.
/// throws: ConfigError (no attack; threat model; labels out of range, inputs outside the box: index and value; a source
///         that is missing or of another shape; `resume` from another model or other data), NonFinite naming the
///         sample, NumericalError when the eps = 0 self test disagrees with the clean predictions of a model whose
///         output is not random, or when an attack left ball or box
EvaluateReport evaluate(const Model& model, ConstView2D<float> x, const std::vector<int>& labels,
                        ConstView2D<float> targets, const EvaluateOptions& options);

/// The SPEC of "transfer(SPEC)", or empty. throws: ConfigError where SPEC is missing
std::string transfer_spec(const std::string& attack);
/// A list of attacks as an option (base/parsed.hpp): "clean,fgsm,transfer(pgd-40)".
struct AttackList {
  struct Entry {
    std::string spec;                      // as in EvaluateOptions::attacks
    std::shared_ptr<const Attack> attack;  // of transfer(SPEC): that of SPEC
  };
  std::vector<Entry> entries;
  std::vector<std::string> specs() const;
  /// throws: ConfigError as split_list and make_attack
  static AttackList parse(const std::string& text);
  void add(const std::string& spec);
};

/// The attack of an entry of EvaluateOptions::attacks, of "transfer(SPEC)" that of SPEC. throws: as make_attack
std::unique_ptr<Attack> make_listed_attack(const std::string& entry);

}  // namespace ntkrob
