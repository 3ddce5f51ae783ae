#include "ntkrob/micro/status.hpp"

namespace ntkrob::micro {

const char* to_string(Status status) {
  switch (status) {
    case Status::ok:
      return "ok";
    case Status::bad_net:
      return "a layer does not fit its input, or the last layer is not dense";
    case Status::bad_options:
      return "lr, momentum, weight decay or batch out of range";
    case Status::arena_too_small:
      return "the arena is smaller than bytes_needed()";
    case Status::misaligned:
      return "arena or weights are not aligned to 4 bytes";
    case Status::read_only:
      return "opened for inference";
    case Status::no_attack:
      return "opened without memory for attacks";
    case Status::bad_label:
      return "a label is not below the number of classes";
    case Status::bad_row:
      return "row number beyond the set";
    case Status::not_finite:
      return "NaN or infinite: lower the learning rate";
    case Status::shape_mismatch:
      return "data or weights belong to another net";
    case Status::truncated:
      return "shorter than its header says";
    case Status::bad_magic:
      return "no file of this kind";
    case Status::bad_version:
      return "written by a newer version";
    case Status::bad_header:
      return "damaged header";
    case Status::bad_crc:
      return "checksum differs: damaged";
  }
  return "unknown status";
}

}  // namespace ntkrob::micro
