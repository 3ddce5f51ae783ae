#include "ntkrob/micro/crc32.hpp"
#include "ntkrob/micro/device_data.hpp"
#include "ntkrob/micro/ntkrob.h"
#include "ntkrob/micro/weights.hpp"

namespace ntkrob::micro {
namespace {

/// What an ntkrob_session holds. The layers are copies: a C structure is not a Layer.
struct Held {
  Session session;
  Layer layers[NTKROB_MAX_LAYERS];
};
static_assert(sizeof(Held) <= sizeof(ntkrob_session) && alignof(Held) <= alignof(ntkrob_session),
              "storage of a session");
static_assert(sizeof(DeviceData) <= sizeof(ntkrob_data) && alignof(DeviceData) <= alignof(ntkrob_data),
              "storage of a set");

constexpr bool same(ntkrob_kind c, Kind cpp) { return static_cast<int>(c) == static_cast<int>(cpp); }
static_assert(same(NTKROB_DENSE, Kind::dense) && same(NTKROB_CONV, Kind::conv) && same(NTKROB_RELU, Kind::relu) &&
                  same(NTKROB_MAX_POOL, Kind::max_pool) && same(NTKROB_AVG_POOL, Kind::avg_pool) &&
                  same(NTKROB_FLATTEN, Kind::flatten) && same(NTKROB_LEAKY, Kind::leaky) &&
                  same(NTKROB_DEPTHWISE, Kind::depthwise) && same(NTKROB_CONV1D, Kind::conv1d) &&
                  same(NTKROB_DEPTHWISE1D, Kind::depthwise1d) && same(NTKROB_MAX_POOL1D, Kind::max_pool1d) &&
                  same(NTKROB_AVG_POOL1D, Kind::avg_pool1d),
              "kinds of layers in C");

Held& held(ntkrob_session* session) { return *reinterpret_cast<Held*>(session->storage); }
const Held& held(const ntkrob_session* session) { return *reinterpret_cast<const Held*>(session->storage); }
const DeviceData& held(const ntkrob_data* data) { return *reinterpret_cast<const DeviceData*>(data->storage); }
int code(Status status) { return static_cast<int>(status); }

/// False where there are too many layers.
bool convert(const ntkrob_net& from, Layer* layers, NetView& to) {
  if (from.layers == nullptr || from.layer_count > NTKROB_MAX_LAYERS) return false;
  for (uint32_t l = 0; l < from.layer_count; ++l) {
    const ntkrob_layer& f = from.layers[l];
    layers[l] = {static_cast<Kind>(f.kind), f.kernel, f.stride, f.pad, f.outputs};
  }
  to = {{from.height, from.width, from.channels}, layers, from.layer_count};
  return true;
}

Options convert(const ntkrob_options& from) {
  Options to;
  to.loss = from.loss == NTKROB_CE ? Loss::ce : Loss::mse;
  to.attack = from.attack != 0;
  to.batch = from.batch;
  to.lr = from.lr;
  to.momentum = from.momentum;
  to.weight_decay = from.weight_decay;
  to.seed = from.seed;
  return to;
}

int finish(Status status, const Report& from, ntkrob_report* to) {
  if (to != nullptr) *to = {from.rows, from.right, from.loss};
  return code(status);
}

}  // namespace
}  // namespace ntkrob::micro

using namespace ntkrob::micro;

extern "C" {

ntkrob_layer ntkrob_leaky(float slope) {
  const Layer l = leaky(slope);
  return {static_cast<uint8_t>(l.kind), l.kernel, l.stride, l.pad, l.outputs};
}

ntkrob_options ntkrob_default_options(void) {
  const Options o;
  return {NTKROB_MSE, 0, o.batch, o.lr, o.momentum, o.weight_decay, o.seed};
}

size_t ntkrob_bytes_needed(const ntkrob_net* net, const ntkrob_options* options) {
  Layer layers[NTKROB_MAX_LAYERS];
  NetView view;
  return convert(*net, layers, view) ? bytes_needed(view, convert(*options)) : 0;
}

int ntkrob_open(ntkrob_session* session, const ntkrob_net* net, const ntkrob_options* options, void* arena,
                size_t bytes) {
  Held& h = held(session);
  NetView view;
  if (!convert(*net, h.layers, view)) return code(Status::bad_net);
  if (options->loss > NTKROB_CE) return code(Status::bad_options);
  return code(open(h.session, view, convert(*options), arena, bytes));
}

int ntkrob_initialise(ntkrob_session* session, uint64_t seed) { return code(initialise(held(session).session, seed)); }

int ntkrob_set_lr(ntkrob_session* session, float lr) {
  if (!(lr > 0) || lr > 1e30f) return code(Status::bad_options);
  held(session).session.options.lr = lr;
  return NTKROB_OK;
}

float* ntkrob_input(ntkrob_session* session) { return held(session).session.input(); }

int ntkrob_predict(ntkrob_session* session, uint16_t* label) {
  Session& s = held(session).session;
  const float* logits;
  const Status status = forward(s, logits);
  if (status == Status::ok) *label = predicted(s);
  return code(status);
}

int ntkrob_open_data(ntkrob_data* data, const void* bytes, size_t n) {
  return code(open(*reinterpret_cast<DeviceData*>(data->storage), bytes, n));
}

uint32_t ntkrob_data_rows(const ntkrob_data* data) { return held(data).rows; }
float ntkrob_data_eps(const ntkrob_data* data) { return held(data).eps; }

int ntkrob_read_row(const ntkrob_data* data, uint32_t i, float* x, uint16_t* label) {
  Row row{x, nullptr, 0, false};
  const Status status = read(held(data), i, row);
  if (status == Status::ok) *label = row.label;
  return code(status);
}

int ntkrob_train_epoch(ntkrob_session* session, const ntkrob_data* data, uint32_t epoch, ntkrob_report* report) {
  Session& s = held(session).session;
  Report r{0, 0, 0};
  Status status = check_fit(s.net, held(data));
  if (status == Status::ok) status = train_epoch(s, source(held(data)), epoch, r);
  return finish(status, r, report);
}

int ntkrob_evaluate(ntkrob_session* session, const ntkrob_data* data, ntkrob_report* report) {
  Session& s = held(session).session;
  Report r{0, 0, 0};
  Status status = check_fit(s.net, held(data));
  if (status == Status::ok) status = evaluate(s, source(held(data)), r);
  return finish(status, r, report);
}

int ntkrob_evaluate_attack(ntkrob_session* session, const ntkrob_data* data, uint8_t norm, float eps, uint16_t steps,
                           ntkrob_report* report) {
  Session& s = held(session).session;
  Report r{0, 0, 0};
  Status status = check_fit(s.net, held(data));
  if (norm > NTKROB_L2 || steps == 0) status = Status::bad_options;
  const Norm n = static_cast<Norm>(norm);
  if (status == Status::ok) status = evaluate(s, source(held(data)), steps == 1 ? fgsm(n, eps) : pgd(n, eps, steps), r);
  return finish(status, r, report);
}

void ntkrob_write_weights(const ntkrob_session* session, void (*put)(void* context, const void* bytes, size_t n),
                          void* context) {
  write_weights(held(session).session, put, context);
}

int ntkrob_load_weights(ntkrob_session* session, const void* bytes, size_t n) {
  return code(load_weights(held(session).session, bytes, n));
}

uint32_t ntkrob_weights_crc32(const ntkrob_session* session) {
  const Session& s = held(session).session;
  return s.weights == nullptr ? 0 : crc32_of(s.weights, s.plan.parameters);
}

const char* ntkrob_status_text(int status) { return to_string(static_cast<Status>(status)); }
}
