// Attacks on a session: they stay in the ball, they hurt, they touch no parameter.
#include "ntkrob/micro/crc32.hpp"
#include "toy.hpp"
#include "unity.hpp"

using namespace ntkrob::micro;

namespace {

constexpr auto kNet = net({6, 5, 1}, dense(12), relu(), dense(4));
alignas(16) unsigned char arena[8 * 1024];
const toy::Patterns kPatterns{30, 4, false};

Status trained(Session& session) {
  Options options;
  options.attack = true;
  options.loss = Loss::ce;
  Status status = open(session, kNet, options, arena, sizeof arena);
  if (status == Status::ok) status = initialise(session, 4);
  Report report;
  for (uint32_t epoch = 0; epoch < 20 && status == Status::ok; ++epoch)
    status = train_epoch(session, toy::source(kPatterns, 40), epoch, report);
  return status;
}

}  // namespace

MICRO_TEST(attacks_stay_in_ball_and_box) {
  Session session;
  TEST_ASSERT_STATUS(ok, trained(session));
  for (const Norm norm : {Norm::linf, Norm::l2})
    for (const float eps : {0.0f, 0.1f, 0.7f})
      for (const uint16_t steps : {1, 5}) {
        Row row{session.input(), session.soft, 0, false};
        toy::read(&kPatterns, 6, row);
        bool survived;
        TEST_ASSERT_STATUS(ok, attack(session, row.label, pgd(norm, eps, steps), survived));
        float sum = 0, largest = 0;
        for (uint32_t k = 0; k < 30; ++k) {
          const float moved = session.input()[k] - session.origin[k], size = moved < 0 ? -moved : moved;
          sum += moved * moved;
          if (size > largest) largest = size;
          TEST_ASSERT_TRUE(session.input()[k] >= 0 && session.input()[k] <= 1);
        }
        // One rounding of origin +- eps.
        if (norm == Norm::linf) TEST_ASSERT_TRUE(largest <= eps + 1e-7f);
        if (norm == Norm::l2) TEST_ASSERT_TRUE(sum <= eps * eps * 1.00001f);
        if (eps > 0) TEST_ASSERT_TRUE(largest > 0);
      }
}

MICRO_TEST(fgsm_moves_along_the_sign_of_the_gradient) {
  Session session;
  TEST_ASSERT_STATUS(ok, trained(session));
  Row row{session.input(), session.soft, 0, false};
  toy::read(&kPatterns, 1, row);
  bool survived;
  TEST_ASSERT_STATUS(ok, attack(session, row.label, fgsm(Norm::linf, 0.01f), survived));
  for (uint32_t k = 0; k < 30; ++k) {
    const float g = session.input_gradient[k];
    const float expected = session.origin[k] + (g > 0 ? 0.01f : g < 0 ? -0.01f : 0.0f);
    TEST_ASSERT_FLOAT_WITHIN(0.0f, expected < 0 ? 0 : expected > 1 ? 1 : expected, session.input()[k]);
  }
}

MICRO_TEST(input_gradients_agree_with_finite_differences) {
  Session session;
  TEST_ASSERT_STATUS(ok, trained(session));
  static float x[30];
  Row row{x, nullptr, 0, false};
  toy::read(&kPatterns, 3, row);
  // The loss of an example that is not moved: an attack with eps 0.
  struct One {
    const float* x;
    uint16_t label;
  } one{x, row.label};
  const auto read = [](const void* context, uint32_t, Row& out) {
    const One& from = *static_cast<const One*>(context);
    for (uint32_t k = 0; k < 30; ++k) out.x[k] = from.x[k];
    out.label = from.label;
    return Status::ok;
  };
  const Source source{1, read, &one};
  Attack still = fgsm(Norm::linf, 0);
  still.low = -9;
  still.high = 9;
  Report report;
  const auto loss_at = [&](uint32_t k, float h) {
    const float before = x[k];
    x[k] = before + h;
    const Status status = evaluate(session, source, still, report);
    x[k] = before;
    return status == Status::ok ? report.loss : -1e9f;
  };
  TEST_ASSERT_STATUS(ok, evaluate(session, source, still, report));
  static float analytic[30];
  float largest = 0;
  for (uint32_t k = 0; k < 30; ++k) {
    analytic[k] = session.input_gradient[k];
    if (analytic[k] > largest) largest = analytic[k];
    if (-analytic[k] > largest) largest = -analytic[k];
  }
  const float h = 1.0f / 128;
  for (uint32_t k = 0; k < 30; ++k) {
    const float numeric = (8 * (loss_at(k, h) - loss_at(k, -h)) - (loss_at(k, 2 * h) - loss_at(k, -2 * h))) / (12 * h);
    TEST_ASSERT_FLOAT_WITHIN(1e-2f * largest, numeric, analytic[k]);
  }
}

MICRO_TEST(stronger_attacks_leave_fewer_right_and_eps_0_leaves_all) {
  Session session;
  TEST_ASSERT_STATUS(ok, trained(session));
  const Source source = toy::source(kPatterns, 40);
  const uint32_t before = crc32_of(session.parameters, session.plan.parameters);
  Report clean, still, weak, strong;
  TEST_ASSERT_STATUS(ok, evaluate(session, source, clean));
  TEST_ASSERT_STATUS(ok, evaluate(session, source, fgsm(Norm::linf, 0), still));
  TEST_ASSERT_STATUS(ok, evaluate(session, source, fgsm(Norm::linf, 0.1f), weak));
  TEST_ASSERT_STATUS(ok, evaluate(session, source, pgd(Norm::linf, 0.25f, 10), strong));
  TEST_ASSERT_EQUAL_UINT32(40, clean.right);
  TEST_ASSERT_EQUAL_UINT32(clean.right, still.right);
  TEST_ASSERT_TRUE(weak.right <= still.right);
  TEST_ASSERT_TRUE(strong.right < weak.right);
  TEST_ASSERT_TRUE(strong.loss > 2 * still.loss);
  TEST_ASSERT_EQUAL_HEX32(before, crc32_of(session.parameters, session.plan.parameters));
}

MICRO_TEST(attacks_without_memory_or_with_a_wrong_label_are_refused) {
  Session session;
  bool survived;
  TEST_ASSERT_STATUS(ok, open(session, kNet, Options(), arena, sizeof arena));
  TEST_ASSERT_STATUS(no_attack, attack(session, 0, fgsm(Norm::linf, 0.1f), survived));
  TEST_ASSERT_STATUS(ok, trained(session));
  TEST_ASSERT_STATUS(bad_label, attack(session, 4, fgsm(Norm::linf, 0.1f), survived));
  TEST_ASSERT_STATUS(bad_options, attack(session, 0, fgsm(Norm::linf, -0.1f), survived));
}
