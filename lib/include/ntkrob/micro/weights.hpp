/// The parameters of a net as one block of bytes, with the net's description: what a device hands back to the host
/// (`ntkrob import`), and what it runs from flash (`ntkrob export` of a model).
///
/// Little-endian: magic "NKRW", u16 version, u16 header bytes (24), u32 bytes of the whole, u16 height, width,
/// channels, u16 layers, u32 parameters; for each layer u8 kind, kernel, stride, pad, u16 outputs, u16 0; float32
/// parameters in the order of Session::parameters; the crc32 of all before.
#pragma once

#include "ntkrob/micro/session.hpp"

namespace ntkrob::micro {

inline constexpr uint32_t kWeightsMagic = 0x57524B4Eu;  // "NKRW"
inline constexpr uint16_t kWeightsVersion = 1, kWeightsHeaderBytes = 24;

struct WeightsFile {
  Shape input;
  uint32_t count;  // layers
  Layer layers[kMaxLayers];
  uint32_t parameters;
  const uint8_t* numbers;  // float32, little-endian
};

size_t weights_bytes(const NetView& net);
/// Hands the bytes to `put` in pieces, front to back.
void write_weights(const Session& session, void (*put)(void* context, const void* bytes, size_t n), void* context);
/// returns: ok, truncated, bad_magic, bad_version, bad_header, bad_crc, bad_net, not_finite
Status open(WeightsFile& file, const void* bytes, size_t n);
/// For inference and attacks with the parameters where they are, in the block: nothing is copied.
///   file: opened; it and the block must outlive the session
///   returns: as open() of a session; misaligned where the block does not begin at a multiple of 4, or the processor is
///   big-endian
Status open(Session& session, const WeightsFile& file, const Options& options, void* arena, size_t bytes);
/// Copies the parameters into a session of the same net, opened for training.   returns: as open, shape_mismatch,
/// read_only
Status load_weights(Session& session, const void* bytes, size_t n);

}  // namespace ntkrob::micro
