#include "ntkrob/micro/device_data.hpp"

#include "micro/block.hpp"

namespace ntkrob::micro {
namespace {

uint64_t padded(uint64_t n) { return (n + 3) & ~static_cast<uint64_t>(3); }

/// Whether every number that a pixel may be gives a finite value: the ends of its type do.
bool finite_pixels(const DeviceData& data) {
  const float low = data.pixel_bytes == 1 ? 0.0f : -32768.0f, high = data.pixel_bytes == 1 ? 255.0f : 32767.0f;
  return is_finite(data.offset + data.scale * low) && is_finite(data.offset + data.scale * high);
}

Status read_source(const void* context, uint32_t i, Row& row) {
  return read(*static_cast<const DeviceData*>(context), i, row);
}

}  // namespace

bool lay_out(DeviceData& data) {
  const uint64_t pixels = static_cast<uint64_t>(data.shape.height) * data.shape.width * data.shape.channels;
  if (pixels > kMaxSize || data.rows > kMaxSize) return false;
  const uint64_t labels = kDataHeaderBytes + padded(pixels * data.rows * data.pixel_bytes);
  const uint64_t soft = labels + padded(2 * static_cast<uint64_t>(data.rows));
  const uint64_t end = soft + (data.soft ? 4 * static_cast<uint64_t>(data.rows) * data.classes : 0);
  if (end + 4 > 0xFFFFFFFFu) return false;
  data.labels = static_cast<uint32_t>(labels);
  data.soft_labels = static_cast<uint32_t>(soft);
  data.total = static_cast<uint32_t>(end + 4);
  return true;
}

Status open(DeviceData& data, const void* bytes, size_t n) {
  const uint8_t* const p = static_cast<const uint8_t*>(bytes);
  uint32_t total;
  const Status status = check_block(p, n, kDataMagic, kDataVersion, kDataHeaderBytes, total);
  if (status != Status::ok) return status;
  data.bytes = p;
  data.rows = load32(p + 12);
  data.shape = {load16(p + 16), load16(p + 18), load16(p + 20)};
  data.classes = load16(p + 22);
  data.pixel_bytes = p[24];
  data.soft = p[25] == 1;
  data.norm = static_cast<Norm>(p[26]);
  data.scale = load_float(p + 28);
  data.offset = load_float(p + 32);
  data.eps = load_float(p + 36);
  data.hash = load32(p + 40) | static_cast<uint64_t>(load32(p + 44)) << 32;
  const bool sane = data.rows > 0 && data.shape.size() > 0 && data.classes > 0 && (p[24] == 1 || p[24] == 2) &&
                    p[25] <= 1 && p[26] <= 1 && p[27] == 0 && is_finite(data.scale) && is_finite(data.offset) &&
                    finite_pixels(data) && is_finite(data.eps) && data.eps >= 0;
  return sane && lay_out(data) && data.total == total ? Status::ok : Status::bad_header;
}

Status read(const DeviceData& data, uint32_t i, Row& row) {
  if (i >= data.rows) return Status::bad_row;
  const uint32_t pixels = data.shape.size();
  const uint8_t* const p = data.bytes + kDataHeaderBytes + static_cast<size_t>(i) * pixels * data.pixel_bytes;
  for (uint32_t k = 0; k < pixels; ++k) {
    const float number =
        data.pixel_bytes == 1 ? static_cast<float>(p[k]) : static_cast<float>(static_cast<int16_t>(load16(p + 2 * k)));
    row.x[k] = data.offset + data.scale * number;
  }
  row.label = load16(data.bytes + data.labels + 2 * i);
  if (row.label >= data.classes) return Status::bad_label;
  row.has_soft = data.soft && row.soft != nullptr;
  if (row.has_soft)
    for (uint32_t j = 0; j < data.classes; ++j) {
      row.soft[j] = load_float(data.bytes + data.soft_labels + 4 * (static_cast<size_t>(i) * data.classes + j));
      if (!is_finite(row.soft[j])) return Status::not_finite;
    }
  return Status::ok;
}

Source source(const DeviceData& data) { return {data.rows, read_source, &data}; }

Status check_fit(const NetView& net, const DeviceData& data) {
  const Plan p = plan(net);
  if (p.status != Status::ok) return p.status;
  return net.input == data.shape && p.classes == data.classes ? Status::ok : Status::shape_mismatch;
}

}  // namespace ntkrob::micro
