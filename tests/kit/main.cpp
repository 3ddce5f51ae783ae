#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <cstdlib>

int main(int argc, char** argv) {
#ifdef NTKROB_TEST_MODULE_PATH
  // Modules are looked for beside a program, and tests lie elsewhere than the command.
  ::setenv("NTKROB_MODULE_PATH", NTKROB_TEST_MODULE_PATH, 0);
#endif
  return Catch::Session().run(argc, argv);
}
