#include "backend_cuda/nets/runner.hpp"

#include <algorithm>

#include "backend_cuda/nets/passes.hpp"
#include "ntkrob/base/error.hpp"

namespace ntkrob::cuda::nets {
namespace {

class Runner final : public NetRunner {
 public:
  Runner(Device& device, const NetProgram& program)
      : device_(device),
        work_(device),
        passes_(work_, program),
        numbers_(program.input.size()),
        classes_(program.classes) {
    work_.finish();
  }

  void set_parameters(index layer, ConstView2D<float> weight, ConstView2D<float> bias) override {
    use_device();
    const DeviceView<float> all = passes_.parameters();
    put(weight, passes_.weight(all, layer));
    put(bias, passes_.bias(all, layer));
    work_.finish();
    passes_.parameters_changed();
  }
  void get_parameters(index layer, View2D<float> weight, View2D<float> bias) override {
    fetch(passes_.parameters(), layer, weight, bias);
  }
  void get_gradients(index layer, View2D<float> weight, View2D<float> bias) override {
    fetch(passes_.gradients(), layer, weight, bias);
  }

  void logits(ConstView2D<float> x, View2D<float> out) override {
    check_io(x, out);
    for_blocks(x.rows, [&](index first, index n) {
      work_.read(passes_.forward(load(x.middle_rows(first, n)), false), out.middle_rows(first, n));
    });
    work_.finish();
  }

  void input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) override {
    check_io(x, cotangent);
    NTKROB_CHECK_SHAPE(dx, x.rows, x.cols);
    for_blocks(x.rows, [&](index first, index n) {
      const DeviceView<const float> rows = load(x.middle_rows(first, n));
      passes_.forward(rows, true);
      const DeviceView<float> c = head(cotangent_, n, classes_), d = head(dx_, n, numbers_);
      work_.write(cotangent.middle_rows(first, n), c);
      passes_.backward(rows, c, d, false, 0);
      work_.read(d, dx.middle_rows(first, n));
    });
    work_.finish();
  }

  void logits_and_grad(ConstView2D<float> x, const NetCotangentFn& cotangent, View2D<float> out,
                       View2D<float> dx) override {
    check_io(x, out);
    NTKROB_CHECK_SHAPE(dx, x.rows, x.cols);
    for_blocks(x.rows, [&](index first, index n) {
      const DeviceView<const float> rows = load(x.middle_rows(first, n));
      const DeviceView<const float> c = meet(rows, first, cotangent, out);
      const DeviceView<float> d = head(dx_, n, numbers_);
      passes_.backward(rows, c, d, false, 0);
      work_.read(d, dx.middle_rows(first, n));
    });
    work_.finish();
  }

  void parameter_grad(ConstView2D<float> x, const NetCotangentFn& cotangent, View2D<float> out) override {
    check_io(x, out);
    gradients(x.rows, cotangent, out, [&](index first, index n) { return load(x.middle_rows(first, n)); });
  }

  void start_training(ConstView2D<float> x, double momentum, double weight_decay) override {
    if (!x.empty()) NTKROB_CHECK_SHAPE(x, x.rows, numbers_);
    NTKROB_CHECK(x.rows <= kMostElements, ConfigError, "backend cuda: a training set of ", x.rows,
                 " images, the limit is ", kMostElements, "; use cpu");
    end_training();
    use_device();
    momentum_ = momentum;
    weight_decay_ = weight_decay;
    velocity_ = work_.make<float>(1, passes_.parameters().cols);
    passes_.clear(velocity_.view());
    if (!x.empty()) images_ = work_.upload<float>(x);
    work_.finish();
  }

  void batch_grad(const index* rows, index n, const NetCotangentFn& cotangent, View2D<float> out) override {
    const DeviceView<const float> all = images_.view();
    NTKROB_CHECK(n <= all.rows, ShapeError, "a batch of ", n, " of ", all.rows, " images");
    NTKROB_CHECK_SHAPE(out, n, classes_);
    use_device();
    if (rows == nullptr) {
      gradients(n, cotangent, out, [&](index first, index count) {
        return DeviceView<const float>(all.data + first * all.stride, count, all.cols, all.stride);
      });
      return;
    }
    picked_.assign(rows, rows + n);
    const DeviceView<std::int32_t> picked = head(picked_on_device_, 1, n);
    work_.write(ConstView2D<std::int32_t>(picked_.data(), 1, n), picked);
    gradients(n, cotangent, out, [&](index first, index count) {
      const DeviceView<float> batch = head(batch_, count, numbers_);
      launch(PickRows<float>(all, picked.data + first, batch), work_.stream());
      return DeviceView<const float>(batch);
    });
  }

  void sgd_step(double lr) override {
    NTKROB_CHECK(!velocity_.view().empty(), ConfigError, "backend cuda: a training step outside a training");
    use_device();
    SgdStep<float> step;
    step.parameters = passes_.parameters().data;
    step.velocity = velocity_.data();
    step.gradient = passes_.gradients().data;
    step.n = passes_.parameters().cols;
    step.momentum = momentum_;
    step.weight_decay = weight_decay_;
    step.lr = lr;
    launch(step, work_.stream());
    passes_.parameters_changed();
  }

  void end_training() override {
    use_device();
    images_ = DeviceMatrix<float>();
    velocity_ = DeviceMatrix<float>();
  }

 private:
  /// Calls may come from any thread.
  void use_device() const { check(cudaSetDevice(device_.number()), "choosing the device"); }

  void check_io(ConstView2D<float> x, ConstView2D<float> out) const {
    NTKROB_CHECK_SHAPE(x, x.rows, numbers_);
    NTKROB_CHECK_SHAPE(out, x.rows, classes_);
    use_device();
  }

  /// Calls block(first, n) for blocks of rows, in order.
  template <class Block>
  void for_blocks(index rows, const Block& block) const {
    for (index first = 0; first < rows; first += passes_.row_block())
      block(first, std::min(passes_.row_block(), rows - first));
  }

  /// The first rows x cols of a buffer, which grows.
  template <class T>
  DeviceView<T> head(DeviceMatrix<T>& buffer, index rows, index cols) {
    if (buffer.view().rows * buffer.view().cols < rows * cols) {
      buffer = DeviceMatrix<T>();  // before there is new memory
      buffer = work_.make<T>(rows, cols);
    }
    return {buffer.data(), rows, cols, cols};
  }

  DeviceView<const float> load(ConstView2D<float> x) {
    const DeviceView<float> rows = head(batch_, x.rows, numbers_);
    work_.write(x, rows);
    return rows;
  }

  /// Logits to the host, cotangent back.
  DeviceView<const float> meet(DeviceView<const float> x, index first, const NetCotangentFn& cotangent,
                               View2D<float> out) {
    const View2D<float> logits = out.middle_rows(first, x.rows);
    work_.read(passes_.forward(x, true), logits);
    work_.finish();
    if (host_.rows() < x.rows) host_ = Matrix<float>(x.rows, classes_);
    const View2D<float> c = host_.view().middle_rows(0, x.rows);
    cotangent(first, logits, c);
    const DeviceView<float> result = head(cotangent_, x.rows, classes_);
    work_.write(ConstView2D<float>(c), result);
    return result;
  }

  /// images(first, n): those of a block of rows, on the device.
  template <class Images>
  void gradients(index rows, const NetCotangentFn& cotangent, View2D<float> out, const Images& images) {
    if (rows == 0) passes_.clear_gradients();
    for_blocks(rows, [&](index first, index n) {
      const DeviceView<const float> x = images(first, n);
      const DeviceView<const float> c = meet(x, first, cotangent, out);
      passes_.backward(x, c, DeviceView<float>(), true, first == 0 ? 0.0f : 1.0f);
    });
  }

  void put(ConstView2D<float> from, DeviceView<float> to) {
    NTKROB_CHECK_SHAPE(from, to.rows, to.cols);
    work_.write(from, to);
  }
  void fetch(DeviceView<float> all, index layer, View2D<float> weight, View2D<float> bias) {
    use_device();
    const DeviceView<float> w = passes_.weight(all, layer), b = passes_.bias(all, layer);
    NTKROB_CHECK_SHAPE(weight, w.rows, w.cols);
    NTKROB_CHECK_SHAPE(bias, b.rows, b.cols);
    work_.read(w, weight);
    work_.read(b, bias);
    work_.finish();
  }

  Device& device_;
  Work work_;  // before all memory: it is freed in the order of this stream
  Passes passes_;
  const index numbers_, classes_;
  DeviceMatrix<float> batch_, cotangent_, dx_, images_, velocity_;
  DeviceMatrix<std::int32_t> picked_on_device_;
  // What copies to the device read while the host goes on: written again only after a wait.
  Matrix<float> host_;
  std::vector<std::int32_t> picked_;
  double momentum_ = 0, weight_decay_ = 0;
};

}  // namespace

std::unique_ptr<NetRunner> make_runner(Device& device, const NetProgram& program) {
  return std::make_unique<Runner>(device, program);
}

}  // namespace ntkrob::cuda::nets
