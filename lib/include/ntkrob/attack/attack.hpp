/// Attacks: search a threat model for inputs that a Model gets wrong.
///
/// Contract of every attack (tested over attacks.def): each result lies in ball and box exactly; eps = 0 returns x;
/// results do not depend on batch size or workers (random numbers are indexed by seed and sample, never drawn in
/// order); the best iterate is returned, not the last; a hard sample is no error. "Best" is the iterate with the
/// largest margin loss among all visited, so an attack that once succeeded stays successful.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ntkrob/attack/threat.hpp"
#include "ntkrob/model/model.hpp"

namespace ntkrob {

/// One batch of labelled inputs. Row i is sample number `samples[i]` of the whole evaluation, or `first + i` where
/// samples is null; the number keys the sample's random numbers, so they do not depend on how the evaluation is cut
/// into batches.
struct AttackBatch {
  ConstView2D<float> x;         // N x D
  const int* labels = nullptr;  // N
  ConstView2D<float> targets;   // N x C for the mse loss; may be empty otherwise
  index first = 0;
  const index* samples = nullptr;  // N, or null: consecutive from first

  index sample(index i) const { return samples == nullptr ? first + i : samples[i]; }
};

/// What an attack asks of the model that it searches on.
enum class AttackNature {
  inputs,     // nothing: the inputs as they are
  noise,      // logits, of points that do not depend on them
  search,     // logits, which decide where it looks next
  gradients,  // gradients; of a sequence, if one of its parts does
};

/// One attack of a sequence, each of which runs on the samples that all before it left right.
struct AttackPart {
  std::string name;    // its spec
  index attacked = 0;  // samples handed to it
  index robust = 0;    // of these, still right afterwards
  index zero_gradients = 0;
  double seconds = 0;
  AttackNature nature = AttackNature::gradients;
};

/// Per-sample outcome, at the best iterate.
struct AttackResult {
  std::vector<char> robust;       // N: 1 if the model still predicts the label on the adversarial input
  std::vector<float> margin;      // N: f_y - max_{j != y} f_j at the adversarial input
  std::vector<int> queries;       // N: forward passes spent
  index zero_gradients = 0;       // sample-steps whose input gradient was exactly 0: a sign of masking
  std::vector<AttackPart> parts;  // of an attack that is a sequence, in order; empty otherwise
};

class Attack {
 public:
  virtual ~Attack() = default;
  /// The spec it was made from, e.g. "pgd-40": the key in reports.
  virtual std::string name() const = 0;
  /// Masking checks compare attacks with gradients and without, and models without gradients are spared the former.
  virtual AttackNature nature() const = 0;
  /// Every constant, as (key, value) texts for the report.
  virtual std::vector<std::pair<std::string, std::string>> constants() const = 0;
  /// The same, as they hold for a model with so many classes under this threat model: some attacks have other defaults
  /// in l1, and losses that need more classes than there are have a substitute, which is named here.
  virtual std::vector<std::pair<std::string, std::string>> constants(index classes, const ThreatModel& threat) const {
    static_cast<void>(classes);
    static_cast<void>(threat);
    return constants();
  }
  /// adversarial: N x D (overwritten); the best iterate of each sample.
  ///   throws: ConfigError (threat model, labels, missing targets); NonFinite naming the sample
  virtual AttackResult perturb(const Model& model, const AttackBatch& batch, const ThreatModel& threat,
                               std::uint64_t seed, View2D<float> adversarial) const = 0;

  /// Of a sequence, its parts in order; empty otherwise.
  virtual std::vector<const Attack*> parts() const { return {}; }
  /// One part more of a sequence, number so_far.parts.size(), on the samples that are still right; of any other attack,
  /// all of it. perturb() is all parts in turn. so_far and adversarial are all that goes from part to part, so a
  /// sequence may be interrupted between them.
  ///   so_far: AttackResult() before the first part; updated   adversarial: N x D, as the part before has left it
  ///   throws: as perturb
  virtual void perturb_part(const Model& model, const AttackBatch& batch, const ThreatModel& threat, std::uint64_t seed,
                            AttackResult& so_far, View2D<float> adversarial) const {
    so_far = perturb(model, batch, threat, seed, adversarial);
  }
  /// Forward passes that a sample costs which stays right, at most; 0: not known. For estimates of time.
  virtual index passes(index classes, const ThreatModel& threat) const {
    static_cast<void>(classes);
    static_cast<void>(threat);
    return 0;
  }
};

struct AttackOptions {
  std::string loss = "ce";  // ce | margin | mse
  double temperature = 1;   // multiplies logits before ce
  index restarts = 1;
  double step = 0;  // 0: the attack's default
  bool random_start = true;
};

/// Names: clean | fgsm | pgd | pgd-K (K steps, pgd = pgd-40). In parentheses, separated by commas:
///   fgsm: loss=ce|margin|mse, temperature=T
///   pgd:  the same, and restarts=N, step=S (pixel units; default 2.5 eps / K), start=random|x
/// throws: ConfigError listing the names or the options
std::unique_ptr<Attack> make_attack(const std::string& spec);
/// An attack by its text, as an option (base/parsed.hpp).
struct AttackOption {
  std::shared_ptr<const Attack> attack;
  /// throws: as make_attack
  static AttackOption parse(const std::string& text) { return {make_attack(text)}; }
};
/// Whether an attack is of this nature, or one of its parts is.
bool has_part(const Attack& attack, AttackNature nature);
/// name and one-line description of every row of attacks.def.
std::vector<std::pair<std::string, std::string>> attack_help();

/// The inner attack of the robustifier and of adversarial training: PGD without book-keeping, the last iterate.
///   step 0: 2.5 eps / steps. eps 0 copies x. x, adversarial: N x D. Row i starts at a random point drawn from
///   rng.fork(batch.sample(i)); give it one rng per outer step.   cost: one logits_and_grad per step
///   throws: ConfigError; NonFinite naming the sample
void pgd(const Model& model, const AttackBatch& batch, const ThreatModel& threat, index steps, double step,
         const std::string& loss, double temperature, const Rng& rng, View2D<float> adversarial);

}  // namespace ntkrob
