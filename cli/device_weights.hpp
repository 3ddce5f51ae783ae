/// Weights that a device hands back, as a net of the host. On its own, so that tests reach it with edited files.
#pragma once

#include <string>

#include "ntkrob/backend/backend.hpp"
#include "ntkrob/nn/net.hpp"

namespace ntkrob::cli {

/// A net with the weights of a file in the format of micro/weights.hpp.   where: for messages
///   throws: IoError with the reason, also where ntkrob::nn has no such net; ResourceError
Net decode_weights(const std::string& bytes, const std::string& where, Backend& backend);

}  // namespace ntkrob::cli
