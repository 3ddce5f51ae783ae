/// What a bare-metal program gets: text to the debugger or to QEMU by semihosting, an exit, and how much memory was
/// used.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace board {

void write(const char* text);
/// A number in decimal, or in hexadecimal with 8 digits.
void write_number(uint32_t value);
void write_hex(uint32_t value);
[[noreturn]] void exit(int status);
/// The command line that the debugger or QEMU gives the program. False where there is none, or more than n bytes.
bool command_line(char* line, size_t n);
/// A file on the machine of the debugger, or of QEMU.
class File {
 public:
  explicit File(const char* name);
  void put(const void* bytes, size_t n);
  /// False where opening, a write or this failed.
  bool close();

 private:
  int handle_;
  bool good_;
};

/// Bytes of data and zeros, which the linker has placed.
uint32_t static_bytes();
/// The most bytes of stack in use since the start.
uint32_t stack_bytes();

}  // namespace board
