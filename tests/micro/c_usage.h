#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct c_result {
  size_t arena_bytes, file_bytes;
  uint32_t right, robust, crc;
  uint16_t label, predicted;
};
/* Bytes of a net of every layer for signals, with this slope. */
size_t arena_of_signals_from_c(float slope);
int train_from_c(const void* bytes, size_t n, float lr, uint32_t epochs, struct c_result* result);

#ifdef __cplusplus
}
#endif
