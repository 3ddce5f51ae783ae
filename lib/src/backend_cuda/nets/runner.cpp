#include "backend_cuda/nets/runner.hpp"

#include <algorithm>

#include "backend_cuda/nets/passes.hpp"
#include "backend_cuda/work.hpp"
#include "ntkrob/base/error.hpp"

namespace ntkrob::cuda::nets {
namespace {

class Runner final : public NetRunner {
 public:
  Runner(std::shared_ptr<Device> device, const NetProgram& program)
      : shared_device_(std::move(device)),
        device_(*shared_device_),
        passes_(device_, program),
        numbers_(program.input.size()),
        classes_(program.classes) {}

  void set_parameters(index layer, ConstView2D<float> weight, ConstView2D<float> bias) override {
    const DeviceView<float> all = passes_.parameters();
    put(weight, passes_.weight(all, layer));
    put(bias, passes_.bias(all, layer));
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
      work().read(passes_.forward(load(x.middle_rows(first, n)), false), out.middle_rows(first, n));
    });
  }

  void input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) override {
    check_io(x, cotangent);
    NTKROB_CHECK_SHAPE(dx, x.rows, x.cols);
    for_blocks(x.rows, [&](index first, index n) {
      const DeviceView<const float> rows = load(x.middle_rows(first, n));
      passes_.forward(rows, true);
      const DeviceView<float> c = cotangent_.fit(device_, n, classes_);
      work().write(cotangent.middle_rows(first, n), c);
      bring_down(rows, c, dx.middle_rows(first, n));
    });
  }

  void logits_and_grad(ConstView2D<float> x, const NetCotangentFn& cotangent, View2D<float> out,
                       View2D<float> dx) override {
    check_io(x, out);
    NTKROB_CHECK_SHAPE(dx, x.rows, x.cols);
    for_blocks(x.rows, [&](index first, index n) {
      const DeviceView<const float> rows = load(x.middle_rows(first, n));
      const DeviceView<const float> c = meet(rows, first, cotangent, out);
      bring_down(rows, c, dx.middle_rows(first, n));
    });
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
    momentum_ = momentum;
    weight_decay_ = weight_decay;
    velocity_ = Kept<float>(device_, 1, passes_.parameters().cols);
    passes_.clear(velocity_.view());
    if (!x.empty()) work().write(x, images_.fit(device_, x.rows, x.cols));
    training_ = true;
  }

  void batch_grad(const index* rows, index n, const NetCotangentFn& cotangent, View2D<float> out) override {
    const DeviceView<const float> all = images_.view();
    NTKROB_CHECK(n <= all.rows, ShapeError, "a batch of ", n, " of ", all.rows, " images");
    NTKROB_CHECK_SHAPE(out, n, classes_);
    if (rows == nullptr) {
      gradients(n, cotangent, out, [&](index first, index count) {
        return DeviceView<const float>(all.data + first * all.stride, count, all.cols, all.stride);
      });
      return;
    }
    const DeviceView<std::int32_t> picked = picked_.fit(device_, 1, n);
    work().send<std::int32_t>(picked, [&](index, index col, View2D<std::int32_t> piece) {
      for (index k = 0; k < piece.cols; ++k) piece(0, k) = static_cast<std::int32_t>(rows[col + k]);
    });
    gradients(n, cotangent, out, [&](index first, index count) {
      const DeviceView<float> batch = batch_.fit(device_, count, numbers_);
      launch(PickRows<float>(all, picked.data + first, batch), device_.queue().stream);
      return DeviceView<const float>(batch);
    });
  }

  void sgd_step(double lr) override {
    NTKROB_CHECK(training_, ConfigError, "backend cuda: a training step outside a training");
    SgdStep<float> step;
    step.parameters = passes_.parameters().data;
    step.velocity = velocity_.data();
    step.gradient = passes_.gradients().data;
    step.n = passes_.parameters().cols;
    step.momentum = momentum_;
    step.weight_decay = weight_decay_;
    step.lr = lr;
    launch(step, device_.queue().stream);
    passes_.parameters_changed();
  }

  void get_velocities(index layer, View2D<float> weight, View2D<float> bias) override {
    NTKROB_CHECK(training_, ConfigError, "backend cuda: velocities outside a training");
    fetch(velocity_.view(), layer, weight, bias);
  }
  void set_velocities(index layer, ConstView2D<float> weight, ConstView2D<float> bias) override {
    NTKROB_CHECK(training_, ConfigError, "backend cuda: velocities outside a training");
    put(weight, passes_.weight(velocity_.view(), layer));
    put(bias, passes_.bias(velocity_.view(), layer));
  }

  void end_training() override {
    training_ = false;
    images_ = Kept<float>();
    velocity_ = Kept<float>();
  }

 private:
  /// On the queue of this thread.
  Work work() { return Work(device_); }

  void check_io(ConstView2D<float> x, ConstView2D<float> out) const {
    NTKROB_CHECK_SHAPE(x, x.rows, numbers_);
    NTKROB_CHECK_SHAPE(out, x.rows, classes_);
  }

  /// Calls block(first, n) for blocks of rows, in order.
  template <class Block>
  void for_blocks(index rows, const Block& block) const {
    for (index first = 0; first < rows; first += passes_.row_block())
      block(first, std::min(passes_.row_block(), rows - first));
  }

  template <class T>
  bool in_place(const View2D<T>& view) const {
    return device_.holds(view.data) && view.stride == view.cols;
  }
  DeviceView<const float> load(ConstView2D<float> x) {
    if (in_place(x)) return Work::on_device(x);
    const DeviceView<float> rows = batch_.fit(device_, x.rows, numbers_);
    work().write(x, rows);
    return rows;
  }

  /// Logits to the host, cotangent back.
  DeviceView<const float> meet(DeviceView<const float> x, index first, const NetCotangentFn& cotangent,
                               View2D<float> out) {
    const View2D<float> logits = out.middle_rows(first, x.rows);
    work().read(passes_.forward(x, true), logits);
    if (host_.rows() < x.rows) host_ = Matrix<float>(x.rows, classes_);
    const View2D<float> c = host_.view().middle_rows(0, x.rows);
    cotangent(first, logits, c);
    const DeviceView<float> result = cotangent_.fit(device_, x.rows, classes_);
    work().write(ConstView2D<float>(c), result);
    return result;
  }

  void bring_down(DeviceView<const float> x, DeviceView<const float> cotangent, View2D<float> dx) {
    if (in_place(dx)) return passes_.backward(x, cotangent, Work::on_device(dx), false, 0);
    const DeviceView<float> d = dx_.fit(device_, x.rows, numbers_);
    passes_.backward(x, cotangent, d, false, 0);
    work().read(d, dx);
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
    work().write(from, to);
  }
  void fetch(DeviceView<float> all, index layer, View2D<float> weight, View2D<float> bias) {
    const DeviceView<float> w = passes_.weight(all, layer), b = passes_.bias(all, layer);
    NTKROB_CHECK_SHAPE(weight, w.rows, w.cols);
    NTKROB_CHECK_SHAPE(bias, b.rows, b.cols);
    work().read(w, weight);
    work().read(b, bias);
  }

  const std::shared_ptr<Device> shared_device_;
  Device& device_;
  Passes passes_;
  const index numbers_, classes_;
  Kept<float> batch_, cotangent_, dx_, images_, velocity_;
  Kept<std::int32_t> picked_;
  Matrix<float> host_;  // a cotangent
  bool training_ = false;
  double momentum_ = 0, weight_decay_ = 0;
};

}  // namespace

std::unique_ptr<NetRunner> make_runner(std::shared_ptr<Device> device, const NetProgram& program) {
  return std::make_unique<Runner>(std::move(device), program);
}

}  // namespace ntkrob::cuda::nets
