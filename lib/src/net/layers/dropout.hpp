/// dropout: in training y = x / (1 - p) with probability 1 - p, else 0; elsewhere y = x (Srivastava 2014).
/// Frameworks of nets name the share p that is dropped, kernels (and stax) the rate that is kept: one must be said.
#pragma once

#include "net/reading.hpp"

namespace ntkrob::net::rules::dropout {

inline double dropped(const Reading& r) {
  const bool kernel = r.tongue == Tongue::kernel;
  const SpecArguments arguments(r.source, r.item, {"rate", "p"}, 1);
  const SpecArgument *rate = arguments.find("rate"), *p = arguments.find("p");
  if (!kernel && rate != nullptr && rate->key.empty())
    spec_error(r.source, rate->position,
               text("say which: dropout(p=", rate->value, ") drops this share, dropout(rate=", rate->value,
                    ") keeps it, as in kernels"));
  if (rate != nullptr && p != nullptr) spec_error(r.source, p->position, "dropout has both rate, which is kept, and p");
  const double value = p != nullptr || (rate == nullptr && !kernel) ? arguments.number("p", 0.5, 0, 1)
                                                                    : 1 - arguments.number("rate", 0.9, 0, 1);
  if (value >= 1) r.fail("dropout drops everything: p must be below 1, the rate that is kept above 0");
  return value;
}

inline void read(const Reading& r, Layer& layer) {
  keep_shape(layer);
  layer.constants = {{"p", dropped(r)}};
}

inline std::string limit(const Reading& r) { return text("dropout(rate=", format_number(1 - dropped(r)), ")"); }

}  // namespace ntkrob::net::rules::dropout
