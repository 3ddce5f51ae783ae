/// Arrays in the memory of a device. Views of host memory may take part everywhere; then host memory is read and
/// written through the queue's pinned memory, in the narrower of two types.
#pragma once

#include <memory>

#include "backend_cuda/work.hpp"
#include "ntkrob/backend/arrays.hpp"

namespace ntkrob::cuda {

class DeviceArrays final : public Arrays {
 public:
  explicit DeviceArrays(std::shared_ptr<Device> device) : device_(std::move(device)) {}

  bool on_host() const override { return false; }
  bool holds(const void* address) const override { return device_->holds(address); }
  std::shared_ptr<void> allocate(std::size_t bytes) override { return device_->allocate(bytes); }

  void copy(ConstView2D<float> from, View2D<float> to) override;
  void copy(ConstView2D<double> from, View2D<double> to) override;
  void copy(ConstView2D<float> from, View2D<double> to) override;
  void copy(ConstView2D<double> from, View2D<float> to) override;
  void fill(View2D<float> a, float value) override;
  void fill(View2D<double> a, double value) override;
  void transpose(ConstView2D<float> from, View2D<float> to) override;
  void transpose(ConstView2D<double> from, View2D<double> to) override;
  void place(ConstView2D<float> block, const Placement& where, View2D<float> to) override;
  void place(ConstView2D<float> block, const Placement& where, View2D<double> to) override;
  void place(ConstView2D<double> block, const Placement& where, View2D<double> to) override;
  void add(ConstView2D<double> from, View2D<double> to) override;
  void clear_left(index first, View2D<double> a) override;
  void add_scaled_rows(double divisor, ConstView2D<double> factors, ConstView2D<float> from, View2D<float> to) override;
  void add_scaled_rows(double divisor, ConstView2D<double> factors, ConstView2D<double> from,
                       View2D<double> to) override;
  void row_squares(ConstView2D<float> a, View2D<double> sums) override;
  void row_squares(ConstView2D<double> a, View2D<double> sums) override;
  index first_not_finite(ConstView2D<float> a) override;
  index first_not_finite(ConstView2D<double> a) override;
  void diagonal(ConstView2D<double> a, double* out) override;
  void set_diagonal(const double* values, double shift, View2D<double> a) override;
  void mirror_upper(View2D<double> a) override;

 private:
  std::shared_ptr<Device> device_;
};

}  // namespace ntkrob::cuda
