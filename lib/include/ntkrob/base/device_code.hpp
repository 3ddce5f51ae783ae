/// NTKROB_HD: marks code that processors and devices run alike.
#pragma once

#ifdef __CUDACC__
#define NTKROB_HD __host__ __device__
#else
#define NTKROB_HD
#endif
