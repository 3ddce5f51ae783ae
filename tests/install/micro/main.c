/* The memory of a net, a session, and the refusal of an arena that is one byte too small. */
#include <ntkrob/micro/ntkrob.h>
#include <stdio.h>

static const ntkrob_layer layers[] = {
    {NTKROB_DENSE, 0, 0, 0, 8}, {NTKROB_RELU, 0, 0, 0, 0}, {NTKROB_DENSE, 0, 0, 0, 2}};
static const ntkrob_net net = {1, 2, 1, 3, layers};
static float arena[128];

int main(void) {
  const ntkrob_options options = ntkrob_default_options();
  const size_t bytes = ntkrob_bytes_needed(&net, &options);
  ntkrob_session session;
  uint16_t label = 9;
  int refused, status;
  refused = ntkrob_open(&session, &net, &options, arena, bytes - 1);
  status = ntkrob_open(&session, &net, &options, arena, sizeof arena);
  if (status == NTKROB_OK) status = ntkrob_initialise(&session, 1);
  ntkrob_input(&session)[0] = 0.5f;
  ntkrob_input(&session)[1] = 0.25f;
  if (status == NTKROB_OK) status = ntkrob_predict(&session, &label);
  printf("%lu bytes; one less: %s; class %u, weights 0x%08lX: %s\n", (unsigned long)bytes, ntkrob_status_text(refused),
         (unsigned)label, (unsigned long)ntkrob_weights_crc32(&session), ntkrob_status_text(status));
  return bytes > 0 && bytes <= sizeof arena && refused != NTKROB_OK && status == NTKROB_OK && label < 2 ? 0 : 1;
}
