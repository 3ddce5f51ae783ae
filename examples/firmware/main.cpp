// Firmware for an STM32F405 (192 KiB of RAM): trains a net on the robust set in flash, attacks it, reports in Unity's
// format and hands the weights to the host. run makes robust_set.hpp and test_set.hpp, builds this and runs it under
// QEMU.
#include "board.hpp"
#include "ntkrob/micro/crc32.hpp"
#include "ntkrob/micro/device_data.hpp"
#include "ntkrob/micro/weights.hpp"
#include "robust_set.hpp"
#include "test_set.hpp"
#include "unity.hpp"

using namespace ntkrob::micro;

namespace {

constexpr auto kNet = net({28, 28, 1}, dense(32), relu(), dense(10));
constexpr uint32_t kEpochs = 30;
constexpr uint16_t kPgdSteps = 20;

constexpr Options options() {
  Options o;
  o.lr = 0.02f;
  o.weight_decay = 0.03f;  // so small a net keeps the set's robustness with it, and hardly any without
  o.attack = true;
  return o;
}

Arena<bytes_needed(kNet, options()), 112 * 1024> arena;
Session session;
DeviceData train_data, test_data;

void print(const char* name, uint32_t value, const char* unit) {
  board::write("  ");
  board::write(name);
  board::write(" ");
  board::write_number(value);
  board::write(unit);
  board::write("\n");
}

void print_right(const char* name, const Report& report) {
  board::write("  ");
  board::write(name);
  board::write(" ");
  board::write_number(report.right);
  board::write(" of ");
  board::write_number(report.rows);
  board::write("\n");
}

void put(void* file, const void* bytes, size_t n) { static_cast<board::File*>(file)->put(bytes, n); }

}  // namespace

void unity::write(const char* text) { board::write(text); }

MICRO_TEST(both_sets_are_whole_and_fit_the_net) {
  TEST_ASSERT_STATUS(ok, open(train_data, robust_set, sizeof robust_set));
  TEST_ASSERT_STATUS(ok, open(test_data, test_set, sizeof test_set));
  TEST_ASSERT_STATUS(ok, check_fit(kNet, train_data));
  TEST_ASSERT_STATUS(ok, check_fit(kNet, test_data));
  print("training images", train_data.rows, "");
  print("bytes of flash for them", train_data.total, "");
}

MICRO_TEST(training_in_the_arena_succeeds) {
  TEST_ASSERT_STATUS(ok, open(session, kNet, options(), arena.bytes, arena.size()));
  TEST_ASSERT_STATUS(ok, initialise(session, 1));
  Report report;
  for (uint32_t epoch = 0; epoch < kEpochs; ++epoch) {
    // The rate falls to a tenth in a straight line.
    session.options.lr = options().lr * (1.0f - 0.9f * static_cast<float>(epoch) / kEpochs);
    TEST_ASSERT_STATUS(ok, train_epoch(session, source(train_data), epoch, report));
  }
  print_right("right in the last epoch:", report);
  TEST_ASSERT_TRUE(10 * report.right >= 9 * report.rows);
}

MICRO_TEST(the_net_generalises_and_withstands_some_attacks) {
  const float eps = train_data.eps;
  TEST_ASSERT_TRUE(eps > 0);
  Report clean, fast, strong;
  TEST_ASSERT_STATUS(ok, evaluate(session, source(test_data), clean));
  TEST_ASSERT_STATUS(ok, evaluate(session, source(test_data), fgsm(train_data.norm, eps), fast));
  TEST_ASSERT_STATUS(ok, evaluate(session, source(test_data), pgd(train_data.norm, eps, kPgdSteps), strong));
  print_right("clean:", clean);
  print_right("fgsm:", fast);
  print_right("pgd-20:", strong);
  TEST_ASSERT_TRUE(10 * clean.right >= 8 * clean.rows);
  TEST_ASSERT_TRUE(fast.right < clean.right && strong.right <= fast.right);
  TEST_ASSERT_TRUE(2 * strong.right > strong.rows);
}

MICRO_TEST(the_weights_reach_the_host) {
  board::File file("weights.nkw");
  write_weights(session, put, &file);
  TEST_ASSERT_TRUE(file.close());
  TEST_MESSAGE_HEX32("weights crc32", crc32_of(session.parameters, session.plan.parameters));
}

MICRO_TEST(memory_stays_within_the_part) {
  print("bytes of RAM for data:", board::static_bytes(), "");
  print("bytes of stack:", board::stack_bytes(), "");
  TEST_ASSERT_TRUE(board::static_bytes() + board::stack_bytes() <= 128 * 1024);
}

int main() { return unity::run_all() == 0 ? 0 : 1; }
