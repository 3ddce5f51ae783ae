/// sum: branches that read the same value, summed. Its branches are read by describe(), which knows what is before
/// them.
#pragma once

#include "net/reading.hpp"

namespace ntkrob::net::rules::sum {

inline void read(const Reading& r, Layer&) { r.fail("sum reads branches"); }
inline std::string limit(const Reading& r) { r.fail("sum reads branches"); }

}  // namespace ntkrob::net::rules::sum
