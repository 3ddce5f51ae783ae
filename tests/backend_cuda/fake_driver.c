/* A driver without devices, found as libcuda.so.1 by LD_LIBRARY_PATH. NTKROB_FAKE_DRIVER: the version it says it has.
 */
#include <stdlib.h>
#include <string.h>

enum { kNoDevice = 100 };

int cuDriverGetVersion(int* version) {
  const char* text = getenv("NTKROB_FAKE_DRIVER");
  *version = text != NULL ? atoi(text) : 0;
  return 0;
}
int cuInit(unsigned flags) {
  (void)flags;
  return kNoDevice;
}
static int other(void) { return kNoDevice; }

int cuGetProcAddress_v2(const char* name, void** function, int version, unsigned long long flags, int* status) {
  (void)version, (void)flags;
  *function = (void*)other;
  if (strcmp(name, "cuInit") == 0) *function = (void*)cuInit;
  if (strcmp(name, "cuDriverGetVersion") == 0) *function = (void*)cuDriverGetVersion;
  if (strcmp(name, "cuGetProcAddress") == 0) *function = (void*)cuGetProcAddress_v2;
  if (status != NULL) *status = 0;
  return 0;
}
int cuGetProcAddress(const char* name, void** function, int version, unsigned long long flags) {
  return cuGetProcAddress_v2(name, function, version, flags, NULL);
}
