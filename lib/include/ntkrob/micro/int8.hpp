/// Inference in int8: a quarter of the flash and of the memory of float32, in integer arithmetic alone.
///
/// A number is scale * (q - zero), q in [-128, 127]. Weights have one scale per output channel and zero 0; the input
/// and the output of every dense and conv layer have one scale each, from the values that occur on a set of rows
/// (calibrate). Products are summed in int32, which cannot overflow, and brought to the next scale by a multiplication
/// with a 31-bit number and a shift, rounded to nearest, halves up (leaky: with its slope); what leaves the range of
/// int8 stops at its ends. Logits are not rounded to 8 bits: int32 with one scale, at most 2^23 in size, exact as
/// float32. The same block and the same input give the same logits, bit for bit, on every processor; no floating-point
/// unit is needed.
///
///   Range ranges[3 + 1] = {};                            // of the input and of every layer
///   calibrate(session, source, ranges);                  // on the device or on the host
///   write_int8(session, ranges, put, context);           // the block: to flash, or to a file
///   open(int8_session, kNet, block, n, arena, sizeof arena);
///   set_input(int8_session, x);                          // or q = pixel - 128 for pixels 0 .. 255 of [0, 1]
///   forward(int8_session);
///
/// The block is little-endian: magic "NKRQ", u16 version, u16 header bytes (28), u32 bytes of the whole, u16 height,
/// width, channels, u16 layers, f32 scale and i8 zero of the input, three 0; for each layer u8 kind, kernel, stride,
/// pad, u16 outputs, i8 zero of its output, u8 0, f32 scale of its output; for each output channel of each dense and
/// conv layer i32 bias (in units of input scale times weight scale), i32 multiplier, u8 shift, three 0, int8 weights in
/// the order of Session::parameters, zeros to a multiple of 4; the crc32 of all before.
#pragma once

#include "ntkrob/micro/session.hpp"

namespace ntkrob::micro {

inline constexpr uint32_t kInt8Magic = 0x51524B4Eu;  // "NKRQ"
inline constexpr uint16_t kInt8Version = 1, kInt8HeaderBytes = 28;
/// Inputs of one output channel, at most: their products fit int32.
inline constexpr uint32_t kInt8MaxFanIn = 32768;

/// The values that occur. Ranges of zeros are empty.
struct Range {
  float low, high;
};

/// Widens the ranges by all values on the rows of the source: ranges[0] by the input, ranges[l + 1] by the output of
/// layer l, behind what works in place after it (relu, leaky).   ranges: net.count + 1 of them   session: opened in any
/// way
///   returns: ok, bad_label, not_finite, or what the source says
Status calibrate(Session& session, const Source& source, Range* ranges);
/// Bytes of the block. 0: the net is not valid.
size_t int8_bytes(const NetView& net);
/// Quantises the session's parameters and hands the block to `put` in pieces, front to back. Nothing is handed on
/// unless all is well.
///   returns: ok, bad_net (a layer with more than kInt8MaxFanIn inputs per output), bad_options (no parameters),
///   not_finite (parameters, or ranges that are too large: the net has diverged)
Status write_int8(const Session& session, const Range* ranges, void (*put)(void* context, const void* bytes, size_t n),
                  void* context);

/// The net that a block holds, for those who do not know it yet.
struct StoredNet {
  Shape input;
  uint32_t count;  // layers
  Layer layers[kMaxLayers];
  operator NetView() const { return {input, layers, count}; }
};
/// Checks the whole block.   returns: ok, truncated, bad_magic, bad_version, bad_header, bad_crc, bad_net, not_finite
Status describe(StoredNet& net, const void* block, size_t n);

namespace detail {

/// Bytes of the largest pair of an input and an output that exist at the same time.
constexpr uint32_t int8_values(const NetView& net) {
  uint32_t largest = net.input.size();
  Place at = start(net);
  for (uint32_t l = 0; l < net.count; ++l) {
    place_next(net.layers[l], at);
    const uint32_t bytes = l + 1 == net.count || at.source == at.target ? at.in.size() : at.in.size() + at.out.size();
    if (bytes > largest) largest = bytes;
  }
  return (largest + 3) / 4 * 4;
}

}  // namespace detail

/// Bytes of arena. 0: the net is not valid.
constexpr size_t int8_bytes_needed(const NetView& net) {
  const Plan p = plan(net);
  return p.status == Status::ok ? detail::int8_values(net) + sizeof(int32_t) * p.classes : 0;
}

/// Written by open().
struct Int8Session {
  NetView net;
  const uint8_t* block;  // stays where it is, in flash
  int8_t* values;        // the input, and the outputs of layers, at the front and at the back in turn
  uint32_t value_bytes;
  int32_t* logits;
  uint16_t classes;
  float input_scale, logit_scale;  // logit = logit_scale * logits[j]
  int8_t input_zero;
  /// net.input.size() numbers; lost in forward().
  int8_t* input() { return values; }
};

/// Checks the whole block and copies nothing: net.layers and the block must outlive the session.
///   n: bytes there are; more than the block needs is fine   arena: aligned to 4 bytes
///   returns: as describe(), shape_mismatch (the block holds another net), misaligned, arena_too_small
Status open(Int8Session& session, const NetView& net, const void* block, size_t n, void* arena, size_t bytes);
/// Rounds the numbers of an image to the input's scale.   x: net.input.size() of them   returns: ok, or not_finite
Status set_input(Int8Session& session, const float* x);
/// session.logits of session.input().
void forward(Int8Session& session);
/// The class with the largest logit, the first of equals.
uint16_t predicted(const Int8Session& session);
/// Right answers on the whole source; report.loss is 0.
///   x: where the source writes an image, net.input.size() numbers   returns: ok, bad_label, not_finite, or what the
///   source says
Status evaluate(Int8Session& session, const Source& source, float* x, Report& report);

}  // namespace ntkrob::micro
