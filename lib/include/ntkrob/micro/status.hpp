/// Status: what every function of ntkrob::micro that can fail returns.
#pragma once

#include <stdint.h>

namespace ntkrob::micro {

enum class Status : uint8_t {
  ok,
  bad_net,          // a layer does not fit its input, or the last layer is not dense
  bad_options,      // lr, momentum, weight decay or batch out of range
  arena_too_small,  // fewer bytes than bytes_needed()
  misaligned,       // arena or weights are not aligned to 4 bytes
  read_only,        // the session was opened for inference
  no_attack,        // the session was opened without Options::attack
  bad_label,        // not below the number of classes
  bad_row,          // row number beyond the set
  not_finite,       // a logit, a loss or a parameter is NaN or infinite: training has diverged, lower the rate;
                    // or a soft label of a set is
  shape_mismatch,   // the data or the weights belong to another net
  truncated,        // a file is shorter than its header says, or than a header
  bad_magic,        // no file of this kind
  bad_version,      // written by a newer version
  bad_header,       // a field of the header is out of range, or sizes contradict each other
  bad_crc,          // the bytes have changed since they were written
};

/// A short English text; never null.
const char* to_string(Status status);

}  // namespace ntkrob::micro
