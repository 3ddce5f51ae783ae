/* ntkrob::micro for C: the same nets, sessions and files (net.hpp, session.hpp, device_data.hpp and weights.hpp
 * describe them).
 *
 *   static const ntkrob_layer layers[] = {
 *       {NTKROB_DENSE, 0, 0, 0, 32}, {NTKROB_RELU, 0, 0, 0, 0}, {NTKROB_DENSE, 0, 0, 0, 10}};
 *   static const ntkrob_net net = {28, 28, 1, 3, layers};
 *
 * Functions that return a status return 0, NTKROB_OK, when all is well; ntkrob_status_text says what it is otherwise.
 */
#ifndef NTKROB_MICRO_NTKROB_H
#define NTKROB_MICRO_NTKROB_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NTKROB_OK 0
/* Of nets made in C; their description is copied into the session. */
#define NTKROB_MAX_LAYERS 16

enum ntkrob_kind {
  NTKROB_DENSE = 1,
  NTKROB_CONV = 2,
  NTKROB_RELU = 3,
  NTKROB_MAX_POOL = 4,
  NTKROB_AVG_POOL = 5,
  NTKROB_FLATTEN = 6,
  NTKROB_LEAKY = 7, /* ntkrob_leaky() */
  NTKROB_DEPTHWISE = 8,
  /* of signals, T x 1 x C: windows of `kernel` steps */
  NTKROB_CONV1D = 9,
  NTKROB_DEPTHWISE1D = 10,
  NTKROB_MAX_POOL1D = 11,
  NTKROB_AVG_POOL1D = 12
};
enum ntkrob_loss { NTKROB_MSE = 0, NTKROB_CE = 1 };
enum ntkrob_norm { NTKROB_LINF = 0, NTKROB_L2 = 1 };

typedef struct {
  uint8_t kind;
  uint8_t kernel, stride, pad; /* convolutions and pools */
  uint16_t outputs;            /* dense: width; conv: channels */
} ntkrob_layer;

typedef struct {
  uint16_t height, width, channels;
  uint16_t layer_count;
  const ntkrob_layer* layers;
} ntkrob_net;

typedef struct {
  uint8_t loss;
  uint8_t attack; /* 1: with memory for attacks */
  uint16_t batch;
  float lr, momentum, weight_decay;
  uint64_t seed; /* of the order of the rows */
} ntkrob_options;

typedef struct {
  uint32_t rows, right;
  float loss;
} ntkrob_report;

/* Opaque; keep it where it is while it is open. */
typedef union {
  unsigned char storage[320];
  uint64_t alignment;
} ntkrob_session;
typedef union {
  unsigned char storage[96];
  uint64_t alignment;
} ntkrob_data;

/* NTKROB_LEAKY: x where it is positive, slope x elsewhere; slope: from 0 to below 1, a net with another is not valid.
 */
ntkrob_layer ntkrob_leaky(float slope);

/* mse, steps of one row, lr 0.05, no momentum, no attack */
ntkrob_options ntkrob_default_options(void);
/* Bytes of arena; 0: the net is not valid. */
size_t ntkrob_bytes_needed(const ntkrob_net* net, const ntkrob_options* options);
/* arena: aligned to 4 bytes */
int ntkrob_open(ntkrob_session* session, const ntkrob_net* net, const ntkrob_options* options, void* arena,
                size_t bytes);
int ntkrob_initialise(ntkrob_session* session, uint64_t seed);
int ntkrob_set_lr(ntkrob_session* session, float lr);
/* Where the image goes before ntkrob_predict: height * width * channels numbers. */
float* ntkrob_input(ntkrob_session* session);
int ntkrob_predict(ntkrob_session* session, uint16_t* label);

/* A set in flash, as `ntkrob export` writes it. The bytes must outlive it. */
int ntkrob_open_data(ntkrob_data* data, const void* bytes, size_t n);
uint32_t ntkrob_data_rows(const ntkrob_data* data);
float ntkrob_data_eps(const ntkrob_data* data);
/* Pixels of row i to x, its class to label. */
int ntkrob_read_row(const ntkrob_data* data, uint32_t i, float* x, uint16_t* label);

int ntkrob_train_epoch(ntkrob_session* session, const ntkrob_data* data, uint32_t epoch, ntkrob_report* report);
int ntkrob_evaluate(ntkrob_session* session, const ntkrob_data* data, ntkrob_report* report);
/* FGSM with steps 1, else PGD with steps of 2.5 eps / steps. */
int ntkrob_evaluate_attack(ntkrob_session* session, const ntkrob_data* data, uint8_t norm, float eps, uint16_t steps,
                           ntkrob_report* report);

/* The weights as bytes for `ntkrob import`, in pieces. */
void ntkrob_write_weights(const ntkrob_session* session, void (*put)(void* context, const void* bytes, size_t n),
                          void* context);
int ntkrob_load_weights(ntkrob_session* session, const void* bytes, size_t n);
uint32_t ntkrob_weights_crc32(const ntkrob_session* session);

const char* ntkrob_status_text(int status);

#ifdef __cplusplus
}
#endif

#endif
