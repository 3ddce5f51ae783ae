#include "backend_cuda/launch.cuh"
#include "backend_cuda/launch.hpp"

namespace ntkrob::cuda {

void launch(const Rounding& rounding, Stream stream) { launch_program(rounding, stream); }
void launch(const Filling<float>& filling, Stream stream) { launch_program(filling, stream); }
void launch(const Filling<double>& filling, Stream stream) { launch_program(filling, stream); }
void launch(const ScaledRows<float>& rows, Stream stream) { launch_program(rows, stream); }
void launch(const ScaledRows<double>& rows, Stream stream) { launch_program(rows, stream); }
void launch(const RowSquares<float>& rows, Stream stream) { launch_program(rows, stream); }
void launch(const RowSquares<double>& rows, Stream stream) { launch_program(rows, stream); }
void launch(const NotFinite<float>& rows, Stream stream) { launch_program(rows, stream); }
void launch(const NotFinite<double>& rows, Stream stream) { launch_program(rows, stream); }
void launch(const Conversion<float, double>& conversion, Stream stream) { launch_program(conversion, stream); }
void launch(const Conversion<double, float>& conversion, Stream stream) { launch_program(conversion, stream); }
void launch(const Placing<float, float>& placing, Stream stream) { launch_program(placing, stream); }
void launch(const Placing<float, double>& placing, Stream stream) { launch_program(placing, stream); }
void launch(const Placing<double, double>& placing, Stream stream) { launch_program(placing, stream); }
void launch(const Addition& addition, Stream stream) { launch_program(addition, stream); }
void launch(const LeftClearing& clearing, Stream stream) { launch_program(clearing, stream); }
void launch(const DiagonalOut& diagonal, Stream stream) { launch_program(diagonal, stream); }
void launch(const DiagonalIn& diagonal, Stream stream) { launch_program(diagonal, stream); }
void launch(const UpperMirror& mirror, Stream stream) { launch_program(mirror, stream); }
void launch(const FirstSet& search, Stream stream) { launch_program(search, stream); }
void launch(const BadPivots<float>& pivots, Stream stream) { launch_program(pivots, stream); }
void launch(const BadPivots<double>& pivots, Stream stream) { launch_program(pivots, stream); }
void launch(const SamePairs<float>& pairs, Stream stream) { launch_program(pairs, stream); }
void launch(const SamePairs<double>& pairs, Stream stream) { launch_program(pairs, stream); }

}  // namespace ntkrob::cuda
