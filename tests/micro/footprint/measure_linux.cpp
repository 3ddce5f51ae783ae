#include <ucontext.h>

#include <cstdio>
#include <cstdlib>

#include "measure.hpp"

namespace measure {
namespace {

// A stack of its own, painted: what is no longer paint was in use.
constexpr size_t kStack = 1 << 16;
constexpr unsigned char kPaint = 0xC5;
alignas(16) unsigned char stack[kStack];
ucontext_t caller, callee;

}  // namespace

uint32_t stack_of(void (*f)()) {
  for (unsigned char& byte : stack) byte = kPaint;
  if (getcontext(&callee) != 0) return 0;
  callee.uc_stack.ss_sp = stack;
  callee.uc_stack.ss_size = kStack;
  callee.uc_link = &caller;
  makecontext(&callee, f, 0);
  if (swapcontext(&caller, &callee) != 0) return 0;
  size_t clean = 0;
  while (clean < kStack && stack[clean] == kPaint) ++clean;
  return static_cast<uint32_t>(kStack - clean);
}

uint32_t static_bytes(size_t own) { return static_cast<uint32_t>(own); }

void print(const char* name, uint32_t value) { std::printf("%s %lu\n", name, static_cast<unsigned long>(value)); }

}  // namespace measure

int main(int argc, char** argv) {
  return measure::run(argc > 1 ? static_cast<uint32_t>(std::strtoul(argv[1], nullptr, 10)) : 0);
}
