/// The arguments of one item of a spec, by name: what the readers of kernels and nets share.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/base/spec_text.hpp"

namespace ntkrob {

/// Every member throws ConfigError with the position of the argument. source and item must outlive it.
class SpecArguments {
 public:
  /// known: all parameters; the first n_positional may be given without their names, in this order.
  SpecArguments(const std::string& source, const SpecItem& item, std::vector<std::string> known,
                std::size_t n_positional);

  /// null where it is not given
  const SpecArgument* find(const std::string& name) const;
  index integer(const std::string& name, index fallback, index low, index high) const;
  /// In [low, high], or 0 where low is 0 exactly.
  double number(const std::string& name, double fallback, double low, double high, bool whole = false) const;
  /// The number of the chosen value.
  std::size_t choice(const std::string& name, std::size_t fallback, const std::vector<std::string>& values) const;

  const std::string& source() const { return source_; }
  const SpecItem& item() const { return item_; }

 private:
  const std::string& source_;
  const SpecItem& item_;
  std::vector<std::string> names_;  // of item_.arguments
};

}  // namespace ntkrob
