#include "ntkrob/micro/weights.hpp"

#include "micro/bytes.hpp"
#include "ntkrob/micro/crc32.hpp"

namespace ntkrob::micro {
namespace {

constexpr uint32_t kLayerBytes = 8;

}  // namespace

size_t weights_bytes(const NetView& net) {
  return kWeightsHeaderBytes + static_cast<size_t>(kLayerBytes) * net.count +
         4 * static_cast<size_t>(plan(net).parameters) + 4;
}

void write_weights(const Session& session, void (*put)(void* context, const void* bytes, size_t n), void* context) {
  const NetView& net = session.net;
  uint32_t crc = 0;
  const auto emit = [&](const uint8_t* bytes, size_t n) {
    crc = crc32(crc, bytes, n);
    put(context, bytes, n);
  };
  uint8_t buffer[kWeightsHeaderBytes];
  store32(buffer, kWeightsMagic);
  store16(buffer + 4, kWeightsVersion);
  store16(buffer + 6, kWeightsHeaderBytes);
  store32(buffer + 8, static_cast<uint32_t>(weights_bytes(net)));
  store16(buffer + 12, net.input.height);
  store16(buffer + 14, net.input.width);
  store16(buffer + 16, net.input.channels);
  store16(buffer + 18, net.count);
  store32(buffer + 20, session.plan.parameters);
  emit(buffer, kWeightsHeaderBytes);
  for (uint32_t l = 0; l < net.count; ++l) {
    const Layer& layer = net.layers[l];
    buffer[0] = static_cast<uint8_t>(layer.kind);
    buffer[1] = layer.kernel;
    buffer[2] = layer.stride;
    buffer[3] = layer.pad;
    store16(buffer + 4, layer.outputs);
    store16(buffer + 6, 0);
    emit(buffer, kLayerBytes);
  }
  for (uint32_t k = 0; k < session.plan.parameters; ++k) {
    store32(buffer, to_bits(session.weights[k]));
    emit(buffer, 4);
  }
  store32(buffer, crc);
  put(context, buffer, 4);
}

Status open(WeightsFile& file, const void* bytes, size_t n) {
  const uint8_t* const p = static_cast<const uint8_t*>(bytes);
  if (n < kWeightsHeaderBytes + 4u) return Status::truncated;
  if (load32(p) != kWeightsMagic) return Status::bad_magic;
  if (load16(p + 4) != kWeightsVersion) return Status::bad_version;
  const uint32_t total = load32(p + 8);
  if (load16(p + 6) != kWeightsHeaderBytes || total < kWeightsHeaderBytes + 4u) return Status::bad_header;
  if (total > n) return Status::truncated;
  if (crc32(0, p, total - 4) != load32(p + total - 4)) return Status::bad_crc;
  file.input = {load16(p + 12), load16(p + 14), load16(p + 16)};
  file.count = load16(p + 18);
  file.parameters = load32(p + 20);
  const uint64_t size = kWeightsHeaderBytes + static_cast<uint64_t>(kLayerBytes) * file.count +
                        4 * static_cast<uint64_t>(file.parameters) + 4;
  if (file.count == 0 || file.count > kMaxLayers || size != total) return Status::bad_header;
  for (uint32_t l = 0; l < file.count; ++l) {
    const uint8_t* const q = p + kWeightsHeaderBytes + kLayerBytes * l;
    file.layers[l] = {static_cast<Kind>(q[0]), q[1], q[2], q[3], load16(q + 4)};
  }
  const Plan net = plan({file.input, file.layers, file.count});
  if (net.status != Status::ok) return net.status;
  if (net.parameters != file.parameters) return Status::bad_header;
  file.numbers = p + kWeightsHeaderBytes + kLayerBytes * file.count;
  for (uint32_t k = 0; k < file.parameters; ++k)
    if (!is_finite(load_float(file.numbers + 4 * static_cast<size_t>(k)))) return Status::not_finite;
  return Status::ok;
}

Status load_weights(Session& session, const void* bytes, size_t n) {
  if (session.parameters == nullptr) return Status::read_only;
  WeightsFile file;
  const Status status = open(file, bytes, n);
  if (status != Status::ok) return status;
  bool same = file.input == session.net.input && file.count == session.net.count;
  for (uint32_t l = 0; same && l < file.count; ++l) {
    const Layer &a = file.layers[l], &b = session.net.layers[l];
    same = a.kind == b.kind && a.kernel == b.kernel && a.stride == b.stride && a.pad == b.pad && a.outputs == b.outputs;
  }
  if (!same) return Status::shape_mismatch;
  for (uint32_t k = 0; k < file.parameters; ++k)
    session.parameters[k] = load_float(file.numbers + 4 * static_cast<size_t>(k));
  return Status::ok;
}

}  // namespace ntkrob::micro
