/// main() and what a platform tells about memory: measure_board.cpp on bare metal, measure_linux.cpp elsewhere.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace measure {

/// Provided by footprint.cpp, called by main() with the number on the command line.   returns: the exit status
int run(uint32_t steps);
/// The most bytes of stack in use while f runs. On bare metal: since the start, with what runs before f.
uint32_t stack_of(void (*f)());
/// Data and zeros of the whole program where it owns all memory, else `own`.
uint32_t static_bytes(size_t own);
/// A line "name value".
void print(const char* name, uint32_t value);

}  // namespace measure
