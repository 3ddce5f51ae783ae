#include "board.hpp"

namespace board {
namespace {

constexpr uint32_t kOpen = 0x01, kClose = 0x02, kWrite0 = 0x04, kWrite = 0x05, kGetCommandLine = 0x15, kExit = 0x18,
                   kExitExtended = 0x20, kApplicationExit = 0x20026;

uint32_t call(uint32_t operation, const void* argument) {
  register uint32_t r0 __asm__("r0") = operation;
  register const void* r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

}  // namespace

void write(const char* text) { call(kWrite0, text); }

void write_number(uint32_t value) {
  char digits[11];
  char* p = digits + sizeof digits;
  *--p = 0;
  do *--p = static_cast<char>('0' + value % 10);
  while ((value /= 10) != 0);
  write(p);
}

void write_hex(uint32_t value) {
  char digits[9];
  for (int k = 0; k < 8; ++k) {
    const uint32_t d = value >> (28 - 4 * k) & 15u;
    digits[k] = static_cast<char>(d < 10 ? '0' + d : 'a' + d - 10);
  }
  digits[8] = 0;
  write(digits);
}

void exit(int status) {
  const uint32_t block[2] = {kApplicationExit, static_cast<uint32_t>(status)};
  call(kExitExtended, block);
  call(kExit, reinterpret_cast<const void*>(kApplicationExit));
  for (;;) {
  }
}

bool command_line(char* line, size_t n) {
  uint32_t block[2] = {reinterpret_cast<uintptr_t>(line), n};
  return call(kGetCommandLine, block) == 0;
}

File::File(const char* name) {
  constexpr uint32_t kWriteBinary = 5;  // "wb"
  uint32_t length = 0;
  while (name[length] != 0) ++length;
  const uint32_t block[3] = {reinterpret_cast<uintptr_t>(name), kWriteBinary, length};
  handle_ = static_cast<int>(call(kOpen, block));
  good_ = handle_ >= 0;
}

void File::put(const void* bytes, size_t n) {
  const uint32_t block[3] = {static_cast<uint32_t>(handle_), reinterpret_cast<uintptr_t>(bytes), n};
  // The answer is the number of bytes that were not written.
  if (good_) good_ = call(kWrite, block) == 0;
}

bool File::close() {
  const uint32_t block[1] = {static_cast<uint32_t>(handle_)};
  return handle_ >= 0 && call(kClose, block) == 0 && good_;
}

}  // namespace board
