// Blocks of bytes from outside: data sets and weights, whole, damaged and cut off.
#include "c_usage.h"
#include "micro/bytes.hpp"
#include "ntkrob/micro/crc32.hpp"
#include "ntkrob/micro/device_data.hpp"
#include "ntkrob/micro/weights.hpp"
#include "toy.hpp"
#include "unity.hpp"

using namespace ntkrob::micro;

namespace {

constexpr auto kNet = net({3, 2, 1}, dense(4), relu(), dense(3));
alignas(16) unsigned char arena[2048], second_arena[2048];
uint8_t file[512];

/// 5 rows of 3 x 2 pixels, 3 classes: pixel k of row i is 20 i + k, the label i mod 3, the soft label of class j i + j
/// / 10.
size_t make_data(uint8_t pixel_bytes, bool soft) {
  DeviceData d{};
  d.rows = 5;
  d.shape = {3, 2, 1};
  d.classes = 3;
  d.pixel_bytes = pixel_bytes;
  d.soft = soft;
  lay_out(d);
  for (uint8_t& byte : file) byte = 0;
  store32(file, kDataMagic);
  store16(file + 4, kDataVersion);
  store16(file + 6, kDataHeaderBytes);
  store32(file + 8, d.total);
  store32(file + 12, d.rows);
  store16(file + 16, 3);
  store16(file + 18, 2);
  store16(file + 20, 1);
  store16(file + 22, 3);
  file[24] = pixel_bytes;
  file[25] = soft ? 1 : 0;
  file[26] = 1;
  store32(file + 28, to_bits(0.5f));
  store32(file + 32, to_bits(-1.0f));
  store32(file + 36, to_bits(0.25f));
  store32(file + 40, 7);
  store32(file + 44, 9);
  for (uint32_t i = 0; i < 5; ++i) {
    for (uint32_t k = 0; k < 6; ++k) {
      if (pixel_bytes == 1)
        file[64 + 6 * i + k] = static_cast<uint8_t>(20 * i + k);
      else
        store16(file + 64 + 2 * (6 * i + k), static_cast<uint16_t>(-static_cast<int>(20 * i + k)));
    }
    store16(file + d.labels + 2 * i, i % 3);
    for (uint32_t j = 0; soft && j < 3; ++j)
      store32(file + d.soft_labels + 4 * (3 * i + j), to_bits(static_cast<float>(i) + 0.1f * static_cast<float>(j)));
  }
  store32(file + d.total - 4, crc32(0, file, d.total - 4));
  return d.total;
}

void seal(size_t n) { store32(file + n - 4, crc32(0, file, n - 4)); }

struct Sink {
  size_t n;
};
void put(void* context, const void* bytes, size_t n) {
  Sink& sink = *static_cast<Sink*>(context);
  for (size_t k = 0; k < n && sink.n < sizeof file; ++k) file[sink.n++] = static_cast<const uint8_t*>(bytes)[k];
}

/// Opens the net, gives it parameters and writes them to `file`. returns: bytes
size_t make_weights(Session& session) {
  Sink sink{0};
  if (open(session, kNet, Options(), arena, sizeof arena) != Status::ok) return 0;
  initialise(session, 6);
  write_weights(session, put, &sink);
  return sink.n;
}

}  // namespace

MICRO_TEST(rows_come_back_from_flash) {
  for (const uint8_t pixel_bytes : {1, 2})
    for (const bool soft : {false, true}) {
      const size_t n = make_data(pixel_bytes, soft);
      DeviceData d;
      TEST_ASSERT_STATUS(ok, open(d, file, n));
      TEST_ASSERT_EQUAL_UINT32(5, d.rows);
      TEST_ASSERT_TRUE(d.norm == Norm::l2 && d.hash == (7 | static_cast<uint64_t>(9) << 32));
      TEST_ASSERT_FLOAT_WITHIN(0.0f, 0.25f, d.eps);
      TEST_ASSERT_STATUS(ok, check_fit(kNet, d));
      TEST_ASSERT_STATUS(shape_mismatch, check_fit(net({2, 3, 1}, dense(3)), d));
      TEST_ASSERT_STATUS(shape_mismatch, check_fit(net({3, 2, 1}, dense(4)), d));
      for (uint32_t i = 0; i < 5; ++i) {
        float x[6], y[3];
        Row row{x, y, 9, !soft};
        TEST_ASSERT_STATUS(ok, read(d, i, row));
        TEST_ASSERT_EQUAL_UINT32(i % 3, row.label);
        TEST_ASSERT_TRUE(row.has_soft == soft);
        for (uint32_t k = 0; k < 6; ++k) {
          const float number = static_cast<float>(20 * i + k);
          TEST_ASSERT_FLOAT_WITHIN(0.0f, -1.0f + 0.5f * (pixel_bytes == 1 ? number : -number), x[k]);
        }
        for (uint32_t j = 0; soft && j < 3; ++j)
          TEST_ASSERT_FLOAT_WITHIN(0.0f, static_cast<float>(i) + 0.1f * static_cast<float>(j), y[j]);
        row.soft = nullptr;
        TEST_ASSERT_STATUS(ok, read(d, i, row));
        TEST_ASSERT_TRUE(!row.has_soft);
      }
      Row row{nullptr, nullptr, 0, false};
      TEST_ASSERT_STATUS(bad_row, read(d, 5, row));
    }
}

MICRO_TEST(a_session_trains_from_a_file) {
  const size_t n = make_data(1, false);
  DeviceData d;
  TEST_ASSERT_STATUS(ok, open(d, file, n));
  Session session;
  TEST_ASSERT_STATUS(ok, open(session, kNet, Options(), arena, sizeof arena));
  initialise(session, 1);
  Report report;
  Options options;
  session.options.lr = 1e-4f;
  TEST_ASSERT_STATUS(ok, train_epoch(session, source(d), 0, report));
  TEST_ASSERT_EQUAL_UINT32(5, report.rows);
}

MICRO_TEST(every_changed_byte_and_every_cut_of_a_data_set_is_noticed) {
  const size_t n = make_data(2, true);
  DeviceData d;
  for (size_t k = 0; k < n; ++k)
    for (const uint8_t change : {0x01, 0x80, 0xFF}) {
      file[k] = static_cast<uint8_t>(file[k] ^ change);
      TEST_ASSERT_TRUE(open(d, file, n) != Status::ok);
      file[k] = static_cast<uint8_t>(file[k] ^ change);
    }
  for (size_t k = 0; k < n; ++k) TEST_ASSERT_STATUS(truncated, open(d, file, k));
  TEST_ASSERT_STATUS(ok, open(d, file, n));
  TEST_ASSERT_STATUS(ok, open(d, file, n + 1));
}

MICRO_TEST(a_header_with_a_good_checksum_is_still_checked) {
  const struct {
    uint32_t at, value, bytes;
    Status expected;
  } cases[] = {{0, 1, 4, Status::bad_magic},
               {4, 2, 2, Status::bad_version},
               {6, 60, 2, Status::bad_header},
               {12, 0, 4, Status::bad_header},
               {12, 4, 4, Status::bad_header},
               {12, 0xFFFFFFFF, 4, Status::bad_header},
               {16, 0, 2, Status::bad_header},
               {16, 0xFFFF, 2, Status::bad_header},
               {22, 0, 2, Status::bad_header},
               {24, 3, 1, Status::bad_header},
               {25, 2, 1, Status::bad_header},
               {26, 2, 1, Status::bad_header},
               {28, 0x7F800000, 4, Status::bad_header},
               {36, 0xBF800000, 4, Status::bad_header}};
  DeviceData d;
  for (const auto& c : cases) {
    const size_t n = make_data(1, true);
    for (uint32_t k = 0; k < c.bytes; ++k) file[c.at + k] = static_cast<uint8_t>(c.value >> (8 * k));
    seal(n);
    TEST_ASSERT_EQUAL_UINT32(static_cast<uint32_t>(c.expected), static_cast<uint32_t>(open(d, file, n)));
  }
  const size_t n = make_data(1, true);
  TEST_ASSERT_STATUS(ok, open(d, file, n));
  store16(file + d.labels + 2 * 3, 3);
  seal(n);
  TEST_ASSERT_STATUS(ok, open(d, file, n));
  float x[6];
  Row row{x, nullptr, 0, false};
  TEST_ASSERT_STATUS(bad_label, read(d, 3, row));
}

MICRO_TEST(weights_go_out_and_come_back) {
  Session session, other;
  const size_t n = make_weights(session);
  TEST_ASSERT_EQUAL_UINT32(weights_bytes(kNet), n);
  const uint32_t crc = crc32_of(session.parameters, session.plan.parameters);
  TEST_ASSERT_STATUS(ok, open(other, kNet, Options(), second_arena, sizeof second_arena));
  TEST_ASSERT_STATUS(ok, load_weights(other, file, n));
  TEST_ASSERT_EQUAL_HEX32(crc, crc32_of(other.parameters, other.plan.parameters));
  const auto wide = net({3, 2, 1}, dense(5), relu(), dense(3));
  TEST_ASSERT_STATUS(ok, open(other, wide, Options(), second_arena, sizeof second_arena));
  TEST_ASSERT_STATUS(shape_mismatch, load_weights(other, file, n));
}

MICRO_TEST(every_changed_byte_and_every_cut_of_weights_is_noticed) {
  Session session;
  const size_t n = make_weights(session);
  static WeightsFile w;
  for (size_t k = 0; k < n; ++k)
    for (const uint8_t change : {0x01, 0x80, 0xFF}) {
      file[k] = static_cast<uint8_t>(file[k] ^ change);
      TEST_ASSERT_TRUE(open(w, file, n) != Status::ok);
      file[k] = static_cast<uint8_t>(file[k] ^ change);
    }
  for (size_t k = 0; k < n; ++k) TEST_ASSERT_STATUS(truncated, open(w, file, k));
  TEST_ASSERT_STATUS(ok, open(w, file, n));
  // With the checksum made good: a layer of no kind, a count that differs, a NaN.
  file[kWeightsHeaderBytes] = 9;
  seal(n);
  TEST_ASSERT_STATUS(bad_net, open(w, file, n));
  file[kWeightsHeaderBytes] = 1;
  store32(file + n - 8, 0x7FC00000);
  seal(n);
  TEST_ASSERT_STATUS(not_finite, open(w, file, n));
  store16(file + 18, 2);
  seal(n);
  TEST_ASSERT_STATUS(bad_header, open(w, file, n));
}

MICRO_TEST(layers_of_signals_are_the_same_in_c) {
  constexpr auto signals =
      net({12, 1, 3}, conv1d(4, 3, 1, 1), leaky(0.3f), max_pool1d(2), depthwise1d(3, 1, 1), avg_pool1d(3), dense(2));
  TEST_ASSERT_EQUAL_UINT32(bytes_needed(signals, Options()), arena_of_signals_from_c(0.3f));
  TEST_ASSERT_EQUAL_UINT32(0, arena_of_signals_from_c(1.5f));
}

MICRO_TEST(a_program_in_c_trains_to_the_same_weights) {
  const size_t n = make_data(1, false);
  c_result result;
  TEST_ASSERT_EQUAL_UINT32(0, train_from_c(file, n, 1e-4f, 3, &result));
  // The same in C++.
  DeviceData d;
  TEST_ASSERT_STATUS(ok, open(d, file, n));
  Options options;
  options.attack = true;
  options.lr = 1e-4f;
  Session session;
  TEST_ASSERT_STATUS(ok, open(session, kNet, options, arena, sizeof arena));
  initialise(session, 1);
  Report report;
  for (uint32_t epoch = 0; epoch < 3; ++epoch) TEST_ASSERT_STATUS(ok, train_epoch(session, source(d), epoch, report));
  TEST_ASSERT_EQUAL_HEX32(crc32_of(session.parameters, session.plan.parameters), result.crc);
  TEST_ASSERT_EQUAL_UINT32(bytes_needed(kNet, options), result.arena_bytes);
  TEST_ASSERT_EQUAL_UINT32(weights_bytes(kNet), result.file_bytes);
  TEST_ASSERT_STATUS(ok, evaluate(session, source(d), report));
  TEST_ASSERT_EQUAL_UINT32(report.right, result.right);
  TEST_ASSERT_TRUE(result.robust <= result.right);
  Row row{session.input(), nullptr, 0, false};
  TEST_ASSERT_STATUS(ok, read(d, 1, row));
  const float* logits;
  TEST_ASSERT_STATUS(ok, forward(session, logits));
  TEST_ASSERT_EQUAL_UINT32(row.label, result.label);
  TEST_ASSERT_EQUAL_UINT32(predicted(session), result.predicted);
  // What it refuses comes back as a number.
  file[70] = static_cast<uint8_t>(file[70] ^ 1);
  TEST_ASSERT_EQUAL_UINT32(static_cast<uint32_t>(Status::bad_crc),
                           static_cast<uint32_t>(train_from_c(file, n, 1e-4f, 3, &result)));
}
