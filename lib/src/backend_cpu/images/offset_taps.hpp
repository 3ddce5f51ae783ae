/// What windows read at each offset between positions of x and y. Private to images.
#pragma once

#include <map>
#include <memory>

#include "backend_cpu/images/steps.hpp"
#include "images/offsets.hpp"

namespace ntkrob {

/// The taps of a window along one axis, by offset of the output.
class OffsetTaps {
 public:
  OffsetTaps(const Axis& axis, const std::vector<index>& offsets);
  const AxisTaps& at(index offset) const { return by_offset_.at(offset)->view; }

 private:
  struct Own {
    OwnList both, back, x_in, y_in, x_only, y_only;
    AxisTaps view;
  };
  std::map<index, std::unique_ptr<Own>> by_offset_;
};

}  // namespace ntkrob
