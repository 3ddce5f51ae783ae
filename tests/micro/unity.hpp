/// Tests written once, in the words of Unity: on the host each is a Catch2 test case, on a device device_main.cpp runs
/// them and prints Unity's line format, "file:line:name:PASS". A failed assertion ends its test; assertions stand in
/// the body of the test itself.
///
///   MICRO_TEST(a_net_without_layers_is_refused) { TEST_ASSERT_EQUAL_UINT32(0, ...); }
#pragma once

#include <stdint.h>

#include <initializer_list>

#include "ntkrob/micro/status.hpp"

#ifdef NTKROB_MICRO_ON_DEVICE

namespace unity {

struct Test {
  void (*run)();
  const char* name;
  const char* file;
  int line;
};

/// Provided by the platform: text to the outside.
void write(const char* text);

bool check(bool good, int line, const char* what);
bool check_equal(uint32_t expected, uint32_t actual, int line, bool hexadecimal);
bool check_within(float delta, float expected, float actual, int line);
void message(int line, const char* text, uint32_t hexadecimal);
/// Runs all tests. returns: the number of failures
int run_all();

}  // namespace unity

// Tests find each other through a section of the program: no list to keep, no constructor to run.
#define MICRO_TEST(test)                                                                                        \
  static void test();                                                                                           \
  __attribute__((section("micro_tests"), used)) static const unity::Test entry_##test = {test, #test, __FILE__, \
                                                                                         __LINE__};             \
  static void test()
#define TEST_ASSERT_TRUE(condition)                               \
  do {                                                            \
    if (!unity::check((condition), __LINE__, #condition)) return; \
  } while (false)
#define TEST_ASSERT_EQUAL_UINT32(expected, actual)                          \
  do {                                                                      \
    if (!unity::check_equal((expected), (actual), __LINE__, false)) return; \
  } while (false)
#define TEST_ASSERT_EQUAL_HEX32(expected, actual)                          \
  do {                                                                     \
    if (!unity::check_equal((expected), (actual), __LINE__, true)) return; \
  } while (false)
#define TEST_ASSERT_FLOAT_WITHIN(delta, expected, actual)                      \
  do {                                                                         \
    if (!unity::check_within((delta), (expected), (actual), __LINE__)) return; \
  } while (false)
#define TEST_MESSAGE_HEX32(text, value) unity::message(__LINE__, (text), (value))

#else

#include <catch2/catch.hpp>
#include <cmath>

#define MICRO_TEST(test)                  \
  static void test();                     \
  TEST_CASE(#test, "[micro]") { test(); } \
  static void test()
#define TEST_ASSERT_TRUE(condition) REQUIRE((condition))
#define TEST_ASSERT_EQUAL_UINT32(expected, actual) \
  REQUIRE(static_cast<uint32_t>(actual) == static_cast<uint32_t>(expected))
#define TEST_ASSERT_EQUAL_HEX32(expected, actual)                           \
  do {                                                                      \
    INFO(std::hex << "expected 0x" << (expected) << ", is 0x" << (actual)); \
    REQUIRE((actual) == (expected));                                        \
  } while (false)
#define TEST_ASSERT_FLOAT_WITHIN(delta, expected, actual)                                                      \
  do {                                                                                                         \
    INFO("expected " << (expected) << ", is " << (actual) << ", bound " << (delta));                           \
    REQUIRE(std::abs(static_cast<float>(expected) - static_cast<float>(actual)) <= static_cast<float>(delta)); \
  } while (false)
#define TEST_MESSAGE_HEX32(text, value) INFO(text << std::hex << " 0x" << (value))

#endif

#define TEST_ASSERT_STATUS(expected, actual) \
  TEST_ASSERT_EQUAL_UINT32(static_cast<uint32_t>(::ntkrob::micro::Status::expected), static_cast<uint32_t>(actual))
