// Inference in int8: the same bits everywhere, agreement with float32, saturation, and what is refused.
#include "ntkrob/micro/int8.hpp"

#include "micro/bytes.hpp"
#include "ntkrob/micro/crc32.hpp"
#include "toy.hpp"
#include "unity.hpp"

using namespace ntkrob::micro;

namespace {

constexpr auto kDense = net({6, 5, 1}, dense(12), relu(), dense(7), relu(), dense(4));
constexpr auto kConv =
    net({7, 6, 2}, conv(3, 3, 1, 1), relu(), max_pool(2), conv(4, 2), relu(), avg_pool(2, 1), flatten(), dense(3));
constexpr auto kEdge = net({5, 5, 2}, flatten(), dense(6), dense(2));
constexpr auto kPadded = net({6, 6, 1}, conv(5, 4, 2, 2), max_pool(2, 1), relu(), dense(3));
constexpr auto kLeaky =
    net({7, 6, 2}, conv(3, 3, 1, 1), leaky(0.4f), depthwise(3, 2, 1), flatten(), dense(5), leaky(0.3f), dense(3));
constexpr auto kSignal = net({14, 1, 3}, conv1d(4, 5, 2, 2), leaky(0.25f), max_pool1d(2), depthwise1d(3, 1, 1),
                             avg_pool1d(2, 1), flatten(), dense(3));
constexpr auto kOne = net({1, 1, 2}, dense(2));
constexpr uint32_t kRows = 36, kEpochs = 30;

alignas(16) unsigned char arena[16 * 1024];
alignas(4) unsigned char small_arena[1024];
unsigned char block[4096];

struct Sink {
  size_t n;
};
void put(void* context, const void* bytes, size_t n) {
  Sink& sink = *static_cast<Sink*>(context);
  for (size_t k = 0; k < n && sink.n < sizeof block; ++k) block[sink.n++] = static_cast<const uint8_t*>(bytes)[k];
}

toy::Patterns patterns_of(const NetView& net) { return {net.input.size(), plan(net).classes, false}; }

/// Trains the net on patterns and leaves it quantised in `block`. n: bytes
Status make_block(const NetView& net, Session& session, size_t& n) {
  const toy::Patterns patterns = patterns_of(net);
  Options options;
  options.loss = Loss::ce;
  options.seed = 5;
  options.lr = 0.1f;
  Status status = open(session, net, options, arena, sizeof arena);
  if (status == Status::ok) status = initialise(session, 3);
  Report report;
  for (uint32_t epoch = 0; epoch < kEpochs && status == Status::ok; ++epoch)
    status = train_epoch(session, toy::source(patterns, kRows), epoch, report);
  static Range ranges[16];
  for (Range& range : ranges) range = {0, 0};
  if (status == Status::ok) status = calibrate(session, toy::source(patterns, kRows), ranges);
  Sink sink{0};
  if (status == Status::ok) status = write_int8(session, ranges, put, &sink);
  n = sink.n;
  return status;
}

/// A net whose parameters are given, quantised with these ranges.
Status quantise(const NetView& net, const float* parameters, const Range* ranges, size_t& n) {
  Options options;
  options.train = false;
  Session session;
  Status status = open(session, net, options, parameters, arena, sizeof arena);
  Sink sink{0};
  if (status == Status::ok) status = write_int8(session, ranges, put, &sink);
  n = sink.n;
  return status;
}

void seal(size_t n) { store32(block + n - 4, crc32(0, block, n - 4)); }

}  // namespace

MICRO_TEST(int8_logits_have_the_same_bits_everywhere) {
  // Recorded on x86-64, as in train_test.cpp: of the block, and of the logits of all rows.
  const struct {
    NetView net;
    uint32_t block_crc, logits_crc;
  } runs[] = {{kDense, 0xC2B4B495, 0x553F110B},  {kConv, 0xB9622501, 0x98203CAD},  {kEdge, 0x1ED74B59, 0x37A150C2},
              {kPadded, 0xC63D1021, 0xF9974D0C}, {kLeaky, 0xB3B3F361, 0x68445893}, {kSignal, 0xE9C8C9DE, 0x58E46C69}};
  uint32_t different = 0;
  for (const auto& run : runs) {
    Session session;
    size_t n = 0;
    TEST_ASSERT_STATUS(ok, make_block(run.net, session, n));
    TEST_ASSERT_EQUAL_UINT32(int8_bytes(run.net), n);
    const uint32_t block_crc = load32(block + n - 4);
    Int8Session s;
    TEST_ASSERT_STATUS(ok, open(s, run.net, block, n, small_arena, int8_bytes_needed(run.net)));
    const toy::Patterns patterns = patterns_of(run.net);
    uint32_t logits_crc = 0;
    for (uint32_t i = 0; i < kRows; ++i) {
      float x[84];
      Row row{x, nullptr, 0, false};
      toy::read(&patterns, i, row);
      TEST_ASSERT_STATUS(ok, set_input(s, x));
      forward(s);
      for (uint32_t j = 0; j < s.classes; ++j) {
        uint8_t bytes[4];
        store32(bytes, static_cast<uint32_t>(s.logits[j]));
        logits_crc = crc32(logits_crc, bytes, 4);
      }
    }
    TEST_MESSAGE_HEX32("block crc32", block_crc);
    TEST_MESSAGE_HEX32("logits crc32", logits_crc);
    different += block_crc == run.block_crc && logits_crc == run.logits_crc ? 0u : 1u;
  }
  TEST_ASSERT_EQUAL_UINT32(0, different);
}

MICRO_TEST(int8_logits_are_close_to_those_of_float32) {
  for (const NetView& net : {NetView(kDense), NetView(kConv), NetView(kEdge), NetView(kPadded)}) {
    Session session;
    size_t n = 0;
    TEST_ASSERT_STATUS(ok, make_block(net, session, n));
    Int8Session s;
    TEST_ASSERT_STATUS(ok, open(s, net, block, n, small_arena, sizeof small_arena));
    const toy::Patterns patterns = patterns_of(net);
    float largest = 0, error = 0;
    for (uint32_t i = 0; i < kRows; ++i) {
      Row row{session.input(), nullptr, 0, false};
      toy::read(&patterns, i, row);
      TEST_ASSERT_STATUS(ok, set_input(s, session.input()));
      const float* logits;
      TEST_ASSERT_STATUS(ok, forward(session, logits));
      forward(s);
      for (uint32_t j = 0; j < s.classes; ++j) {
        const float actual = s.logit_scale * static_cast<float>(s.logits[j]), difference = actual - logits[j];
        if (difference > error) error = difference;
        if (-difference > error) error = -difference;
        if (logits[j] > largest) largest = logits[j];
        if (-logits[j] > largest) largest = -logits[j];
      }
    }
    TEST_ASSERT_TRUE(largest > 1);
    // Each of up to three layers rounds weights and values to 1/255 of their range.
    TEST_ASSERT_FLOAT_WITHIN(0.02f * largest, 0.0f, error);
    // And the answers are the same.
    Report floats, ints;
    float x[84];
    TEST_ASSERT_STATUS(ok, evaluate(session, toy::source(patterns, 200), floats));
    TEST_ASSERT_STATUS(ok, evaluate(s, toy::source(patterns, 200), x, ints));
    TEST_ASSERT_EQUAL_UINT32(200, ints.rows);
    TEST_ASSERT_TRUE(floats.right > 150 && ints.right + 4 >= floats.right && floats.right + 4 >= ints.right);
  }
}

MICRO_TEST(int8_numbers_are_those_of_the_definition) {
  // Weights {127, -127} and {1, 0.5}: scales 1 and 1/127. Pixels of [0,1] have scale 1/255, so that sums are in units
  // of 1/255 and 1/32385, and the bias of 2/255 is 2 units.
  const float parameters[] = {127, -127, 1, 0.5f, 2.0f / 255, 0};
  const Range ranges[2] = {{0, 1}, {0, 0}};
  size_t n = 0;
  TEST_ASSERT_STATUS(ok, quantise(kOne, parameters, ranges, n));
  Int8Session s;
  TEST_ASSERT_STATUS(ok, open(s, kOne, block, n, small_arena, sizeof small_arena));
  const uint8_t* const channel = block + kInt8HeaderBytes + 12;
  TEST_ASSERT_EQUAL_UINT32(2, load32(channel));
  TEST_ASSERT_EQUAL_UINT32(127, channel[12]);
  TEST_ASSERT_EQUAL_UINT32(0x81, channel[13]);
  TEST_ASSERT_EQUAL_UINT32(127, channel[16 + 12]);
  TEST_ASSERT_EQUAL_UINT32(64, channel[16 + 13]);  // 63.5, halves away from 0
  TEST_ASSERT_TRUE(s.input_zero == -128);
  const struct {
    float x[2];
    int8_t q[2];
    float logits[2];
  } cases[] = {
      {{0, 0}, {-128, -128}, {2.0f / 255, 0}},
      {{1, 0}, {127, -128}, {127 + 2.0f / 255, 1}},
      {{0, 1}, {-128, 127}, {-127 + 2.0f / 255, 64.0f / 127}},
      {{0.2f, 0.6f}, {-77, 25}, {127 * (51.0f - 153.0f) / 255 + 2.0f / 255, (51.0f + 153.0f * 64 / 127) / 255}},
      // Beyond the range of the pixels: the ends of it.
      {{7, -3}, {127, -128}, {127 + 2.0f / 255, 1}}};
  for (const auto& c : cases) {
    TEST_ASSERT_STATUS(ok, set_input(s, c.x));
    TEST_ASSERT_TRUE(s.input()[0] == c.q[0] && s.input()[1] == c.q[1]);
    forward(s);
    for (uint32_t j = 0; j < 2; ++j)
      TEST_ASSERT_FLOAT_WITHIN(3e-5f, c.logits[j], s.logit_scale * static_cast<float>(s.logits[j]));
    TEST_ASSERT_EQUAL_UINT32(s.logits[1] > s.logits[0] ? 1 : 0, predicted(s));
  }
}

MICRO_TEST(int8_values_beyond_the_calibrated_range_stop_at_its_ends) {
  // Two layers: h = x - 0.5 calibrated to [-0.25, 0.25] (steps of 1/510, zero near 0), then logits h and -h.
  constexpr auto kTwo = net({1, 1, 1}, dense(1), dense(2));
  const float parameters[] = {1, -0.5f, 1, -1, 0, 0};
  const Range ranges[3] = {{0, 1}, {-0.25f, 0.25f}, {0, 0}};
  size_t n = 0;
  TEST_ASSERT_STATUS(ok, quantise(kTwo, parameters, ranges, n));
  Int8Session s;
  TEST_ASSERT_STATUS(ok, open(s, kTwo, block, n, small_arena, sizeof small_arena));
  for (uint32_t p = 0; p < 256; ++p) {
    s.input()[0] = static_cast<int8_t>(static_cast<int>(p) - 128);
    forward(s);
    const float h = static_cast<float>(p) / 255 - 0.5f, expected = h < -0.25f ? -0.25f : h > 0.25f ? 0.25f : h;
    // The zero of the range lies between two steps, so that one end is off by half of one.
    TEST_ASSERT_FLOAT_WITHIN(1.6f / 510, expected, s.logit_scale * static_cast<float>(s.logits[0]));
    TEST_ASSERT_FLOAT_WITHIN(1.6f / 510, -expected, s.logit_scale * static_cast<float>(s.logits[1]));
  }
}

MICRO_TEST(int8_takes_parameters_of_every_size) {
  // The weights of a channel all 0; tiny; huge; a bias a million times the weights. No sum may overflow.
  constexpr auto kWide = net({1, 1, 300}, dense(4), dense(2));
  static float parameters[300 * 4 + 4 + 8 + 2];
  for (uint32_t i = 0; i < 300; ++i) {
    parameters[i] = 0;
    parameters[300 + i] = 1e-38f;
    parameters[600 + i] = 1e6f;
    parameters[900 + i] = 1e-3f;
  }
  const float rest[] = {0.5f, 0, -1e6f, 1e3f, 1, 1, 1e-9f, 1e-3f, 0, 0, 0, 1e3f, 0, -1e12f};
  for (uint32_t k = 0; k < 14; ++k) parameters[1200 + k] = rest[k];
  const Range ranges[3] = {{0, 1}, {-1e6f, 3e8f}, {0, 0}};
  size_t n = 0;
  TEST_ASSERT_STATUS(ok, quantise(kWide, parameters, ranges, n));
  Int8Session s;
  TEST_ASSERT_STATUS(ok, open(s, kWide, block, n, small_arena, sizeof small_arena));
  for (uint32_t i = 0; i < 300; ++i) s.input()[i] = 127;
  forward(s);
  // float32 gives 0.5 + 0 + 2.99e8 * 1e-9 + 1000.3 * 1e-3 = 1.8 and, to six digits, 1e6 - 1e12.
  TEST_ASSERT_FLOAT_WITHIN(2e7f, -1e12f, s.logit_scale * static_cast<float>(s.logits[1]));
  TEST_ASSERT_TRUE(s.logits[0] > s.logits[1]);
  TEST_ASSERT_TRUE(s.logits[1] >= -8388610);
}

MICRO_TEST(int8_refuses_what_it_cannot_hold) {
  float parameters[] = {127, -127, 1, 0.5f, 2, 0};
  const Range good[2] = {{0, 1}, {0, 0}};
  size_t n = 0;
  const float infinite = 3e38f * 10;
  for (const float bad : {infinite, -infinite, infinite - infinite, 1e30f}) {
    const Range low[2] = {{bad, 1}, {0, 0}}, high[2] = {{0, 1}, {0, bad}};
    if (bad != 1e30f) TEST_ASSERT_STATUS(not_finite, quantise(kOne, parameters, low, n));
    TEST_ASSERT_STATUS(not_finite, quantise(kOne, parameters, high, n));
    parameters[2] = bad;
    TEST_ASSERT_STATUS(not_finite, quantise(kOne, parameters, good, n));
    parameters[2] = 1;
  }
  TEST_ASSERT_EQUAL_UINT32(0, n);
  TEST_ASSERT_STATUS(ok, quantise(kOne, parameters, good, n));
  const float nan[] = {0, infinite - infinite}, infinity[] = {infinite, 0};
  Int8Session s;
  TEST_ASSERT_STATUS(ok, open(s, kOne, block, n, small_arena, sizeof small_arena));
  TEST_ASSERT_STATUS(not_finite, set_input(s, nan));
  TEST_ASSERT_STATUS(not_finite, set_input(s, infinity));

  // One input too many for sums of 31 bits; a net that is none.
  TEST_ASSERT_TRUE(int8_bytes(net({1, 1, 32768}, dense(2))) > 0);
  TEST_ASSERT_EQUAL_UINT32(0, int8_bytes(net({1, 1, 32769}, dense(2))));
  TEST_ASSERT_EQUAL_UINT32(0, int8_bytes_needed(net({3, 3, 1}, conv(2, 4), dense(2))));
  Session session;
  Options options;
  options.train = false;
  TEST_ASSERT_STATUS(ok, open(session, kOne, options, arena, sizeof arena));
  Sink sink{0};
  TEST_ASSERT_STATUS(bad_options, write_int8(session, good, put, &sink));

  // The block is that of another net; the arena is too small by a byte, or crooked.
  const size_t needed = int8_bytes_needed(kOne);
  TEST_ASSERT_EQUAL_UINT32(4 + 8, needed);
  TEST_ASSERT_STATUS(arena_too_small, open(s, kOne, block, n, small_arena, needed - 1));
  TEST_ASSERT_STATUS(misaligned, open(s, kOne, block, n, small_arena + 1, needed));
  TEST_ASSERT_STATUS(shape_mismatch, open(s, net({1, 1, 2}, dense(3)), block, n, small_arena, sizeof small_arena));
  TEST_ASSERT_STATUS(shape_mismatch, open(s, net({2, 1, 1}, dense(2)), block, n, small_arena, sizeof small_arena));
  TEST_ASSERT_STATUS(shape_mismatch,
                     open(s, net({1, 1, 2}, dense(2), dense(2)), block, n, small_arena, sizeof small_arena));
  TEST_ASSERT_STATUS(ok, open(s, kOne, block, n + 1, small_arena, needed));
  const toy::Patterns three{2, 3, false};
  float x[2];
  Report report;
  TEST_ASSERT_STATUS(bad_label, evaluate(s, toy::source(three, 6), x, report));
}

MICRO_TEST(every_changed_byte_and_every_cut_of_an_int8_block_is_noticed) {
  Session session;
  size_t n = 0;
  TEST_ASSERT_STATUS(ok, make_block(kEdge, session, n));
  static StoredNet stored;
  Int8Session s;
  for (size_t k = 0; k < n; ++k)
    for (const uint8_t change : {0x01, 0x80, 0xFF}) {
      block[k] = static_cast<uint8_t>(block[k] ^ change);
      TEST_ASSERT_TRUE(describe(stored, block, n) != Status::ok);
      TEST_ASSERT_TRUE(open(s, kEdge, block, n, small_arena, sizeof small_arena) != Status::ok);
      block[k] = static_cast<uint8_t>(block[k] ^ change);
    }
  for (size_t k = 0; k < n; ++k) {
    TEST_ASSERT_STATUS(truncated, describe(stored, block, k));
    TEST_ASSERT_STATUS(truncated, open(s, kEdge, block, k, small_arena, sizeof small_arena));
  }
  TEST_ASSERT_STATUS(ok, describe(stored, block, n));
  TEST_ASSERT_TRUE(stored.count == 3 && stored.input == (Shape{5, 5, 2}) && stored.layers[1].outputs == 6);
  TEST_ASSERT_STATUS(ok, open(s, stored, block, n, small_arena, sizeof small_arena));

  // With the checksum made good.
  const uint32_t first_channel = kInt8HeaderBytes + 3 * 12;
  const struct {
    uint32_t at, value, bytes;
    Status expected;
  } cases[] = {{0, 1, 4, Status::bad_magic},
               {4, 2, 2, Status::bad_version},
               {6, 24, 2, Status::bad_header},
               {12, 6, 2, Status::bad_header},
               {12, 0, 2, Status::bad_net},
               {18, 0, 2, Status::bad_header},
               {18, 2, 2, Status::bad_header},
               {18, 0xFFFF, 2, Status::bad_header},
               {20, 0, 4, Status::bad_header},
               {20, 0x7FC00000, 4, Status::bad_header},
               {20, 0xBF800000, 4, Status::bad_header},
               {kInt8HeaderBytes, 9, 1, Status::bad_net},
               {kInt8HeaderBytes + 12 + 8, 0x7F800000, 4, Status::bad_header},
               {kInt8HeaderBytes + 12 + 4, 7, 2, Status::bad_header},
               {first_channel, 0x40000001, 4, Status::bad_header},
               {first_channel, 0x80000000, 4, Status::bad_header},
               {first_channel + 4, 0x80000000, 4, Status::bad_header},
               {first_channel + 8, 0, 1, Status::bad_header},
               {first_channel + 8, 63, 1, Status::bad_header}};
  for (const auto& c : cases) {
    uint8_t before[4];
    for (uint32_t k = 0; k < c.bytes; ++k) {
      before[k] = block[c.at + k];
      block[c.at + k] = static_cast<uint8_t>(c.value >> (8 * k));
    }
    seal(n);
    TEST_ASSERT_EQUAL_UINT32(static_cast<uint32_t>(c.expected), static_cast<uint32_t>(describe(stored, block, n)));
    TEST_ASSERT_TRUE(open(s, kEdge, block, n, small_arena, sizeof small_arena) != Status::ok);
    for (uint32_t k = 0; k < c.bytes; ++k) block[c.at + k] = before[k];
  }
}
