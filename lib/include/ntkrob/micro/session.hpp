/// Session: a net in an arena of the caller, with the verbs of inference, training and attack.
///
/// For devices: no heap, no exceptions, no static constructors, nothing of the C library but memcpy and memset, float32
/// only. Every sum has a fixed order and no multiplication is fused with an addition, so that the same calls give the
/// same bits on every processor with IEEE arithmetic, in hardware or in software.
///
///   Session session;
///   open(session, kNet, kOptions, arena, sizeof arena);
///   initialise(session, 1);
///   for (uint32_t epoch = 0; epoch < 20; ++epoch) train_epoch(session, source, epoch, report);
///
/// Thread-safety: one call at a time per session; sessions with arenas of their own are independent.
#pragma once

#include "ntkrob/micro/net.hpp"

namespace ntkrob::micro {

enum class Loss : uint8_t {
  mse,  // 1/2 ||f - y||^2, y the row's soft label, or 1 - 1/classes for its class and -1/classes for the others
  ce    // cross-entropy of the softmax with the class
};

struct Options {
  Loss loss = Loss::mse;
  float lr = 0.05f;
  float momentum = 0;      // heavy ball, in [0, 1)
  float weight_decay = 0;  // on weights and biases
  uint16_t batch = 1;      // rows per step; the incomplete last batch of an epoch is dropped
  uint64_t seed = 0;       // of the order of the rows
  bool shuffle = true;     // a fresh order per epoch; false: the order of the source
  bool train = true;       // false: inference only; the parameters then stay where they are, in flash
  bool attack = false;     // with memory for attacks
};

/// Batches and momentum take a second array of the size of the parameters; steps of one row without momentum do not.
constexpr bool buffered(const Options& options) { return options.train && (options.batch > 1 || options.momentum > 0); }

/// Bytes of arena. 0: the net is not valid.
constexpr size_t bytes_needed(const NetView& net, const Options& options) {
  const Plan p = plan(net);
  if (p.status != Status::ok) return 0;
  const bool backward = options.train || options.attack;
  const uint64_t numbers = (options.train ? static_cast<uint64_t>(p.parameters) : 0) +
                           (buffered(options) ? p.parameters : 0) + p.values + 2u * p.classes +
                           (backward ? 2u * static_cast<uint64_t>(p.largest) : 0) +
                           (options.attack ? 2u * static_cast<uint64_t>(net.input.size()) : 0);
  return static_cast<size_t>(numbers * sizeof(float));
}

/// An arena that fails to compile where it is larger than the limit: Arena<bytes_needed(kNet, kOptions), 96 * 1024>.
template <size_t Bytes, size_t Limit = static_cast<size_t>(-1)>
struct Arena {
  static_assert(Bytes > 0, "the net is not valid: a layer does not fit its input, or the last layer is not dense");
  static_assert(Bytes <= Limit, "the net needs more memory than the arena's limit");
  alignas(16) unsigned char bytes[Bytes];
  static constexpr size_t size() { return Bytes; }
};

/// Written by open(); read what you like, change lr and weight_decay only.
struct Session {
  NetView net;
  Plan plan;
  Options options;
  const float* weights;  // plan.parameters numbers
  float* parameters;     // the same, or null when opened for inference
  float* velocity;       // plan.parameters numbers, or null: what momentum remembers, and the gradient of a batch
  float* values;         // the input, then the output of every layer
  float* cotangent;      // classes numbers: derivative of the loss by the logits
  float* soft;           // classes numbers: the row's soft label
  float* delta[2];       // plan.largest numbers each
  float* origin;         // the input before an attack
  float* input_gradient;
  float* input() { return values; }
};

/// Lays out the session in the arena. The net's layers must outlive the session. Parameters are 0 until initialise().
///   arena: aligned to 4 bytes   returns: ok, bad_net, bad_options, misaligned, arena_too_small
Status open(Session& session, const NetView& net, const Options& options, void* arena, size_t bytes);
/// For inference and attacks with parameters that lie elsewhere, for example in flash.   weights: plan.parameters
/// numbers
Status open(Session& session, const NetView& net, const Options& options, const float* weights, void* arena,
            size_t bytes);

/// Every weight and bias U(-1/sqrt(fan_in), 1/sqrt(fan_in)): robustness from data depends on a small initialisation.
/// Parameter k is a function of (seed, layer, k) alone.
Status initialise(Session& session, uint64_t seed);

/// Logits of session.input(), valid until the next call.   returns: ok, or not_finite
Status forward(Session& session, const float*& logits);
/// The class with the largest logit, the first of equals.
uint16_t predicted(const Session& session);

/// One row of a data set.
struct Row {
  float* x;        // in: where the pixels go, net.input.size() numbers
  float* soft;     // in: where a soft label goes, classes numbers, or null where none is wanted
  uint16_t label;  // out
  bool has_soft;   // out: a soft label was written
};

/// Where rows come from, one by one.
struct Source {
  uint32_t count;
  Status (*read)(const void* context, uint32_t i, Row& row);
  const void* context;
};

struct Report {
  uint32_t rows;   // seen
  uint32_t right;  // of these, the largest logit was that of the label
  float loss;      // mean over the rows; a sum between begin_step() and end_step()
};

/// One step by hand: begin_step(), then add_sample() options.batch times with the image in session.input(), then
/// end_step(). Parameters change in end_step(), or, unbuffered, at the end of an add_sample() that returns ok.
///   label: of the sample   soft: its soft label, classes numbers, or null   report: is added to
///   returns: ok, read_only, bad_label, not_finite
Status begin_step(Session& session);
Status add_sample(Session& session, uint16_t label, const float* soft, Report& report);
Status end_step(Session& session);
/// One pass over the source. After not_finite the parameters are those before the step that failed.
///   returns: ok, read_only, bad_label, not_finite, or what the source says
Status train_epoch(Session& session, const Source& source, uint32_t epoch, Report& report);
/// Loss and right answers on the whole source; the parameters stay.
Status evaluate(Session& session, const Source& source, Report& report);
/// Place of row i of n in the order of an epoch: a bijection of [0, n) that needs no memory. requires: i < n
uint32_t shuffled(uint32_t i, uint32_t n, uint64_t seed, uint32_t epoch);
/// ok, or not_finite where a parameter is NaN or infinite
Status check_parameters(const Session& session);

enum class Norm : uint8_t { linf = 0, l2 = 1 };

/// Steps along the gradient of the cross-entropy, projected to the ball and to [low, high]. steps 1 with step = eps is
/// FGSM.
struct Attack {
  Norm norm = Norm::linf;
  float eps = 0.1f;
  float step = 0.025f;
  uint16_t steps = 10;
  float low = 0, high = 1;
};
constexpr Attack fgsm(Norm norm, float eps) { return {norm, eps, eps, 1, 0, 1}; }
/// Steps of 2.5 eps / steps, from the image itself.
constexpr Attack pgd(Norm norm, float eps, uint16_t steps) { return {norm, eps, 2.5f * eps / steps, steps, 0, 1}; }

/// Attacks session.input(), which holds the last iterate afterwards.   survived: the class was right at every iterate
Status attack(Session& session, uint16_t label, const Attack& attack, bool& survived);
/// report.right counts the rows that survived; report.loss is that of the last iterates.
Status evaluate(Session& session, const Source& source, const Attack& attack, Report& report);

}  // namespace ntkrob::micro
