// Training: gradients, determinism, refusals, and that it learns.
#include "ntkrob/micro/crc32.hpp"
#include "toy.hpp"
#include "unity.hpp"

using namespace ntkrob::micro;

namespace {

constexpr auto kDense = net({6, 5, 1}, dense(12), relu(), dense(7), relu(), dense(4));
constexpr auto kConv =
    net({7, 6, 2}, conv(3, 3, 1, 1), relu(), max_pool(2), conv(4, 2), relu(), avg_pool(2, 1), flatten(), dense(3));
constexpr auto kFlat = net({6, 6, 1}, flatten(), dense(8), relu(), dense(2));
constexpr auto kEdge = net({5, 5, 2}, conv(3, 4, 2, 2), max_pool(2, 1), dense(2));
constexpr auto kLeaky =
    net({7, 6, 2}, conv(3, 3, 1, 1), leaky(0.4f), depthwise(3, 2, 1), flatten(), dense(5), leaky(0.3f), dense(3));
constexpr auto kSignal = net({14, 1, 3}, conv1d(4, 5, 2, 2), leaky(0.25f), max_pool1d(2), depthwise1d(3, 1, 1),
                             avg_pool1d(2, 1), flatten(), dense(3));
constexpr NetView kNets[] = {kDense, kConv, kFlat, kEdge, kLeaky, kSignal};

alignas(16) unsigned char arena[16 * 1024], second_arena[16 * 1024];

Options options_of(Loss loss, uint16_t batch, float momentum) {
  Options options;
  options.loss = loss;
  options.batch = batch;
  options.momentum = momentum;
  options.seed = 5;
  return options;
}

/// The largest difference between the gradient and central differences over every parameter of the net, as a fraction
/// of the largest component.
Status gradient_error(const NetView& net, Loss loss, bool soft, float& error) {
  const toy::Patterns patterns{net.input.size(), plan(net).classes, soft};
  const Source source = toy::source(patterns, 1);
  Session session;
  Status status = open(session, net, options_of(loss, 1, 0.5f), arena, sizeof arena);
  if (status != Status::ok || (status = initialise(session, 3)) != Status::ok) return status;
  Report report{0, 0, 0};
  Row row{session.input(), session.soft, 0, false};
  toy::read(&patterns, 0, row);
  begin_step(session);
  if ((status = add_sample(session, row.label, row.has_soft ? row.soft : nullptr, report)) != Status::ok) return status;
  const auto loss_at = [&](uint32_t k, float h) {
    const float before = session.parameters[k];
    session.parameters[k] = before + h;
    const Status moved = evaluate(session, source, report);
    session.parameters[k] = before;
    if (moved != Status::ok) status = moved;
    return report.loss;
  };
  const float h = 1.0f / 512;
  float largest = 0;
  error = 0;
  for (uint32_t k = 0; k < session.plan.parameters; ++k) {
    const float analytic = session.velocity[k];
    const float numeric = (8 * (loss_at(k, h) - loss_at(k, -h)) - (loss_at(k, 2 * h) - loss_at(k, -2 * h))) / (12 * h);
    const float difference = analytic < numeric ? numeric - analytic : analytic - numeric;
    if (!(difference <= error)) error = difference;
    if (analytic > largest) largest = analytic;
    if (-analytic > largest) largest = -analytic;
  }
  error /= largest;
  return status;
}

/// Trains three epochs and takes the checksum of the weights.
Status reference_run(const NetView& net, const Options& options, uint32_t& crc) {
  const toy::Patterns patterns{net.input.size(), plan(net).classes, options.loss == Loss::mse};
  const Source source = toy::source(patterns, 26);
  Session session;
  Status status = open(session, net, options, arena, sizeof arena);
  if (status == Status::ok) status = initialise(session, 3);
  Report report;
  for (uint32_t epoch = 0; epoch < 3 && status == Status::ok; ++epoch)
    status = train_epoch(session, source, epoch, report);
  if (status == Status::ok) crc = crc32_of(session.parameters, session.plan.parameters);
  return status;
}

}  // namespace

// float32 central differences of losses of about 1: rounding, 1e-7 / h, is 1e-4 of gradients of about 0.5; the bound
// leaves room for a parameter within 2 h of a kink of ReLU or max.
MICRO_TEST(gradients_agree_with_finite_differences) {
  for (const NetView& net : kNets)
    for (const Loss loss : {Loss::mse, Loss::ce}) {
      float error = 1;
      TEST_ASSERT_STATUS(ok, gradient_error(net, loss, loss == Loss::mse, error));
      TEST_ASSERT_FLOAT_WITHIN(4e-3f, 0.0f, error);
    }
}

MICRO_TEST(a_step_in_place_is_a_step_with_a_buffer) {
  for (const NetView& net : kNets) {
    const toy::Patterns patterns{net.input.size(), plan(net).classes, false};
    Options options = options_of(Loss::ce, 1, 0);
    options.weight_decay = 0.01f;
    Session session, other;
    TEST_ASSERT_STATUS(ok, open(session, net, options, arena, sizeof arena));
    TEST_ASSERT_TRUE(session.velocity == nullptr);
    // Momentum does not show in the first step.
    options.momentum = 0.5f;
    TEST_ASSERT_STATUS(ok, open(other, net, options, second_arena, sizeof second_arena));
    TEST_ASSERT_TRUE(other.velocity != nullptr);
    initialise(session, 1);
    initialise(other, 1);
    Report report;
    TEST_ASSERT_STATUS(ok, train_epoch(session, toy::source(patterns, 1), 0, report));
    TEST_ASSERT_STATUS(ok, train_epoch(other, toy::source(patterns, 1), 0, report));
    for (uint32_t k = 0; k < session.plan.parameters; ++k)
      TEST_ASSERT_FLOAT_WITHIN(1e-7f, other.parameters[k], session.parameters[k]);
  }
}

MICRO_TEST(the_same_training_gives_the_same_bits_everywhere) {
  // Recorded on x86-64. They change when the arithmetic changes, and must then change on every processor.
  const struct {
    NetView net;
    Options options;
    uint32_t crc;
  } runs[] = {
      {kDense, options_of(Loss::mse, 1, 0), 0xC72F3FEF},    {kDense, options_of(Loss::ce, 4, 0.9f), 0xBBEAAA4D},
      {kConv, options_of(Loss::ce, 1, 0), 0x32CBDC60},      {kConv, options_of(Loss::mse, 5, 0.5f), 0x614218F6},
      {kEdge, options_of(Loss::ce, 2, 0), 0x766556EF},      {kLeaky, options_of(Loss::ce, 1, 0), 0xB2D79B8C},
      {kLeaky, options_of(Loss::mse, 4, 0.9f), 0x78D8A9CE}, {kSignal, options_of(Loss::ce, 2, 0.5f), 0x5F9A50E0}};
  uint32_t different = 0;
  for (const auto& run : runs) {
    uint32_t crc = 0;
    TEST_ASSERT_STATUS(ok, reference_run(run.net, run.options, crc));
    TEST_MESSAGE_HEX32("weights crc32", crc);
    different += crc == run.crc ? 0u : 1u;
  }
  TEST_ASSERT_EQUAL_UINT32(0, different);
}

MICRO_TEST(training_learns_the_patterns) {
  for (const Loss loss : {Loss::mse, Loss::ce}) {
    const toy::Patterns patterns{30, 4, false};
    const Source source = toy::source(patterns, 40);
    Session session;
    TEST_ASSERT_STATUS(ok, open(session, kDense, options_of(loss, 1, 0), arena, sizeof arena));
    initialise(session, 2);
    Report before, after, last;
    TEST_ASSERT_STATUS(ok, evaluate(session, source, before));
    for (uint32_t epoch = 0; epoch < 30; ++epoch) TEST_ASSERT_STATUS(ok, train_epoch(session, source, epoch, last));
    TEST_ASSERT_STATUS(ok, evaluate(session, source, after));
    TEST_ASSERT_EQUAL_UINT32(40, after.rows);
    TEST_ASSERT_TRUE(before.right < 25);
    TEST_ASSERT_EQUAL_UINT32(40, after.right);
    TEST_ASSERT_TRUE(after.loss < 0.2f * before.loss);
  }
}

MICRO_TEST(the_incomplete_last_batch_is_dropped) {
  const toy::Patterns patterns{30, 4, false};
  Session session;
  TEST_ASSERT_STATUS(ok, open(session, kDense, options_of(Loss::ce, 4, 0), arena, sizeof arena));
  Report report;
  TEST_ASSERT_STATUS(ok, train_epoch(session, toy::source(patterns, 11), 0, report));
  TEST_ASSERT_EQUAL_UINT32(8, report.rows);
}

MICRO_TEST(a_rate_too_large_ends_with_a_status) {
  const toy::Patterns patterns{30, 4, false};
  for (const float momentum : {0.0f, 0.9f}) {
    Options options = options_of(Loss::mse, 1, momentum);
    options.lr = 1e6f;
    Session session;
    TEST_ASSERT_STATUS(ok, open(session, kDense, options, arena, sizeof arena));
    initialise(session, 2);
    Report report;
    Status status = Status::ok;
    for (uint32_t epoch = 0; epoch < 10 && status == Status::ok; ++epoch)
      status = train_epoch(session, toy::source(patterns, 40), epoch, report);
    TEST_ASSERT_STATUS(not_finite, status);
  }
}

MICRO_TEST(a_nan_among_the_pixels_stops_before_the_parameters_change) {
  Session session;
  const float infinite = 3e38f * 10;
  for (const NetView& net : kNets) {
    TEST_ASSERT_STATUS(ok, open(session, net, options_of(Loss::ce, 1, 0), arena, sizeof arena));
    initialise(session, 2);
    const uint32_t before = crc32_of(session.parameters, session.plan.parameters);
    // Every position: no ReLU and no pooling may swallow it.
    for (uint32_t k = 0; k < net.input.size(); ++k) {
      for (uint32_t i = 0; i < net.input.size(); ++i) session.input()[i] = 0.5f;
      session.input()[k] = infinite - infinite;
      Report report{0, 0, 0};
      begin_step(session);
      // The last rows and columns of some nets lie outside every pooling window; nowhere else is a pixel unused.
      const Status status = add_sample(session, 0, nullptr, report);
      if (net.layers[0].kernel == 0) TEST_ASSERT_STATUS(not_finite, status);
      if (status == Status::not_finite) TEST_ASSERT_EQUAL_UINT32(0, report.rows);
      if (status == Status::ok) TEST_ASSERT_STATUS(ok, check_parameters(session));
      if (status == Status::not_finite)
        TEST_ASSERT_EQUAL_HEX32(before, crc32_of(session.parameters, session.plan.parameters));
      initialise(session, 2);
    }
    session.parameters[3] = infinite;
    TEST_ASSERT_STATUS(not_finite, check_parameters(session));
  }
}

MICRO_TEST(a_label_out_of_range_is_refused) {
  Session session;
  TEST_ASSERT_STATUS(ok, open(session, kDense, options_of(Loss::ce, 1, 0), arena, sizeof arena));
  initialise(session, 2);
  const uint32_t before = crc32_of(session.parameters, session.plan.parameters);
  Report report{0, 0, 0};
  TEST_ASSERT_STATUS(bad_label, add_sample(session, 4, nullptr, report));
  const toy::Patterns five{30, 5, false};
  TEST_ASSERT_STATUS(bad_label, evaluate(session, toy::source(five, 10), report));
  TEST_ASSERT_EQUAL_HEX32(before, crc32_of(session.parameters, session.plan.parameters));
}

MICRO_TEST(inference_from_flash_gives_the_logits_of_training) {
  Session session, reader;
  TEST_ASSERT_STATUS(ok, open(session, kConv, options_of(Loss::ce, 1, 0), arena, sizeof arena));
  initialise(session, 9);
  Options options;
  options.train = false;
  TEST_ASSERT_STATUS(bad_options, open(reader, kConv, Options(), session.weights, second_arena, sizeof second_arena));
  TEST_ASSERT_STATUS(ok, open(reader, kConv, options, session.weights, second_arena, bytes_needed(kConv, options)));
  for (uint32_t k = 0; k < kConv.input.size(); ++k) session.input()[k] = reader.input()[k] = random_symmetric(1, 2, k);
  const float *expected, *actual;
  TEST_ASSERT_STATUS(ok, forward(session, expected));
  TEST_ASSERT_STATUS(ok, forward(reader, actual));
  for (uint32_t j = 0; j < 3; ++j) TEST_ASSERT_FLOAT_WITHIN(0.0f, expected[j], actual[j]);
  Report report{0, 0, 0};
  TEST_ASSERT_STATUS(read_only, begin_step(reader));
  TEST_ASSERT_STATUS(read_only, add_sample(reader, 0, nullptr, report));
  TEST_ASSERT_STATUS(read_only, initialise(reader, 1));
}

MICRO_TEST(the_order_of_an_epoch_is_a_permutation) {
  static uint8_t seen[257];
  for (uint32_t n = 1; n <= 257; ++n) {
    for (uint32_t i = 0; i < n; ++i) seen[i] = 0;
    for (uint32_t i = 0; i < n; ++i) {
      const uint32_t at = shuffled(i, n, 7, 3);
      TEST_ASSERT_TRUE(at < n);
      ++seen[at];
    }
    for (uint32_t i = 0; i < n; ++i) TEST_ASSERT_EQUAL_UINT32(1, seen[i]);
  }
  // Epochs and seeds differ, and few rows keep their place.
  uint32_t fixed = 0, as_before = 0, as_other = 0;
  for (uint32_t i = 0; i < 257; ++i) {
    fixed += shuffled(i, 257, 7, 3) == i ? 1u : 0u;
    as_before += shuffled(i, 257, 7, 3) == shuffled(i, 257, 7, 2) ? 1u : 0u;
    as_other += shuffled(i, 257, 7, 3) == shuffled(i, 257, 8, 3) ? 1u : 0u;
  }
  TEST_ASSERT_TRUE(fixed < 12 && as_before < 12 && as_other < 12);
}

MICRO_TEST(checksums_are_those_of_zlib) {
  TEST_ASSERT_EQUAL_HEX32(0xCBF43926u, crc32(0, "123456789", 9));
  TEST_ASSERT_EQUAL_HEX32(0xCBF43926u, crc32(crc32(0, "1234", 4), "56789", 5));
  const float one = 1;
  TEST_ASSERT_EQUAL_HEX32(crc32(0, "\0\0\x80\x3f", 4), crc32_of(&one, 1));
}
