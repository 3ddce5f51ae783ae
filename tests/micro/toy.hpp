/// Data that every machine draws alike: k classes, each a fixed pattern of pixels in [0,1] with noise.
#pragma once

#include "ntkrob/micro/random.hpp"
#include "ntkrob/micro/session.hpp"

namespace toy {

struct Patterns {
  uint32_t pixels;
  uint16_t classes;
  bool soft;  // with soft labels: 0.9 for the class, 0.1 shared by the others
};

inline ntkrob::micro::Status read(const void* context, uint32_t i, ntkrob::micro::Row& row) {
  const Patterns& p = *static_cast<const Patterns*>(context);
  row.label = static_cast<uint16_t>(i % p.classes);
  for (uint32_t k = 0; k < p.pixels; ++k) {
    const float pattern = ntkrob::micro::random_symmetric(11, row.label, k);
    const float noise = ntkrob::micro::random_symmetric(12, i, k);
    const float value = 0.5f + 0.25f * pattern + 0.2f * noise;
    row.x[k] = value;
  }
  row.has_soft = p.soft && row.soft != nullptr;
  if (row.has_soft)
    for (uint32_t j = 0; j < p.classes; ++j)
      row.soft[j] = j == row.label ? 0.9f : 0.1f / static_cast<float>(p.classes - 1);
  return ntkrob::micro::Status::ok;
}

inline ntkrob::micro::Source source(const Patterns& patterns, uint32_t count) { return {count, read, &patterns}; }

}  // namespace toy
