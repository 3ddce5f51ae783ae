/// What a bare-metal program gets: text to the debugger or to QEMU by semihosting, an exit, and how much memory was
/// used.
#pragma once

#include <stdint.h>

namespace board {

void write(const char* text);
/// A number in decimal, or in hexadecimal with 8 digits.
void write_number(uint32_t value);
void write_hex(uint32_t value);
[[noreturn]] void exit(int status);
/// Bytes of data and zeros, which the linker has placed.
uint32_t static_bytes();
/// The most bytes of stack in use since the start.
uint32_t stack_bytes();

}  // namespace board
