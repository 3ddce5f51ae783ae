#include "ntkrob/micro/session.hpp"

#include "micro/layers.hpp"
#include "micro/math.hpp"
#include "micro/passes.hpp"
#include "ntkrob/micro/random.hpp"

namespace ntkrob::micro {
namespace {

bool aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % sizeof(float) == 0; }

bool valid(const Options& o) {
  return !o.train || (is_finite(o.lr) && o.lr > 0 && o.momentum >= 0 && o.momentum < 1 && is_finite(o.weight_decay) &&
                      o.weight_decay >= 0 && o.batch >= 1);
}

}  // namespace

Status open(Session& session, const NetView& net, const Options& options, void* arena, size_t bytes) {
  const Plan p = plan(net);
  if (p.status != Status::ok) return p.status;
  if (!valid(options)) return Status::bad_options;
  if (!aligned(arena)) return Status::misaligned;
  const size_t needed = bytes_needed(net, options);
  if (bytes < needed) return Status::arena_too_small;
  float* next = static_cast<float*>(arena);
  fill(next, 0, static_cast<uint32_t>(needed / sizeof(float)));
  const auto take = [&](uint32_t n) {
    float* const begin = next;
    next += n;
    return begin;
  };
  session.net = net;
  session.plan = p;
  session.options = options;
  session.parameters = options.train ? take(p.parameters) : nullptr;
  session.weights = session.parameters;
  session.velocity = buffered(options) ? take(p.parameters) : nullptr;
  session.values = take(p.values);
  session.cotangent = take(p.classes);
  session.soft = take(p.classes);
  const bool backward = options.train || options.attack;
  for (float*& delta : session.delta) delta = backward ? take(p.largest) : nullptr;
  session.origin = options.attack ? take(net.input.size()) : nullptr;
  session.input_gradient = options.attack ? take(net.input.size()) : nullptr;
  return Status::ok;
}

Status open(Session& session, const NetView& net, const Options& options, const float* weights, void* arena,
            size_t bytes) {
  if (options.train || weights == nullptr) return Status::bad_options;
  if (!aligned(weights)) return Status::misaligned;
  const Status status = open(session, net, options, arena, bytes);
  session.weights = weights;
  return status;
}

Status initialise(Session& session, uint64_t seed) {
  if (session.parameters == nullptr) return Status::read_only;
  for (uint32_t l = 0; l < session.net.count; ++l) {
    const Place at = locate(session.net, l);
    if (at.biases == 0) continue;
    const float scale = 1.0f / root(static_cast<float>(at.fan_in()));
    float* const parameters = session.parameters + at.weight;
    for (uint32_t k = 0; k < at.weights + at.biases; ++k) parameters[k] = scale * random_symmetric(seed, l, k);
  }
  if (session.velocity != nullptr) fill(session.velocity, 0, session.plan.parameters);
  return Status::ok;
}

Status forward(Session& session, const float*& logits) {
  logits = session.values + session.plan.values - session.plan.classes;
  if (session.weights == nullptr) return Status::bad_options;
  for (uint32_t l = 0; l < session.net.count; ++l) {
    const Place at = locate(session.net, l);
    layer_forward(at, session.weights, session.values + at.source, session.values + at.target);
  }
  return all_finite(logits, session.plan.classes) ? Status::ok : Status::not_finite;
}

uint16_t predicted(const Session& session) {
  const uint32_t classes = session.plan.classes;
  return static_cast<uint16_t>(arg_max(session.values + session.plan.values - classes, classes));
}

Status check_parameters(const Session& session) {
  return session.weights != nullptr && all_finite(session.weights, session.plan.parameters) ? Status::ok
                                                                                            : Status::not_finite;
}

}  // namespace ntkrob::micro
