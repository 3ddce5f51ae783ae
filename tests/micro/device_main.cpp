// Runs the tests in Unity's words: on bare metal by semihosting, elsewhere on the standard output.
#include "unity.hpp"

#ifdef NTKROB_BARE_METAL
#include "board.hpp"

void unity::write(const char* text) { board::write(text); }
#else
#include <cstdio>

void unity::write(const char* text) { std::fputs(text, stdout); }
#endif

int main() { return unity::run_all() == 0 ? 0 : 1; }
