// From reset to main() and back, and the three functions that compilers call on their own.
#include <stddef.h>

#include "board.hpp"

int main();

extern "C" {

extern uint32_t board_data_begin[], board_data_end[], board_data_source[], board_bss_begin[], board_bss_end[],
    board_stack_top[], board_ram_begin[];

void* memcpy(void* to, const void* from, size_t n) {
  for (size_t i = 0; i < n; ++i) static_cast<uint8_t*>(to)[i] = static_cast<const uint8_t*>(from)[i];
  return to;
}

void* memmove(void* to, const void* from, size_t n) {
  if (to < from) return memcpy(to, from, n);
  for (size_t i = n; i-- > 0;) static_cast<uint8_t*>(to)[i] = static_cast<const uint8_t*>(from)[i];
  return to;
}

void* memset(void* to, int value, size_t n) {
  for (size_t i = 0; i < n; ++i) static_cast<uint8_t*>(to)[i] = static_cast<uint8_t>(value);
  return to;
}

[[noreturn]] void reset();
[[noreturn]] void fault();
}

namespace {

constexpr uint32_t kPaint = 0xC5C5C5C5u;

}  // namespace

void reset() {
#ifdef __ARM_FP
  // Full access to coprocessors 10 and 11, the FPU.
  *reinterpret_cast<volatile uint32_t*>(0xE000ED88u) |= 0xFu << 20;
  __asm__ volatile("dsb\n isb" ::: "memory");
#endif
  const uint32_t* source = board_data_source;
  for (uint32_t* p = board_data_begin; p != board_data_end;) *p++ = *source++;
  for (uint32_t* p = board_bss_begin; p != board_bss_end;) *p++ = 0;
  uint32_t* stack;
  __asm__ volatile("mov %0, sp" : "=r"(stack));
  for (volatile uint32_t* p = board_bss_end; p < stack; ++p) *p = kPaint;
  board::exit(main());
}

void fault() {
  board::write("fault\n");
  board::exit(125);
}

extern "C" __attribute__((section(".vectors"), used))
const void* const board_vectors[16] = {board_stack_top,
                                       reinterpret_cast<const void*>(reset),
                                       reinterpret_cast<const void*>(fault),
                                       reinterpret_cast<const void*>(fault),
                                       reinterpret_cast<const void*>(fault),
                                       reinterpret_cast<const void*>(fault),
                                       reinterpret_cast<const void*>(fault)};

namespace board {

uint32_t static_bytes() {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(board_bss_end) -
                               reinterpret_cast<uintptr_t>(board_ram_begin));
}

uint32_t stack_bytes() {
  const volatile uint32_t* p = board_bss_end;
  while (p < board_stack_top && *p == kPaint) ++p;
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(board_stack_top) - reinterpret_cast<uintptr_t>(p));
}

}  // namespace board
