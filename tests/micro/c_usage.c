/* The C interface used from C: trains a net on a block of bytes and hands out the checksum of its weights. */
#include "c_usage.h"

#include "ntkrob/micro/ntkrob.h"

static const ntkrob_layer kLayers[] = {
    {NTKROB_DENSE, 0, 0, 0, 4}, {NTKROB_RELU, 0, 0, 0, 0}, {NTKROB_DENSE, 0, 0, 0, 3}};

static void count(void* context, const void* bytes, size_t n) {
  (void)bytes;
  *(size_t*)context += n;
}

int train_from_c(const void* bytes, size_t n, float lr, uint32_t epochs, struct c_result* result) {
  static float arena[256];
  const ntkrob_net net = {3, 2, 1, 3, kLayers};
  ntkrob_options options = ntkrob_default_options();
  ntkrob_session session;
  ntkrob_data data;
  ntkrob_report report;
  uint32_t epoch;
  int status = ntkrob_open_data(&data, bytes, n);
  if (status != NTKROB_OK) return status;
  options.attack = 1;
  options.lr = lr;
  result->arena_bytes = ntkrob_bytes_needed(&net, &options);
  if (ntkrob_open(&session, &net, &options, arena, result->arena_bytes - 1) == NTKROB_OK) return -1;
  status = ntkrob_open(&session, &net, &options, arena, sizeof arena);
  if (status == NTKROB_OK) status = ntkrob_initialise(&session, 1);
  for (epoch = 0; epoch < epochs && status == NTKROB_OK; ++epoch)
    status = ntkrob_train_epoch(&session, &data, epoch, &report);
  if (status == NTKROB_OK) status = ntkrob_evaluate(&session, &data, &report);
  result->right = report.right;
  if (status == NTKROB_OK) status = ntkrob_evaluate_attack(&session, &data, NTKROB_LINF, 1e6f, 3, &report);
  result->robust = report.right;
  if (status == NTKROB_OK) status = ntkrob_read_row(&data, 1, ntkrob_input(&session), &result->label);
  if (status == NTKROB_OK) status = ntkrob_predict(&session, &result->predicted);
  result->crc = ntkrob_weights_crc32(&session);
  result->file_bytes = 0;
  ntkrob_write_weights(&session, count, &result->file_bytes);
  return status;
}

size_t arena_of_signals_from_c(float slope) {
  ntkrob_layer layers[] = {{NTKROB_CONV1D, 3, 1, 1, 4},     {0, 0, 0, 0, 0},
                           {NTKROB_MAX_POOL1D, 2, 2, 0, 0}, {NTKROB_DEPTHWISE1D, 3, 1, 1, 0},
                           {NTKROB_AVG_POOL1D, 3, 3, 0, 0}, {NTKROB_DENSE, 0, 0, 0, 2}};
  const ntkrob_net net = {12, 1, 3, 6, layers};
  const ntkrob_options options = ntkrob_default_options();
  layers[1] = ntkrob_leaky(slope);
  return ntkrob_bytes_needed(&net, &options);
}
