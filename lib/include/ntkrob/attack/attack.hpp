/// Attacks: search a threat model for inputs that a Model gets wrong.
///
/// Contract of every attack (tested over attacks.def): each result lies in ball and box exactly; eps = 0 returns x; results do
/// not depend on batch size or workers (random numbers are indexed by seed and sample, never drawn in order); the best iterate
/// is returned, not the last; a hard sample is no error. "Best" is the iterate with the largest margin loss among all
/// visited, so an attack that once succeeded stays successful.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ntkrob/attack/threat.hpp"
#include "ntkrob/model/model.hpp"

namespace ntkrob {

/// One batch of labelled inputs; `first` is the index of its first sample in the whole evaluation (keys the random numbers).
struct AttackBatch {
  ConstView2D<float> x;           // N x D
  const int* labels = nullptr;    // N
  ConstView2D<float> targets;     // N x C for the mse loss; may be empty otherwise
  index first = 0;
};

/// Per-sample outcome.
struct AttackResult {
  std::vector<char> robust;    // N: 1 if the model still predicts the label on the adversarial input
  std::vector<float> margin;   // N: f_y - max_{j != y} f_j at the adversarial input
  std::vector<int> queries;    // N: forward passes spent
  index zero_gradients = 0;    // sample-steps whose input gradient was exactly 0: a sign of masking
};

class Attack {
 public:
  virtual ~Attack() = default;
  /// The name in attacks.def with its parameters, e.g. "pgd-40".
  virtual std::string name() const = 0;
  /// Every constant, as (key, value) texts for the report.
  virtual std::vector<std::pair<std::string, std::string>> constants() const = 0;
  /// adversarial: N x D (overwritten).
  virtual AttackResult perturb(const Model& model, const AttackBatch& batch, const ThreatModel& threat,
                               std::uint64_t seed, View2D<float> adversarial) const = 0;
};

struct AttackOptions {
  std::string loss = "ce";      // ce | margin | mse
  double temperature = 1;       // multiplies logits before ce
  index restarts = 1;
  double step = 0;              // 0: the attack's default
  bool random_start = true;
};

/// Names: clean | fgsm | pgd | pgd-K (K steps, pgd = pgd-40), each optionally with "(loss=margin,restarts=5,step=0.01,start=x)".
/// throws: ConfigError listing the names
std::unique_ptr<Attack> make_attack(const std::string& spec);
/// name and one-line description of every row of attacks.def.
std::vector<std::pair<std::string, std::string>> attack_help();

/// The inner attack of the robustifier and of adversarial training: PGD without book-keeping, the last iterate.
///   step 0: 2.5 eps / steps. eps 0 copies x. x, adversarial: N x D   key: counter of the random start (e.g. the outer step)
void pgd(const Model& model, const AttackBatch& batch, const ThreatModel& threat, index steps, double step,
         const std::string& loss, double temperature, const Rng& rng, View2D<float> adversarial);

}  // namespace ntkrob
