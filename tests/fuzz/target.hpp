/// What is fuzzed: every reader and every parser as a function of bytes, with sound inputs of our own making to begin
/// with.
///
/// Two programs use the table: fuzz_mutate changes the sound inputs by a seeded generator (any compiler, the sanitizers
/// if the build has them), fuzz_<target> lets libFuzzer do it (clang, NTKROB_BUILD_FUZZ). An input may be read or
/// refused by an ntkrob::Error of one line; everything else is a finding.
///
/// No input that brings other software down is kept here: what was found in libraries is told in
/// lib/doc/reading-limits.md.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace ntkrob::fuzz {

struct Target {
  std::string name;
  bool text = false;                                  // mutations that keep to text are worth more
  std::function<std::vector<std::string>()> seeds;    // sound inputs
  std::function<void(const std::string& bytes)> run;  // throws: ntkrob::Error
  double most_seconds = 5;                            // more is a finding
};

const std::vector<Target>& targets();

/// The rows of targets(), by kind.
std::vector<Target> reader_targets();
std::vector<Target> parser_targets();

/// Runs an input as both programs do.   true: read; false: refused
///   A message of several lines or without end, and any other exception, end the program with the name of the target.
bool run_one(const Target& target, const std::string& bytes);

}  // namespace ntkrob::fuzz
