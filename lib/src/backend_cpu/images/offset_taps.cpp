#include "backend_cpu/images/offset_taps.hpp"

namespace ntkrob {

OffsetTaps::OffsetTaps(const Axis& axis, const std::vector<index>& offsets) {
  for (const index offset : offsets) {
    auto own = std::make_unique<Own>();
    const Line out = line_of(axis.out, offset), in = line_of(axis.in, offset * axis.step);
    std::vector<std::vector<int>> readers(static_cast<std::size_t>(in.n));
    for (index k = 0; k < out.n; ++k) {
      for (index tap = 0; tap < axis.taps; ++tap) {
        const index ix = axis.source(out.x + k, tap), iy = axis.source(out.y + k, tap);
        const bool of_x = axis.inside(ix), of_y = axis.inside(iy);
        if (of_x) own->x_in.item.push_back(static_cast<int>(ix));
        if (of_y) own->y_in.item.push_back(static_cast<int>(iy));
        if (of_x && of_y) {
          own->both.item.push_back(static_cast<int>(ix - in.x));
          readers[static_cast<std::size_t>(ix - in.x)].push_back(static_cast<int>(k));
        } else if (of_x) {
          own->x_only.item.push_back(static_cast<int>(ix));
        } else if (of_y) {
          own->y_only.item.push_back(static_cast<int>(iy));
        }
      }
      for (OwnList* list : {&own->both, &own->x_in, &own->y_in, &own->x_only, &own->y_only}) list->close();
    }
    for (const std::vector<int>& outputs : readers) {
      own->back.item.insert(own->back.item.end(), outputs.begin(), outputs.end());
      own->back.close();
    }
    own->view = {own->both.view(),
                 own->back.view(),
                 own->x_in.view(),
                 own->y_in.view(),
                 own->x_only.view(),
                 own->y_only.view(),
                 !own->x_only.item.empty() || !own->y_only.item.empty()};
    by_offset_[offset] = std::move(own);
  }
}

}  // namespace ntkrob
