// Unity's output without printf: runs on bare metal.
#include "unity.hpp"

extern "C" {
// From the linker: the entries of all MICRO_TESTs.
extern const unity::Test __start_micro_tests[];
extern const unity::Test __stop_micro_tests[];
}

namespace unity {
namespace {

const Test* current;
bool failed;

void write_number(uint32_t value, uint32_t base) {
  char digits[12];
  char* p = digits + sizeof digits;
  *--p = 0;
  do {
    *--p = "0123456789ABCDEF"[value % base];
    value /= base;
  } while (value != 0);
  write(p);
}

/// Six significant digits and an exponent.
void write_float(float value) {
  if (!(value == value) || value - value != 0) return write("not finite");
  if (value < 0) write("-");
  if (value < 0) value = -value;
  int exponent = 0;
  while (value >= 10) value /= 10, ++exponent;
  while (value > 0 && value < 1) value *= 10, --exponent;
  const uint32_t digits = static_cast<uint32_t>(value * 100000 + 0.5f);
  write_number(digits / 100000, 10);
  write(".");
  for (uint32_t unit = 10000; unit > 0; unit /= 10) write_number(digits / unit % 10, 10);
  write(exponent < 0 ? "e-" : "e");
  write_number(static_cast<uint32_t>(exponent < 0 ? -exponent : exponent), 10);
}

/// "file:line:name:"
void write_head(int line) {
  const char* name = current->file;
  for (const char* p = name; *p != 0; ++p)
    if (*p == '/') name = p + 1;
  write(name);
  write(":");
  write_number(static_cast<uint32_t>(line), 10);
  write(":");
  write(current->name);
  write(":");
}

void fail(int line) {
  failed = true;
  write_head(line);
  write("FAIL: ");
}

}  // namespace

bool check(bool good, int line, const char* what) {
  if (good) return true;
  fail(line);
  write("Expected TRUE Was FALSE: ");
  write(what);
  write("\n");
  return false;
}

bool check_equal(uint32_t expected, uint32_t actual, int line, bool hexadecimal) {
  if (expected == actual) return true;
  fail(line);
  write(hexadecimal ? "Expected 0x" : "Expected ");
  write_number(expected, hexadecimal ? 16 : 10);
  write(hexadecimal ? " Was 0x" : " Was ");
  write_number(actual, hexadecimal ? 16 : 10);
  write("\n");
  return false;
}

bool check_within(float delta, float expected, float actual, int line) {
  const float difference = expected < actual ? actual - expected : expected - actual;
  if (difference <= delta) return true;
  fail(line);
  write("Expected ");
  write_float(expected);
  write(" Was ");
  write_float(actual);
  write(" Bound ");
  write_float(delta);
  write("\n");
  return false;
}

void message(int line, const char* text, uint32_t hexadecimal) {
  write_head(line);
  write("INFO: ");
  write(text);
  write(" 0x");
  write_number(hexadecimal, 16);
  write("\n");
}

int run_all() {
  uint32_t tests = 0, failures = 0;
  for (const Test* test = __start_micro_tests; test != __stop_micro_tests; ++test) {
    current = test;
    failed = false;
    test->run();
    ++tests;
    failures += failed ? 1u : 0u;
    if (failed) continue;
    write_head(test->line);
    write("PASS\n");
  }
  write("\n-----------------------\n");
  write_number(tests, 10);
  write(" Tests ");
  write_number(failures, 10);
  write(" Failures 0 Ignored\n");
  write(tests > 0 && failures == 0 ? "OK\n" : "FAIL\n");
  return tests > 0 ? static_cast<int>(failures) : 1;
}

}  // namespace unity
