/// The work inside sweeps over images, as a table of functions. Compiled once per instruction set (NTKROB_ISA), as
/// simd.cpp is.
#include "backend_cpu/images/steps.hpp"

#include "backend_cpu/images/branches.hpp"
#include "backend_cpu/images/crossing.hpp"
#include "backend_cpu/images/units.hpp"

namespace ntkrob::NTKROB_ISA {
namespace {

template <class R>
constexpr ImageFunctions<R> kFunctions{&input<R>,   &input_back<R>,   &unit<R>,   &unit_back<R>,
                                       &product<R>, &product_back<R>, &spread<R>, &gather<R>,
                                       &finish<R>,  &finish_back<R>,  &add<R>,    &total<R>};

}  // namespace

extern const ImageFunctions<float> kImageFloat;
const ImageFunctions<float> kImageFloat = kFunctions<float>;
extern const ImageFunctions<double> kImageDouble;
const ImageFunctions<double> kImageDouble = kFunctions<double>;

}  // namespace ntkrob::NTKROB_ISA
