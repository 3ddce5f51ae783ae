#include "micro/layers.hpp"
#include "micro/math.hpp"
#include "micro/passes.hpp"

namespace ntkrob::micro {

Status loss_and_cotangent(Session& session, Loss loss, uint16_t label, const float* soft, float& value) {
  const uint32_t classes = session.plan.classes;
  const float* const f = session.values + session.plan.values - classes;
  float* const c = session.cotangent;
  if (loss == Loss::mse) {
    const float off = -1.0f / static_cast<float>(classes);
    float sum = 0;
    for (uint32_t j = 0; j < classes; ++j) {
      const float target = soft != nullptr ? soft[j] : j == label ? 1.0f + off : off;
      c[j] = f[j] - target;
      sum += c[j] * c[j];
    }
    value = 0.5f * sum;
  } else {
    const float largest = f[arg_max(f, classes)];
    float others = 0, own = 0;
    for (uint32_t j = 0; j < classes; ++j) {
      c[j] = exp(f[j] - largest);
      if (j == label)
        own = c[j];
      else
        others += c[j];
    }
    const float sum = others + own;
    value = log(sum) + (largest - f[label]);
    for (uint32_t j = 0; j < classes; ++j) c[j] = c[j] / sum;
    // p - 1 as the sum of the other probabilities: the difference would cancel for a confident net.
    c[label] = -others / sum;
  }
  return is_finite(value) ? Status::ok : Status::not_finite;
}

void backward(Session& session, float scale, float* gradient, float* dx) {
  const float* dy = session.cotangent;
  int side =
      0;  // the buffer that is free; the last layer is dense, so dy is in the other one when a layer works in place
  for (uint32_t l = session.net.count; l-- > 0;) {
    const Place at = locate(session.net, l);
    const float *x = session.values + at.source, *y = session.values + at.target;
    if (at.target == 0) break;  // a flatten of the net's input
    float* const to = at.source == at.target ? session.delta[side ^ 1] : at.source == 0 ? dx : session.delta[side];
    if (to != nullptr) layer_backward(at, session.weights, x, y, dy, to);
    if (gradient != nullptr && at.biases > 0) {
      // In place: the derivative by the input needed the parameters as they were.
      if (gradient == session.parameters && session.options.weight_decay > 0) {
        float* const p = session.parameters + at.weight;
        add_scaled(p, p, -session.options.lr * session.options.weight_decay, at.weights + at.biases);
      }
      layer_gradient(at, x, dy, scale, gradient);
    }
    if (to == session.delta[side]) side ^= 1;
    dy = to;
  }
}

Status begin_step(Session& session) {
  if (session.parameters == nullptr) return Status::read_only;
  if (session.velocity == nullptr) return Status::ok;
  // v = momentum v + weight_decay p; the samples add their share of the gradient.
  const Options& o = session.options;
  for (uint32_t k = 0; k < session.plan.parameters; ++k)
    session.velocity[k] = o.momentum * session.velocity[k] + o.weight_decay * session.parameters[k];
  return Status::ok;
}

Status add_sample(Session& session, uint16_t label, const float* soft, Report& report) {
  if (session.parameters == nullptr) return Status::read_only;
  if (label >= session.plan.classes) return Status::bad_label;
  const float* logits;
  Status status = forward(session, logits);
  if (status != Status::ok) return status;
  float loss;
  status = loss_and_cotangent(session, session.options.loss, label, soft, loss);
  if (status != Status::ok) return status;
  ++report.rows;
  report.loss += loss;
  report.right += predicted(session) == label ? 1u : 0u;
  if (session.velocity != nullptr)
    backward(session, 1.0f / static_cast<float>(session.options.batch), session.velocity, nullptr);
  else
    backward(session, -session.options.lr, session.parameters, nullptr);
  return Status::ok;
}

Status end_step(Session& session) {
  if (session.parameters == nullptr) return Status::read_only;
  if (session.velocity != nullptr)
    add_scaled(session.parameters, session.velocity, -session.options.lr, session.plan.parameters);
  return Status::ok;
}

Status read_row(Session& session, const Source& source, uint32_t i, Row& row) {
  row = {session.input(), session.soft, 0, false};
  const Status status = source.read(source.context, i, row);
  if (status != Status::ok) return status;
  return row.label < session.plan.classes ? Status::ok : Status::bad_label;
}

Status train_epoch(Session& session, const Source& source, uint32_t epoch, Report& report) {
  report = {0, 0, 0};
  const Options& o = session.options;
  const uint32_t steps = source.count / o.batch;
  for (uint32_t step = 0; step < steps; ++step) {
    Status status = begin_step(session);
    for (uint32_t b = 0; b < o.batch && status == Status::ok; ++b) {
      const uint32_t i = step * o.batch + b;
      Row row;
      status = read_row(session, source, o.shuffle ? shuffled(i, source.count, o.seed, epoch) : i, row);
      if (status == Status::ok) status = add_sample(session, row.label, row.has_soft ? row.soft : nullptr, report);
    }
    if (status == Status::ok) status = end_step(session);
    if (status != Status::ok) return status;
  }
  if (report.rows > 0) report.loss /= static_cast<float>(report.rows);
  return check_parameters(session);
}

Status evaluate(Session& session, const Source& source, Report& report) {
  report = {0, 0, 0};
  for (uint32_t i = 0; i < source.count; ++i) {
    Row row;
    Status status = read_row(session, source, i, row);
    const float* logits;
    if (status == Status::ok) status = forward(session, logits);
    float loss = 0;
    if (status == Status::ok)
      status = loss_and_cotangent(session, session.options.loss, row.label, row.has_soft ? row.soft : nullptr, loss);
    if (status != Status::ok) return status;
    ++report.rows;
    report.right += predicted(session) == row.label ? 1u : 0u;
    report.loss += loss;
  }
  if (report.rows > 0) report.loss /= static_cast<float>(report.rows);
  return Status::ok;
}

}  // namespace ntkrob::micro
