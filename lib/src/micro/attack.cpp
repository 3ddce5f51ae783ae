#include "micro/layers.hpp"
#include "micro/math.hpp"
#include "micro/passes.hpp"

namespace ntkrob::micro {
namespace {

float clamp(float v, float low, float high) { return v < low ? low : v > high ? high : v; }

/// One step up the gradient, then back into the ball around the origin and into the box.
void ascend(Session& session, const Attack& attack) {
  const uint32_t n = session.net.input.size();
  float* const x = session.input();
  const float *const o = session.origin, *const g = session.input_gradient;
  if (attack.norm == Norm::linf) {
    for (uint32_t i = 0; i < n; ++i) {
      const float moved = x[i] + (g[i] > 0 ? attack.step : g[i] < 0 ? -attack.step : 0.0f);
      x[i] = clamp(clamp(moved, o[i] - attack.eps, o[i] + attack.eps), attack.low, attack.high);
    }
    return;
  }
  // The gradient of a confident net is tiny: its square would underflow without the scale.
  float largest = 0;
  for (uint32_t i = 0; i < n; ++i) {
    const float size = g[i] < 0 ? -g[i] : g[i];
    if (size > largest) largest = size;
  }
  if (largest == 0) return;
  float sum = 0;
  for (uint32_t i = 0; i < n; ++i) {
    const float v = g[i] / largest;
    sum += v * v;
  }
  const float length = root(sum);
  float distance = 0;
  for (uint32_t i = 0; i < n; ++i) {
    x[i] += attack.step * (g[i] / largest / length);
    distance += (x[i] - o[i]) * (x[i] - o[i]);
  }
  distance = root(distance);
  const float shrink = distance > attack.eps ? attack.eps / distance : 1.0f;
  for (uint32_t i = 0; i < n; ++i) x[i] = clamp(o[i] + shrink * (x[i] - o[i]), attack.low, attack.high);
}

/// Logits, loss and the derivative by the input at session.input().
Status look(Session& session, uint16_t label, float& loss, bool with_gradient) {
  const float* logits;
  Status status = forward(session, logits);
  if (status == Status::ok) status = loss_and_cotangent(session, Loss::ce, label, nullptr, loss);
  if (status == Status::ok && with_gradient) backward(session, 0, nullptr, session.input_gradient);
  return status;
}

Status attack_and_loss(Session& session, uint16_t label, const Attack& attack, bool& survived, float& loss) {
  survived = false;
  if (session.origin == nullptr) return Status::no_attack;
  if (label >= session.plan.classes) return Status::bad_label;
  if (!(attack.eps >= 0) || !is_finite(attack.eps) || !(attack.step >= 0) || !is_finite(attack.step))
    return Status::bad_options;
  for (uint32_t i = 0; i < session.net.input.size(); ++i) session.origin[i] = session.input()[i];
  bool right = true;
  for (uint32_t step = 0; step <= attack.steps; ++step) {
    const bool last = step == attack.steps;
    const Status status = look(session, label, loss, !last);
    if (status != Status::ok) return status;
    right = right && predicted(session) == label;
    if (!last) ascend(session, attack);
  }
  survived = right;
  return Status::ok;
}

}  // namespace

Status attack(Session& session, uint16_t label, const Attack& attack, bool& survived) {
  float loss;
  return attack_and_loss(session, label, attack, survived, loss);
}

Status evaluate(Session& session, const Source& source, const Attack& attack, Report& report) {
  report = {0, 0, 0};
  if (session.origin == nullptr) return Status::no_attack;
  for (uint32_t i = 0; i < source.count; ++i) {
    Row row;
    Status status = read_row(session, source, i, row);
    bool survived = false;
    float loss = 0;
    if (status == Status::ok) status = attack_and_loss(session, row.label, attack, survived, loss);
    if (status != Status::ok) return status;
    ++report.rows;
    report.right += survived ? 1u : 0u;
    report.loss += loss;
  }
  if (report.rows > 0) report.loss /= static_cast<float>(report.rows);
  return Status::ok;
}

}  // namespace ntkrob::micro
