/// The shell of a benchmark: options by CLI11 with their defaults in --help, and one line for what goes wrong.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <functional>

namespace ntkrob::bench {

/// Declares the options, reads them, runs; the exit status of the program.
inline int program(int argc, char** argv, const char* what, const std::function<void(CLI::App&)>& declare,
                   const std::function<void()>& run) {
  CLI::App app(what);
  app.option_defaults()->always_capture_default();
  declare(app);
  CLI11_PARSE(app, argc, argv);
  try {
    run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
  return 0;
}

}  // namespace ntkrob::bench
