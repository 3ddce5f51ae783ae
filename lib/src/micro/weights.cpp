#include "ntkrob/micro/weights.hpp"

#include "micro/block.hpp"

namespace ntkrob::micro {

size_t weights_bytes(const NetView& net) {
  return kWeightsHeaderBytes + static_cast<size_t>(kLayerBytes) * net.count +
         4 * static_cast<size_t>(plan(net).parameters) + 4;
}

void write_weights(const Session& session, void (*put)(void* context, const void* bytes, size_t n), void* context) {
  BlockWriter out(put, context);
  out.begin(kWeightsMagic, kWeightsVersion, kWeightsHeaderBytes, weights_bytes(session.net), session.net);
  out.emit32(session.plan.parameters);
  for (uint32_t l = 0; l < session.net.count; ++l) out.layer(session.net.layers[l], 0);
  for (uint32_t k = 0; k < session.plan.parameters; ++k) out.emit32(to_bits(session.weights[k]));
  out.end();
}

Status open(WeightsFile& file, const void* bytes, size_t n) {
  const uint8_t* const p = static_cast<const uint8_t*>(bytes);
  uint32_t total;
  const Status status = check_block(p, n, kWeightsMagic, kWeightsVersion, kWeightsHeaderBytes, total);
  if (status != Status::ok) return status;
  file.input = load_shape(p);
  file.count = load16(p + 18);
  file.parameters = load32(p + 20);
  const uint64_t size = kWeightsHeaderBytes + static_cast<uint64_t>(kLayerBytes) * file.count +
                        4 * static_cast<uint64_t>(file.parameters) + 4;
  if (file.count == 0 || file.count > kMaxLayers || size != total) return Status::bad_header;
  for (uint32_t l = 0; l < file.count; ++l) file.layers[l] = load_layer(p + kWeightsHeaderBytes + kLayerBytes * l);
  const Plan net = plan({file.input, file.layers, file.count});
  if (net.status != Status::ok) return net.status;
  if (net.parameters != file.parameters) return Status::bad_header;
  file.numbers = p + kWeightsHeaderBytes + kLayerBytes * file.count;
  for (uint32_t k = 0; k < file.parameters; ++k)
    if (!is_finite(load_float(file.numbers + 4 * static_cast<size_t>(k)))) return Status::not_finite;
  return Status::ok;
}

Status open(Session& session, const WeightsFile& file, const Options& options, void* arena, size_t bytes) {
  if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) return Status::misaligned;
  return open(session, {file.input, file.layers, file.count}, options, reinterpret_cast<const float*>(file.numbers),
              arena, bytes);
}

Status load_weights(Session& session, const void* bytes, size_t n) {
  if (session.parameters == nullptr) return Status::read_only;
  WeightsFile file;
  const Status status = open(file, bytes, n);
  if (status != Status::ok) return status;
  bool fits = file.input == session.net.input && file.count == session.net.count;
  for (uint32_t l = 0; fits && l < file.count; ++l) fits = same(file.layers[l], session.net.layers[l]);
  if (!fits) return Status::shape_mismatch;
  for (uint32_t k = 0; k < file.parameters; ++k)
    session.parameters[k] = load_float(file.numbers + 4 * static_cast<size_t>(k));
  return Status::ok;
}

}  // namespace ntkrob::micro
