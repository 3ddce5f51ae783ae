#include "ntkrob/model/forwarding.hpp"

namespace ntkrob {

namespace {

/// Points of the inner model, whose passes the wrapper sees.
class ForwardingIterates final : public Iterates {
 public:
  ForwardingIterates(const ForwardingModel& wrapper, std::unique_ptr<Iterates> inner)
      : wrapper_(wrapper), inner_(std::move(inner)) {}

  void start_at_centres() override { inner_->start_at_centres(); }
  void start_at_random(const Ball& ball, const std::vector<RandomStream>& streams) override {
    inner_->start_at_random(ball, streams);
  }
  void logits(View2D<float> out) override {
    wrapper_.before_pass();
    inner_->logits(out);
  }
  void gradient(const CotangentFn& cotangent, View2D<float> out) override {
    wrapper_.before_pass();
    inner_->gradient(cotangent, out);
  }
  void ascend(const Ball& ball, float step) override { inner_->ascend(ball, step); }
  std::vector<index> zero_gradients() const override { return inner_->zero_gradients(); }
  void keep(const std::vector<index>& rows) override { inner_->keep(rows); }
  void read(View2D<float> z) const override { inner_->read(z); }
  void read_kept(View2D<float> z) const override { inner_->read_kept(z); }

 private:
  const ForwardingModel& wrapper_;
  std::unique_ptr<Iterates> inner_;
};

}  // namespace

ImageShape ForwardingModel::input_shape() const { return inner_.input_shape(); }

index ForwardingModel::classes() const { return inner_.classes(); }

void ForwardingModel::logits(ConstView2D<float> x, View2D<float> out) const {
  before_pass();
  inner_.logits(x, out);
}

void ForwardingModel::input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const {
  before_pass();
  inner_.input_grad(x, cotangent, dx);
}

void ForwardingModel::logits_and_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                                      View2D<float> dx) const {
  before_pass();
  inner_.logits_and_grad(x, cotangent, out, dx);
}

std::unique_ptr<Iterates> ForwardingModel::iterates(ConstView2D<float> x) const {
  std::unique_ptr<Iterates> points = inner_.iterates(x);
  return points == nullptr ? nullptr : std::make_unique<ForwardingIterates>(*this, std::move(points));
}

void ForwardingModel::for_each(index n, const std::function<void(index task)>& task) const { inner_.for_each(n, task); }

}  // namespace ntkrob
