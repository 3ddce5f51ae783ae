// Blocks with one field edited, cut off or made longer, and a checksum that is wrong or right: refused, or the same
// result, or that of another block that is whole; never a number that is not finite, never a look outside of the block.
#include "block_edits.hpp"
#include "ntkrob/micro/device_data.hpp"
#include "ntkrob/micro/int8.hpp"
#include "ntkrob/micro/weights.hpp"
#include "unity.hpp"

using namespace ntkrob::micro;
using block_edits::Edits;
using block_edits::Fields;

namespace {

constexpr auto kNet = net({4, 3, 1}, conv(2, 2, 1, 1), relu(), max_pool(2), flatten(), dense(3));
constexpr uint32_t kRows = 3, kPixels = 12, kClasses = 3;

alignas(16) unsigned char arena[8192];
uint8_t block[1024];
Fields fields;

struct Sink {
  size_t n;
};
void put(void* context, const void* bytes, size_t n) {
  Sink& sink = *static_cast<Sink*>(context);
  for (size_t k = 0; k < n && sink.n < sizeof block; ++k) block[sink.n++] = static_cast<const uint8_t*>(bytes)[k];
}

/// Three images of int16 pixels with labels and soft labels, in `block` and its `fields`.   returns: bytes
uint32_t make_data() {
  DeviceData d{};
  d.rows = kRows;
  d.shape = kNet.input;
  d.classes = kClasses;
  d.pixel_bytes = 2;
  d.soft = true;
  lay_out(d);
  for (uint8_t& byte : block) byte = 0;
  store32(block, kDataMagic);
  store32(block + 4, kDataVersion | static_cast<uint32_t>(kDataHeaderBytes) << 16);
  store32(block + 8, d.total);
  store32(block + 12, kRows);
  const uint16_t sides[] = {kNet.input.height, kNet.input.width, kNet.input.channels, kClasses};
  for (uint32_t k = 0; k < 4; ++k) store16(block + 16 + 2 * k, sides[k]);
  block[24] = 2;
  block[25] = 1;
  store32(block + 28, to_bits(1.0f / 65535.0f));
  store32(block + 32, to_bits(0.5f));
  store32(block + 36, to_bits(0.125f));
  for (uint32_t k = 0; k < kRows * kPixels; ++k) store16(block + kDataHeaderBytes + 2 * k, 1777 * k);
  for (uint32_t i = 0; i < kRows; ++i) {
    store16(block + d.labels + 2 * i, i);
    for (uint32_t j = 0; j < kClasses; ++j)
      store32(block + d.soft_labels + 4 * (kClasses * i + j), to_bits(i == j ? 0.75f : 0.125f));
  }
  store32(block + d.total - 4, crc32(0, block, d.total - 4));

  fields = Fields();
  fields.add(4, true);      // magic
  fields.add(2, true, 2);   // version, bytes of the header
  fields.add(4, true, 2);   // bytes of the whole, rows
  fields.add(2, true, 4);   // shape, classes
  fields.add(1, true, 2);   // types of pixels and labels
  fields.add(1, false, 2);  // norm, 0
  fields.add(4, true, 2);   // scale, offset
  fields.add(4, false, 7);  // eps, hash, zeros
  fields.add(2, true, kRows * kPixels + kRows);
  fields.add(2, false);  // to a multiple of 4
  fields.add(4, true, kRows * kClasses);
  fields.add(4, false);  // the checksum
  return fields.end == d.total ? d.total : 0;
}

/// The fields of a layer and of its parameters: those that its kind does not use do not matter.
void add_layer(const Layer& layer) {
  const bool window = layer.kind == Kind::conv || layer.kind == Kind::max_pool;
  fields.add(1, true);
  fields.add(1, window, 3);
  fields.add(2, layer.kind == Kind::conv || layer.kind == Kind::dense);
}

/// A net with numbers in its parameters, open for training.
Status make_net(Session& session, bool attack) {
  Options options;
  options.lr = 1e-3f;
  options.attack = attack;
  const Status status = open(session, kNet, options, arena, sizeof arena);
  return status == Status::ok ? initialise(session, 3) : status;
}

uint32_t make_weights() {
  Session session;
  Sink sink{0};
  if (make_net(session, false) != Status::ok) return 0;
  write_weights(session, put, &sink);
  fields = Fields();
  fields.add(4, true);     // magic
  fields.add(2, true, 2);  // version, bytes of the header
  fields.add(4, true);     // bytes of the whole
  fields.add(2, true, 4);  // shape, layers
  fields.add(4, true);     // parameters
  for (const Layer& layer : kNet.layers) {
    add_layer(layer);
    fields.add(2, false);  // 0
  }
  fields.add(4, true, session.plan.parameters);
  fields.add(4, false);
  return fields.end == sink.n ? fields.end : 0;
}

uint32_t make_int8() {
  Session session;
  Sink sink{0};
  const Range ranges[6] = {{0, 1}, {-1, 1}, {0, 1}, {0, 1}, {0, 1}, {-2, 2}};
  if (make_net(session, false) != Status::ok || write_int8(session, ranges, put, &sink) != Status::ok) return 0;
  fields = Fields();
  fields.add(4, true);      // magic
  fields.add(2, true, 2);   // version, bytes of the header
  fields.add(4, true);      // bytes of the whole
  fields.add(2, true, 4);   // shape, layers
  fields.add(4, true);      // scale of the input
  fields.add(1, true);      // its zero
  fields.add(1, false, 3);  // 0
  for (const Layer& layer : kNet.layers) {
    add_layer(layer);
    const bool parametric = layer.outputs > 0;
    fields.add(1, parametric);  // zero
    fields.add(1, false);       // 0
    fields.add(4, parametric);  // scale
  }
  for (uint32_t l = 0; l < kNet.operator NetView().count; ++l) {
    const Place at = locate(kNet, l);
    for (uint32_t o = 0; o < at.biases; ++o) {
      fields.add(4, true, 2);   // bias, multiplier
      fields.add(1, true);      // shift
      fields.add(1, false, 3);  // 0
      fields.add(1, true, at.fan_in());
      fields.add(1, false, (4 - at.fan_in() % 4) % 4);
    }
  }
  fields.add(4, false);
  return fields.end == sink.n ? fields.end : 0;
}

bool all_finite(const float* x, uint32_t n) {
  for (uint32_t k = 0; k < n; ++k)
    if (!is_finite(x[k])) return false;
  return true;
}

float image[128], soft[128];

/// Reads every row.   sum: the checksum of what came   returns: ok, bad_label; bad_row where a number is not sound
Status read_all(const DeviceData& d, uint32_t& sum) {
  sum = 0;
  const uint32_t pixels = d.shape.size();
  if (pixels > 128 || d.classes > 128) return d.soft ? Status::bad_row : Status::ok;
  for (uint32_t i = 0; i < d.rows; ++i) {
    Row row{image, soft, 0, false};
    const Status status = read(d, i, row);
    if (status != Status::ok) return status;
    if (row.label >= d.classes || row.has_soft != d.soft || !all_finite(image, pixels)) return Status::bad_row;
    if (d.soft && !all_finite(soft, d.classes)) return Status::bad_row;
    sum = crc32(sum, &row.label, sizeof row.label);
    sum = crc32(sum, image, pixels * sizeof image[0]);
    if (d.soft) sum = crc32(sum, soft, d.classes * sizeof soft[0]);
  }
  return Status::ok;
}

/// Trains, judges and attacks a net on the set.   returns: the status that ended it
Status use(const DeviceData& d) {
  Session session;
  Report report;
  Status status = make_net(session, true);
  if (status == Status::ok) status = train_epoch(session, source(d), 0, report);
  if (status == Status::ok && report.rows != d.rows) return Status::bad_row;
  if (status == Status::ok) status = check_parameters(session);
  if (status == Status::ok) status = evaluate(session, source(d), report);
  if (status == Status::ok) status = evaluate(session, source(d), pgd(d.norm, d.eps, 2), report);
  return status;
}

/// Logits of a ramp of pixels from the parameters in the block.   sum: their checksum
Status logits_of(const WeightsFile& file, uint32_t& sum) {
  sum = 0;
  Options options;
  options.train = false;
  Session session;
  Status status = open(session, file, options, arena, sizeof arena);
  if (status != Status::ok) return status;
  const uint32_t n = file.input.size();
  for (uint32_t k = 0; k < n; ++k) session.input()[k] = static_cast<float>(k) / 16.0f;
  const float* logits;
  status = forward(session, logits);
  if (status == Status::ok) sum = crc32_of(logits, session.plan.classes);
  return status;
}

Status logits_of(const StoredNet& net, const uint8_t* bytes, uint32_t n, uint32_t& sum) {
  sum = 0;
  Int8Session session;
  const Status status = open(session, net, bytes, n, arena, sizeof arena);
  if (status != Status::ok) return status;
  for (uint32_t k = 0; k < net.input.size(); ++k) session.input()[k] = static_cast<int8_t>(16 * k);
  forward(session);
  sum = crc32(0, session.logits, session.classes * sizeof session.logits[0]);
  return Status::ok;
}

struct Count {
  uint32_t refused, same, other;
};

}  // namespace

MICRO_TEST(an_edited_set_is_refused_or_read_within_its_bounds) {
  const uint32_t n = make_data();
  TEST_ASSERT_TRUE(n > 0);
  DeviceData d;
  uint32_t expected, sum;
  TEST_ASSERT_STATUS(ok, open(d, block, n));
  TEST_ASSERT_STATUS(ok, read_all(d, expected));
  TEST_ASSERT_STATUS(ok, use(d));
  Count count{0, 0, 0};
  Edits edits(block, n, fields);
  while (edits.next()) {
    Status status = open(d, edits.bytes(), edits.n);
    if (status == Status::ok) {
      TEST_ASSERT_TRUE(edits.sealed);
      status = read_all(d, sum);
      TEST_ASSERT_TRUE(status == Status::ok || status == Status::bad_label || status == Status::not_finite);
      // What the rows say is what training says: nothing that is not finite is learned. A ball may be too large to step
      // in.
      const bool fits = check_fit(kNet, d) == Status::ok;
      const Status used = fits ? use(d) : status;
      TEST_ASSERT_TRUE(used == status || used == Status::not_finite || (d.eps > 1e30f && used == Status::bad_options));
      TEST_ASSERT_TRUE(edits.matters || status != Status::ok || sum == expected);
    }
    ++(status != Status::ok ? count.refused : sum == expected ? count.same : count.other);
  }
  // lib/doc/reliability.md names the counts.
  TEST_ASSERT_EQUAL_UINT32(2254, edits.tried);
  TEST_ASSERT_EQUAL_UINT32(1579, count.refused);
  TEST_ASSERT_EQUAL_UINT32(143, count.same);
}

MICRO_TEST(edited_weights_are_refused_or_those_of_a_net_that_is_whole) {
  const uint32_t n = make_weights();
  TEST_ASSERT_TRUE(n > 0);
  static WeightsFile file;
  uint32_t expected, sum;
  TEST_ASSERT_STATUS(ok, open(file, block, n));
  Count count{0, 0, 0};
  Edits edits(block, n, fields);
  TEST_ASSERT_STATUS(ok, logits_of(file, expected));
  while (edits.next()) {
    Status status = open(file, edits.bytes(), edits.n);
    if (status == Status::ok) {
      TEST_ASSERT_TRUE(edits.sealed);
      status = logits_of(file, sum);
      TEST_ASSERT_TRUE(status == Status::ok || status == Status::not_finite || status == Status::arena_too_small);
      TEST_ASSERT_TRUE(edits.matters || (status == Status::ok && sum == expected));
      // Into a net that is there already: the same layers, or a refusal that changes nothing.
      Session session;
      TEST_ASSERT_STATUS(ok, make_net(session, false));
      const uint32_t before = crc32_of(session.parameters, session.plan.parameters);
      const Status loaded = load_weights(session, edits.bytes(), edits.n);
      TEST_ASSERT_TRUE(loaded == Status::ok || loaded == Status::shape_mismatch);
      TEST_ASSERT_STATUS(ok, check_parameters(session));
      TEST_ASSERT_TRUE(loaded == Status::ok || before == crc32_of(session.parameters, session.plan.parameters));
    } else {
      Session session;
      TEST_ASSERT_STATUS(ok, make_net(session, false));
      TEST_ASSERT_TRUE(load_weights(session, edits.bytes(), edits.n) == status);
    }
    ++(status != Status::ok ? count.refused : sum == expected ? count.same : count.other);
  }
  TEST_ASSERT_EQUAL_UINT32(2838, edits.tried);
  TEST_ASSERT_EQUAL_UINT32(2143, count.refused);
  TEST_ASSERT_EQUAL_UINT32(392, count.same);
}

MICRO_TEST(an_edited_int8_net_is_refused_or_computes_within_its_bounds) {
  const uint32_t n = make_int8();
  TEST_ASSERT_TRUE(n > 0);
  static StoredNet stored;
  uint32_t expected, sum;
  TEST_ASSERT_STATUS(ok, describe(stored, block, n));
  TEST_ASSERT_STATUS(ok, logits_of(stored, block, n, expected));
  Count count{0, 0, 0};
  Edits edits(block, n, fields);
  while (edits.next()) {
    Status status = describe(stored, edits.bytes(), edits.n);
    Int8Session session;
    const Status known = open(session, kNet, edits.bytes(), edits.n, arena, sizeof arena);
    if (status == Status::ok) {
      TEST_ASSERT_TRUE(edits.sealed);
      TEST_ASSERT_TRUE(known == Status::ok || known == Status::shape_mismatch);
      status = logits_of(stored, edits.bytes(), edits.n, sum);
      TEST_ASSERT_TRUE(status == Status::ok || status == Status::arena_too_small);
      TEST_ASSERT_TRUE(edits.matters || (status == Status::ok && sum == expected));
    } else {
      TEST_ASSERT_TRUE(known != Status::ok);
    }
    ++(status != Status::ok ? count.refused : sum == expected ? count.same : count.other);
  }
  TEST_ASSERT_EQUAL_UINT32(2930, edits.tried);
  TEST_ASSERT_EQUAL_UINT32(2039, count.refused);
  TEST_ASSERT_EQUAL_UINT32(574, count.same);
}
