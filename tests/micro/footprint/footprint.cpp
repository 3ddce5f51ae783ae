// What training takes on a device: trains NTKROB_SIDE x NTKROB_SIDE pixels - 32 - 10 on a block in flash and prints
// the bytes of RAM. footprint.py runs it twice under an emulator that counts instructions, with different numbers of
// steps.
//
// usage: micro_footprint STEPS
#include "measure.hpp"
#include "micro/bytes.hpp"
#include "ntkrob/micro/crc32.hpp"
#include "ntkrob/micro/device_data.hpp"
#include "ntkrob/micro/weights.hpp"

using namespace ntkrob::micro;

namespace {

constexpr uint16_t kSide = NTKROB_SIDE, kClasses = 10;
constexpr uint32_t kRows = 10, kPixels = kSide * kSide;
constexpr auto kNet = net({kSide, kSide, 1}, dense(32), relu(), dense(kClasses));
constexpr Options kOptions{};

struct Block {
  uint8_t bytes[kDataHeaderBytes + kRows * kPixels + 2 * kRows + 4];
};

/// A set as `ntkrob export` writes it: the compiler makes it, so that it lies in flash.
constexpr Block make_block() {
  Block b{};
  const auto put = [&b](uint32_t at, uint32_t value, uint32_t n) {
    for (uint32_t k = 0; k < n; ++k) b.bytes[at + k] = static_cast<uint8_t>(value >> (8 * k));
  };
  put(0, kDataMagic, 4);
  put(4, kDataVersion, 2);
  put(6, kDataHeaderBytes, 2);
  put(8, sizeof b.bytes, 4);
  put(12, kRows, 4);
  put(16, kSide, 2);
  put(18, kSide, 2);
  put(20, 1, 2);
  put(22, kClasses, 2);
  put(24, 1, 1);
  put(28, 0x3B808081u, 4);  // the float 1 / 255
  for (uint32_t k = 0; k < kRows * kPixels; ++k) put(kDataHeaderBytes + k, (k * k >> 3) + 7 * k, 1);
  for (uint32_t i = 0; i < kRows; ++i) put(kDataHeaderBytes + kRows * kPixels + 2 * i, i, 2);
  uint32_t crc = ~0u;
  for (uint32_t k = 0; k < sizeof b.bytes - 4; ++k) {
    crc ^= b.bytes[k];
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1u ? 0xEDB88320u : 0u);
  }
  put(sizeof b.bytes - 4, ~crc, 4);
  return b;
}
constexpr Block kBlock = make_block();
static_assert(kRows * kPixels % 4 == 0 && 2 * kRows % 4 == 0, "the parts of the block need no padding");

/// All that a trainer keeps in RAM.
struct State {
  Arena<bytes_needed(kNet, kOptions)> arena;
  Session session;
  DeviceData data;
};
State state;
uint32_t steps;
Status result;

void fold(void* crc, const void* bytes, size_t n) {
  uint32_t& sum = *static_cast<uint32_t*>(crc);
  sum = crc32(sum, bytes, n);
}

/// What firmware does: opens, trains, evaluates, hands the weights over.
void train() {
  result = open(state.data, kBlock.bytes, sizeof kBlock.bytes);
  if (result == Status::ok) result = check_fit(kNet, state.data);
  if (result == Status::ok) result = open(state.session, kNet, kOptions, state.arena.bytes, state.arena.size());
  if (result == Status::ok) result = initialise(state.session, 1);
  const Source rows = source(state.data);
  Report report{};
  if (result == Status::ok) result = train_epoch(state.session, rows, 0, report);
  // One image again and again: every step costs the same.
  for (uint32_t step = 0; step < steps && result == Status::ok; ++step) {
    result = begin_step(state.session);
    if (result == Status::ok) result = add_sample(state.session, 3, nullptr, report);
    if (result == Status::ok) result = end_step(state.session);
  }
  if (result == Status::ok) result = evaluate(state.session, rows, report);
  uint32_t crc = 0;
  write_weights(state.session, fold, &crc);
}

}  // namespace

int measure::run(uint32_t wanted) {
  steps = wanted;
  const uint32_t stack = measure::stack_of(train);
  measure::print("status", static_cast<uint32_t>(result));
  measure::print("arena", static_cast<uint32_t>(state.arena.size()));
  measure::print("static", measure::static_bytes(sizeof state));
  measure::print("stack", stack);
  measure::print("block", sizeof kBlock.bytes);
  return result == Status::ok ? 0 : 1;
}
