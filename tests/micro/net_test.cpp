// Descriptions of nets: shapes, byte counts, refusals, all known when the program is compiled.
#include "ntkrob/micro/session.hpp"
#include "unity.hpp"

using namespace ntkrob::micro;

namespace {

constexpr auto kMlp = net({28, 28, 1}, dense(32), relu(), dense(10));
constexpr auto kConv =
    net({8, 8, 2}, conv(3, 3, 1, 1), relu(), max_pool(2), conv(5, 3, 2), relu(), flatten(), dense(4));

constexpr Options on_the_fly() {
  Options options;
  return options;
}
constexpr Options with_momentum() {
  Options options;
  options.momentum = 0.9f;
  return options;
}
constexpr Options inference() {
  Options options;
  options.train = false;
  return options;
}

// The budgets of the documentation. Whatever the stack adds is measured by the firmware.
static_assert(bytes_needed(kMlp, on_the_fly()) <= 104 * 1024, "784-32-10 trains in 104 KiB");
static_assert(bytes_needed(net({14, 14, 1}, dense(32), relu(), dense(10)), on_the_fly()) <= 28 * 1024,
              "196-32-10 trains in 28 KiB");
static_assert(plan(kMlp).parameters == 784 * 32 + 32 + 32 * 10 + 10, "");
static_assert(plan(kConv).parameters == 3 * 18 + 3 + 5 * 27 + 5 + 4 * 5 + 4, "");
static_assert(bytes_needed(net({4, 4, 1}, dense(3), relu()), on_the_fly()) == 0, "the last layer must be dense");

template <class N>
constexpr bool refused(const N& description, uint32_t layer) {
  const Plan p = plan(description);
  return p.status == Status::bad_net && p.layer == layer;
}

}  // namespace

MICRO_TEST(shapes_and_offsets_follow_from_the_layers) {
  const Place pool = locate(kConv, 2), second = locate(kConv, 3), last = locate(kConv, 6);
  TEST_ASSERT_TRUE((pool.in == Shape{8, 8, 3}));
  TEST_ASSERT_TRUE((pool.out == Shape{4, 4, 3}));
  TEST_ASSERT_TRUE((second.out == Shape{1, 1, 5}));
  TEST_ASSERT_TRUE((last.in == Shape{1, 1, 5}));
  TEST_ASSERT_EQUAL_UINT32(57, second.weight);
  TEST_ASSERT_EQUAL_UINT32(128 + 192 + 48, second.target);
  TEST_ASSERT_EQUAL_UINT32(128 + 192 + 48 + 5 + 4, plan(kConv).values);
  TEST_ASSERT_EQUAL_UINT32(192, plan(kConv).largest);
  TEST_ASSERT_EQUAL_UINT32(4, plan(kConv).classes);
}

MICRO_TEST(slopes_of_leaky_keep_their_bits) {
  const float slopes[] = {0.0f, 0.01f, 0.1f, 0.25f, 0.3f, 0.999999940f, 1e-30f, 1.17549435e-38f};
  for (const float slope : slopes) {
    uint32_t bits;
    __builtin_memcpy(&bits, &slope, sizeof bits);
    TEST_ASSERT_EQUAL_HEX32(bits, detail::slope_bits(leaky(slope)));
  }
}

MICRO_TEST(signals_have_windows_of_steps) {
  constexpr auto signal = net({9, 1, 2}, conv1d(3, 4, 2, 1), depthwise1d(2), max_pool1d(2, 1), dense(2));
  static_assert(plan(signal).status == Status::ok, "a net");
  TEST_ASSERT_TRUE(locate(signal, 0).out == (Shape{4, 1, 3}));
  TEST_ASSERT_EQUAL_UINT32(8, locate(signal, 0).fan_in());
  TEST_ASSERT_TRUE(locate(signal, 1).out == (Shape{3, 1, 3}));
  TEST_ASSERT_EQUAL_UINT32(2, locate(signal, 1).fan_in());
  TEST_ASSERT_TRUE(locate(signal, 2).out == (Shape{2, 1, 3}));
  TEST_ASSERT_EQUAL_UINT32(24 + 3 + 6 + 3 + 12 + 2, plan(signal).parameters);
}

MICRO_TEST(layers_that_do_not_fit_are_named) {
  TEST_ASSERT_TRUE(refused(net({4, 4, 1}, dense(3), relu()), 1));
  TEST_ASSERT_TRUE(refused(net({4, 4, 1}, relu(), dense(3)), 0));
  TEST_ASSERT_TRUE(refused(net({4, 4, 1}, conv(2, 5), dense(3)), 0));
  TEST_ASSERT_TRUE(refused(net({4, 4, 1}, conv(2, 3, 0), dense(3)), 0));
  TEST_ASSERT_TRUE(refused(net({4, 4, 1}, conv(2, 3, 1, 3), dense(3)), 0));
  TEST_ASSERT_TRUE(refused(net({4, 4, 1}, max_pool(2), max_pool(3), dense(3)), 1));
  TEST_ASSERT_TRUE(refused(net({4, 4, 1}, avg_pool(0), dense(3)), 0));
  TEST_ASSERT_TRUE(refused(net({4, 4, 1}, dense(0), dense(3)), 0));
  TEST_ASSERT_TRUE(refused(net({4, 4, 1}, leaky(0.1f), dense(3)), 0));
  TEST_ASSERT_TRUE(refused(net({4, 4, 1}, dense(3), leaky(1.0f), dense(3)), 1));
  TEST_ASSERT_TRUE(refused(net({4, 4, 1}, dense(3), leaky(-0.1f), dense(3)), 1));
  TEST_ASSERT_TRUE(refused(net({4, 4, 1}, depthwise(5), dense(3)), 0));
  TEST_ASSERT_TRUE(refused(net({4, 2, 1}, conv1d(2, 3), dense(3)), 0));
  TEST_ASSERT_TRUE(refused(net({4, 1, 1}, conv1d(2, 5), dense(3)), 0));
  TEST_ASSERT_TRUE(refused(net({4, 1, 1}, avg_pool1d(5), dense(3)), 0));
  TEST_ASSERT_TRUE(refused(net({4, 0, 1}, dense(3)), 0));
  TEST_ASSERT_TRUE(refused(net({65535, 65535, 65535}, dense(3)), 0));
  TEST_ASSERT_TRUE(refused(net({1000, 1000, 1}, dense(60000), dense(3)), 0));
  TEST_ASSERT_TRUE(refused(net({100, 100, 1}, dense(50000), dense(50000), dense(3)), 0));
  TEST_ASSERT_EQUAL_UINT32(static_cast<uint32_t>(Status::bad_net),
                           static_cast<uint32_t>(plan(NetView{{4, 4, 1}, nullptr, 0}).status));
}

MICRO_TEST(an_arena_too_small_by_one_byte_is_refused) {
  alignas(16) static unsigned char arena[2048];
  constexpr auto small = net({2, 3, 1}, dense(4), relu(), dense(3));
  Options all = with_momentum();
  all.attack = true;
  Options attack = inference();
  attack.attack = true;
  for (const Options& options : {on_the_fly(), with_momentum(), inference(), all, attack}) {
    Session session;
    const size_t bytes = bytes_needed(small, options);
    TEST_ASSERT_TRUE(bytes > 0 && bytes < sizeof arena);
    for (size_t k = 0; k < sizeof arena; ++k) arena[k] = 0xA5;
    TEST_ASSERT_STATUS(arena_too_small, open(session, small, options, arena, bytes - 1));
    TEST_ASSERT_STATUS(ok, open(session, small, options, arena, bytes));
    // The layout ends with the arena: its last byte is used, the next is not.
    TEST_ASSERT_EQUAL_UINT32(0, arena[bytes - 1]);
    TEST_ASSERT_EQUAL_UINT32(0xA5, arena[bytes]);
    TEST_ASSERT_STATUS(misaligned, open(session, small, options, arena + 1, sizeof arena - 1));
  }
}

MICRO_TEST(options_out_of_range_are_refused) {
  alignas(16) static unsigned char arena[2048];
  constexpr auto small = net({2, 3, 1}, dense(3));
  const auto status = [&](float lr, float momentum, float decay, uint16_t batch) {
    Options options;
    options.lr = lr;
    options.momentum = momentum;
    options.weight_decay = decay;
    options.batch = batch;
    Session session;
    return open(session, small, options, arena, sizeof arena);
  };
  const float infinite = 3e38f * 10;
  TEST_ASSERT_STATUS(ok, status(0.1f, 0, 0, 1));
  TEST_ASSERT_STATUS(bad_options, status(0, 0, 0, 1));
  TEST_ASSERT_STATUS(bad_options, status(infinite, 0, 0, 1));
  TEST_ASSERT_STATUS(bad_options, status(infinite - infinite, 0, 0, 1));
  TEST_ASSERT_STATUS(bad_options, status(0.1f, 1, 0, 1));
  TEST_ASSERT_STATUS(bad_options, status(0.1f, -0.1f, 0, 1));
  TEST_ASSERT_STATUS(bad_options, status(0.1f, 0, -1, 1));
  TEST_ASSERT_STATUS(bad_options, status(0.1f, 0, 0, 0));
}
