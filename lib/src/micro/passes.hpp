/// Loss and backward pass of one sample, shared by training and attacks.
#pragma once

#include "ntkrob/micro/session.hpp"

namespace ntkrob::micro {

/// The loss of the logits in session.values; its derivative goes to session.cotangent.
///   soft: classes numbers, or null: made from the label. Of interest to mse only
///   requires: finite logits, label < classes   returns: ok, or not_finite
Status loss_and_cotangent(Session& session, Loss loss, uint16_t label, const float* soft, float& value);

/// gradient += scale times the derivative by every parameter, where gradient is not null. When gradient is the
/// parameters themselves, weight decay shrinks them first.   dx: the derivative by the input, or null
void backward(Session& session, float scale, float* gradient, float* dx);

/// Reads row i of the source into session.input() and session.soft.
Status read_row(Session& session, const Source& source, uint32_t i, Row& row);

}  // namespace ntkrob::micro
