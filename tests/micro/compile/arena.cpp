// Compiled by tests, with and without the fault: -DLIMIT=bytes, -DPOOL=side of the pool's window.
#include "ntkrob/micro/session.hpp"

using namespace ntkrob::micro;

#ifdef POOL
// Windows larger than the image.
constexpr auto kNet = net({28, 28, 1}, max_pool(POOL), flatten(), dense(32), relu(), dense(10));
#else
constexpr auto kNet = net({28, 28, 1}, dense(32), relu(), dense(10));
#endif
constexpr Options kOptions{};

// 25450 parameters, 826 values, 2 x 10 of the classes, 2 x 32 of the hidden layer; 4 bytes each.
#ifndef POOL
static_assert(bytes_needed(kNet, kOptions) == 105440, "the arithmetic of the limits in CMakeLists.txt");
#endif

Arena<bytes_needed(kNet, kOptions), LIMIT> arena;
