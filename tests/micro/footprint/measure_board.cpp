#include "board.hpp"
#include "measure.hpp"

namespace measure {

uint32_t stack_of(void (*f)()) {
  f();
  return board::stack_bytes();
}

uint32_t static_bytes(size_t) { return board::static_bytes(); }

void print(const char* name, uint32_t value) {
  board::write(name);
  board::write(" ");
  board::write_number(value);
  board::write("\n");
}

}  // namespace measure

int main() {
  // "program steps"
  char line[128];
  uint32_t steps = 0;
  if (board::command_line(line, sizeof line)) {
    const char* p = line;
    while (*p != 0 && *p != ' ') ++p;
    while (*p == ' ') ++p;
    for (; *p >= '0' && *p <= '9'; ++p) steps = 10 * steps + static_cast<uint32_t>(*p - '0');
  }
  return measure::run(steps);
}
