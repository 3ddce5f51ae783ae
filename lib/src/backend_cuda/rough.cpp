#include "backend_cuda/rough.hpp"

#include "backend_cuda/launch.hpp"
#include "backend_cuda/tables.hpp"

namespace ntkrob::cuda {
namespace {

index padded(index columns) { return (columns + 7) / 8 * 8; }

/// While it lives, cuBLAS may use what is made for bfloat16; Queue::blas() asks for float32 throughout.
class MixedMath {
 public:
  explicit MixedMath(cublasHandle_t handle) : handle_(handle) {
    check(cublasGetMathMode(handle, &before_), "asking cuBLAS for its mode");
    check(cublasSetMathMode(handle, static_cast<cublasMath_t>(CUBLAS_DEFAULT_MATH |
                                                              CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION)),
          "choosing bfloat16 products");
  }
  ~MixedMath() { cublasSetMathMode(handle_, before_); }
  MixedMath(const MixedMath&) = delete;
  MixedMath& operator=(const MixedMath&) = delete;

 private:
  cublasHandle_t handle_;
  cublasMath_t before_ = CUBLAS_DEFAULT_MATH;
};

}  // namespace

void pack_rough(Device& device, DeviceArrays& arrays, Transpose t, ConstView2D<float> b, Panels<float>& panels) {
  const bool turned = t == Transpose::yes;
  panels.operands = Operands::bfloat16;
  panels.k = turned ? b.cols : b.rows;
  panels.n = turned ? b.rows : b.cols;
  panels.data = Matrix<float>();
  panels.resident.reset();  // before there is new memory
  auto there = std::make_shared<RoughPanels>();
  there->numbers = Array<std::uint16_t>(arrays, panels.k, padded(panels.n));
  const View2D<std::uint16_t> to = there->numbers.view().middle_cols(0, panels.n);
  Work work(device);
  if (turned && !device.holds(b.data)) {
    there->samples = Array<float>(arrays, b.rows, b.cols);
    work.write(b, Work::on_device(there->samples.view()));
  }
  DeviceView<const float> from =
      there->samples.rows() > 0 ? Work::on_device(ConstView2D<float>(there->samples.view())) : work.in(b);
  if (turned) {
    const DeviceView<float> columns = work.scratch<float>(panels.k, panels.n);
    launch(Transposition<float>{from, columns}, work.stream());
    from = columns;
  }
  launch(Rounding{{}, from, Work::on_device(to)}, work.stream());
  work.finish();
  panels.resident = std::move(there);
}

void multiply_rough(Work& work, float alpha, DeviceView<const float> a, const Panels<float>& panels, index begin,
                    float beta, DeviceView<float> c) {
  NTKROB_CHECK(begin % kPanelStep == 0 && begin + c.cols <= panels.n, ShapeError, "columns ", begin, " to ",
               begin + c.cols, " of a packed operand with ", panels.n);
  NTKROB_CHECK(a.cols == panels.k, ShapeError, "a packed operand of length ", panels.k, " for rows of ", a.cols);
  if (c.rows == 0 || c.cols == 0) return;
  const View2D<const std::uint16_t> right =
      static_cast<const RoughPanels&>(resident<RoughPanels>(panels.resident, "packed operand")).numbers.view();
  const DeviceView<std::uint16_t> wide = work.scratch<std::uint16_t>(a.rows, padded(a.cols));
  const DeviceView<std::uint16_t> left(wide.data, a.rows, a.cols, wide.stride);
  launch(Rounding{{}, a, left}, work.stream());
  const cublasHandle_t handle = work.queue().blas();
  const MixedMath mixed(handle);
  check(cublasGemmEx_64(handle, CUBLAS_OP_N, CUBLAS_OP_N, c.cols, c.rows, a.cols, &alpha, right.data + begin,
                        CUDA_R_16BF, right.stride, left.data, CUDA_R_16BF, left.stride, &beta, c.data, CUDA_R_32F,
                        c.stride, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
        "multiplying bfloat16 matrices");
}

DeviceView<const float> samples_of(Work& work, const Device& device, const Panels<float>& panels, index begin,
                                   ConstView2D<float> samples) {
  const auto& there = resident<RoughPanels>(panels.resident, "packed operand");
  if (there.samples.rows() == 0 || device.holds(samples.data)) return work.in(samples);
  return Work::on_device(there.samples.view().middle_rows(begin, samples.rows));
}

}  // namespace ntkrob::cuda
