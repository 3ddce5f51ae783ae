/// Conformance test for wrappers of a Model that change nothing: NTKROB_CHECK_FORWARDING(wrap) inside a TEST_CASE,
/// where wrap(inner) makes the wrapper, a std::unique_ptr<Model>.
///
/// Calls every function of Model and of Iterates on the wrapper of a model that takes notes, and asks that exactly this
/// function of the inner one was called, once. tests/architecture/check_forwarding.py asks that none is missing here.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "ntkrob/base/random.hpp"
#include "ntkrob/model/iterates.hpp"
#include "ntkrob/model/model.hpp"

namespace ntkrob::kit {

/// Writes down the names of the functions called, in order.
class NotingModel final : public Model {
 public:
  class Points final : public Iterates {
   public:
    explicit Points(const NotingModel& model) : model_(model) {}
    void start_at_centres() override { model_.note("start_at_centres"); }
    void start_at_random(const Ball&, const std::vector<RandomStream>&) override { model_.note("start_at_random"); }
    void logits(View2D<float>) override { model_.note("Iterates::logits"); }
    void gradient(const CotangentFn&, View2D<float>) override { model_.note("gradient"); }
    void ascend(const Ball&, float) override { model_.note("ascend"); }
    std::vector<index> zero_gradients() const override {
      model_.note("zero_gradients");
      return {4, 2};
    }
    void keep(const std::vector<index>&) override { model_.note("keep"); }
    void read(View2D<float>) const override { model_.note("read"); }
    void read_kept(View2D<float>) const override { model_.note("read_kept"); }

   private:
    const NotingModel& model_;
  };

  explicit NotingModel(bool keeps_points = true) : keeps_points_(keeps_points) {}
  ImageShape input_shape() const override {
    note("input_shape");
    return {2, 3, 1};
  }
  index classes() const override {
    note("classes");
    return 5;
  }
  void logits(ConstView2D<float>, View2D<float>) const override { note("logits"); }
  void input_grad(ConstView2D<float>, ConstView2D<float>, View2D<float>) const override { note("input_grad"); }
  void logits_and_grad(ConstView2D<float>, const CotangentFn&, View2D<float>, View2D<float>) const override {
    note("logits_and_grad");
  }
  std::unique_ptr<Iterates> iterates(ConstView2D<float>) const override {
    note("iterates");
    if (!keeps_points_) return nullptr;
    return std::make_unique<Points>(*this);
  }
  void for_each(index, const std::function<void(index)>&) const override { note("for_each"); }

  std::vector<std::string> taken() const { return std::move(notes_); }

 private:
  void note(const char* name) const { notes_.emplace_back(name); }
  bool keeps_points_;
  mutable std::vector<std::string> notes_;
};

/// Every function that the wrapper does not hand on as it is, one line each.
template <class Wrap>
std::vector<std::string> forwarding_problems(const Wrap& wrap) {
  std::vector<std::string> problems;
  const NotingModel inner, without_points(false);
  const std::unique_ptr<Model> model = wrap(static_cast<const Model&>(inner));
  inner.taken();
  const auto expect = [&](const std::string& name, bool answer = true) {
    const std::vector<std::string> taken = inner.taken();
    if (taken == std::vector<std::string>{name} && answer) return;
    std::string list;
    for (const std::string& one : taken) list += " " + one;
    problems.push_back(name + " of the wrapper called" + (taken.empty() ? " nothing" : list) + " of the inner model" +
                       (answer ? "" : ", and answered something else"));
  };
  Matrix<float> x(2, 6), f(2, 5), dx(2, 6);
  const CotangentFn cotangent = [](index, ConstView2D<float>, View2D<float>) {};
  const ImageShape shape = model->input_shape();
  expect("input_shape", shape == ImageShape{2, 3, 1});
  const index classes = model->classes();
  expect("classes", classes == 5);
  model->logits(x.view(), f);
  expect("logits");
  model->input_grad(x.view(), f.view(), dx);
  expect("input_grad");
  model->logits_and_grad(x.view(), cotangent, f, dx);
  expect("logits_and_grad");
  model->for_each(3, [](index) {});
  expect("for_each");

  const std::unique_ptr<Iterates> points = model->iterates(x.view());
  expect("iterates", points != nullptr);
  if (wrap(static_cast<const Model&>(without_points))->iterates(x.view()) != nullptr)
    problems.emplace_back("iterates of the wrapper is there where the inner model has none");
  if (points == nullptr) return problems;
  points->start_at_centres();
  expect("start_at_centres");
  points->start_at_random({}, {});
  expect("start_at_random");
  points->logits(f);
  expect("Iterates::logits");
  points->gradient(cotangent, f);
  expect("gradient");
  points->ascend({}, 1);
  expect("ascend");
  const std::vector<index> zeros = points->zero_gradients();
  expect("zero_gradients", zeros == std::vector<index>{4, 2});
  points->keep({1});
  expect("keep");
  points->read(x);
  expect("read");
  points->read_kept(x);
  expect("read_kept");
  return problems;
}

}  // namespace ntkrob::kit

/// CHECK that forwarding_problems(wrap) finds nothing; prints each problem.
#define NTKROB_CHECK_FORWARDING(...)                                                                       \
  do {                                                                                                     \
    std::string lines_;                                                                                    \
    for (const std::string& line : ::ntkrob::kit::forwarding_problems(__VA_ARGS__)) lines_ += line + "\n"; \
    INFO(lines_);                                                                                          \
    CHECK(lines_.empty());                                                                                 \
  } while (false)
