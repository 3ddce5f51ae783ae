// Two classes that a line separates, learnt in a static arena.
#include <cstdint>
#include <cstdio>
#include <ntkrob/micro/session.hpp>

using namespace ntkrob::micro;

namespace {

constexpr auto kNet = net({1, 2, 1}, dense(8), relu(), dense(2));
constexpr Options kOptions{};
Arena<bytes_needed(kNet, kOptions), 512> arena;

Status point(const void*, uint32_t i, Row& row) {
  row.x[0] = static_cast<float>(i % 8) / 8.0f;
  row.x[1] = static_cast<float>(i / 8) / 8.0f;
  row.label = row.x[0] > row.x[1] ? 1 : 0;
  row.has_soft = false;
  return Status::ok;
}

}  // namespace

int main() {
  Session session;
  Report report{};
  Status status = open(session, kNet, kOptions, arena.bytes, arena.size());
  if (status == Status::ok) status = initialise(session, 1);
  for (uint32_t epoch = 0; epoch < 100 && status == Status::ok; ++epoch)
    status = train_epoch(session, {64, point, nullptr}, epoch, report);
  std::printf("%s: %u of %u right\n", to_string(status), static_cast<unsigned>(report.right),
              static_cast<unsigned>(report.rows));
  return status == Status::ok && report.right >= 60 ? 0 : 1;
}
